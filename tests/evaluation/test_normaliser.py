"""The broken-scorer cases: every row is an error that a published scorer makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.evaluation.metrics import same_answer, set_f1, token_f1
from chartsight.evaluation.normaliser import normalise_text, parse_answer
from chartsight.schema import ATTRIBUTES

SIDES = ("left", "right")
FINDINGS = tuple(sorted(ATTRIBUTES))


@pytest.mark.parametrize(
    ("raw_text", "outcome", "value"),
    [
        ("no", "answered", False),
        ("No.", "answered", False),
        ("TRUE", "answered", True),
        ("The lungs are normal", "unparsed", None),
        ("yes, there is a nodule", "answered", True),
        ("Yes, there is a nodule in the left lung. No effusion.", "answered", True),
        ("I cannot determine", "refused", None),
        ("I can't tell from this film", "refused", None),
        ("Unknown", "refused", None),
        ("Not applicable", "refused", None),
        ("N/A", "refused", None),
        ("(garbage)", "unparsed", None),
        ("Yes and no", "unparsed", None),
        ("", "unparsed", None),
        ("  ...  ", "unparsed", None),
        ("nodule", "unparsed", None),
        ("1", "unparsed", None),
    ],
)
def test_boolean(raw_text: str, outcome: str, value: bool | None) -> None:
    parsed = parse_answer(raw_text, "boolean")
    assert (parsed.outcome, parsed.value) == (outcome, value)


@pytest.mark.parametrize(
    ("raw_text", "allowed", "value"),
    [
        ("left", SIDES, "left"),
        ("The left one.", SIDES, "left"),
        ("left or right", SIDES, None),
        ("leftover", SIDES, None),
        ("It is in the left lung.", ("lung", "left lung", "right lung"), "left lung"),
        ("female", ("male", "female"), "female"),
        ("A", ("A", "B"), "A"),
        ("unknown", ("unknown", "known"), "unknown"),
        ("AP.", ("ap", "pa"), "ap"),
    ],
)
def test_choice(raw_text: str, allowed: tuple[str, ...], value: str | None) -> None:
    assert parse_answer(raw_text, "choice", allowed).value == value


@pytest.mark.parametrize(
    ("raw_text", "value"),
    [
        ("q, p", ("p", "q")),
        ("q; p / p", ("p", "q")),
        ("q and p.", ("p", "q")),
        ("a p, x", ("p", "x")),
        ("none", ()),
        ("No findings.", ()),
        ("", None),
        (",", None),
        ("none, p", None),
        ("I cannot determine", None),
        ("Findings: p", ("p",)),
        ("There is a p.", ("p",)),
    ],
)
def test_set(raw_text: str, value: tuple[str, ...] | None) -> None:
    assert parse_answer(raw_text, "set", ("p", "q", "r", "s")).value == value


def test_names_of_findings_that_contain_separators_stay_whole() -> None:
    parsed = parse_answer("Cardiac pacer and wires, COPD/emphysema and effusion", "set", FINDINGS)
    assert parsed.value == ("cardiac pacer and wires", "copd/emphysema", "pleural effusion")


@given(st.sets(st.sampled_from(FINDINGS), min_size=1, max_size=6), st.sampled_from([", ", "; ", " and ", " / ", "\n"]))
def test_every_vocabulary_of_findings_comes_back(names: set[str], separator: str) -> None:
    assert parse_answer(separator.join(sorted(names)), "set", FINDINGS).value == tuple(sorted(names))


@pytest.mark.parametrize(
    ("raw_text", "value"),
    [("1", 1), ("2.0", 2), ("three", 3), ("1,204", 1204), ("There are 4 films.", 4),
     ("yes", None), ("True", None), ("2 or 3", None), ("2.5", None), ("-1", None)],
)  # fmt: skip
def test_count(raw_text: str, value: int | None) -> None:
    parsed = parse_answer(raw_text, "count")
    assert parsed.value == value
    assert parsed.outcome == ("unparsed" if value is None else "answered")


@pytest.mark.parametrize(
    ("raw_text", "value"),
    [
        ("2105-12-01", "2105-12-01"),
        ("Dec 1, 2105", "2105-12-01"),
        ("on the 1st December 2105.", "2105-12-01"),
        ("25/12/2105", "2105-12-25"),
        ("03/04/2105", None),
        ("2105-13-01", None),
        ("2105-12", "2105-12"),
        ("2105-12-01 10:30", "2105-12-01 10:30"),
        ("2105-12-01 or 2105-12-02", None),
    ],
)
def test_date(raw_text: str, value: str | None) -> None:
    assert parse_answer(raw_text, "date").value == value


@pytest.mark.parametrize("said", ["left", "the left lung shows a mass"])
def test_open_answers_are_exact_or_not_and_their_f1_says_how_near(said: str) -> None:
    parsed = parse_answer(said, "text")
    assert not same_answer("text", "left lung", parsed.value)
    assert token_f1("left lung", str(parsed.value)) == pytest.approx(2 / 3)


def test_naming_everything_does_not_pay() -> None:
    nine = parse_answer(", ".join(["pleural effusion", *FINDINGS[:8]]), "set", FINDINGS).value
    assert isinstance(nine, tuple)
    assert len(nine) == 9
    assert not same_answer("set", ("pleural effusion",), nine)
    assert set_f1(("pleural effusion",), nine) == pytest.approx(0.2)
    assert set_f1(("a",), ("a", "b", "c", "d")) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("answer_type", "gold", "value", "same"),
    [
        ("boolean", True, 1, False),
        ("count", 1, True, False),
        ("count", 2, 2.0, True),
        ("number", 37.2, 37.2000001, True),
        ("number", 37.2, 37.3, False),
        ("date", "2105-12-01", "2105-12-01 10:30:00", True),
        ("date", "2105-12-01", "2105-12", False),
        ("date", "2105-12", "2105-12-01", True),
        ("set", ("a", "b"), ("b", "a"), True),
        ("set", (), (), True),
        ("text", "The left lung", "left lung", True),
        ("boolean", False, None, False),
    ],
)
def test_same_answer(answer_type: str, gold: object, value: object, same: bool) -> None:
    assert same_answer(answer_type, gold, value) is same  # type: ignore[arg-type]


@given(st.text(max_size=60), st.sampled_from(["boolean", "choice", "set", "count", "number", "date", "text"]))
def test_any_text_is_an_answer_or_none(raw_text: str, answer_type: str) -> None:
    parsed = parse_answer(raw_text, answer_type, SIDES)  # type: ignore[arg-type]
    assert (parsed.value is None) == (parsed.outcome != "answered")
    assert normalise_text(normalise_text(raw_text)) == normalise_text(raw_text)
