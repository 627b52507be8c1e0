"""A22: right answers that may be wrong themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Columns
from chartsight.evaluation import Interval, wilson
from chartsight.evaluation.intervals import EMPTY

FEWEST_MODELS = 2  # that must agree


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


def measure_label_errors(columns: Columns) -> LabelErrors:
    """A22: two or more models that saw the film agree on another answer, and one that did not see it is off as well."""
    models = columns.given.models
    seeing = [columns.full(model).codes for model in models if model.role != "twin"]
    blind = [each.codes for model in models if (each := columns.under(model, "question_only")) is not None]
    if columns.words is not None:
        blind.append(columns.words.codes)
    agreed = np.full(columns.n, -1, np.int64)
    for place in range(columns.n):
        gold = int(columns.gold_codes[place])
        others = Counter(int(codes[place]) for codes in seeing if codes[place] not in (-1, gold))
        if not others or all(codes[place] in (-1, gold) for codes in blind):
            continue
        answer, votes = min(others.items(), key=lambda each: (-each[1], each[0]))
        if votes >= FEWEST_MODELS:
            agreed[place] = answer
    is_candidate = agreed >= 0
    checked = EMPTY
    if columns.given.gold_checked is not None:
        wrong, looked_at = columns.given.gold_checked
        if looked_at:
            checked = Interval(wrong / looked_at, *wilson(wrong, looked_at), looked_at, looked_at)
    bounds = []
    for model in models if columns.n else ():
        full = columns.full(model)
        low = float((full.is_correct & ~is_candidate).mean())
        high = float((full.is_correct | (is_candidate & (full.codes == agreed))).mean())
        bounds.append(AccuracyBound(model.name, low, high))
    return LabelErrors(
        tuple(columns.questions[int(place)].question_id for place in np.flatnonzero(is_candidate)),
        columns.bootstrap.proportion(is_candidate),
        checked,
        tuple(bounds),
    )
