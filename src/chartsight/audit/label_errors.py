"""A22: right answers that may be wrong themselves."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class AccuracyBound:
    """Between which two figures a model's accuracy lies if the candidates' right answers are not to be trusted."""

    model: str
    low: float
    high: float


@dataclass(frozen=True)
class LabelErrors:
    """A22, over all models.

    Args:
        candidates: question_ids on which two or more models, and one without the film, agree on another answer.
        share: Of all questions.
        checked: Share of wrong right answers among those that people looked at; `nan, n=0` before a review.
        bounds: Each model's: all candidates against it, and all for it where it gave the agreed answer.
    """

    candidates: tuple[str, ...]
    share: Interval
    checked: Interval
    bounds: tuple[AccuracyBound, ...]
