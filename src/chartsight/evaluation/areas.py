"""How well scores rank: the area under the ROC curve with intervals over patients, paired between scorers and findings.

    draws = AreaDraws(patients, resamples=1_000, seed=7)
    draws.area(scores, is_positive)                    # Interval(estimate=0.84, low=0.81, high=0.87, ...)
    mean_area([draws.draw(...), ...])                  # the mean over findings, from the same draws

Source: Field and Welsh 2007 (cluster bootstrap, percentile); Hanley and McNeil 1982 (the area as a chance).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chartsight.evaluation.intervals import EMPTY, NAN, Interval, draw_weights

Floats = NDArray[np.float64]
CHUNK = 200  # resamples weighted at once: bounds memory at CHUNK x items x 8 bytes


@dataclass(frozen=True)
class DrawnArea:
    """An area on all items and on every resample.

    Args:
        estimate: `nan` without a positive or without a negative.
        draws: float [B], `nan` where a resample lacks one of the two.
        positives: Items that are positive.
        n: Items.
        clusters: Patients behind them.
    """

    estimate: float
    draws: Floats
    positives: int
    n: int
    clusters: int


class AreaDraws:
    """Draws of whole patients, made once and shared by every area, so that differences and means are paired.

    Args:
        clusters: The patient of each item [N].
        resamples: B.
        seed: The same seed and clusters give the same intervals.
    """

    def __init__(self, clusters: Sequence[Hashable], resamples: int = 1_000, seed: int = 0) -> None:
        codes: dict[Hashable, int] = {}
        self.cluster_of = np.array([codes.setdefault(cluster, len(codes)) for cluster in clusters], dtype=np.int64)
        self._weights = draw_weights(len(codes), resamples, np.random.default_rng([seed, len(codes)]))

    def draw(self, scores: ArrayLike, is_positive: ArrayLike, is_member: NDArray[np.bool_] | None = None) -> DrawnArea:
        """The chance that a positive outscores a negative, ties counted half.

        Args:
            scores: float [N].
            is_positive: bool [N].
            is_member: bool [N]: the items that it is about; all when None.
        """
        score, positive = np.asarray(scores, np.float64), np.asarray(is_positive, bool)
        member = np.ones(len(score), bool) if is_member is None else is_member
        score, positive, cluster = score[member], positive[member], self.cluster_of[member]
        order = np.argsort(score, kind="stable")
        score, positive, cluster = score[order], positive[order], cluster[order]
        # Items of one score are one step of the curve.
        step = np.cumsum(np.r_[False, score[1:] > score[:-1]]) if len(score) else np.empty(0, np.int64)
        draws = [
            _weighted_areas(self._weights[start : start + CHUNK][:, cluster].astype(np.float64), positive, step)
            for start in range(0, len(self._weights), CHUNK)
        ]
        estimate = float(_weighted_areas(np.ones((1, len(score))), positive, step)[0])
        return DrawnArea(
            estimate, np.concatenate(draws), int(positive.sum()), len(score), len(np.unique(cluster))
        )  # fmt: skip

    def area(self, scores: ArrayLike, is_positive: ArrayLike, is_member: NDArray[np.bool_] | None = None) -> Interval:
        """`draw` with its 95% interval."""
        return interval_of(self.draw(scores, is_positive, is_member))


def interval_of(drawn: DrawnArea) -> Interval:
    """The percentile interval of an area."""
    return _interval(drawn.estimate, drawn.draws, drawn.n, drawn.clusters)


def mean_area(areas: Sequence[DrawnArea]) -> Interval:
    """The mean over findings, those without an area left out; of draws made by one `AreaDraws`."""
    known = [area for area in areas if np.isfinite(area.estimate)]
    if not known:
        return EMPTY
    drawn = np.stack([area.draws for area in known])
    # A resample in which one finding lacks a positive says nothing of the mean over all.
    return _interval(
        float(np.mean([area.estimate for area in known])), drawn.mean(axis=0),
        max(area.n for area in known), max(area.clusters for area in known),
    )  # fmt: skip


def area_difference(first: Sequence[DrawnArea], second: Sequence[DrawnArea]) -> Interval:
    """Mean area of the first scorer minus that of the second over the same findings, drawn together."""
    pairs = [
        (one, two)
        for one, two in zip(first, second, strict=True)
        if np.isfinite(one.estimate) and np.isfinite(two.estimate)
    ]
    differences = [
        DrawnArea(one.estimate - two.estimate, one.draws - two.draws, one.positives, one.n, one.clusters)
        for one, two in pairs
    ]
    return mean_area(differences)


def _weighted_areas(weights: Floats, positive: NDArray[np.bool_], step: NDArray[np.int64]) -> Floats:
    """Areas [B] of items in ascending order of score, weights [B, n]; `step` [n] numbers the different scores."""
    if not len(step):
        return np.full(len(weights), NAN)
    starts = np.flatnonzero(np.r_[True, step[1:] > step[:-1]])
    up = np.add.reduceat(weights * positive, starts, axis=1)
    down = np.add.reduceat(weights * ~positive, starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    with np.errstate(divide="ignore", invalid="ignore"):
        areas: Floats = (up * (below + down / 2)).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return areas


def _interval(estimate: float, draws: Floats, n: int, clusters: int) -> Interval:
    finite = draws[np.isfinite(draws)]
    if clusters < 2 or not len(finite):
        return Interval(estimate, NAN, NAN, n, clusters)
    low, high = np.percentile(finite, [2.5, 97.5])
    return Interval(estimate, float(low), float(high), n, clusters)
