"""A14: accuracy on what none of a named pool of models answers without the film."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class CleanSubset:
    """A14: accuracy on the questions that none of `pool` gets right without the film, and their share."""

    pool: tuple[str, ...]
    kept: Interval
    accuracy: Interval
