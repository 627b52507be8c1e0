"""A21: what it is worth to answer only when sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chartsight.audit.columns import Columns, Floats
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY

COVERAGE = 0.8
PENALTIES = (0, 5, 10)
MOST_DRAWS = 1_000  # of figures that sort every draw anew
CHUNK = 100
POINTS = 100


@dataclass(frozen=True)
class RiskPoint:
    """Answering the surest share of the questions (`coverage`): the share of those that is wrong."""

    coverage: float
    risk: float


@dataclass(frozen=True)
class Selective:
    """A21. The curve is of questions with a confidence, the score of all.

    Args:
        curve: Hundredths of coverage, ascending; empty without confidences.
        aurc: Mean risk over all coverages.
        accuracy_at_80: Accuracy on the surest 80 per cent.
        reliability: Penalty c → RS(c): right +1, not answered 0, wrong -c; `N` is the number of questions.
        break_even: The c at which answering is worth no more than silence; `nan` without a wrong answer.
    """

    curve: tuple[RiskPoint, ...]
    aurc: Interval
    accuracy_at_80: Interval
    reliability: Mapping[str, Interval]
    break_even: Interval


def measure_selective(columns: Columns, model: AuditedModel) -> Selective:
    """A21."""
    full, given = columns.full(model), model.answers["full"]
    if not columns.n:
        return Selective((), EMPTY, EMPTY, {}, EMPTY)
    answered = np.array([outcome == "answered" for outcome in given.outcomes], bool)
    wrong = (answered & ~full.is_correct).astype(np.float64)
    reliability = {
        label: columns.bootstrap.mean(full.is_correct - penalty * wrong)
        for label, penalty in [*((str(each), each) for each in PENALTIES), ("N", columns.n)]
    }
    break_even = columns.bootstrap.ratio(full.is_correct, wrong) if wrong.any() else EMPTY
    confidence = np.abs(full.chance_yes - 0.5)
    member = columns.is_boolean & answered & np.isfinite(confidence)
    if not member.any():
        return Selective((), EMPTY, EMPTY, reliability, break_even)
    order = np.flatnonzero(member)[np.argsort(-confidence[member], kind="stable")]
    sure, is_wrong = confidence[order], wrong[order]
    ends = np.flatnonzero(np.r_[sure[1:] != sure[:-1], True])
    aurc, accuracy = surest(np.ones((1, len(order))), is_wrong, ends)
    drawn_aurc, drawn_accuracy = _draws(columns, order, is_wrong, ends)
    n, clusters = len(order), columns.clusters(member)
    return Selective(
        _curve(is_wrong, ends),
        columns.bootstrap.percentile(float(aurc[0]), drawn_aurc, n, clusters),
        columns.bootstrap.percentile(float(accuracy[0]), drawn_accuracy, n, clusters),
        reliability,
        break_even,
    )


def surest(weights: Floats, is_wrong: Floats, ends: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Area under the risk-coverage curve and accuracy on the surest 80 per cent, of every row of weights.

    Items of one confidence are one step: each has the risk at the step's end, and a cut within it takes its mean.

    Args:
        weights: float [B, n], items by descending confidence.
        is_wrong: float [n], 0 or 1.
        ends: The last item of each confidence.
    """
    mass = np.cumsum(weights, axis=1)[:, ends]
    errors = np.cumsum(weights * is_wrong, axis=1)[:, ends]
    total = mass[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        risk = np.where(mass > 0, errors / mass, 0.0)
        area: Floats = (risk * np.diff(mass, axis=1, prepend=0.0)).sum(axis=1) / total
        cuts = COVERAGE * total
        rows = zip(cuts, mass, errors, strict=True)
        wrong = np.array([np.interp(cut, np.r_[0.0, have], np.r_[0.0, lost]) for cut, have, lost in rows])
        accuracy: Floats = 1 - wrong / cuts
    return area, accuracy


def _draws(
    columns: Columns, order: NDArray[np.int64], is_wrong: Floats, ends: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    areas, accuracies = [], []
    resamples = min(columns.given.resamples, MOST_DRAWS)
    for start in range(0, resamples, CHUNK):
        weights = columns.bootstrap.item_weights(start, min(start + CHUNK, resamples))[:, order]
        area, accuracy = surest(weights, is_wrong, ends)
        areas.append(area)
        accuracies.append(accuracy)
    return np.concatenate(areas), np.concatenate(accuracies)


def _curve(is_wrong: Floats, ends: NDArray[np.int64]) -> tuple[RiskPoint, ...]:
    mass, errors = np.r_[0.0, ends + 1.0], np.r_[0.0, np.cumsum(is_wrong)[ends]]
    points = []
    for coverage in np.arange(1, POINTS + 1) / POINTS:
        cut = coverage * len(is_wrong)
        points.append(RiskPoint(float(coverage), float(np.interp(cut, mass, errors) / cut)))
    return tuple(points)
