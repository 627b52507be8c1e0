"""Coefficients of agreement against scikit-learn, the krippendorff package, published examples and sums by hand."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from chartsight.evaluation import ClusterBootstrap
from chartsight.review.agreement import (
    MISSING,
    Codes,
    agreement_columns,
    alpha_words,
    cohen_kappa,
    coincidence_columns,
    disagreement,
    encode,
    gwet_ac1,
    gwet_columns,
    krippendorff_alpha,
    pair_columns,
    percent_agreement,
)

# Gwet's data of two abstractors (irrCAC, cont3x3abstractors): rows the first, columns the second.
ABSTRACTORS = ((13, 0, 0), (0, 20, 7), (0, 4, 56))

# Four raters, twelve units, with gaps (Krippendorff 2011, section C; Gwet 2014, page 120; irrCAC, cac.raw4raters).
_ = MISSING
FOUR_RATERS = np.array(
    [
        [0, 0, _, 0], [1, 1, 2, 1], [2, 2, 2, 2], [2, 2, 2, 2], [1, 1, 1, 1], [0, 1, 2, 3],
        [3, 3, 3, 3], [0, 0, 1, 0], [1, 1, 1, 1], [_, 4, 4, 4], [_, _, 0, 0], [_, _, 2, _],
    ]
)  # fmt: skip


def two_raters(table: tuple[tuple[int, ...], ...]) -> Codes:
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return np.array(cells)


def kappa_of(ratings: Codes, k: int, scale: str = "nominal") -> float:
    sums = pair_columns(ratings[:, 0], ratings[:, 1], k).sum(axis=0)
    return float(cohen_kappa(disagreement(k, scale))(sums))  # type: ignore[arg-type]


def alpha_of(ratings: Codes, k: int, *, ordinal: bool = False) -> float:
    return float(krippendorff_alpha(k, ordinal=ordinal)(coincidence_columns(ratings, k).sum(axis=0)))


def ac1_of(ratings: Codes, k: int) -> float:
    return float(gwet_ac1(gwet_columns(ratings, k).sum(axis=0)))


def with_gaps(ratings: Codes) -> np.ndarray:
    """As the krippendorff package takes them: raters x units, nan for a gap."""
    return np.where(ratings == MISSING, np.nan, ratings).T


# ------------------------------------------------------------------------------------------------- published examples


def test_gwet_s_abstractors() -> None:
    ratings = two_raters(ABSTRACTORS)
    assert kappa_of(ratings, 3) == pytest.approx(0.7964094, abs=1e-7)
    assert ac1_of(ratings, 3) == pytest.approx(0.8493305, abs=1e-7)
    assert alpha_of(ratings, 3) == pytest.approx(0.7972585, abs=1e-7)
    assert percent_agreement(agreement_columns(ratings, 3).sum(axis=0)) == pytest.approx(0.89)


def test_four_raters_with_gaps() -> None:
    assert alpha_of(FOUR_RATERS, 5) == pytest.approx(0.743, abs=5e-4)
    assert alpha_of(FOUR_RATERS, 5, ordinal=True) == pytest.approx(0.815, abs=5e-4)
    assert ac1_of(FOUR_RATERS, 5) == pytest.approx(0.77544, abs=5e-6)
    assert percent_agreement(agreement_columns(FOUR_RATERS, 5).sum(axis=0)) == pytest.approx(0.8181818, abs=1e-7)


def test_kappa_by_hand() -> None:
    """Both yes 20, both no 15, 5 and 10 apart: agreement 0.7, by chance 0.5 (Wikipedia's example): kappa 0.4."""
    assert kappa_of(two_raters(((20, 5), (10, 15))), 2) == pytest.approx(0.4)


def test_weighted_kappa_by_hand() -> None:
    """Five units, one in each corner and the middle: observed 4 / 5; margins 2, 1, 2 expect 24 / 25."""
    corners = two_raters(((1, 0, 1), (0, 1, 0), (1, 0, 1)))
    assert kappa_of(corners, 3, "linear") == pytest.approx(1 - 0.8 / 0.96)
    near = two_raters(((2, 1, 0), (1, 2, 1), (0, 1, 2)))
    # observed 4 / 10 apart by one; margins 3, 4, 3: expected (4 * 12 + 2 * 2 * 9) / 100 = 0.84
    assert kappa_of(near, 3, "linear") == pytest.approx(1 - 0.4 / 0.84)


def test_the_paradox_of_kappa_is_none_of_ac1() -> None:
    """Nearly all rated alike: 94% agreement, and kappa below 0 (Feinstein and Cicchetti 1990); AC1 stays high."""
    skewed = two_raters(((94, 3), (3, 0)))
    assert kappa_of(skewed, 2) < 0
    assert ac1_of(skewed, 2) == pytest.approx((0.94 - 2 * 0.97 * 0.03) / (1 - 2 * 0.97 * 0.03))


# --------------------------------------------------------------------------------------------- other implementations

CODES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@given(CODES, st.sampled_from(["nominal", "linear", "quadratic"]))
def test_kappa_is_scikit_learn_s(pairs: list[tuple[int, int]], scale: str) -> None:
    ratings = np.array(pairs)
    if len({code for pair in pairs for code in pair}) == 1:
        assert np.isnan(kappa_of(ratings, 4, scale))  # scikit-learn has warnings or another value for it
        return
    expected = cohen_kappa_score(
        ratings[:, 0], ratings[:, 1], labels=[0, 1, 2, 3], weights=None if scale == "nominal" else scale
    )
    assert kappa_of(ratings, 4, scale) == pytest.approx(expected)


@given(
    st.lists(st.lists(st.sampled_from([MISSING, 0, 1, 2, 3]), min_size=3, max_size=3), min_size=2, max_size=30),
    st.booleans(),
)
def test_alpha_is_krippendorff_s(rows: list[list[int]], ordinal: bool) -> None:
    ratings = np.array(rows)
    paired = ratings[(ratings != MISSING).sum(axis=1) > 1]
    if len(set(paired[paired != MISSING].tolist())) < 2:
        assert np.isnan(alpha_of(ratings, 4, ordinal=ordinal))
        return
    expected = krippendorff.alpha(
        with_gaps(ratings), level_of_measurement="ordinal" if ordinal else "nominal", value_domain=[0, 1, 2, 3]
    )
    assert alpha_of(ratings, 4, ordinal=ordinal) == pytest.approx(expected)


# ------------------------------------------------------------------------------------------------------------ edges


def test_one_category_only_is_no_perfect_kappa() -> None:
    alike = np.zeros((10, 2), dtype=np.int64)
    assert np.isnan(kappa_of(alike, 2))
    assert np.isnan(alpha_of(alike, 2))
    assert ac1_of(alike, 2) == 1.0
    assert alpha_words(float("nan")) == "cannot be told"


def test_no_pair_is_nan() -> None:
    lonely = np.array([[0, MISSING], [MISSING, 1]])
    assert np.isnan(kappa_of(lonely, 2))
    assert np.isnan(alpha_of(lonely, 2))
    assert np.isnan(ac1_of(lonely, 2))
    assert np.isnan(percent_agreement(agreement_columns(lonely, 2).sum(axis=0)))


def test_weights_count_as_copies() -> None:
    ratings = two_raters(ABSTRACTORS)
    weights = np.random.default_rng(3).integers(1, 5, len(ratings))
    copies = np.repeat(ratings, weights, axis=0)
    sums = pair_columns(ratings[:, 0], ratings[:, 1], 3, weights.astype(float)).sum(axis=0)
    assert float(cohen_kappa(disagreement(3, "nominal"))(sums)) == pytest.approx(kappa_of(copies, 3))


def test_codes_and_bounds() -> None:
    assert encode(["a", None, "elsewhere", "b"], ("a", "b")).tolist() == [0, MISSING, MISSING, 1]
    assert [alpha_words(alpha) for alpha in (0.8, 0.79, 0.667, 0.66)] == [
        "firm", "tentative", "tentative", "no conclusions",
    ]  # fmt: skip


def test_every_resample_is_the_coefficient_of_its_own_units() -> None:
    """The bootstrap's sums give what the coefficient gives on the drawn units themselves."""
    ratings = FOUR_RATERS
    bootstrap = ClusterBootstrap(list(range(len(ratings))), resamples=100, seed=1)
    for columns, statistic in (
        (coincidence_columns(ratings, 5), krippendorff_alpha(5)),
        (coincidence_columns(ratings, 5), krippendorff_alpha(5, ordinal=True)),
        (gwet_columns(ratings, 5), gwet_ac1),
        (pair_columns(ratings[:, 0], ratings[:, 1], 5), cohen_kappa(disagreement(5, "quadratic"))),
    ):
        draws = [np.repeat(np.arange(len(ratings)), weights) for weights in bootstrap._weights]
        expected = np.array([float(statistic(columns[drawn].sum(axis=0))) for drawn in draws])
        interval = bootstrap.interval(columns, statistic)
        known = bootstrap.percentile(interval.estimate, expected, interval.n, interval.clusters)
        assert (interval.low, interval.high) == pytest.approx((known.low, known.high))
        assert interval.low < interval.high


def test_the_interval_of_a_kappa_holds_the_truth_as_often_as_it_says() -> None:
    """Two raters of known agreement: kappa 0.6 by construction, 150 units of 75 patients, 200 studies."""
    generator = np.random.default_rng(11)
    held = 0
    for study in range(200):
        truth = generator.integers(0, 2, 150)
        # Both see the truth with one chance q: kappa = (2q - 1)^2 at even frequencies
        q = (1 + np.sqrt(0.6)) / 2
        first, second = (np.where(generator.random(150) < q, truth, 1 - truth) for _ in range(2))
        bootstrap = ClusterBootstrap(np.repeat(np.arange(75), 2).tolist(), resamples=400, seed=study)
        interval = bootstrap.interval(pair_columns(first, second, 2), cohen_kappa(disagreement(2, "nominal")))
        held += interval.low <= 0.6 <= interval.high
    assert 0.90 <= held / 200 <= 0.99
