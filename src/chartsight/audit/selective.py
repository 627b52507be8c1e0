"""A21: what it is worth to answer only when sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chartsight.evaluation import Interval

COVERAGE = 0.8
PENALTIES = (0, 5, 10)


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
