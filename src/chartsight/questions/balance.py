"""How many questions each template, each filling of its slots and each answer gets, and which films are asked.

Priors are what a model that never looks can score, so they are set here: yes and no by a stated share, options of a
choice alike, empty sets at most a stated share, common sets damped; and films are loaded evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def share_out(total: float, caps: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """`total` divided by weight, none above its cap; what one cannot take goes to the others.

    >>> share_out(10, caps=[2, 100, 100], weights=[1, 1, 3])
    array([2., 2., 6.])
    """
    room = np.asarray(caps, float).copy()
    weight = np.asarray(weights, float)
    shares = np.zeros_like(room)
    left = min(float(total), float(room.sum()))
    while left > 1e-9:
        is_open = (room - shares > 1e-9) & (weight > 0)
        if not is_open.any():
            break
        offered = np.where(is_open, left * weight / weight[is_open].sum(), 0.0)
        taken = np.minimum(offered, room - shares)
        shares += taken
        left -= float(taken.sum())
    return shares


def count_wanted(
    answer_type: str,
    values: Sequence[object],
    available: NDArray[np.int64],
    total: float = np.inf,
    *,
    yes_share: float,
    empty_share: float,
) -> NDArray[np.float64]:
    """How many questions each answer of one question should get: float64 [values], at most `total` together.

    All zero when the films leave no choice of answers: a question with a constant answer is not asked.

    Args:
        answer_type: boolean, choice (equal shares) or set.
        values: Distinct answers.
        available: int64 [values], films with each.
        total: Questions wanted; without a limit, all that the films allow.
        yes_share: Of booleans, kept exactly: the answer that runs short limits the other.
        empty_share: Most that empty sets may have.
    """
    none = np.zeros(len(values))
    if answer_type != "set":
        is_yes = [value is True for value in values]
        shares = np.where(is_yes, yes_share, 1 - yes_share) if answer_type == "boolean" else none + 1 / len(values)
        asked = shares > 0
        if not asked.any():
            return none
        return shares * min(total, float((available[asked] / shares[asked]).min()))
    is_empty = np.array([value == () for value in values], bool)
    if np.count_nonzero(available) < 2:
        return none
    filled = np.where(is_empty, 0, available)
    empty = float(available[is_empty].sum())
    n_filled = min(float(filled.sum()), total * (1 - empty_share) if empty else total)
    n_empty = min(empty, n_filled * empty_share / (1 - empty_share))
    # The square root damps the commonest sets without asking the rare ones beyond their films.
    return share_out(n_filled, filled, np.sqrt(filled)) + np.where(is_empty, n_empty, 0.0)


def round_counts(wanted: NDArray[np.float64], owed: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers of questions; what rounding took or gave is carried in `owed` to the next question of the template.

    So a template keeps its share of yes although each of its many fillings is asked only once or twice.

    Args:
        wanted: float64 [answers], not negative.
        owed: float64 [answers], changed in place; within 1/2 while films suffice.
    """
    counts = np.maximum(np.rint(wanted + owed), 0).astype(np.int64)
    owed += wanted - counts
    return counts


def draw_films(
    codes: NDArray[np.int32], counts: NDArray[np.int64], load: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """The films that are asked one question: int64 row numbers, `counts[k]` of those with the answer k, if there are.

    Films with the fewest questions so far come first, ties by chance. `load` is raised in place.

    Args:
        codes: int32 [films], the answer of each, -1 where it must not be asked.
        counts: int64 [answers].
        load: int64 [films], questions that each film has already.
        rng: Of the split.
    """
    drawn = [np.zeros(0, np.int64)]
    for code in np.flatnonzero(counts):
        films = np.flatnonzero(codes == code)
        order = load[films] + rng.random(len(films))
        drawn.append(films[np.argsort(order, kind="stable")[: counts[code]]])
    films = np.concatenate(drawn)
    load[films] += 1
    return films
