"""How far raters agree, beyond what chance would give: Cohen, weighted kappa, Krippendorff's alpha, Gwet's AC1.

Every coefficient is a function of sums over units (a unit is what was rated: an answer, an item), so that one bootstrap
of whole patients (`evaluation.ClusterBootstrap`) gives the interval of each:

    table = pair_columns(first, second, 3)                          # float [N, 9], a 1 in the cell of each unit
    bootstrap.interval(table, cohen_kappa(disagreement(3, "nominal")))

Ratings are codes 0 .. K-1, and -1 where a rater did not rate. A coefficient is `nan` where chance alone would agree
always (all raters used one category only): there is nothing to correct for, and 1 would be a wrong number.

Source: Cohen 1960, 1968; Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; Gwet 2008 and 2014.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
Scale = Literal["nominal", "linear", "quadratic"]
MISSING = -1
FIRM, TENTATIVE = 0.8, 0.667  # Krippendorff's bounds for conclusions from an alpha


def disagreement(k: int, scale: Scale) -> Floats:
    """float [K, K]: how far two categories are apart: 0 or 1, their distance, or its square."""
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    if scale == "nominal":
        return (apart > 0).astype(np.float64)
    return apart if scale == "linear" else apart**2


def pair_columns(first: Codes, second: Codes, k: int, weights: Floats | None = None) -> Floats:
    """float [N, K*K]: a unit's weight (1) in the cell of its two ratings; nothing where one is missing."""
    columns = np.zeros((len(first), k * k))
    both = (first != MISSING) & (second != MISSING)
    columns[both, (first * k + second)[both]] = 1.0 if weights is None else weights[both]
    return columns


def cohen_kappa(apart: Floats) -> Statistic:
    """Kappa of two raters from sums [..., K*K] of `pair_columns`, weighted by how far categories are `apart` [K, K].

    1 - observed / expected disagreement, the expected one from each rater's own frequencies.
    """
    k = len(apart)

    def kappa(sums: Floats) -> Floats:
        table = sums.reshape(*sums.shape[:-1], k, k)
        total = table.sum(axis=(-2, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.einsum("...i,...j,ij->...", table.sum(axis=-1), table.sum(axis=-2), apart) / total
        return _one_minus((table * apart).sum(axis=(-2, -1)), expected)

    return kappa


def percent_agreement(sums: Floats) -> Floats:
    """The share of pairs of ratings that are the same, from sums [..., 2] of `agreement_columns`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Floats = sums[..., 0] / sums[..., 1]
    return share


def agreement_columns(ratings: Codes, k: int) -> Floats:
    """float [N, 2]: the share of a unit's pairs of ratings that agree, and 1; zeros for a unit with one rating or none.

    Args:
        ratings: int [N, raters].
        k: Categories.
    """
    counts = _counts(ratings, k)
    m = counts.sum(axis=1)
    paired = m > 1
    columns = np.zeros((len(ratings), 2))
    columns[paired, 0] = (counts * (counts - 1)).sum(axis=1)[paired] / (m * (m - 1))[paired]
    columns[paired, 1] = 1.0
    return columns


def coincidence_columns(ratings: Codes, k: int) -> Floats:
    """float [N, K*K]: a unit's part of Krippendorff's coincidence matrix; zeros for one rating or none.

    Every ordered pair of its m ratings counts 1 / (m - 1), so that a unit counts as many times as it was rated.
    """
    counts = _counts(ratings, k)
    m = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(k)
    pairs = np.where((m > 1)[:, None, None], pairs / np.maximum(m - 1, 1)[:, None, None], 0.0)
    columns: Floats = pairs.reshape(len(ratings), k * k)
    return columns


def krippendorff_alpha(k: int, *, ordinal: bool = False) -> Statistic:
    """Alpha from sums [..., K*K] of `coincidence_columns`, for any number of raters and with gaps.

    Ordinal: two categories are as far apart as ratings lie between them, half of the two themselves left out.
    """

    def alpha(sums: Floats) -> Floats:
        table = sums.reshape(*sums.shape[:-1], k, k)
        margins = table.sum(axis=-1)
        n = margins.sum(axis=-1)
        if ordinal:
            middle = np.cumsum(margins, axis=-1) - margins / 2
            apart = (middle[..., :, None] - middle[..., None, :]) ** 2
        else:
            apart = np.broadcast_to(disagreement(k, "nominal"), table.shape)
        observed = (table * apart).sum(axis=(-2, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = (margins[..., :, None] * margins[..., None, :] * apart).sum(axis=(-2, -1)) / (n - 1)
        return _one_minus(observed, expected)

    return alpha


def gwet_columns(ratings: Codes, k: int) -> Floats:
    """float [N, K+3]: shares of the categories, 1 for a rated unit, its share of agreeing pairs, 1 if rated twice."""
    counts = _counts(ratings, k)
    m = counts.sum(axis=1, keepdims=True)
    shares = np.where(m > 0, counts / np.maximum(m, 1), 0.0)
    return np.hstack([shares, m > 0, agreement_columns(ratings, k)])


def gwet_ac1(sums: Floats) -> Floats:
    """AC1 from sums [..., K+3] of `gwet_columns`, for any number of raters and with gaps.

    Chance agrees as often as raters guess at an item that is hard, not as often as a category is common: a kappa falls
    when nearly all is rated alike, AC1 does not.
    """
    k = sums.shape[-1] - 3
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = sums[..., :k] / sums[..., k, None]
        agreed = sums[..., k + 1] / sums[..., k + 2]
        chance = (shares * (1 - shares)).sum(axis=-1) / (k - 1)
        value: Floats = (agreed - chance) / (1 - chance)
    return value


def encode(values: Sequence[str | None], categories: Sequence[str]) -> Codes:
    """int [N]: the place of each value among the categories; -1 for None and for what is no point on the scale."""
    places = {category: place for place, category in enumerate(categories)}
    return np.array([places.get(value or "", MISSING) for value in values], dtype=np.int64)


def alpha_words(alpha: float) -> str:
    """What may be concluded from data of this reliability, by Krippendorff's bounds."""
    if np.isnan(alpha):
        return "cannot be told"
    return "firm" if alpha >= FIRM else "tentative" if alpha >= TENTATIVE else "no conclusions"


def _counts(ratings: Codes, k: int) -> Floats:
    """float [N, K]: how many raters put each unit into each category."""
    counts: Floats = (ratings[:, :, None] == np.arange(k)).sum(axis=1).astype(np.float64)
    return counts


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    """1 - observed / expected; `nan` where nothing was expected. Sums of weights leave dust, so that 0 is a bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Floats = np.where(expected > 1e-12, 1 - observed / np.where(expected > 1e-12, expected, 1.0), np.nan)
    return value
