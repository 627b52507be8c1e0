"""A19: whether it knows the answers from training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Columns, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY


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


def measure_memorisation(columns: Columns, model: AuditedModel) -> Memorisation | None:
    """A19; None when nothing is known of training."""
    similarity = columns.given.similarity
    if similarity is None and model.train_accuracy is None:
        return None
    right = columns.full(model).is_correct
    gap = EMPTY
    if model.train_accuracy is not None:
        gap = columns.bootstrap.mean(model.train_accuracy - right.astype(np.float64))
    bands = []
    if similarity is not None and columns.n:
        inner = np.quantile(similarity, [1 / 3, 2 / 3])
        band_of = np.searchsorted(inner, similarity, side="right")
        for band in range(3):
            member = band_of == band
            if member.any():
                low, high = float(similarity[member].min()), float(similarity[member].max())
                bands.append(Similarity(low, high, share(columns, right, member)))
    return Memorisation(gap, tuple(bands))
