"""A12: whether a model says yes too readily."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


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
