from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.questions.balance import count_wanted, draw_films, round_counts, share_out

parts = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.1, 10)), min_size=1, max_size=12)


@given(total=st.floats(0, 1e5), parts=parts)
def test_shares_keep_the_total_and_the_caps(total: float, parts: list[tuple[float, float]]) -> None:
    caps, weights = zip(*parts, strict=True)
    shares = share_out(total, caps, weights)
    assert np.all(shares <= np.array(caps) + 1e-6)
    assert shares.sum() == pytest.approx(min(total, sum(caps)), abs=1e-6)


def test_what_one_cannot_take_goes_to_the_others_by_weight() -> None:
    assert share_out(10, [2, 100, 100], [1, 1, 3]).tolist() == [2, 2, 6]


@given(no=st.integers(0, 500), yes=st.integers(0, 500), share=st.floats(0.05, 0.95))
def test_yes_keeps_its_share_and_the_scarce_answer_limits(no: int, yes: int, share: float) -> None:
    wanted = count_wanted("boolean", (False, True), np.array([no, yes]), yes_share=share, empty_share=0.2)
    if not no or not yes:
        assert wanted.sum() == 0
    else:
        assert wanted[1] / wanted.sum() == pytest.approx(share)
        assert wanted[0] <= no + 1e-6
        assert wanted[1] <= yes + 1e-6
        assert wanted[0] == pytest.approx(no) or wanted[1] == pytest.approx(yes)


def test_empty_sets_have_at_most_their_share() -> None:
    values: tuple[tuple[str, ...], ...] = ((), ("a",), ("a", "b"))
    wanted = count_wanted("set", values, np.array([900, 30, 10]), yes_share=0.5, empty_share=0.2)
    assert wanted[0] / wanted.sum() == pytest.approx(0.2)
    assert wanted[1:].sum() == pytest.approx(40)


def test_common_sets_are_damped() -> None:
    values = (("a",), ("b",))
    wanted = count_wanted("set", values, np.array([900, 100]), 100, yes_share=0.5, empty_share=0.2)
    assert wanted[0] / wanted[1] == pytest.approx(3)


def test_a_constant_answer_is_not_asked() -> None:
    wanted = count_wanted("set", ((), ("a",)), np.array([0, 50]), yes_share=0.5, empty_share=0.2)
    assert wanted.sum() == 0


def test_films_with_few_questions_come_first() -> None:
    load = np.array([5, 0, 5, 0, 0, 5])
    codes = np.array([0, 0, 0, 1, 1, 1], np.int32)
    drawn = draw_films(codes, np.array([1, 2]), load, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == [1, 3, 4]
    assert load.tolist() == [5, 1, 5, 1, 1, 5]


def test_what_rounding_takes_is_given_to_the_next_question() -> None:
    owed = np.zeros(2)
    counts = [round_counts(np.array([0.3, 0.6]), owed) for _ in range(100)]
    assert np.sum(counts, 0).tolist() == [30, 60]
    assert np.all(np.abs(owed) <= 0.5)
