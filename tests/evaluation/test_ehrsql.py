from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.errors import QuestionError
from chartsight.evaluation.ehrsql import (
    FAILED,
    MOST_ROWS,
    Answer,
    Reliability,
    comparable_rows,
    parse_published_rows,
    score_reliability,
)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        ([(0.35714,)], [(0.357,)], True),
        ([(0.3576,)], [(0.357,)], False),
        ([(650.0,)], [("650.0",)], True),
        ([(650.0,)], [(650,)], False),  # `650.0` and `650` are two texts
        ([(3,)], [("3",)], True),
        ([(None,)], [("None",)], True),
        ([("iv",), ("po",)], [("po",), ("iv",)], True),
        ([("iv",), ("iv",)], [("iv",)], False),  # repeated rows count
        ([("a", "b")], [("b", "a")], False),  # and so does the order of columns
        ([], [("iv",)], False),
        ([], [], True),
        ([(n,) for n in range(200)], [(n,) for n in range(-1, 200)], False),  # one more sorts into the first 100
        ([(f"{n:03}",) for n in range(200)], [(f"{n:03}",) for n in range(300)], True),  # later ones are not seen
    ],
)
def test_rows_are_compared_as_published(
    ours: list[tuple[object, ...]], theirs: list[tuple[object, ...]], is_same: bool
) -> None:
    assert (comparable_rows(ours) == comparable_rows(theirs)) is is_same


def test_rows_are_sorted_before_they_are_cut() -> None:
    rows = [(f"{n:03}",) for n in range(150)]
    assert comparable_rows(rows[::-1]) == comparable_rows(rows)
    assert len(comparable_rows(rows)) == MOST_ROWS == 100


def test_published_answers_are_read() -> None:
    assert parse_published_rows("null") is None
    assert parse_published_rows("[]") == ()
    assert parse_published_rows("[['po'], ['iv']]") == (("iv",), ("po",))
    for text in ("", "none", "[['po'", "['po']", "[[1]]", "{'a': 1}", "__import__('os')", "[" * 5000):
        with pytest.raises(QuestionError, match="no list of rows"):
            parse_published_rows(text)


GOLD: dict[object, Answer] = {"right": [("a",)], "wrong": [("a",)], "shy": [("a",)], "failed": [("a",)],
                              "unanswerable": None, "unanswerable and answered": None}  # fmt: skip
SAID: dict[object, Answer] = {"right": [("a",)], "wrong": [("b",)], "shy": None, "failed": FAILED,
                              "unanswerable": None, "unanswerable and answered": [("a",)]}  # fmt: skip


def test_a_wrong_answer_costs_what_is_asked() -> None:
    score = score_reliability(GOLD, SAID)
    assert score == Reliability(questions=6, right=1, rightly_abstained=1, abstained=1, harmful=3, unanswerable=2)
    assert score.score(0) == 2 / 6
    assert score.score(5) == (2 - 15) / 6
    assert score.score(10) == (2 - 30) / 6
    assert score.coverage == 4 / 6
    assert score.risk == 3 / 4
    assert score.execution_accuracy == 1 / 4
    assert score.break_even == 0.0 and score.score(score.break_even) == 2 / 6  # what always abstaining gives
    figures = score.as_dict()
    assert figures["rs_0"] == 2 / 6 and figures["rs_10"] == (2 - 30) / 6 and figures["rs_n"] == (2 - 18) / 6


def test_whoever_always_abstains_scores_the_unanswerable_and_has_no_risk() -> None:
    score = score_reliability(GOLD, dict.fromkeys(GOLD))
    assert score.score(0) == score.score(1000) == 2 / 6
    assert score.coverage == 0 and math.isnan(score.risk)


def test_a_gold_query_that_fails_is_nobody_s_answer() -> None:
    assert score_reliability({"a": FAILED}, {"a": FAILED}).harmful == 1
    assert score_reliability({"a": FAILED}, {"a": None}).abstained == 1


def test_no_question_and_other_questions() -> None:
    assert math.isnan(score_reliability({}, {}).score(0))
    with pytest.raises(QuestionError, match="1 questions have no partner"):
        score_reliability({"a": None}, {})


CELLS = st.one_of(
    st.none(), st.integers(-1000, 1000), st.floats(-1e6, 1e6, allow_nan=False), st.text("abc '\"", max_size=4)
)
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=130)


@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_never_matters(rows: list[tuple[object, object]], data: st.DataObject) -> None:
    assert comparable_rows(data.draw(st.permutations(rows))) == comparable_rows(rows)


@given(rows=ROWS)
def test_written_answers_are_read_back(rows: list[tuple[object, object]]) -> None:
    assert parse_published_rows(str([list(row) for row in comparable_rows(rows)])) == comparable_rows(rows)


@given(said=st.lists(st.sampled_from([None, FAILED, (("a",),), (("b",),)]), min_size=1, max_size=20))
def test_a_larger_penalty_never_raises_a_score(said: list[Answer]) -> None:
    gold: dict[object, Answer] = {n: (("a",),) if n % 3 else None for n in range(len(said))}
    score = score_reliability(gold, dict(enumerate(said)))
    assert score.score(0) >= score.score(5) >= score.score(10)
    assert score.right + score.rightly_abstained + score.abstained + score.harmful == len(said)


def test_numbers_of_sqlite_keep_their_type() -> None:
    with sqlite3.connect(":memory:") as connection:
        rows = connection.execute("SELECT 7, 7.0, 1.0 / 3, '7.00', NULL").fetchall()
    assert comparable_rows(rows) == (("7", "7.0", "0.333", "7.00", "None"),)
