from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from chartsight.evaluation.clustering import design_effect, wilson_clustered


def icc_by_hand(values: np.ndarray, groups: int, size: int) -> float:
    """One-way analysis of variance for groups of one size."""
    table = values.reshape(groups, size)
    between = size * table.mean(axis=1).var(ddof=1)
    within = table.var(axis=1, ddof=1).mean()
    return float((between - within) / (between + (size - 1) * within))


def test_the_icc_is_that_of_an_analysis_of_variance() -> None:
    generator = np.random.default_rng(1)
    values = np.repeat(generator.normal(size=50), 8) + generator.normal(size=400)
    effect = design_effect(values, np.repeat(np.arange(50), 8))
    assert effect.icc == pytest.approx(icc_by_hand(values, 50, 8))
    assert effect.deff == pytest.approx(1 + 7 * effect.icc)
    assert effect.effective_n == pytest.approx(400 / effect.deff)


def test_the_design_effect_is_how_much_the_variance_grows() -> None:
    """Means of 3,000 samples of 30 patients with 4 to 16 questions each spread as n / deff says."""
    generator = np.random.default_rng(2)
    sizes = generator.integers(4, 17, 30)
    cluster = np.repeat(np.arange(30), sizes)
    samples = [0.6 * generator.normal(size=30)[cluster] + generator.normal(size=len(cluster)) for _ in range(3000)]
    spread = np.var([sample.mean() for sample in samples])
    effects = [design_effect(sample, cluster) for sample in samples[:300]]
    expected = np.mean(
        [np.var(sample, ddof=1) / e.effective_n for sample, e in zip(samples[:300], effects, strict=True)]
    )
    assert expected == pytest.approx(spread, rel=0.1)


def test_edges() -> None:
    alone = design_effect(np.array([1.0, 0.0]), np.array([3, 3]))
    assert (alone.n, alone.clusters) == (2, 1) and math.isnan(alone.deff)
    nothing = design_effect(np.zeros(0), np.zeros(0, dtype=np.int64))
    assert (nothing.n, nothing.clusters, nothing.effective_n) == (0, 0, 0) and math.isnan(nothing.deff)
    singles = design_effect(np.array([1.0, 0.0, 1.0]), np.arange(3))
    assert (singles.icc, singles.deff) == (0.0, 1.0)
    alike = design_effect(np.full(20, 0.3), np.repeat(np.arange(4), 5))
    assert (alike.icc, alike.deff) == (1.0, 5.0)  # each patient counts once
    opposed = design_effect(np.array([1.0, 0.0] * 10), np.repeat(np.arange(10), 2))
    assert opposed.icc == 0.0  # a negative correlation is no gift


def test_wilson_takes_the_effective_number() -> None:
    generator = np.random.default_rng(3)
    cluster = np.repeat(np.arange(40), 5)
    is_true = generator.random(200) < np.repeat(generator.beta(2, 2, 40), 5)
    effect = design_effect(is_true, cluster)
    interval = wilson_clustered(is_true, cluster)
    expected = proportion_confint(is_true.mean() * effect.effective_n, effect.effective_n, method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected)
    singles = wilson_clustered(is_true, np.arange(200))
    assert (singles.low, singles.high) == pytest.approx(proportion_confint(is_true.sum(), 200, method="wilson"))
    assert singles.high - singles.low < interval.high - interval.low


def test_wilson_of_nothing_and_of_one_patient() -> None:
    nothing = wilson_clustered(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64))
    assert nothing.n == 0 and math.isnan(nothing.estimate)
    one = wilson_clustered(np.array([True, False]), np.array([0, 0]))
    assert one.estimate == 0.5 and math.isnan(one.low) and math.isnan(one.high)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=60))
def test_a_design_effect_is_at_least_one_and_never_more_than_the_largest_patient(items: list[tuple[int, bool]]) -> None:
    cluster = np.array([code for code, _ in items], dtype=np.int64)
    effect = design_effect(np.array([value for _, value in items]), cluster)
    if effect.clusters >= 2:
        assert 1.0 <= effect.deff <= np.bincount(cluster).max() + 1e-9
        assert 0.0 <= effect.icc <= 1.0
