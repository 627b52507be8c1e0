"""A question of a lesson, about a drawn scene or about a film."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.schema import AnswerType


@dataclass(frozen=True)
class Asked:
    """One question; `answer` is JSON as in `questions.parquet`."""

    template_id: str
    question: str
    answer_type: AnswerType
    answer: str
    allowed_answers: tuple[str, ...] = ()
