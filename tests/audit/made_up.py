"""Small question sets with answers that are written down, so that every figure can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chartsight.audit import AuditedModel, AuditInput, Given
from chartsight.audit.columns import Columns
from chartsight.evaluation import Answer
from chartsight.schema import AnswerType, Condition, FilmFacts, Question, Split, Variant


def question(
    number: int, answer: object, *, patient: int | None = None, template: str = "verify", kind: AnswerType = "boolean",
    allowed: tuple[str, ...] = ("yes", "no"), slots: Mapping[str, str] | None = None, split: Split = "test",
    text: str = "?",
) -> Question:  # fmt: skip
    subject = number if patient is None else patient
    return Question(
        question_id=f"q{number:05d}", split=split, template_id=template, phrasing_id="1", kind="image/one",
        modality="image", scope="single", subject_id=subject, study_ids=(subject,), image_ids=(f"film-{subject}",),
        question=text, visual_question=text, program="", parameters=json.dumps(slots or {}, sort_keys=True), now=None,
        answer_type=kind, answer=json.dumps(answer), allowed_answers=allowed, answerable=True, tied=False,
        label_source="made up", pairing="synthetic", terms="synthetic", source="made up",
    )  # fmt: skip


def yes_no(
    answers: Sequence[bool], *, per_patient: int = 1, template: str = "verify", first: int = 0
) -> list[Question]:
    """One question an answer, so many of them a patient."""
    return [
        question(first + place, bool(answer), patient=(first + place) // per_patient, template=template)
        for place, answer in enumerate(answers)
    ]


def given(
    values: Sequence[Answer | None], chances: Sequence[float] | None = None, asked: Sequence[bool] | None = None
) -> Given:
    """Answers; None could not be read."""
    values = [value if value is None or isinstance(value, str | tuple) else _plain(value) for value in values]
    return Given(
        np.ones(len(values), bool) if asked is None else np.array(asked, bool),
        tuple("unparsed" if value is None else "answered" for value in values),
        tuple(values),
        np.full(len(values), np.nan) if chances is None else np.array(chances, np.float64),
    )


def _plain(value: Any) -> bool | int | float:
    return value.item() if hasattr(value, "item") else value


def model(
    full: Sequence[Answer | None], *, name: str = "tuned", role: Any = "tuned", chances: Sequence[float] | None = None,
    twin: str | None = None, **conditions: Sequence[Answer | None] | Given,
) -> AuditedModel:  # fmt: skip
    answers: dict[Condition, Given] = {"full": given(full, chances)}
    for condition, values in conditions.items():
        answers[condition] = values if isinstance(values, Given) else given(values)  # type: ignore[index]
    return AuditedModel(name, role, answers, twin)


def variants(
    questions: Sequence[Question],
    condition: Condition,
    gold: Sequence[object],
    *,
    matched: bool | Sequence[bool] = False,
) -> dict[str, Variant]:
    """One variant a question with a right answer; None where nobody knows it."""
    is_matched = [matched] * len(questions) if isinstance(matched, bool) else list(matched)
    return {
        each.question_id: Variant(
            each.question_id, condition, "?", each.image_ids, (), None, each.answer_type, each.allowed_answers,
            None if answer is None else json.dumps(answer), (), is_one,
        )
        for each, answer, is_one in zip(questions, gold, is_matched, strict=True)
    }  # fmt: skip


def facts(**known: Any) -> FilmFacts:
    """Of a film; what is not said is not known."""
    return FilmFacts(
        **{
            "sex": None, "age_band": None, "view": None, "devices": None, "mention": None, "lesion_px": None,
            "boxes": (), "confounders": {}, **known,
        }
    )  # fmt: skip


def columns(questions: Sequence[Question], *models: AuditedModel, **fields: Any) -> Columns:
    return Columns(audit_input(questions, *models, **fields))


def audit_input(questions: Sequence[Question], *models: AuditedModel, **fields: Any) -> AuditInput:
    return AuditInput(tuple(questions), tuple(fields.pop("training", ())), models, **{"resamples": 300, **fields})
