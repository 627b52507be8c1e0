"""Many tests at once: p-values adjusted so that chance finds are bounded.

    holm([0.01, 0.04, 0.03])                   # [0.03, 0.06, 0.06]: any false find at all, among model pairs
    benjamini_hochberg([0.01, 0.04, 0.03])     # [0.03, 0.04, 0.04]: the share of false finds, among slices

A `nan` (an empty slice) stays `nan` and is no test.

Source: Holm 1979; Benjamini and Hochberg 1995.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chartsight.evaluation.intervals import NAN


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down p-values, in the order given."""
    ascending, tests = _ascending(p_values)
    adjusted, largest = [NAN] * len(p_values), 0.0
    for rank, index in enumerate(ascending):
        largest = max(largest, min(1.0, (tests - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's step-up p-values, in the order given: at most q for a false-discovery rate of q."""
    ascending, tests = _ascending(p_values)
    adjusted, smallest = [NAN] * len(p_values), 1.0
    for rank in reversed(range(tests)):
        index = ascending[rank]
        smallest = min(smallest, p_values[index] * tests / (rank + 1))
        adjusted[index] = smallest
    return adjusted


def _ascending(p_values: Sequence[float]) -> tuple[list[int], int]:
    known = [index for index, p_value in enumerate(p_values) if not math.isnan(p_value)]
    return sorted(known, key=lambda index: p_values[index]), len(known)
