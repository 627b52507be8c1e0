"""How much less a sample says because its items come in patients: intraclass correlation, design effect, Wilson.

    effect = design_effect(is_right, patient_of)       # DesignEffect(n=4200, clusters=420, icc=0.12, deff=2.1)
    wilson_clustered(is_right, patient_of)             # Wilson's interval at n / deff

Ten questions about one patient are worth ten patients' when the icc is 0, and one when it is 1.

Source: Donner and Koval 1980 (analysis of variance estimator); Kish 1965 (design effect); reference on evaluation,
section 9: deff = 1 + (m' - 1) ICC with m' = sum m² / sum m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chartsight.evaluation.intervals import EMPTY, NAN, Interval, wilson

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class DesignEffect:
    """What clustering costs.

    Args:
        n: Items.
        clusters: Patients that have any.
        icc: Intraclass correlation in 0..1; `nan` with fewer than two patients. A negative estimate is 0; where no item
            differs from another it is 1, so that each patient counts once.
        deff: Variance over that of as many independent items; `nan` with fewer than two patients.
    """

    n: int
    clusters: int
    icc: float
    deff: float

    @property
    def effective_n(self) -> float:
        """How many independent items say as much."""
        return self.n / self.deff if self.n else 0.0


def design_effect(values: ArrayLike, cluster_of: Codes) -> DesignEffect:
    """The design effect of a mean of values [N] whose items belong to clusters [N] (any whole numbers >= 0)."""
    value = np.asarray(values, dtype=np.float64)
    sizes = np.bincount(cluster_of)
    present = sizes > 0
    n, clusters = len(value), int(present.sum())
    if clusters < 2:
        return DesignEffect(n, clusters, NAN, NAN)
    sums, m = np.bincount(cluster_of, weights=value)[present], sizes[present]
    mean_size = float((m**2).sum() / n)
    if n == clusters:
        return DesignEffect(n, clusters, 0.0, 1.0)
    within = float((value**2).sum() - (sums**2 / m).sum())
    between = float((sums**2 / m).sum() - value.sum() ** 2 / n)
    mean_within, mean_between = max(within, 0.0) / (n - clusters), max(between, 0.0) / (clusters - 1)
    typical = (n - mean_size) / (clusters - 1)
    total = mean_between + (typical - 1) * mean_within
    # Rounding leaves about 1e-13 where nothing varies at all.
    varies = within + between > 1e-9 * max(n, 1)
    icc = min(1.0, max(0.0, (mean_between - mean_within) / total)) if varies else 1.0
    return DesignEffect(n, clusters, icc, 1 + (mean_size - 1) * icc)


def wilson_clustered(is_true: NDArray[np.bool_], cluster_of: Codes, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a share of items [N], at the effective number of items; no bounds for one patient alone."""
    effect = design_effect(is_true, cluster_of)
    if not effect.n:
        return EMPTY
    share = float(np.mean(is_true))
    if effect.clusters < 2:
        return Interval(share, NAN, NAN, effect.n, effect.clusters)
    low, high = wilson(share * effect.effective_n, effect.effective_n, confidence)
    return Interval(share, low, high, effect.n, effect.clusters)
