"""A7: whether hiding what is asked about changes more answers than hiding as much elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class Occlusion:
    """A7, on questions whose place is known.

    Args:
        target: Share of answers that change when the place asked about is hidden.
        elsewhere: Share that change when a box of equal area is hidden elsewhere.
        excess: Target less elsewhere, on the same questions: above 0 for who looks there.
    """

    target: Interval
    elsewhere: Interval
    excess: Interval
