from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from chartsight.evaluation.differences import (
    PairedDifference,
    adjusted,
    cluster_t,
    detectable_difference,
    in_words,
    mcnemar,
    mcnemar_clustered,
    mcnemar_clustered_statistic,
    paired_difference,
    paired_differences,
)
from chartsight.evaluation.intervals import ClusterBootstrap, expanded_tail
from chartsight.evaluation.multiplicity import holm

# Durkalski et al. 2003: 29 psychiatrists (chi-square 7.542), and PET against SPECT of 21 patients' glands (2.32; 4.5
# when every gland is taken for a patient).
PSYCHIATRY_WINS = "0 1 1 1 0 3 3 3 1 0 0 1 0 0 0 0 0 0 3 1 1 2 0 0 0 0 0 0 0"
PSYCHIATRY_LOSSES = "4 2 3 2 1 3 0 2 2 4 2 4 3 2 1 3 1 2 0 0 0 2 1 2 2 0 0 1 1"
PSYCHIATRY_SIZES = "7 6 7 6 4 6 5 8 4 7 3 6 7 6 5 4 6 5 4 3 5 4 4 2 3 2 2 3 1"
PET = "000 110 111 1 110 1111 111 11 11 1 110 11 111 11 00 110 110 110 11 1 11"
SPECT = "011 111 111 1 111 1111 111 11 10 1 110 11 111 11 11 110 110 111 11 1 11"


def numbers(text: str) -> np.ndarray:
    return np.array([int(each) for each in text.split()])


def made_up(patients: int, seed: int, better: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients of questions, and who of two models was right on them."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 12, patients))
    n = len(patient)
    first, second = (
        generator.normal(size=patients)[patient] * 0.6 + generator.normal(size=n) + gain > -0.5
        for gain in (better, 0.0)
    )
    return patient, first, second


def test_clustered_mcnemar_gives_the_published_statistics() -> None:
    sums = (numbers(PSYCHIATRY_WINS) - numbers(PSYCHIATRY_LOSSES)).astype(float)
    assert mcnemar_clustered_statistic(sums, numbers(PSYCHIATRY_SIZES)) == pytest.approx(7.542, abs=5e-4)
    pairs = [
        (numbers(" ".join(pet)), numbers(" ".join(spect)))
        for pet, spect in zip(PET.split(), SPECT.split(), strict=True)
    ]
    sums = np.array([float((pet - spect).sum()) for pet, spect in pairs])
    sizes = np.array([len(pet) for pet, _ in pairs])
    assert mcnemar_clustered_statistic(sums, sizes) == pytest.approx(2.32, abs=5e-3)
    singles = np.concatenate([pet - spect for pet, spect in pairs]).astype(float)
    assert mcnemar_clustered_statistic(singles, np.ones(len(singles), dtype=int)) == pytest.approx(4.5)


def test_one_item_a_patient_is_mcnemar_s_own_test() -> None:
    gained = np.array([1.0] * 9 + [-1.0] * 3 + [0.0] * 20)
    ours = mcnemar_clustered(gained, np.ones(32, dtype=int))
    assert ours == pytest.approx(reference_mcnemar([[10, 9], [3, 10]], exact=False, correction=False).pvalue)


@pytest.mark.parametrize(("wins", "losses"), [(9, 3), (3, 9), (5, 5), (0, 6), (1, 0), (0, 0), (40, 61)])
def test_exact_mcnemar_agrees_with_statsmodels(wins: int, losses: int) -> None:
    expected = reference_mcnemar([[7, wins], [losses, 8]], exact=True).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected)


def test_cluster_t_agrees_with_statsmodels() -> None:
    patient, first, second = made_up(37, seed=4, better=0.3)
    gained = first.astype(float) - second
    fitted = sm.OLS(gained, np.ones(len(gained))).fit(cov_type="cluster", cov_kwds={"groups": patient}, use_t=True)
    ours = paired_difference(ClusterBootstrap(patient.tolist(), 200), first, second)
    assert ours.estimate == pytest.approx(fitted.params[0])
    assert ours.p_t == pytest.approx(fitted.pvalues[0])


def test_one_item_a_patient_is_student_s_test_and_nearly_his_interval() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.random(30), generator.random(30)
    student = stats.ttest_rel(first, second)
    ours = paired_difference(ClusterBootstrap(range(30), 10_000, seed=1), first, second)
    assert ours.p_t == pytest.approx(student.pvalue)
    low, high = student.confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.03)
    assert math.isnan(ours.p_mcnemar) and math.isnan(
        ours.p_mcnemar_clustered
    )  # graded scores are no pairs of yes and no
    error = np.std(first - second, ddof=1) / math.sqrt(30)
    assert ours.mde == pytest.approx((stats.t.ppf(0.975, 29) + stats.t.ppf(0.8, 29)) * error)


def test_the_interval_agrees_with_scipy_s_bootstrap() -> None:
    generator = np.random.default_rng(6)
    gained = generator.choice([-1.0, 0.0, 1.0], size=60, p=[0.15, 0.5, 0.35])
    ours = paired_difference(ClusterBootstrap(range(60), 10_000, seed=2), gained, np.zeros(60))
    level = 1 - 2 * expanded_tail(60)
    theirs = stats.bootstrap((gained,), np.mean, n_resamples=10_000, confidence_level=level, method="percentile", rng=3)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.018)


def test_the_p_value_and_the_interval_say_the_same() -> None:
    found = []
    for seed in range(20):
        patient, first, second = made_up(25, seed=seed, better=0.5)
        each = paired_difference(ClusterBootstrap(patient.tolist(), 2000, seed=seed), first, second)
        found.append(each)
        if abs(each.p - 0.05) > 0.005:
            assert each.excludes_zero is (each.p < 0.05)
    assert 3 < sum(each.excludes_zero for each in found) < 17
    # Without clusters in the way, p follows the t test's.
    assert np.corrcoef([each.p for each in found], [each.p_t for each in found])[0, 1] > 0.99


