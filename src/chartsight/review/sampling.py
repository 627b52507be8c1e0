"""Which items people look at: drawn by stratum, with the probability of each, split among raters, some seen twice.

    strata      tuned only | base only | both right | both wrong, each by quadrant
    drawn       as many from a small stratum as from a large one: disagreement is rare, and it is what one wants to see
    weight      size of the stratum / number drawn from it, so that weighted figures are those of all items again

Within a stratum every item has the same chance. Source: Horvitz and Thompson 1952.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from chartsight.errors import ReviewError

MOST_REPEATS = 0.3  # repeats come from the first third of a sheet and stand in the last: the rater has forgotten them


@dataclass(frozen=True)
class Drawn:
    """One item of the sample.

    Args:
        index: Its place among all items.
        stratum: Where it was drawn from.
        size: Items in the stratum.
        drawn: Of them in the sample.
        raters: Who rates it (numbers), one or two.
    """

    index: int
    stratum: str
    size: int
    drawn: int
    raters: tuple[int, ...]

    @property
    def probability(self) -> float:
        """Of having been drawn."""
        return self.drawn / self.size

    @property
    def weight(self) -> float:
        """How many items it stands for."""
        return self.size / self.drawn


@dataclass(frozen=True)
class Entry:
    """One place on a rater's sheet: which item of the sample, and whether it is seen for the second time."""

    item: int
    is_repeat: bool


def allocate(sizes: Sequence[int], n: int) -> list[int]:
    """How many to draw from each stratum: one in turn from each that has more, until there are `n` or no more.

    allocate([2, 100, 100], 12) → [2, 5, 5]
    """
    drawn = [0] * len(sizes)
    while sum(drawn) < min(n, sum(sizes)):
        for stratum, size in enumerate(sizes):
            if drawn[stratum] < size and sum(drawn) < n:
                drawn[stratum] += 1
    return drawn


def draw_sample(strata: Sequence[str], n: int, *, raters: int, double: float, seed: int) -> list[Drawn]:
    """The sample, in the order of its strata.

    Args:
        strata: The stratum of every item [N].
        n: How many items; all when there are fewer.
        raters: How many people share them.
        double: Share of the sample that two people rate; the same share of every stratum, as nearly as whole items go.
        seed: The same seed draws the same items.

    Raises:
        ReviewError: Fewer items than strata (an item that could not be drawn has no weight), shares out of range, one
            rater for what two must see.
    """
    names = sorted(set(strata))
    if not names:
        raise ReviewError("no-items", "sample", "there is no item to draw")
    if n < len(names):
        raise ReviewError("few-items", "--items", f"{n} for {len(names)} strata", f"at least {len(names)}")
    if raters < 1:
        raise ReviewError("no-raters", "--raters", str(raters), "at least 1")
    if not 0 <= double <= 1:
        raise ReviewError("bad-share", "--double", f"{double:g}", "a share from 0 to 1")
    if double and raters < 2:
        raise ReviewError("one-rater", "--double", f"{double:g} with one rater", "0, or two raters")
    members = [[index for index, stratum in enumerate(strata) if stratum == name] for name in names]
    pairs = itertools.cycle(itertools.combinations(range(raters), 2) if raters > 1 else [(0,)])
    singles = itertools.cycle((rater,) for rater in range(raters))
    sample = []
    owed = Fraction(0)  # of double ratings: the share holds over all strata, although each takes whole items only
    share = Fraction(str(double))
    for number, (name, indices, drawn) in enumerate(
        zip(names, members, allocate([len(indices) for indices in members], n), strict=True)
    ):
        order = np.random.default_rng([seed, number]).permutation(len(indices))[:drawn]
        for place in order:
            owed += share
            is_double = owed >= 1
            owed -= is_double
            who = next(pairs) if is_double else next(singles)
            sample.append(Drawn(indices[int(place)], name, len(indices), drawn, who))
    return sample


def order_sheet(sample: Sequence[Drawn], rater: int, *, repeats: float, seed: int) -> list[Entry]:
    """A rater's items in an order of their own, some of the first third again in the last third.

    Args:
        sample: All items.
        rater: Whose sheet (a number).
        repeats: Share of the rater's items that are seen twice.
        seed: The same seed gives the same order.

    Raises:
        ReviewError: A share that cannot be kept apart.
    """
    if not 0 <= repeats <= MOST_REPEATS:
        raise ReviewError("bad-share", "--repeats", f"{repeats:g}", f"a share from 0 to {MOST_REPEATS}")
    generator = np.random.default_rng([seed, rater, len(sample)])
    mine = [item for item, drawn in enumerate(sample) if rater in drawn.raters]
    order = [mine[int(place)] for place in generator.permutation(len(mine))]
    third = len(order) // 3
    n_repeats = min(round(repeats * len(order)), third)
    again = [order[int(place)] for place in generator.permutation(third)[:n_repeats]]
    early, late = order[: 2 * third], order[2 * third :]
    tail = [Entry(item, False) for item in late] + [Entry(item, True) for item in again]
    return [Entry(item, False) for item in early] + [tail[int(place)] for place in generator.permutation(len(tail))]


def shuffle_answers(count: int, *, seed: int, rater: int, position: int) -> list[int]:
    """In which order the answers of one place on a sheet stand."""
    return [int(each) for each in np.random.default_rng([seed, rater, position, count]).permutation(count)]


def number_clusters(clusters: Sequence[Hashable]) -> list[int]:
    """Patients as numbers from 1 in the order of their first item, so that no file of a review names one."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(cluster, len(numbers) + 1) for cluster in clusters]
