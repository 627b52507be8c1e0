"""Areas agree with scikit-learn, weights included; intervals know patients; differences are paired."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from chartsight.evaluation.areas import AreaDraws, area_difference, interval_of, mean_area


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 6))
def test_the_estimate_is_scikit_learn_s_ties_included(seed: int, n: int, different: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, different, n).astype(float)
    positive = np.r_[True, False, random.random(n - 2) < 0.4]
    area = AreaDraws(range(n), resamples=4).draw(scores, positive)
    assert area.estimate == pytest.approx(roc_auc_score(positive, scores))


def test_a_resample_is_the_area_of_the_patients_drawn() -> None:
    random = np.random.default_rng(3)
    patients = np.repeat(np.arange(30), 3)
    positive = random.random(90) < 0.4
    scores = random.normal(size=90) + positive
    draws = AreaDraws(patients.tolist(), resamples=20, seed=5)
    drawn = draws.draw(scores, positive)
    for weights, area in zip(draws._weights, drawn.draws, strict=True):
        assert area == pytest.approx(roc_auc_score(positive, scores, sample_weight=weights[patients]))


def test_an_interval_over_patients_is_wider_than_one_over_films() -> None:
    random = np.random.default_rng(1)
    of_patient = random.normal(size=60)
    positive_patient = random.random(60) < 0.5
    patients = np.repeat(np.arange(60), 8)
    scores = (of_patient + 0.8 * positive_patient)[patients] + random.normal(scale=0.05, size=480)
    positive = positive_patient[patients]
    clustered = AreaDraws(patients.tolist()).area(scores, positive)
    naive = AreaDraws(range(480)).area(scores, positive)
    assert clustered.estimate == naive.estimate and clustered.clusters == 60
    assert clustered.high - clustered.low > 1.8 * (naive.high - naive.low)


def test_nothing_to_rank_is_nan() -> None:
    draws = AreaDraws(range(4), resamples=10)
    assert math.isnan(draws.area([1, 2, 3, 4], [True] * 4).estimate)
    none = draws.area([1, 2, 3, 4], [True, False, True, False], np.zeros(4, bool))
    assert math.isnan(none.estimate) and none.n == 0
    assert math.isnan(mean_area([]).estimate)


def test_the_same_scorer_differs_by_nothing_and_a_better_one_by_more() -> None:
    random = np.random.default_rng(2)
    positive = random.random(300) < 0.4
    good, poor = positive + random.normal(scale=0.5, size=300), positive + random.normal(scale=3, size=300)
    draws = AreaDraws(range(300), seed=4)
    one, two = draws.draw(good, positive), draws.draw(poor, positive)
    same = area_difference([one], [one])
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    better = area_difference([one], [two])
    assert better.excludes_zero and better.low > 0
    assert better.estimate == pytest.approx(interval_of(one).estimate - interval_of(two).estimate)
    assert mean_area([one, two]).estimate == pytest.approx((one.estimate + two.estimate) / 2)
