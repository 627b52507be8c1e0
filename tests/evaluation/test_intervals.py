from __future__ import annotations

import math
import time

import numpy as np
import pytest

from chartsight.evaluation.intervals import ClusterBootstrap, wilson


def patients(n_patients: int, per_patient: int) -> np.ndarray:
    return np.repeat(np.arange(n_patients), per_patient)


def test_five_thousand_items_take_less_than_a_second() -> None:
    is_right = np.random.default_rng(1).random(5000) < 0.7
    started = time.process_time()  # what else the machine does is not measured
    interval = ClusterBootstrap(patients(500, 10), resamples=10_000, seed=1).mean(is_right)
    assert time.process_time() - started < 1.0
    assert interval.low < interval.estimate < interval.high
    assert (interval.n, interval.clusters, interval.warning) == (5000, 500, None)


def test_intervals_cover_the_truth_when_items_of_a_patient_belong_together() -> None:
    """Item-wise intervals would cover about 60% here; the cluster bootstrap must come near its 95%."""
    generator = np.random.default_rng(7)
    covered, covered_by_items, trials = 0, 0, 200
    for trial in range(trials):
        skill = generator.beta(2, 2, size=60)  # mean 0.5, differs by patient
        is_right = generator.random(600) < np.repeat(skill, 10)
        interval = ClusterBootstrap(patients(60, 10), resamples=300, seed=trial).mean(is_right)
        covered += interval.low <= 0.5 <= interval.high
        naive = ClusterBootstrap(range(600), resamples=300, seed=trial).mean(is_right)
        covered_by_items += naive.low <= 0.5 <= naive.high
    assert 0.89 <= covered / trials <= 0.99
    assert covered_by_items / trials < 0.85


def test_a_paired_difference_is_positive_for_the_better_model_and_narrower_than_an_unpaired_one() -> None:
    generator = np.random.default_rng(3)
    better = generator.random(1000) < 0.8
    worse = better & (generator.random(1000) < 0.9)
    bootstrap = ClusterBootstrap(patients(100, 10), resamples=2000, seed=3)
    difference = bootstrap.difference(better, worse)
    assert difference.estimate == pytest.approx(better.mean() - worse.mean())
    assert difference.low > 0 and difference.excludes_zero
    assert bootstrap.difference(worse, better).high == pytest.approx(-difference.low)
    width = bootstrap.mean(better).high - bootstrap.mean(better).low
    assert difference.high - difference.low < width


def test_a_difference_to_itself_is_nothing() -> None:
    is_right = np.random.default_rng(4).random(200) < 0.5
    interval = ClusterBootstrap(patients(50, 4), resamples=500).difference(is_right, is_right)
    assert (interval.estimate, interval.low, interval.high) == (0.0, 0.0, 0.0)
    assert not interval.excludes_zero
    assert math.isnan(interval.detectable)


def test_groups_and_few_patients_are_told() -> None:
    is_right = np.array([True, False] * 20)
    bootstrap = ClusterBootstrap(patients(20, 2), resamples=500)
    first_five = np.arange(40) < 10
    interval = bootstrap.mean(is_right, first_five)
    assert (interval.n, interval.clusters) == (10, 5)
    assert interval.warning is not None and "5 patients" in interval.warning
    nothing = bootstrap.mean(is_right, np.zeros(40, dtype=bool))
    assert nothing.n == 0 and math.isnan(nothing.estimate)
    assert math.isnan(ClusterBootstrap([1, 1], resamples=10).mean([1, 0]).low)
    assert ClusterBootstrap([], resamples=10).mean([]).n == 0


def test_the_smallest_findable_difference_follows_the_published_table() -> None:
    """1,000 questions, 20% discordant: 4.0 points at 80% power."""
    generator = np.random.default_rng(8)
    draw = generator.random(1000)
    first, second = draw < 0.1, (draw > 0.1) & (draw < 0.2)
    interval = ClusterBootstrap(range(1000), resamples=2000, seed=8).difference(first, second)
    assert interval.detectable == pytest.approx(0.04, abs=0.003)


def test_many_groups_at_once_are_the_groups_one_by_one() -> None:
    generator = np.random.default_rng(9)
    bootstrap = ClusterBootstrap(patients(50, 4), resamples=300, seed=9)
    is_right, members = generator.random((200, 3)) < 0.6, generator.random((200, 3)) < 0.5
    members[:, 2] = False
    for column, interval in enumerate(bootstrap.proportions(is_right, members)):
        alone = bootstrap.proportion(is_right[:, column], members[:, column])
        assert (interval.n, interval.clusters) == (alone.n, alone.clusters)
        if alone.n:
            assert (interval.estimate, interval.low, interval.high) == pytest.approx(
                (alone.estimate, alone.low, alone.high)
            )


def test_all_right_is_not_certain() -> None:
    interval = ClusterBootstrap(patients(50, 4), resamples=500).proportion(np.ones(200, dtype=bool))
    assert interval.estimate == interval.high == 1.0
    assert interval.low == pytest.approx(wilson(50, 50)[0])


def test_a_balanced_difference_is_paired() -> None:
    random = np.random.default_rng(3)
    labels = random.random(300) < 0.3
    good, poor = random.random(300) < 0.9, random.random(300) < 0.6
    bootstrap = ClusterBootstrap(range(300), resamples=500)
    same = bootstrap.balanced_difference(labels, good, good)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    better = bootstrap.balanced_difference(labels, good, poor)
    balanced = [bootstrap.balanced_accuracy(labels, each).estimate for each in (good, poor)]
    assert better.estimate == pytest.approx(balanced[0] - balanced[1]) and better.low > 0


def test_balanced_accuracy_and_gain_over_prior() -> None:
    is_yes = np.array([True] * 60 + [False] * 40)
    says_yes_always = is_yes.copy()
    bootstrap = ClusterBootstrap(range(100), resamples=500)
    assert bootstrap.balanced_accuracy(is_yes, says_yes_always).estimate == 0.5
    assert bootstrap.gain_over_prior(says_yes_always, says_yes_always).estimate == 0.0
    assert bootstrap.gain_over_prior(np.ones(100, dtype=bool), says_yes_always).estimate == 1.0


def test_same_seed_same_interval() -> None:
    is_right = np.random.default_rng(5).random(300) < 0.5
    first = ClusterBootstrap(patients(100, 3), resamples=700, seed=11).mean(is_right)
    assert first == ClusterBootstrap(patients(100, 3), resamples=700, seed=11).mean(is_right)
    assert first != ClusterBootstrap(patients(100, 3), resamples=700, seed=12).mean(is_right)


def test_wilson_matches_the_published_half_widths() -> None:
    """p = 0.7: 12.3 points at n = 50, 1.4 at n = 4,200."""
    for n, half in ((50, 0.123), (4200, 0.0139)):
        low, high = wilson(0.7 * n, n)
        assert (high - low) / 2 == pytest.approx(half, abs=0.001)
    assert all(math.isnan(bound) for bound in wilson(0, 0))
