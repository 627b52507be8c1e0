"""A13: accuracy where the prior is right against accuracy where it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


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
