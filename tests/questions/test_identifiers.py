from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.questions.identifiers import find_identifier, strip_identifiers

STUDY = "50000123"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("given the study 50000123, is there a picc?", "is there a picc?"),
        ("in study 50000123, is there a picc?", "is there a picc?"),
        ("is there a picc in the svc of study 50000123?", "is there a picc in the svc?"),
        ("is there a picc in the svc on the chest x-ray study with id 50000123?", "is there a picc in the svc?"),
        ("based on the 50000123 study, is there a picc?", "is there a picc?"),
        ("does the study 50000123 show a picc?", "does the study show a picc?"),
        ("does chest x-ray 50000123 show a picc?", "does the chest x-ray show a picc?"),
        ("are there any diseases in the left lung in 50000123?", "are there any diseases in the left lung?"),
        ("study (50000123): list all devices.", "the study: list all devices."),
        ("is it wider than 1/2 of the thorax in study id: 50000123?", "is it wider than 1/2 of the thorax?"),
    ],
)  # fmt: skip
def test_the_words_around_an_identifier_go_with_it(text: str, left: str) -> None:
    assert strip_identifiers(text, {STUDY}) == left


def test_what_cannot_be_freed_is_none() -> None:
    assert strip_identifiers("is 50000123 in 50000999, too?", {STUDY}) is None
    assert strip_identifiers("study 50000123?", {STUDY}) is None


def test_an_identifier_is_found_but_never_shown() -> None:
    assert find_identifier("is there a picc in a7f3-00?", {"a7f3-00"}) == "known"
    assert find_identifier(f"study {STUDY}") == "number"
    assert find_identifier("is it wider than 1/3, or 100 mm?", {"12"}) is None
    assert find_identifier("a TR of 2000 ms?", numbers=False) is None


@given(st.text(), st.integers(1000, 10**9).map(str), st.text())
def test_nothing_that_is_left_names_anyone(before: str, identifier: str, after: str) -> None:
    left = strip_identifiers(f"{before} {identifier} {after}", {identifier})
    assert left is None or find_identifier(left, {identifier}) is None
