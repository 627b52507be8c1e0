"""A13: accuracy where the prior is right against accuracy where it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Columns, Floats, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY


@dataclass(frozen=True)
class Alignment:
    """A13.

    Args:
        share: Of the questions whose right answer is the template's prior.
        aligned: Accuracy there.
        opposed: Accuracy where it is another one.
        gap: Aligned less opposed: 1 for who answers the prior, about 0 for who sees.
    """

    share: Interval
    aligned: Interval
    opposed: Interval
    gap: Interval


def measure_alignment(columns: Columns, model: AuditedModel) -> Alignment:
    """A13; all empty without training questions to take a prior from."""
    if not columns.given.training:
        return Alignment(EMPTY, EMPTY, EMPTY, EMPTY)
    right, aligned = columns.full(model).is_correct, columns.prior_is_right
    summed = np.column_stack([right & aligned, aligned, right & ~aligned, ~aligned])
    return Alignment(
        columns.bootstrap.proportion(aligned),
        share(columns, right, aligned),
        share(columns, right, ~aligned),
        columns.bootstrap.interval(summed, _gap),
    )


def _gap(sums: Floats) -> Floats:
    gap: Floats = sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]
    return gap