def test_many_columns_are_the_columns_one_by_one() -> None:
    patient, first, second = made_up(30, seed=7)
    generator = np.random.default_rng(7)
    members = generator.random((len(patient), 70)) < 0.5
    members[:, 3] = False
    bootstrap = ClusterBootstrap(patient.tolist(), 300)
    gained = np.tile((first.astype(float) - second)[:, None], (1, 70))
    together = paired_differences(bootstrap, gained, members)
    assert len(together) == 70
    for column in (0, 3, 65, 69):
        alone = paired_difference(bootstrap, first, second, members[:, column])
        assert repr(alone) == repr(together[column])


@pytest.mark.parametrize(
    ("n", "discordant", "points"),
    [
        (200, 0.1, (6.2, 7.6, None)), (200, 0.2, (8.8, 10.8, 15.1)), (200, 0.4, (12.5, 15.2, 21.3)),
        (1000, 0.1, (2.8, 3.4, 4.8)), (1000, 0.2, (4.0, 4.8, 6.8)), (1000, 0.4, (5.6, 6.9, 9.7)),
        (4200, 0.1, (1.4, 1.7, 2.4)), (4200, 0.2, (1.9, 2.4, 3.3)), (4200, 0.4, (2.7, 3.3, 4.7)),
    ],
)  # fmt: skip
def test_the_detectable_difference_is_the_reference_s(
    n: int, discordant: float, points: tuple[float | None, ...]
) -> None:
    for deff, expected in zip((1, 1.5, 3), points, strict=True):
        found = detectable_difference(n, discordant, deff)
        assert math.isnan(found) if expected is None else round(100 * found, 1) == expected


def test_a_difference_of_the_detectable_size_is_found_four_times_of_five() -> None:
    generator = np.random.default_rng(8)
    n, discordant = 500, 0.3
    smallest = detectable_difference(n, discordant)
    chances = [(discordant - smallest) / 2, 1 - discordant, (discordant + smallest) / 2]
    losses, _, wins = generator.multinomial(n, chances, size=4000).T
    statistic = (wins - losses) ** 2 / (wins + losses)
    assert np.mean(statistic > stats.chi2.ppf(0.95, 1)) == pytest.approx(0.8, abs=0.02)


def test_empty_one_patient_and_no_difference_are_said_and_never_a_number() -> None:
    is_right = np.array([True, False, True, True])
    bootstrap = ClusterBootstrap([1, 1, 2, 2], 100)
    nothing = paired_difference(bootstrap, is_right, ~is_right, np.zeros(4, dtype=bool))
    assert nothing.n == 0 and math.isnan(nothing.estimate) and math.isnan(nothing.p) and math.isnan(nothing.mde)
    assert "n=0" in in_words(nothing)
    one = paired_difference(bootstrap, is_right, ~is_right, np.array([True, True, False, False]))
    assert (one.n, one.clusters, one.estimate) == (2, 1, 0.0)
    assert math.isnan(one.low) and math.isnan(one.p) and math.isnan(one.p_t) and math.isnan(one.deff)
    assert "one patient only" in in_words(one)
    same = paired_difference(bootstrap, is_right, is_right)
    assert (same.low, same.high, same.p, same.p_t) == (0.0, 0.0, 1.0, 1.0)
    assert math.isnan(same.mde) and "never differ" in in_words(same)


def test_two_patients_do_not_make_a_total_win_certain() -> None:
    bootstrap = ClusterBootstrap([1, 1, 2, 2], 500)
    total = paired_difference(bootstrap, np.ones(4), np.zeros(4))
    assert total.estimate == total.high == 1.0
    assert total.low < 0.0 and total.p == 0.5
    many = paired_difference(ClusterBootstrap(range(60), 500), np.zeros(60), np.ones(60))
    assert many.estimate == many.low == -1.0 and -1.0 < many.high < -0.85 and many.p < 1e-9


def test_words_follow_the_numbers() -> None:
    patient, first, second = made_up(60, seed=9, better=1.0)
    bootstrap = ClusterBootstrap(patient.tolist(), 1000)
    assert in_words(paired_difference(bootstrap, first, second)) == "larger than chance"
    patient, first, second = made_up(60, seed=11)
    small = paired_difference(ClusterBootstrap(patient.tolist(), 1000), first, second)
    assert small.p > 0.05 and abs(small.estimate) < small.mde
    assert in_words(small) == (
        f"difference smaller than what this test could see ({100 * small.mde:.1f} points): not evidence of equality"
    )
    assert "though this test could see" in in_words(replace(small, estimate=small.mde + 0.01))
    assert "however large" in in_words(replace(small, mde=math.nan))
    assert in_words(replace(small, p=0.01)) == "larger than chance"
    assert in_words(replace(small, p=0.01, p_adjusted=0.2)) != "larger than chance"


def test_a_family_is_adjusted_together() -> None:
    patient, first, second = made_up(60, seed=9, better=0.3)
    bootstrap = ClusterBootstrap(patient.tolist(), 1000)
    family: list[PairedDifference] = [paired_difference(bootstrap, a, b) for a, b in ((first, second), (second, first))]
    after = adjusted(family, holm)
    assert [each.p_adjusted for each in after] == holm([each.p for each in family])
    assert all(math.isnan(each.p_adjusted) for each in family)


def test_a_cluster_t_without_spread_is_certain_or_nothing() -> None:
    assert cluster_t(np.zeros(5), np.ones(5, dtype=int)) == 1.0
    assert cluster_t(np.ones(5), np.ones(5, dtype=int)) == 0.0
