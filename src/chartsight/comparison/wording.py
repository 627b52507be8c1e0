"""Numbers in words for the page and the verdict: shares, points, intervals, p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from chartsight.evaluation import Interval

FILM_WORDS: Mapping[str, str] = {
    "shuffled": "another patient's film", "blank": "a blank film", "noise": "noise", "question_only": "no film",
}  # fmt: skip


def film_words(condition: str) -> str:
    """What is shown under a condition: `another patient's film`, `no film`."""
    return FILM_WORDS.get(condition, condition.replace("_", " "))


def points(share: float) -> str:
    """A difference of shares as signed percentage points: `+12.3`, `−0.4`, `0.0`."""
    value = round(100 * share, 1)
    if value == 0:
        return "0.0"
    return f"+{value:,.1f}" if value > 0 else f"−{-value:,.1f}"


def bounds(interval: Interval, sign: int = 1) -> str:
    """The interval of a difference in points: `[+8.1, +16.2]`; `sign` -1 turns a loss round."""
    low, high = sorted((sign * interval.low, sign * interval.high))
    return f"[{points(low)}, {points(high)}]"


def enumerate_parts(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def is_number(value: Any) -> bool:
    """Whether there is a number to show: not None, not `nan`."""
    return value is not None and not math.isnan(value)


def percent(share: float | None) -> str:
    """A share with one decimal: `71.3%`; a dash when there is none."""
    return f"{signless(share)}%" if share is not None and not math.isnan(share) else "–"


def interval_text(interval: Interval) -> str:
    """The bounds of a share: `68.0–74.1`, `−2.0 to 4.1`; empty when there are none."""
    if math.isnan(interval.low):
        return ""
    between = " to " if interval.low < 0 else "–"
    return f"{signless(interval.low)}{between}{signless(interval.high)}"


def p_value(p: float) -> str:
    """A p-value: `0.034`, `< 0.001`; a dash when there is none."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signless(share: float) -> str:
    """A share in per cent with one decimal, signed only when negative: `71.3`, `−2.0`."""
    value = round(100 * share, 1)
    return f"−{-value:.1f}" if value < 0 else f"{abs(value):.1f}"


def count(number: float) -> str:
    """A whole number with thousands separators."""
    return f"{int(number):,}"
