"""EHRXQA's permutation of values: every table by itself, over all its rows, always by the same seed.

The published builder shuffles the numbers of all rows in memory. Only the cohort's rows are needed here, so the
exchanges of the shuffle are drawn in pieces and followed backwards from those rows: memory does not grow with a table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SEED = 0
SHUFFLED_FROM = 10_000  # numpy's `choice` shuffles more rows than these; of fewer it draws one after the other
EXCHANGES_A_PIECE = 2**21
ROWS_A_BLOCK = 2**20


def permuted(rows: int, asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the values of some of the rows come from: int64 [len(asked)].

        permuted(4, [0, 3]) → [2, 3]: row 0 gets the values of row 2, row 3 keeps its own

    Source: EHRXQA, `preprocess_db_utils.py`: a draw of all rows without putting back.

    Args:
        rows: Of the whole table.
        asked: The rows that are needed.
    """
    if rows <= SHUFFLED_FROM:
        return np.random.default_rng(SEED).choice(rows, rows, replace=False)[asked] if rows else asked
    # numpy exchanges row i with a row j <= i that is drawn, from the last row down to row 1. From the end of that back
    # to its beginning, a value leaves its row i at the exchange of i, and any row once it is drawn as j.
    place, since = asked.copy(), np.where(asked == 0, 0, rows)
    for first, drawn in pieces_backwards(rows):
        size = len(drawn)
        begin = np.flatnonzero((asked >= first) & (asked < first + size))
        place[begin], since[begin] = drawn[asked[begin] - first], asked[begin]
        keys = np.sort(drawn * EXCHANGES_A_PIECE + np.arange(size))
        moving = np.flatnonzero(since < rows)
        while len(moving):
            after = place[moving] * EXCHANGES_A_PIECE + np.maximum(since[moving] + 1 - first, 0)
            nth = np.searchsorted(keys, after)
            key = keys[np.minimum(nth, size - 1)]
            is_drawn = (nth < size) & (key // EXCHANGES_A_PIECE == place[moving])
            moving = moving[is_drawn]
            place[moving] = since[moving] = first + key[is_drawn] % EXCHANGES_A_PIECE
    return place


def pieces_backwards(rows: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The exchanges of a shuffle from the last one: pieces of the first row, and what it and each row after it drew."""
    generator = np.random.default_rng(SEED)
    states = []
    for last in range(rows - 1, 0, -EXCHANGES_A_PIECE):
        states.append((last, generator.bit_generator.state))
        exchanges(generator, last)
    for last, state in reversed(states):
        generator.bit_generator.state = state
        drawn = exchanges(generator, last)
        yield last - len(drawn) + 1, drawn[::-1]


def exchanges(generator: np.random.Generator, last: int) -> NDArray[np.int64]:
    """What row `last` and the rows before it draw, down to row 1 or the end of a piece: int64."""
    rows = np.arange(last, max(last - EXCHANGES_A_PIECE, 0), -1)
    drawn: NDArray[np.int64] = generator.integers(0, rows, endpoint=True)
    return drawn


def unit_mapping(first: list[str | None], last: list[str | None]) -> dict[str | None, str | None]:
    """Care unit → the unit whose name it gets, from the cohort's ICU stays; of several, the last one."""
    order = permuted(len(first), np.arange(len(first)))
    mapping = dict(zip(first, (first[place] for place in order), strict=True))
    mapping.update(zip(last, (last[place] for place in order), strict=True))
    return mapping


class KeptRows:
    """Which rows of a file were kept by cleaning, one byte a row, and how these are counted.

    Args:
        is_kept: bool [rows of the file].
    """

    def __init__(self, is_kept: NDArray[np.bool_]) -> None:
        self.is_kept = is_kept
        blocks = range(0, len(is_kept), ROWS_A_BLOCK)
        counts = [int(np.count_nonzero(is_kept[start : start + ROWS_A_BLOCK])) for start in blocks]
        self.before = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return int(self.before[-1])

    def numbers(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number among the kept rows of each of these kept rows: int64."""
        numbers = np.empty(len(rows), np.int64)
        for block, mine in self.by_block(rows // ROWS_A_BLOCK):
            kept = np.flatnonzero(self.is_kept[block * ROWS_A_BLOCK : (block + 1) * ROWS_A_BLOCK])
            numbers[mine] = self.before[block] + np.searchsorted(kept, rows[mine] - block * ROWS_A_BLOCK)
        return numbers

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the file of each of these kept rows: int64."""
        rows = np.empty(len(numbers), np.int64)
        for block, mine in self.by_block(np.searchsorted(self.before, numbers, side="right") - 1):
            kept = np.flatnonzero(self.is_kept[block * ROWS_A_BLOCK : (block + 1) * ROWS_A_BLOCK])
            rows[mine] = block * ROWS_A_BLOCK + kept[numbers[mine] - self.before[block]]
        return rows

    @staticmethod
    def by_block(blocks: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each block that occurs, and where."""
        order = np.argsort(blocks, kind="stable")
        found, starts = np.unique(blocks[order], return_index=True)
        for block, mine in zip(found, np.split(order, starts)[1:], strict=True):
            yield int(block), mine
