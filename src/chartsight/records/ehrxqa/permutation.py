"""EHRXQA's permutation of values: every table by itself, over all its rows, always by the same seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import RecordError

SEED = 0
BYTES_A_ROW = 24  # where each row stands, where its values come from, and numpy's copy of that


def permutation(rows: int, memory_limit_gib: float) -> NDArray[np.int64]:
    """Where the values of each row come from: int64 [rows].

        permutation(4, 4.0) → [2, 0, 1, 3]: row 0 gets the values of row 2

    Source: EHRXQA, `preprocess_db_utils.py`: a draw of all rows without putting back.

    Raises:
        RecordError: The positions do not fit into memory.
    """
    if rows * BYTES_A_ROW > memory_limit_gib * 2**30:
        need = rows * BYTES_A_ROW / 2**30
        raise RecordError(
            "out-of-memory", "permutation", f"{rows:,} rows need {need:.1f} GiB", hint="raise --memory-limit"
        )
    if rows == 0:
        return np.zeros(0, np.int64)
    return np.random.default_rng(SEED).choice(rows, rows, replace=False)


def unit_mapping(first: list[str | None], last: list[str | None]) -> dict[str | None, str | None]:
    """Care unit → the unit whose name it gets, from the cohort's ICU stays; of several, the last one."""
    order = permutation(len(first), 1.0)
    mapping = dict(zip(first, (first[place] for place in order), strict=True))
    mapping.update(zip(last, (last[place] for place in order), strict=True))
    return mapping
