"""One usable item of a foreign question set, and how its fields become typed values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from chartsight.schema import ANSWER_TYPES, AnswerType, Split

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validate": "valid",
    "validation": "valid", "dev": "valid", "test": "test", "testing": "test",
}  # fmt: skip
BOOLEANS = {"yes": True, "true": True, "no": False, "false": False}
IMAGE_PLACEHOLDER = "<image>"  # LLaVA's files carry it; the prompt places the image itself


@dataclass(frozen=True)
class ImportedRow:
    """One usable item about images that are files.

    Args:
        line: Its number in the file, from 1.
        images: Files, in reading order.
        split: As the file says, None when it does not.
        patient: As the file says, None when it does not.
        details: More of the source's fields, kept in the question's parameters.
    """

    line: int
    images: tuple[Path, ...]
    question: str
    answer: Any
    answer_type: AnswerType
    allowed_answers: tuple[str, ...]
    split: Split | None
    patient: str | None
    template_id: str
    own_id: str | None
    details: Mapping[str, Any] = field(default_factory=dict)


class RowProblem(ValueError):
    """Why an item cannot be used; without its content."""


class Entry(NamedTuple):
    """One item of a file: where it stands, and what it says or why that cannot be used."""

    file: Path
    number: int
    parsed: ImportedRow | RowProblem


Entries = Iterator[Entry]


def parse_question(text: Any) -> str:
    """The words of a question, without LLaVA's image placeholder and without line breaks.

    Raises:
        RowProblem: There are none.
    """
    words = " ".join(text.replace(IMAGE_PLACEHOLDER, " ").split()) if isinstance(text, str) else ""
    if not words:
        raise RowProblem("no question")
    return words


def parse_answer(answer: Any, declared: Any, allowed: tuple[str, ...]) -> tuple[AnswerType, Any]:
    """Type and typed value of an answer.

    Without a declared type: yes, no, true, false are booleans; a list is a set; a whole number is a count, another a
    number; a text is a choice when there are allowed answers and otherwise open.

    Raises:
        RowProblem: There is no answer, or it is not of the declared type or among the allowed answers.
    """
    if answer is None or answer == "":
        raise RowProblem("no answer")
    if declared is not None and declared not in ANSWER_TYPES:
        raise RowProblem("unknown answer_type")
    kind = cast(AnswerType, declared) if declared is not None else _infer_type(answer, allowed)
    wrong = RowProblem(f"the answer is no {kind}")
    if kind == "boolean":
        if isinstance(answer, bool):
            return kind, answer
        word = answer.strip().rstrip(".").lower() if isinstance(answer, str) else ""
        if word not in BOOLEANS:
            raise wrong
        return kind, BOOLEANS[word]
    if kind == "set":
        members = [answer] if isinstance(answer, str) else answer
        if not isinstance(members, list) or not all(isinstance(each, str) and each for each in members):
            raise wrong
        if allowed and set(members) - set(allowed):
            raise RowProblem("an answer outside allowed_answers")
        return kind, sorted(set(members))
    if kind in ("count", "number"):
        if isinstance(answer, bool) or not isinstance(answer, int if kind == "count" else int | float):
            raise wrong
        if not is_storable(answer):
            raise wrong
        return kind, answer
    if not isinstance(answer, str) or not answer.strip():
        raise wrong
    if kind == "choice" and answer not in allowed:
        raise RowProblem("an answer outside allowed_answers")
    return kind, answer.strip()


def parse_plain_answer(answer: Any) -> tuple[AnswerType, Any]:
    """Type and value of an answer as a public set writes it: `Yes`, `3`, `left lung`.

    Raises:
        RowProblem: There is none, or it is neither text nor number.
    """
    if isinstance(answer, str):
        text = " ".join(answer.split())
        return parse_answer(int(text) if text.isdecimal() and len(text) < 10 else text, None, ())
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        raise RowProblem("no answer" if answer is None else "the answer is no text")
    return parse_answer(answer, None, ())


def is_storable(value: int | float) -> bool:
    """Whether a number is one that a database holds: finite, and of 64 bits when it is whole."""
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63


def _infer_type(answer: Any, allowed: tuple[str, ...]) -> AnswerType:
    if isinstance(answer, bool):
        return "boolean"
    if isinstance(answer, list):
        return "set"
    if isinstance(answer, int | float):
        return "count" if isinstance(answer, int) else "number"
    if isinstance(answer, str) and answer.strip().rstrip(".").lower() in BOOLEANS:
        return "boolean"
    return "choice" if allowed else "text"
