"""What the audits read: questions, what they become under each condition, facts of the films, and models' answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import QuestionError
from chartsight.evaluation import Answer, score_prediction
from chartsight.schema import Condition, Entailment, FilmFacts, Outcome, Question, Variant

Role = Literal["baseline", "medical", "tuned", "twin", "other"]
# Which blind controls are fair to a role: who never learned from the training questions is not held against those that
# did, or its image part would be below 0 for want of a prior.
TAUGHT_ROLES: tuple[Role, ...] = ("tuned", "twin", "other")


@dataclass(frozen=True)
class Given:
    """One model's answers under one condition, in the order of the questions.

    Args:
        is_asked: bool [N]: False where the condition has no variant of the question.
        outcomes: What came of each [N]; `failed` where it was not asked.
        values: Typed answers [N]; None where there is none.
        chance_yes: float [N]: of yes among yes and no, before the answer was written; nan where it is not known.
        fingerprint: Of the model's weights.
    """

    is_asked: NDArray[np.bool_]
    outcomes: tuple[Outcome, ...]
    values: tuple[Answer | None, ...]
    chance_yes: NDArray[np.float64]
    fingerprint: str = ""


@dataclass(frozen=True)
class HeldOut:
    """Yes/no answers to validation questions, on which Platt's two numbers are learned.

    Args:
        chance_yes: float [M].
        is_yes: bool [M]: the right answers.
    """

    chance_yes: NDArray[np.float64]
    is_yes: NDArray[np.bool_]


@dataclass(frozen=True)
class AuditedModel:
    """A model with all its answers.

    Args:
        name: Short and unique.
        role: What it is compared as.
        answers: By condition; `full` is among them.
        twin: Name of the model that was taught by the same recipe without films; None when there is none.
        validation: For Platt scaling; None leaves the chances as they are.
        train_accuracy: Its accuracy on questions of its own training split; None when it was not asked them.
        batch_flips: Share of answers that change with the size of the batch; None when it was not tried.
    """

    name: str
    role: Role
    answers: Mapping[Condition, Given]
    twin: str | None = None
    validation: HeldOut | None = None
    train_accuracy: float | None = None
    batch_flips: float | None = None

    @property
    def is_taught(self) -> bool:
        """Whether it has learned from the training questions."""
        return self.role in TAUGHT_ROLES


@dataclass(frozen=True)
class Exposure:
    """Whether a model saw a data set before, as its makers declare; nothing here is measured."""

    model: str
    data_set: str
    seen: Literal["yes", "no", "not declared"]
    source: str = ""


@dataclass(frozen=True)
class LeakCounts:
    """What stands in two splits: kind (patient, study, image, text, near-duplicate) → pair of splits → how many."""

    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class AuditInput:
    """Everything that the audits read.

    Args:
        questions: Asked of every model [N].
        training: Those whose majority answers make the template prior; may be empty.
        models: In the order of the report.
        variants: condition → question_id → what the question becomes; a question without one is not asked under it.
        facts: question_id → what is known of its film.
        word_guesses: JSON answers [N] of a classifier that reads the words alone; None when there is none.
        entailments: Of answers to these questions.
        leaks: Between the splits; None when they were not looked for.
        exposure: As declared.
        similarity: float [N] in 0..1, to the nearest training question; None when it was not looked for.
        pool: Names of models whose answers without a film make the clean subset; all models when empty.
        gold_checked: (wrong, checked) gold answers among those that people looked at; None before a review.
        resamples: Of whole patients behind every interval.
        seed: Of the resamples.
    """

    questions: tuple[Question, ...]
    training: tuple[Question, ...]
    models: tuple[AuditedModel, ...]
    variants: Mapping[Condition, Mapping[str, Variant]] = field(default_factory=dict)
    facts: Mapping[str, FilmFacts] = field(default_factory=dict)
    word_guesses: tuple[str | None, ...] | None = None
    entailments: tuple[Entailment, ...] = ()
    leaks: LeakCounts | None = None
    exposure: tuple[Exposure, ...] = ()
    similarity: NDArray[np.float64] | None = None
    pool: tuple[str, ...] = ()
    gold_checked: tuple[int, int] | None = None
    resamples: int = 10_000
    seed: int = 7


def read_given(
    questions: Sequence[Question], rows: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Variant] | None = None
) -> Given:
    """Predictions under one condition (rows by question_id), parsed by the rules of this version.

    Args:
        questions: In the order of the audit.
        rows: With raw_text, outcome, value, scores and model_fingerprint.
        variants: What each question became; None where every question stays what it is.

    Raises:
        QuestionError: A question that was put has no prediction.
    """
    asked = [variants is None or question.question_id in variants for question in questions]
    missing = sum(is_put and each.question_id not in rows for each, is_put in zip(questions, asked, strict=True))
    if missing:
        raise QuestionError("missing-predictions", "predictions", f"{missing} questions have none", "one for each")
    outcomes: list[Outcome] = []
    values: list[Answer | None] = []
    chances = np.full(len(questions), np.nan)
    fingerprints = set()
    for place, (question, is_put) in enumerate(zip(questions, asked, strict=True)):
        if not is_put:
            outcomes.append("failed")
            values.append(None)
            continue
        row = rows[question.question_id]
        score = score_prediction(_as_put(question, variants), row["raw_text"], row["outcome"], row["value"])
        outcomes.append(score.outcome)
        values.append(score.value)
        chances[place] = chance_of_yes(row.get("scores"))
        fingerprints.add(str(row["model_fingerprint"]))
    return Given(np.array(asked, bool), tuple(outcomes), tuple(values), chances, " + ".join(sorted(fingerprints)))


def _as_put(question: Question, variants: Mapping[str, Variant] | None) -> Question:
    """The question with the answer type and the allowed answers that it has under a condition."""
    if variants is None:
        return question
    variant = variants[question.question_id]
    if (variant.answer_type, variant.allowed_answers) == (question.answer_type, question.allowed_answers):
        return question
    return replace(question, answer_type=variant.answer_type, allowed_answers=variant.allowed_answers)


def chance_of_yes(scores: str | None) -> float:
    """Of yes among yes and no, from a prediction's `scores` (JSON); nan when it weighs neither."""
    try:
        weights = json.loads(scores or "{}")
        yes, no = float(weights.get("yes", 0.0)), float(weights.get("no", 0.0))
    except (ValueError, TypeError, AttributeError):
        return float("nan")
    return yes / (yes + no) if yes + no > 0 else float("nan")
