"""A3, A4, A5 and A15: what is left of a model that cannot see the film, or sees the wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chartsight.audit.columns import Answered, Bools, Columns, Floats
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval, PairedDifference, paired_difference
from chartsight.evaluation.intervals import EMPTY
from chartsight.schema import Condition

ControlKind = Literal["twin", "no film", "words"]
CONTROL_WORDS: dict[ControlKind, str] = {
    "twin": "the twin, trained by the same recipe without films",
    "no film": "the same weights without the film",
    "words": "a classifier of the question's words",
}


@dataclass(frozen=True)
class Control:
    """One way to answer without looking.

    Args:
        kind: Which.
        accuracy: Of its answers.
        gap: The model's accuracy less the control's, on the same questions.
        ratio: The control's accuracy over the model's: the share of the accuracy that needs no film.
    """

    kind: ControlKind
    accuracy: Interval
    gap: PairedDifference
    ratio: Interval


@dataclass(frozen=True)
class QuestionOnly:
    """A3: the blind controls of a model; empty `controls` when there is none.

    Args:
        controls: Those that there are, in the order of `CONTROL_WORDS`.
        best: The most accurate of them; None when there is none.
        image_part: Accuracy less that of the best control, chosen anew in every draw: the headline.
    """

    controls: tuple[Control, ...]
    best: ControlKind | None
    image_part: Interval


@dataclass(frozen=True)
class OtherFilm:
    """A4, A5, A15: the same questions with no film to see, noise, another patient's film, or other identifiers.

    Args:
        condition: `blank`, `noise`, `shuffled` or `scrambled`.
        accuracy: Under it, by the question's own right answer.
        drop: Accuracy with the film less that.
        retention: That over accuracy with the film.
        changed: Share of answers that are other ones.
    """

    condition: Condition
    accuracy: Interval
    drop: PairedDifference
    retention: Interval
    changed: Interval


OTHER_FILMS: tuple[Condition, ...] = ("blank", "noise", "shuffled", "scrambled")


def blind_controls(columns: Columns, model: AuditedModel) -> dict[ControlKind, Answered]:
    """The ways to answer without looking that are fair to a model.

    Who has not learned from the training questions is held against itself alone: against those that have, its image
    part would be below 0 for want of a prior, and fine-tuning would seem to buy sight.
    """
    controls: dict[ControlKind, Answered] = {}
    twin = columns.twin_of(model) if model.is_taught else None
    if twin is not None:
        controls["twin"] = twin
    without = columns.under(model, "question_only")
    if without is not None:
        controls["no film"] = without
    if model.is_taught and columns.words is not None:
        controls["words"] = columns.words
    return controls


def measure_question_only(columns: Columns, model: AuditedModel) -> QuestionOnly:
    """A3."""
    right = columns.full(model).is_correct
    answered = blind_controls(columns, model)
    controls = tuple(
        Control(
            kind,
            columns.bootstrap.proportion(each.is_correct, each.is_asked),
            paired_difference(columns.bootstrap, right, each.is_correct, each.is_asked),
            _ratio(columns, each.is_correct, right, each.is_asked),
        )
        for kind, each in answered.items()
    )
    if not controls:
        return QuestionOnly((), None, EMPTY)
    member = shared_items(answered.values(), columns.everything)
    right_of = {kind: int((each.is_correct & member).sum()) for kind, each in answered.items()}
    best = max(right_of, key=lambda kind: right_of[kind])
    return QuestionOnly(controls, best, image_part(columns, right, list(answered.values()), member))


def image_part(columns: Columns, right: Bools, controls: list[Answered], member: Bools) -> Interval:
    """Accuracy beyond the best control, which every draw chooses anew: what chance makes best is no floor."""
    summed = np.column_stack([right, np.ones(columns.n), *(each.is_correct for each in controls)])
    return columns.bootstrap.interval(summed, _beyond_best, member)


def shared_items(answered: Iterable[Answered], everything: Bools) -> Bools:
    """The questions that all of them were asked."""
    member = everything.copy()
    for each in answered:
        member &= each.is_asked
    return member


def measure_other_film(columns: Columns, model: AuditedModel, condition: Condition) -> OtherFilm | None:
    """A4, A5 or A15; None when the model was not asked under the condition."""
    other, full = columns.under(model, condition), columns.full(model)
    if other is None:
        return None
    member, bootstrap = other.is_asked, columns.bootstrap
    return OtherFilm(
        condition,
        bootstrap.proportion(other.is_correct, member),
        paired_difference(bootstrap, full.is_correct, other.is_correct, member),
        _ratio(columns, other.is_correct, full.is_correct, member),
        bootstrap.proportion(full.codes != other.codes, member),
    )


def _ratio(columns: Columns, part: Bools, whole: Bools, member: Bools) -> Interval:
    return columns.bootstrap.ratio(part.astype(np.float64), whole.astype(np.float64), member)


def _beyond_best(sums: Floats) -> Floats:
    beyond: Floats = (sums[..., 0] - sums[..., 2:].max(axis=-1)) / sums[..., 1]
    return beyond
