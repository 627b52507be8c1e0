"""Whether a question set contradicts itself: the same question about the same films, answered twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from chartsight.schema import Question


class Repeats(NamedTuple):
    """Groups of questions that ask the same: with one answer, or with several."""

    repeated: list[list[Question]]
    contradicted: list[list[Question]]


def asked_of(question: Question, digests: Mapping[str, str] | None = None) -> Hashable:
    """What makes two questions the same: their words, and the films, studies or patient that they are about.

    Args:
        question: Its split does not matter.
        digests: image_id → digest, so that one picture under two names is one film.
    """
    words = " ".join(question.asked.lower().split())
    if question.image_ids:
        return words, tuple((digests or {}).get(image_id, image_id) for image_id in question.image_ids)
    return words, question.subject_id, question.study_ids, question.program


def find_repeats(questions: Iterable[Question], digests: Mapping[str, str] | None = None) -> Repeats:
    """All groups of two or more questions that ask the same, in the order of their first."""
    groups: dict[Hashable, list[Question]] = defaultdict(list)
    for question in questions:
        groups[asked_of(question, digests)].append(question)
    several = [group for group in groups.values() if len(group) > 1]
    return Repeats(
        [group for group in several if len({question.answer for question in group}) == 1],
        [group for group in several if len({question.answer for question in group}) > 1],
    )
