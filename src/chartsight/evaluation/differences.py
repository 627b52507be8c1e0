"""Two models on the same questions: how far apart, how sure, and how far apart they would have to be to be told apart.

    found = paired_difference(bootstrap, tuned_is_right, twin_is_right)
    found.estimate, found.low, found.high       # primary: whole patients drawn with replacement
    found.p, found.p_mcnemar_clustered          # the same test as a p-value; a clustered test beside it
    found.mde                                   # minimal detectable effect at 80% power
    in_words(found)                             # "difference smaller than what this test could see ..."

Naive tests take the questions about one patient for independent; `p_mcnemar` is there to be seen beside the others, not
to be believed (docs/evaluation.md has its error rates).

Source: Hesterberg 2015 (expanded percentile interval, see `intervals`); Obuchowski 1998 (cluster-robust variance);
Durkalski et al. 2003 (clustered McNemar); McNemar 1947, exact binomial form; Connor 1987 (power of McNemar's test).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, chdtrc, ndtri, stdtr, stdtrit

from chartsight.evaluation.clustering import design_effect
from chartsight.evaluation.intervals import NAN, ClusterBootstrap, Floats, Interval

ALPHA = 0.05
POWER = 0.80
COLUMNS = 64  # drawn at once: bounds memory at resamples x COLUMNS x 16 bytes


@dataclass(frozen=True)
class PairedDifference(Interval):
    """The first's mean minus the second's on the same items, with its bootstrap interval. Shares, not points.

    Args:
        wins: Items on which the first is ahead.
        losses: Items on which the second is.
        icc: Intraclass correlation of the differences.
        deff: Their design effect.
        p: Two-sided, dual to the interval, no smaller than the draws can show; `nan` when there is no interval.
        p_t: Of the cluster-robust t test, clusters - 1 degrees of freedom.
        p_mcnemar_clustered: Of Durkalski's test; `nan` for other than right or wrong.
        p_mcnemar: Of the exact McNemar test, as if every item were a patient; `nan` for other than right or wrong.
        p_adjusted: `p` among the other tests of its family; `nan` until `adjusted` put it there.
        mde: The smallest true difference found with 80% power; `nan` when none would be, however large.
    """

    wins: int
    losses: int
    icc: float
    deff: float
    p: float
    p_t: float
    p_mcnemar_clustered: float
    p_mcnemar: float
    mde: float
    p_adjusted: float = NAN


NO_DIFFERENCE = PairedDifference(NAN, NAN, NAN, 0, 0, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN)


def paired_difference(
    bootstrap: ClusterBootstrap, first: ArrayLike, second: ArrayLike, is_member: NDArray[np.bool_] | None = None
) -> PairedDifference:
    """Two score columns [N], right or wrong or anything in 0..1, over a group (bool [N]; all when None)."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    member = np.ones(len(one), dtype=bool) if is_member is None else is_member
    return paired_differences(bootstrap, (one - other)[:, None], member[:, None])[0]


def paired_differences(
    bootstrap: ClusterBootstrap, gained: ArrayLike, members: NDArray[np.bool_]
) -> list[PairedDifference]:
    """`paired_difference` of many columns at once.

    Args:
        bootstrap: Its draws are shared by all columns.
        gained: float [N, S]: the first's score minus the second's, item by item.
        members: bool [N, S]: each column's own group.
    """
    gains = np.asarray(gained, dtype=np.float64)
    found: list[PairedDifference] = []
    for start in range(0, gains.shape[1], COLUMNS):
        part, member = gains[:, start : start + COLUMNS], members[:, start : start + COLUMNS]
        draws = np.ascontiguousarray(bootstrap.mean_draws(part, member).T)
        columns = zip(np.ascontiguousarray(part.T), np.ascontiguousarray(member.T), draws, strict=True)
        found += [_paired(bootstrap, *column) for column in columns]
    return found


def _paired(bootstrap: ClusterBootstrap, gains: Floats, member: NDArray[np.bool_], draws: Floats) -> PairedDifference:
    gained, cluster = gains[member], bootstrap.cluster_of[member]
    n = len(gained)
    if not n:
        return NO_DIFFERENCE
    wins, losses = int((gained > 0).sum()), int((gained < 0).sum())
    estimate = float(gained.mean())
    effect = design_effect(gained, cluster)
    if effect.clusters < 2:
        return replace(NO_DIFFERENCE, estimate=estimate, n=n, clusters=effect.clusters, wins=wins, losses=losses)
    counts = np.bincount(cluster)
    present = counts > 0
    sums: Floats = np.bincount(cluster, weights=gained)[present].astype(np.float64)
    sizes = counts[present]
    is_binary = bool(((gained == 0) | (np.abs(gained) == 1)).all())
    interval = bootstrap.percentile(estimate, draws, n, effect.clusters)
    p = _dual_p(draws, effect.clusters)
    if interval.low == interval.high and estimate:
        interval, p = _all_alike(interval, estimate, bootstrap.confidence)
    return PairedDifference(
        estimate, interval.low, interval.high, n, effect.clusters, wins, losses, effect.icc, effect.deff, p,
        cluster_t(sums, sizes),
        mcnemar_clustered(sums, sizes) if is_binary else NAN,
        mcnemar(wins, losses) if is_binary else NAN,
        detectable_difference(n, (wins + losses) / n, effect.deff) if is_binary else _detectable(sums, sizes),
    )  # fmt: skip


