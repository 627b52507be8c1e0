"""A8: consistent or not under another wording, and whether the film mattered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chartsight.evaluation import Interval

Quadrant = Literal["ideal", "fragile", "dangerous", "worst"]
QUADRANTS: tuple[Quadrant, ...] = ("ideal", "fragile", "dangerous", "worst")


@dataclass(frozen=True)
class QuadrantShare:
    """One quadrant: its share of the questions, and the accuracy in it."""

    quadrant: Quadrant
    share: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Quadrants:
    """A8: ideal (consistent, film mattered), fragile (only mattered), dangerous (only consistent), worst (neither).

    A prior answer that is right anyhow counts as dangerous: read it beside the swap.
    """

    shares: tuple[QuadrantShare, ...]
