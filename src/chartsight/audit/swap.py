"""A6 and A23: another film, or the mirrored one, whose right answer is known."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class SwapGroup:
    """What a model does when the film is exchanged for one whose right answer is known.

    Args:
        name: `all`, `matched` (the donor has the same confounders), `unmatched`, `mentioned`, or an answer type.
        stability: Where the donor has the same right answer: share answered with it.
        follow: Where the donor has another one: share answered with the donor's.
        stick: There: share whose answer does not change.
        grounding: There: share right with both films. Who does not look has none, a coin a quarter.
        gain: There: `follow` less the share that gives the donor's answer with its own film. 0 for who does not look,
            and for who reads only what both films share.
        same: Share of the items whose donor has the same right answer.
    """

    name: str
    stability: Interval
    follow: Interval
    stick: Interval
    grounding: Interval
    gain: Interval
    same: Interval


@dataclass(frozen=True)
class Swap:
    """A6: groups of items; the first is `all`."""

    groups: tuple[SwapGroup, ...]

    def group(self, name: str) -> SwapGroup | None:
        """The group of that name; None when there is none."""
        return next((each for each in self.groups if each.name == name), None)


@dataclass(frozen=True)
class Mirrored:
    """A23: left and right exchanged in the film, in questions whose answer names or depends on a side.

    Args:
        accuracy: By the right answer of the mirrored film.
        group: As in a swap: stability where the answer stays, follow and stick where it is exchanged.
    """

    accuracy: Interval
    group: SwapGroup
