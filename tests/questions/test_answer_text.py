"""Answers in words, and back, without loss."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.errors import QuestionError
from chartsight.evaluation import answer_from_json, parse_answer, same_answer
from chartsight.questions.answer_text import read_answer, render_answer
from chartsight.schema import ATTRIBUTES, OBJECTS, AnswerType

TEXT = st.text(st.characters(exclude_categories=("Cs",))).map(str.strip).filter(bool)
VALUES = st.one_of(
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("count"), st.integers(0, 10**15)),
    st.tuples(st.just("number"), st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))),
    st.tuples(
        st.just("set"), st.lists(st.text(st.characters(exclude_categories=("Cs",)))).map(lambda m: sorted(set(m)))
    ),
    st.tuples(st.sampled_from(["text", "choice", "date"]), TEXT),
)


@given(VALUES)
def test_what_is_written_reads_back_to_the_very_value(typed: tuple[AnswerType, Any]) -> None:
    kind, value = typed
    text = render_answer(json.dumps(value, ensure_ascii=False), kind)
    assert text.strip()  # never silence
    assert read_answer(text, kind) == value
    assert type(read_answer(text, kind)) is type(value) or kind == "number"


@given(st.lists(st.sampled_from([*ATTRIBUTES, *OBJECTS]), unique=True).map(sorted))
def test_findings_are_read_by_the_scorer_too(members: list[str]) -> None:
    gold = json.dumps(members)
    parsed = parse_answer(render_answer(gold, "set"), "set", (*ATTRIBUTES, *OBJECTS))
    assert parsed.outcome == "answered" and same_answer("set", answer_from_json(gold), parsed.value)


def test_the_scorer_keeps_a_quoted_member_whole() -> None:
    members = ["acute kidney failure, unspecified", "copd", 'so-called "flu"; mild']
    parsed = parse_answer(render_answer(json.dumps(members), "set"), "set")
    assert same_answer("set", tuple(members), parsed.value)
    assert parse_answer('"a nodule, and more', "set").value == ("more", "nodule")  # no pair of quotes: two names


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, "boolean", "yes"), (1, "count", "1"), ([], "set", "none"), (["b", "a"], "set", "a, b"),
        (["none"], "set", '"none"'), (["a, b", 'c"d'], "set", '"a, b", "c""d"'), (12345678, "count", "12345678"),
        (3.0, "number", "3"), (5e-07, "number", "0.0000005"), (1234567.25, "number", "1234567.25"),
        ("left lung ", "text", "left lung"),
    ],
)  # fmt: skip
def test_the_rules(value: Any, kind: AnswerType, text: str) -> None:
    assert render_answer(json.dumps(value), kind) == text


@pytest.mark.parametrize(
    ("value", "kind"), [(1, "boolean"), (True, "count"), ("a", "set"), (" ", "text"), (float("inf"), "number")]
)
def test_a_value_of_another_type_is_refused(value: Any, kind: AnswerType) -> None:
    with pytest.raises(QuestionError, match="of type"):
        render_answer(json.dumps(value), kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("True", "boolean"), ("", "set"), ("a,b", "set"), ('"a', "set"), ("a, ", "set"), ("one", "count"), (" ", "text")],
)
def test_what_was_never_written_so_is_refused(text: str, kind: AnswerType) -> None:
    with pytest.raises(QuestionError, match="written as"):
        read_answer(text, kind)
