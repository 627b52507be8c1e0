"""A19: whether it knows the answers from training."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class Similarity:
    """Accuracy on questions whose nearest training question is that similar (0 to 1)."""

    low: float
    high: float
    accuracy: Interval


@dataclass(frozen=True)
class Memorisation:
    """A19.

    Args:
        train_gap: Accuracy on training questions less accuracy here, the first taken as known; `nan, n=0` without.
        by_similarity: Accuracy by thirds of the similarity to the nearest training question.
    """

    train_gap: Interval
    by_similarity: tuple[Similarity, ...]
