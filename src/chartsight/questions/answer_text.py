"""Answers in words, as models are taught to write them; `evaluation.normaliser` reads them back.

true               → yes
"left lung"        → left lung
["a", "b"]         → a, b          (sorted)
[]                 → none          (never an empty text: silence would be taught)
3                  → 3
"""

from __future__ import annotations

import json

from chartsight.errors import QuestionError
from chartsight.schema import AnswerType

EMPTY_SET = "none"


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
        return ", ".join(sorted(map(str, value))) or EMPTY_SET
    if answer_type in {"choice", "text", "date"} and isinstance(value, str) and value.strip():
        return value.strip()
    if answer_type in {"count", "number"} and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    raise QuestionError("wrong-type", "answer", f"a {type(value).__name__}", f"a value of type {answer_type}")