def _dual_p(draws: Floats, clusters: int) -> float:
    """The largest level at which the expanded percentile interval still holds 0."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return NAN
    below, above = int((finite <= 0).sum()), int((finite >= 0).sum())
    tail = (min(below, above) + 1) / (len(finite) + 1)
    if tail >= 0.5:
        return 1.0
    return float(2 * stdtr(clusters - 1, ndtri(tail) * math.sqrt((clusters - 1) / clusters)))


def _all_alike(interval: Interval, estimate: float, confidence: float) -> tuple[Interval, float]:
    """Where every draw is the same and not 0 (one is ahead on all items of all patients), no draw can show a doubt.

    The exact bound of K patients among K says how many of another kind there may be, who lose as much as these win;
    p is that of the sign test over patients.
    """
    alike = ((1 - confidence) / 2) ** (1 / interval.clusters)
    low, high = sorted((estimate, estimate * (2 * alike - 1)))
    return replace(interval, low=low, high=high), min(1.0, 2 * 0.5**interval.clusters)


def cluster_t(sums: Floats, sizes: NDArray[np.int64]) -> float:
    """p-value of a mean of 0, two-sided.

    Args:
        sums: float [K]: each cluster's sum of differences.
        sizes: int [K]: its items.
    """
    error = _standard_error(sums, sizes)
    mean = float(sums.sum() / sizes.sum())
    if not error:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(len(sums) - 1, -abs(mean) / error))


def mcnemar_clustered(sums: Floats, sizes: NDArray[np.int64]) -> float:
    """p-value of Durkalski's test for clusters [K] that gained `sums` of `sizes` right answers; 1 when none gained."""
    return float(chdtrc(1, mcnemar_clustered_statistic(sums, sizes)))


def mcnemar_clustered_statistic(sums: Floats, sizes: NDArray[np.int64]) -> float:
    """Durkalski's chi-square, one degree of freedom; McNemar's own, uncorrected, when every cluster is one item."""
    means = sums / sizes
    spread = float((means**2).sum())
    return float(means.sum()) ** 2 / spread if spread else 0.0


def mcnemar(wins: int, losses: int) -> float:
    """p-value of the exact McNemar test, two-sided; right for one item a patient only."""
    return min(1.0, float(2 * bdtr(min(wins, losses), wins + losses, 0.5))) if wins + losses else 1.0


def detectable_difference(n: int, discordant: float, deff: float = 1.0) -> float:
    """The smallest true difference that McNemar's test finds with 80% power at the 5% level.

    detectable_difference(1_000, 0.2) → 0.0397     (4.0 points)
    detectable_difference(200, 0.1, deff=3) → nan  (even if the first won every discordant item)

    Args:
        n: Items.
        discordant: Share on which one of the two is right and the other wrong.
        deff: Design effect of the paired differences.
    """
    if not n or not discordant or math.isnan(deff):
        return NAN
    normal = NormalDist()
    found, power = normal.inv_cdf(1 - ALPHA / 2), normal.inv_cdf(POWER)
    root = math.sqrt(n / deff)

    def shortfall(difference: float) -> float:
        spread = math.sqrt(max(discordant - difference**2, 0.0))
        return found * math.sqrt(discordant) + power * spread - difference * root

    if shortfall(discordant) > 0:
        return NAN
    low, high = 0.0, discordant
    for _ in range(60):  # bisection: the shortfall falls all the way
        middle = (low + high) / 2
        low, high = (middle, high) if shortfall(middle) > 0 else (low, middle)
    return high


def _standard_error(sums: Floats, sizes: NDArray[np.int64]) -> float:
    n, clusters = sizes.sum(), len(sums)
    residual = sums - sizes * (sums.sum() / n)
    return math.sqrt(clusters / (clusters - 1) * float((residual**2).sum())) / float(n)


def _detectable(sums: Floats, sizes: NDArray[np.int64]) -> float:
    """For graded scores: what the cluster-robust error lets a t test find."""
    error, freedom = _standard_error(sums, sizes), len(sums) - 1
    return float((stdtrit(freedom, 1 - ALPHA / 2) + stdtrit(freedom, POWER)) * error) or NAN


def adjusted(
    differences: Sequence[PairedDifference], adjust: Callable[[Sequence[float]], list[float]]
) -> list[PairedDifference]:
    """The differences of one family with `p_adjusted`, by `holm` or `benjamini_hochberg`."""
    return [
        replace(difference, p_adjusted=p)
        for difference, p in zip(differences, adjust([each.p for each in differences]), strict=True)
    ]


def in_words(difference: PairedDifference) -> str:
    """What the difference does and does not show, in one clause, by the adjusted p-value where there is one."""
    if not difference.n:
        return "no items (n=0): nothing can be said"
    if difference.clusters < 2:
        return "one patient only: nothing can be said"
    if not difference.wins and not difference.losses:
        return "the two never differ here: no evidence that they would not elsewhere"
    p = difference.p if math.isnan(difference.p_adjusted) else difference.p_adjusted
    if p < ALPHA:
        return "larger than chance"
    if math.isnan(difference.mde):
        return "too few items that only one got right: no difference could have been seen, however large"
    smallest = f"{100 * difference.mde:.1f} points"
    if abs(difference.estimate) < difference.mde:
        return f"difference smaller than what this test could see ({smallest}): not evidence of equality"
    return f"not surely more than chance, though this test could see {smallest} four times of five"
