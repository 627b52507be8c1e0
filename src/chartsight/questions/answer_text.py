"""Answers in words, as models are taught to write them, and read back without loss.

true                     → yes
"left lung"              → left lung
["a", "b"]               → a, b              (sorted; no order is taught)
["a, unspecified", "b"]  → "a, unspecified", b
[]                       → none              (never an empty text: silence would be taught)
3                        → 3                 (a count of 1 is never "True")
0.0000005                → 0.0000005         (all digits, no exponent)

`evaluation.normaliser` reads what models write; `read_answer` reads what was written here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from chartsight.errors import QuestionError
from chartsight.schema import AnswerType

EMPTY_SET = "none"
SEPARATOR = ", "
_MEMBER = re.compile(r'"((?:[^"]|"")*)"|([^",;\r\n]+)')
_QUOTED = re.compile(r'[",;\r\n]')  # a member with one of these stands in double quotes, a quote in it doubled


def render_answer(answer: str, answer_type: AnswerType) -> str:
    """The words for a gold answer.

    Args:
        answer: JSON, as in `questions.parquet`.
        answer_type: Decides how a value is written: 1 is a count, true a boolean.

    Raises:
        QuestionError: The value is not of its type.
    """
    value = json.loads(answer)
    if answer_type == "boolean" and isinstance(value, bool):
        return "yes" if value else "no"
    if answer_type == "set" and isinstance(value, list):
        return SEPARATOR.join(_quoted(member) for member in sorted({str(member) for member in value})) or EMPTY_SET
    if answer_type in {"choice", "text", "date"} and isinstance(value, str) and value.strip():
        return value.strip()
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if answer_type in {"count", "number"} and is_number:
        return number_text(value)
    raise QuestionError("wrong-type", "answer", f"a {type(value).__name__}", f"a value of type {answer_type}")


def read_answer(text: str, answer_type: AnswerType) -> Any:
    """The value that `render_answer` wrote as `text`: the inverse, for every type.

    Raises:
        QuestionError: No answer of this type is written so.
    """
    wrong = QuestionError("unread-answer", "answer", "a text that no answer is written as", f"a {answer_type}")
    if answer_type == "boolean":
        if text not in ("yes", "no"):
            raise wrong
        return text == "yes"
    if answer_type == "set":
        return [] if text == EMPTY_SET else sorted(_members(text, wrong))
    if answer_type in ("count", "number"):
        try:
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        except ValueError as error:
            raise wrong from error
    if not text.strip():
        raise wrong
    return text


def number_text(value: int | float) -> str:
    """A number in plain digits: 3 for 3.0, never an exponent, and as many digits as it takes to read it back."""
    if isinstance(value, int):
        return str(value)
    if value == int(value):
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def _quoted(member: str) -> str:
    if _QUOTED.search(member) or member != member.strip() or member in ("", EMPTY_SET):
        return '"' + member.replace('"', '""') + '"'
    return member


def _members(text: str, wrong: QuestionError) -> Iterator[str]:
    """The members of a set, their quotes undone."""
    at = 0
    while match := _MEMBER.match(text, at):
        quoted, plain = match.groups()
        yield plain if quoted is None else quoted.replace('""', '"')
        at = match.end()
        if at == len(text):
            return
        if not text.startswith(SEPARATOR, at):
            break
        at += len(SEPARATOR)
    raise wrong
