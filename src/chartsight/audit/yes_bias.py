"""A12: whether a model says yes too readily."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from chartsight.audit.columns import Columns, Floats, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY


@dataclass(frozen=True)
class YesBias:
    """A12, on yes/no questions that were answered.

    Args:
        bias: Share answered yes less share whose right answer is yes.
        sensitivity: Of the questions whose right answer is yes, the share answered yes.
        specificity: Of the others, the share answered no.
        criterion: `-(z(sensitivity) + z(1 - specificity)) / 2`: below 0 for who says yes readily.
        pair_accuracy: Share of questions right both as asked and negated.
    """

    bias: Interval
    sensitivity: Interval
    specificity: Interval
    criterion: Interval
    pair_accuracy: Interval


def measure_yes_bias(columns: Columns, model: AuditedModel) -> YesBias:
    """A12."""
    full, bootstrap = columns.full(model), columns.bootstrap
    answered = columns.is_boolean & (full.codes >= 0)
    says_yes = full.codes == columns.encode([True])[0]
    is_yes = columns.is_yes
    pairs = EMPTY
    negated = columns.under(model, "negated")
    if negated is not None and "negated" in columns.variant_gold:
        known = negated.is_asked & (columns.variant_gold["negated"] >= 0)
        pairs = share(columns, full.is_correct & negated.is_correct, known)
    if not answered.any():
        return YesBias(EMPTY, EMPTY, EMPTY, EMPTY, pairs)
    summed = np.column_stack([says_yes & is_yes, is_yes, says_yes & ~is_yes, ~is_yes])
    return YesBias(
        bootstrap.difference(says_yes, is_yes, answered),
        share(columns, says_yes, answered & is_yes),
        share(columns, ~says_yes, answered & ~is_yes),
        bootstrap.interval(summed, _criterion, answered),
        pairs,
    )


def _criterion(sums: Floats) -> Floats:
    """Rates of 0 and 1 have no z: half an item is added to each (Hautus 1995); nan where one side has no item."""
    hits, false_alarms = (sums[..., 0] + 0.5) / (sums[..., 1] + 1), (sums[..., 2] + 0.5) / (sums[..., 3] + 1)
    criterion: Floats = np.where(
        (sums[..., 1] > 0) & (sums[..., 3] > 0), -(ndtri(hits) + ndtri(false_alarms)) / 2, np.nan
    )
    return criterion
