"""A20: whether a chance of 0.8 means right four times of five."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval

BINS = 10
FEWEST = 300  # yes/no questions; with fewer the error of ten bins is mostly noise


@dataclass(frozen=True)
class ReliabilityBin:
    """A tenth of the questions by the chance of yes: its mean, and the share whose right answer is yes."""

    chance: float
    yes: Interval


@dataclass(frozen=True)
class Calibration:
    """A20, on yes/no questions with a chance of yes.

    Args:
        ece: Expected calibration error over ten bins of equal mass; `nan, n=0` below 300 questions.
        brier: Mean squared error of the chance.
        auroc: Chance that a question whose answer is yes has the higher one.
        bins: Of the reliability diagram; empty below 300 questions.
        platt: (slope, intercept) on the log odds, learned on validation answers; None without these.
        ece_platt: The error after that.
        brier_platt: Likewise.
    """

    ece: Interval
    brier: Interval
    auroc: Interval
    bins: tuple[ReliabilityBin, ...]
    platt: tuple[float, float] | None
    ece_platt: Interval
    brier_platt: Interval
