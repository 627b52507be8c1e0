"""Who is drawn, by what chance, for whom, and in which order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.errors import ReviewError
from chartsight.review.sampling import (
    allocate,
    draw_sample,
    number_clusters,
    order_sheet,
    shuffle_answers,
)

STRATA = ["common"] * 300 + ["rare"] * 12 + ["single"]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(1, 120))
def test_allocation_is_even_and_never_more_than_there_are(sizes: list[int], n: int) -> None:
    drawn = allocate(sizes, n)
    assert sum(drawn) == min(n, sum(sizes))
    assert all(each <= size for each, size in zip(drawn, sizes, strict=True))
    open_strata = [each for each, size in zip(drawn, sizes, strict=True) if each < size]
    assert not open_strata or max(drawn) <= min(open_strata) + 1


def test_a_small_stratum_is_drawn_whole_and_weighs_one() -> None:
    sample = draw_sample(STRATA, 60, raters=2, double=0.5, seed=3)
    assert len({drawn.index for drawn in sample}) == len(sample) == 60
    assert Counter(drawn.stratum for drawn in sample) == {"common": 47, "rare": 12, "single": 1}
    assert {drawn.weight for drawn in sample if drawn.stratum != "common"} == {1.0}
    assert sum(drawn.weight for drawn in sample) == pytest.approx(len(STRATA))
    assert all(STRATA[drawn.index] == drawn.stratum for drawn in sample)


def test_weighted_means_are_right_on_average_and_plain_ones_are_not() -> None:
    value = np.array([0.0 if stratum == "common" else 1.0 for stratum in STRATA])
    value[:60] = 1.0
    weighted, plain = [], []
    for seed in range(400):
        sample = draw_sample(STRATA, 30, raters=1, double=0, seed=seed)
        weights = np.array([drawn.weight for drawn in sample])
        seen = value[[drawn.index for drawn in sample]]
        weighted.append((weights * seen).sum() / len(STRATA))
        plain.append(seen.mean())
    error = np.std(weighted) / np.sqrt(len(weighted))
    assert np.mean(weighted) == pytest.approx(value.mean(), abs=4 * error)
    assert np.mean(plain) > value.mean() + 0.2


def test_every_item_has_its_chance() -> None:
    seen = Counter(
        drawn.index for seed in range(300) for drawn in draw_sample(STRATA, 60, raters=1, double=0, seed=seed)
    )
    shares = np.array([seen[index] / 300 for index in range(300)])  # 47 of 300: 0.157
    assert shares.mean() == pytest.approx(47 / 300)
    assert shares.max() < 0.157 + 4.5 * np.sqrt(0.157 * 0.843 / 300)
    assert shares.min() > 0.157 - 4.5 * np.sqrt(0.157 * 0.843 / 300)


@pytest.mark.parametrize("double", [0, 0.3, 0.75, 1])
def test_the_share_rated_twice_is_kept_and_the_load_is_even(double: float) -> None:
    sample = draw_sample(STRATA, 60, raters=3, double=double, seed=3)
    assert sum(len(drawn.raters) == 2 for drawn in sample) == pytest.approx(60 * double, abs=1)
    load = Counter(rater for drawn in sample for rater in drawn.raters)
    assert max(load.values()) - min(load.values()) <= 3
    assert all(len(set(drawn.raters)) == len(drawn.raters) for drawn in sample)


def test_repeats_come_late_and_once() -> None:
    sample = draw_sample(STRATA, 90, raters=2, double=1, seed=3)
    order = order_sheet(sample, 0, repeats=0.2, seed=3)
    originals = [entry.item for entry in order if not entry.is_repeat]
    assert sorted(originals) == list(range(90))
    place = {entry.item: number for number, entry in enumerate(order) if not entry.is_repeat}
    repeats = [(number, entry.item) for number, entry in enumerate(order) if entry.is_repeat]
    assert len(repeats) == len({item for _, item in repeats}) == 18
    assert min(number - place[item] for number, item in repeats) >= 30
    assert originals != [entry.item for entry in order_sheet(sample, 1, repeats=0.2, seed=3) if not entry.is_repeat]


def test_the_first_place_is_nobody_s() -> None:
    first = Counter(shuffle_answers(2, seed=7, rater=0, position=position)[0] for position in range(2000))
    assert 900 < first[0] < 1100


def test_patients_become_numbers() -> None:
    assert number_clusters([("subject", 10000032), ("subject", 5), ("subject", 10000032)]) == [1, 2, 1]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"n": 2}, "few-items"),
        ({"raters": 0}, "no-raters"),
        ({"double": 1.2}, "bad-share"),
        ({"raters": 1, "double": 0.5}, "one-rater"),
        ({"strata": []}, "no-items"),
    ],
)
def test_impossible_samples_are_refused(options: dict[str, object], code: str) -> None:
    usual: dict[str, object] = {"strata": STRATA, "n": 30, "raters": 2, "double": 0.5, "seed": 1}
    with pytest.raises(ReviewError) as caught:
        draw_sample(**{**usual, **options})  # type: ignore[arg-type]
    assert caught.value.code == code


def test_too_many_repeats_are_refused() -> None:
    with pytest.raises(ReviewError, match=r"0 to 0\.3"):
        order_sheet(draw_sample(STRATA, 30, raters=1, double=0, seed=1), 0, repeats=0.5, seed=1)
