"""Results in words: yes, no, cannot tell; what is certain and what is possible."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from chartsight.assistant.reply import CANNOT_TELL, NOTHING_FOUND, pretty_program, say_result
from chartsight.neuralsql.run import Interval, QueryResult
from chartsight.schema import AnswerType


def rows(*values: Any) -> pa.Table:
    return pa.table({"answer": list(values)})


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([1], "boolean", "yes"),
        ([0], "boolean", "no"),
        ([True], "boolean", "yes"),
        ([False], "boolean", "no"),
        ([None], "boolean", CANNOT_TELL),
        ([], "boolean", NOTHING_FOUND),
        ([1], "count", "1"),
        ([0], "count", "0"),
        ([7.25], "number", "7.25"),
        ([12.0], "number", "12"),
        ([], "number", NOTHING_FOUND),
        ([None], "number", NOTHING_FOUND),
        (["b", "a", "b"], "set", "a, b"),
        ([], "set", NOTHING_FOUND),
        (["2103-05-01 10:00:00"], "date", "2103-05-01 10:00:00"),
        ([True], None, "yes"),
    ],
)
def test_an_exact_result_in_words(values: list[Any], kind: AnswerType | None, words: str) -> None:
    assert say_result(QueryResult(rows(*values)), kind)[1] == words


@pytest.mark.parametrize(
    ("certain", "possible", "kind", "state", "words"),
    [
        ([0], [1], "boolean", "cannot_tell", CANNOT_TELL),
        ([1], [1], "boolean", "answered", "yes"),
        ([], [None], "boolean", "cannot_tell", CANNOT_TELL),
        ([], [], "boolean", "cannot_tell", CANNOT_TELL),
        (["a"], ["a", "b"], "set", "answered", "certain: a; possible: b"),
        ([], ["b"], "set", "cannot_tell", f"{CANNOT_TELL}; possible: b"),
    ],
)
def test_an_open_look_is_never_a_no(
    certain: list[Any], possible: list[Any], kind: AnswerType, state: str, words: str
) -> None:
    result = QueryResult(rows(*certain), possible=rows(*possible), open_looks=1)
    assert say_result(result, kind) == (state, words)


def test_a_count_that_is_not_settled_lies_between_two() -> None:
    result = QueryResult(rows(3), possible=rows(5), intervals=(Interval("answer", 3, 5),), open_looks=2)
    assert say_result(result, "count") == ("cannot_tell", f"{CANNOT_TELL}: between 3 and 5")
    settled = QueryResult(rows(3), possible=rows(3), intervals=(Interval("answer", 3, 3),), open_looks=2)
    assert say_result(settled, "count") == ("answered", "3")


def test_without_a_bound_nothing_is_told() -> None:
    result = QueryResult(rows(3), open_looks=2, reason="a part cut by LIMIT")
    for kind in ("count", "boolean", "set"):
        assert say_result(result, kind)[0] == "cannot_tell"  # type: ignore[arg-type]


def test_a_program_is_broken_at_its_outermost_clauses_only() -> None:
    program = "SELECT a FROM t WHERE x = 'one AND two FROM' AND y IN (SELECT b FROM u WHERE c) ORDER BY a LIMIT 1"
    lines = pretty_program(program).splitlines()
    assert lines == [
        "SELECT a", "FROM t", "WHERE x = 'one AND two FROM'", "AND y IN (SELECT b FROM u WHERE c)", "ORDER BY a",
        "LIMIT 1",
    ]  # fmt: skip
    assert " ".join(lines) == program
