from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.errors import QuestionError
from chartsight.evaluation.ehrsql import FAILED, TIMED_OUT, Answer, comparable_rows, score_reliability
from chartsight.evaluation.rows import ExecutionScore, is_ordered, same_rows, score_execution


@pytest.mark.parametrize(
    ("gold", "said", "is_same"),
    [
        ([("a",), ("a",), ("b",)], [("a",), ("b",)], False),  # HELM compares sets of rows
        ([("a",), ("b",)], [("b",), ("a",)], True),
        ([("a", "b")], [("b", "a")], False),
        ([(2,)], [(2.0,)], True),
        ([(2,)], [("2",)], False),
        ([(1,)], [(True,)], False),
        ([(None,)], [(None,)], True),
        ([(None,)], [(0,)], False),
        ([(None,)], [("None",)], False),
        ([(0.3333333,)], [(1 / 3,)], True),
        ([(0.33333,)], [(1 / 3,)], False),
        ([(Decimal("7.40"),)], [(7.4,)], True),
        ([(math.nan,)], [(math.nan,)], True),
        ([(10_000_032,)], [(10_000_033,)], False),  # identifiers keep all their digits
        ([(date(2105, 12, 1),)], [("2105-12-01",)], True),
        ([(datetime(2105, 12, 1, 10, 30),)], [("2105-12-01 10:30:00",)], True),
        ([(b"x",)], [("x",)], False),
        ([], [], True),
        ([], [(None,)], False),
    ],
)
def test_rows_are_typed_multisets(gold: list[Any], said: list[Any], is_same: bool) -> None:
    assert same_rows(gold, said) is is_same
    assert same_rows(said, gold) is is_same


def test_a_hundred_right_rows_of_150_are_wrong_here_and_right_there() -> None:
    gold = [(f"{number:03}",) for number in range(150)]
    assert not same_rows(gold, gold[:100])
    assert comparable_rows(gold) == comparable_rows(gold[:100])  # EHRSQL-2024 looks no further


def test_order_counts_only_where_it_was_asked_for() -> None:
    assert not same_rows([(1,), (2,)], [(2,), (1,)], ordered=True)
    assert same_rows([(1,), (2,)], [(1.0,), (2.0,)], ordered=True)
    assert is_ordered("SELECT a FROM t ORDER BY a")
    assert not is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT 1)")
    assert not is_ordered("no sql at (all")


GOLD: dict[Any, Answer] = {
    "right": [(2,)], "wrong": [(2,)], "failed": [(2,)], "slow": [(2,)], "shy": [(2,)], "nobody": None,
}  # fmt: skip
SAID: dict[Any, Answer] = {
    "right": [(2.0,)], "wrong": [(3,)], "failed": FAILED, "slow": TIMED_OUT, "shy": None, "nobody": None,
}  # fmt: skip


def test_errors_and_timeouts_are_wrong_and_counted_apart() -> None:
    score = score_execution(GOLD, SAID)
    assert score == ExecutionScore(questions=5, right=1, wrong=1, failed=1, timed_out=1, abstained=1)
    assert score.accuracy == 1 / 5
    reliability = score_reliability(GOLD, SAID)
    assert (reliability.harmful, reliability.abstained) == (4, 1)  # there `2` and `2.0` are two texts
    ordered = {"q": [(1,), (2,)]}
    assert score_execution(ordered, {"q": [(2,), (1,)]}).accuracy == 1.0
    assert score_execution(ordered, {"q": [(2,), (1,)]}, ordered={"q"}).accuracy == 0.0


def test_nothing_other_questions_and_broken_gold() -> None:
    assert math.isnan(score_execution({}, {}).accuracy)
    assert math.isnan(score_execution({"q": None}, {"q": None}).accuracy)
    with pytest.raises(QuestionError, match="1 questions have no partner"):
        score_execution({"q": None}, {})
    with pytest.raises(QuestionError, match="a gold query does not run"):
        score_execution({"q": FAILED}, {"q": None})


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=2))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=12), st.randoms())
def test_any_rows_are_themselves_in_any_order(rows: list[tuple[Any, Any]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert same_rows(rows, shuffled)
    assert not same_rows(rows, [*rows, (None, None)])
