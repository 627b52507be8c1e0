"""How sure a number is: intervals that know that one patient's questions belong together.

Questions about one patient share the patient, the film and its difficulty; an interval that takes them for independent
is too narrow. Here whole patients are drawn with replacement. Every number of a report comes from the same draws, so
a difference between two models is a paired one.

    bootstrap = ClusterBootstrap(patients_of(questions), resamples=10_000, seed=7)
    bootstrap.mean(tuned_is_right)          # Interval(estimate=0.71, low=0.68, high=0.74, n=5000, clusters=500)
    bootstrap.difference(tuned_is_right, twin_is_right)

Percentiles of draws are a little too narrow for few patients; here they are expanded so that for the mean of patients
of one size they are as wide as Student's interval.

Source: Field and Welsh 2007 (cluster bootstrap); Hesterberg 2015 (expanded percentile interval); Wilson 1927.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from chartsight.schema import Question

NAN = float("nan")
FEW_CLUSTERS = 40  # below it no simulation says how often an interval holds the truth
CHUNK = 1_000  # resamples turned to floating point at once: bounds memory at CHUNK x clusters x 8 bytes

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile interval.

    Args:
        estimate: On all items; `nan` when there are none.
        low: Lower bound; `nan` when fewer than two clusters have items.
        high: Upper bound.
        n: Items behind the number.
        clusters: Patients (or films, where no patient is known) behind it.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    @property
    def detectable(self) -> float:
        """The smallest true difference that a sample like this one would have found with 80% power (95% intervals).

        `nan` where the draws do not vary: two models that never differ say nothing of what could have been found.
        """
        if self.low == self.high:
            return NAN
        normal = NormalDist()
        found, power = normal.inv_cdf(0.975), normal.inv_cdf(0.8)
        return (self.high - self.low) / (2 * found) * (found + power)

    @property
    def warning(self) -> str | None:
        """Why the interval should be read with care, in words; None when it need not."""
        if self.clusters < FEW_CLUSTERS:
            return f"{self.clusters} patients: with fewer than {FEW_CLUSTERS} the interval is a rough one"
        return None


EMPTY = Interval(NAN, NAN, NAN, 0, 0)


def patients_of(questions: Sequence[Question]) -> list[Hashable]:
    """What each question is clustered by: its patient; without one its films; without those itself."""
    clusters: list[Hashable] = []
    for question in questions:
        if question.subject_id is not None:
            clusters.append(("subject", question.subject_id))
        elif question.image_ids:
            clusters.append(("films", *question.image_ids))
        else:
            clusters.append(("question", question.question_id))
    return clusters


class ClusterBootstrap:
    """Draws of whole clusters, made once and shared by every statistic.

    Args:
        clusters: The cluster of each item [N].
        resamples: B.
        seed: Same seed and clusters, same intervals.
        confidence: Share of the draws inside the interval.
    """

    def __init__(
        self, clusters: Sequence[Hashable], resamples: int = 10_000, seed: int = 0, confidence: float = 0.95
    ) -> None:
        codes: dict[Hashable, int] = {}
        self.cluster_of = np.array([codes.setdefault(cluster, len(codes)) for cluster in clusters], dtype=np.int64)
        self.n_clusters = len(codes)
        self.resamples = resamples
        self.confidence = confidence
        self._order = np.argsort(self.cluster_of, kind="stable")
        self._starts = np.searchsorted(self.cluster_of[self._order], np.arange(self.n_clusters))
        self._weights = draw_weights(self.n_clusters, resamples, np.random.default_rng([seed, self.n_clusters]))

    def interval(
        self, columns: ArrayLike, statistic: Statistic, is_member: NDArray[np.bool_] | None = None
    ) -> Interval:
        """The interval of any function of sums.

        Args:
            columns: float [N, S]: what is summed over the items.
            statistic: From sums [..., S] to values [...]; 0/0 gives `nan`.
            is_member: bool [N]: the group that the number is about; all items when None. Patients without an item in
                the group are still drawn, as they would be in another sample.
        """
        values = np.asarray(columns, dtype=np.float64)
        member = np.ones(len(values), dtype=bool) if is_member is None else is_member
        n, clusters = int(member.sum()), self._clusters(member)
        if n == 0:
            return EMPTY
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = float(statistic(values[member].sum(axis=0)))
            draws = statistic(self._totals(np.where(member[:, None], values, 0.0)))
        return self.percentile(estimate, draws, n, clusters)

    def mean(self, values: ArrayLike, is_member: NDArray[np.bool_] | None = None) -> Interval:
        """The mean of values [N] over a group."""
        value = np.asarray(values, dtype=np.float64)
        return self.interval(np.column_stack([value, np.ones_like(value)]), _ratio, is_member)

    def proportion(self, is_true: NDArray[np.bool_], is_member: NDArray[np.bool_] | None = None) -> Interval:
        """The share of true entries [N].

        At exactly 0 or 1 no draw can differ from the estimate: there it is Wilson's interval over the patients, from
        two of them on.
        """
        return self._with_wilson_at_the_ends(self.mean(is_true, is_member))

    def proportions(self, is_true: NDArray[np.bool_], members: NDArray[np.bool_]) -> list[Interval]:
        """`proportion` of many columns at once: the columns of bool [N, S], each over its own group, bool [N, S]."""
        n, parts = members.sum(axis=0), is_true.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            estimates = (is_true & members).sum(axis=0) / n
        draws = self.mean_draws(is_true, members)
        intervals = [
            self.percentile(float(estimates[part]), draws[:, part], int(n[part]), self._clusters(members[:, part]))
            for part in range(parts)
        ]
        return [self._with_wilson_at_the_ends(interval) for interval in intervals]

    def difference(self, first: ArrayLike, second: ArrayLike, is_member: NDArray[np.bool_] | None = None) -> Interval:
        """Mean of `first` minus mean of `second` on the same items [N]: positive when the first is better."""
        return self.mean(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64), is_member)

    def ratio(
        self, numerator: ArrayLike, denominator: ArrayLike, is_member: NDArray[np.bool_] | None = None
    ) -> Interval:
        """Sum of `numerator` [N] over sum of `denominator` [N]."""
        return self.interval(np.column_stack([numerator, denominator]), _ratio, is_member)

    def balanced_accuracy(
        self, is_yes: NDArray[np.bool_], is_correct: NDArray[np.bool_], is_member: NDArray[np.bool_] | None = None
    ) -> Interval:
        """Mean of sensitivity and specificity of yes/no items [N]; `nan` when one side has no item."""
        columns = np.column_stack([is_correct & is_yes, is_yes, is_correct & ~is_yes, ~is_yes])
        return self.interval(columns, _balanced_accuracy, is_member)

    def balanced_difference(
        self,
        is_yes: NDArray[np.bool_],
        first: NDArray[np.bool_],
        second: NDArray[np.bool_],
        is_member: NDArray[np.bool_] | None = None,
    ) -> Interval:
        """Balanced accuracy of who is right as in `first` [N] minus that of `second`, on the same yes/no items."""
        gained = first.astype(np.float64) - second.astype(np.float64)
        columns = np.column_stack([gained * is_yes, is_yes, gained * ~is_yes, ~is_yes])
        return self.interval(columns, _balanced_accuracy, is_member)

    def gain_over_prior(
        self,
        is_correct: NDArray[np.bool_],
        prior_is_correct: NDArray[np.bool_],
        is_member: NDArray[np.bool_] | None = None,
    ) -> Interval:
        """`(accuracy - prior) / (1 - prior)`, pooled [N]: 0 for who answers the prior, 1 for who is always right."""
        columns = np.column_stack([is_correct, prior_is_correct, np.ones(len(is_correct))])
        return self.interval(columns, _gain_over_prior, is_member)

    def _clusters(self, member: NDArray[np.bool_]) -> int:
        return len(np.unique(self.cluster_of[member]))

    def mean_draws(self, values: ArrayLike, members: NDArray[np.bool_]) -> Floats:
        """float [B, S]: the mean of each column of values [N, S] over its own group, bool [N, S], in every resample."""
        value, parts = np.asarray(values, dtype=np.float64), members.shape[1]
        totals = self._totals(np.hstack([np.where(members, value, 0.0), members]))
        with np.errstate(divide="ignore", invalid="ignore"):
            means: Floats = totals[:, :parts] / totals[:, parts:]
        return means

    def draw_sums(self, columns: ArrayLike) -> Floats:
        """float [B, S]: the sums of columns [N, S] in every resample, for what several figures are made of."""
        return self._totals(np.asarray(columns, dtype=np.float64))

    def item_weights(self, start: int, stop: int) -> Floats:
        """float [stop - start, N]: how often each item is drawn in those resamples, for figures that are no sums."""
        weights: Floats = self._weights[start:stop, self.cluster_of].astype(np.float64)
        return weights

    def percentile(self, estimate: float, draws: Floats, n: int, clusters: int) -> Interval:
        """The interval of an estimate on n items of so many clusters, from its draws [B]; `nan` draws are left out."""
        if not n:
            return EMPTY
        draws = draws[np.isfinite(draws)]
        if clusters < 2 or not len(draws):
            return Interval(estimate, NAN, NAN, n, clusters)
        tail = 100 * expanded_tail(clusters, self.confidence)
        low, high = np.percentile(draws, [tail, 100 - tail])
        return Interval(estimate, float(low), float(high), n, clusters)

    def _with_wilson_at_the_ends(self, interval: Interval) -> Interval:
        if interval.estimate not in (0.0, 1.0) or interval.clusters < 2:
            return interval
        low, high = wilson(interval.estimate * interval.clusters, interval.clusters, self.confidence)
        return Interval(interval.estimate, low, high, interval.n, interval.clusters)

    def _totals(self, values: Floats) -> Floats:
        """float [B, S]: the sums of every resample of values [N, S]."""
        sums = np.zeros((self.n_clusters, values.shape[1]))
        if len(values):
            sums = np.add.reduceat(values[self._order], self._starts, axis=0)
        return np.concatenate(
            [
                self._weights[start : start + CHUNK].astype(np.float64) @ sums
                for start in range(0, self.resamples, CHUNK)
            ]
        )


def expanded_tail(clusters: int, confidence: float = 0.95) -> float:
    """Share of the draws beyond each bound.

    Draws of K clusters spread by sqrt((K - 1) / K) too little and know nothing of Student's tails: 0.0250 for many
    clusters, 0.0231 for 100, 0.0203 for 40, 0.0086 for 10.
    """
    student = float(stdtrit(clusters - 1, (1 - confidence) / 2))
    return float(ndtr(student * math.sqrt(clusters / (clusters - 1))))


def draw_weights(n_clusters: int, resamples: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 [B, K]: how often each cluster is drawn in each resample; rows sum to K.

    One cluster more than 255 times in one draw is as good as impossible, and is cut there.
    """
    weights = np.empty((resamples, n_clusters), dtype=np.uint8)
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        drawn = generator.integers(0, n_clusters, size=(rows, n_clusters)) if n_clusters else np.empty((rows, 0), int)
        cells = (drawn + n_clusters * np.arange(rows)[:, None]).ravel()
        counts = np.bincount(cells, minlength=rows * n_clusters).reshape(rows, n_clusters)
        weights[start : start + rows] = np.minimum(counts, 255)
    return weights


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion of independent trials; `nan` for none."""
    if not n:
        return NAN, NAN
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _ratio(sums: Floats) -> Floats:
    quotient: Floats = sums[..., 0] / sums[..., 1]
    return quotient


def _balanced_accuracy(sums: Floats) -> Floats:
    value: Floats = (sums[..., 0] / sums[..., 1] + sums[..., 2] / sums[..., 3]) / 2
    return value


def _gain_over_prior(sums: Floats) -> Floats:
    gain: Floats = (sums[..., 0] - sums[..., 1]) / (sums[..., 2] - sums[..., 1])
    return gain
