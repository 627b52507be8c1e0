"""Evaluation while a model learns: answers generated for valid questions, judged by the scorers of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from chartsight.evaluation.scorers import score_text
from chartsight.schema import Question
from chartsight.training.examples import build_example
from chartsight.vlm.answering import FilmQuestions, answer_films
from chartsight.vlm.checkpoint import Vlm


def generated_accuracy(
    vlm: Vlm, questions: Sequence[Question], encode: Callable[[Vlm, Sequence[str]], Tensor], *, reads_film: bool
) -> dict[str, float]:
    """accuracy, accuracy_<answer type> and accuracy/<template_id> of what the model says to each question.

    Args:
        vlm: In evaluation mode.
        questions: Each about one film.
        encode: image_ids → float [B, image_tokens, D], the projector's output.
        reads_film: Whether the questions are put with their film.
    """
    by_film: dict[tuple[str, ...], list[Question]] = {}
    for question in questions:
        by_film.setdefault(question.image_ids, []).append(question)
    items = [
        FilmQuestions(image_ids[0] if reads_film else None, tuple(build_example(question).prompt for question in asked))
        for image_ids, asked in by_film.items()
    ]
    right: dict[str, list[bool]] = {"accuracy": []}
    for asked, answers in zip(by_film.values(), answer_films(vlm, items, encode=encode), strict=True):
        for question, answer in zip(asked, answers, strict=True):
            is_right = score_text(question, answer.text).is_correct
            for name in ("accuracy", f"accuracy_{question.answer_type}", f"accuracy/{question.template_id}"):
                right.setdefault(name, []).append(is_right)
    return {name: sum(each) / len(each) for name, each in sorted(right.items())}
