"""A3, A4, A5 and A15: what is left of a model that cannot see the film, or sees the wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chartsight.evaluation import Interval, PairedDifference
from chartsight.schema import Condition

ControlKind = Literal["twin", "no film", "words"]
CONTROL_WORDS: dict[ControlKind, str] = {
    "twin": "trained by the same recipe without films",
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
