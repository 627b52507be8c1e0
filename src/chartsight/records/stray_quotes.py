"""A CSV without the lines that open a quote and never close it.

    4,10000001,"bad,,          <- left out; a plain reader takes every following line for the rest of this value
    5,10000001,good,
    6,10000001,"two
    lines",

A quote left open hides the rows after it, up to the next quote or the end of the file. Here only the line that opens it
is lost. It is the slow way (one Python pass), for files in which the fast reader met such a line.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path


def drop_stray_quotes(path: Path, out: Path, n_columns: int) -> list[int]:
    """Write `path` without the lines whose quote hides other rows; their row numbers (the header is row 0).

    Args:
        path: csv or csv.gz.
        out: Plain csv to write.
        n_columns: Of the header; a value that runs over several lines and leaves another number of columns is stray.
    """
    dropped: list[int] = []
    with path.open("rb") as raw:
        data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        # Bytes that are no UTF-8 pass through: the scan of `out` refuses their rows, and theirs alone.
        as_is = "surrogateescape"
        with (
            io.TextIOWrapper(data, "utf-8", errors=as_is, newline="") as lines,
            out.open("w", encoding="utf-8", errors=as_is, newline="") as kept,
        ):
            pending = _Pending(lines)
            number = 0
            while pending.peek():
                if pending.record_columns() == n_columns or pending.read == 1:
                    kept.writelines(pending.take(pending.read))  # one line's other faults are the scan's
                else:
                    dropped.append(number)
                    pending.take(1)
                number += 1
    return dropped


class _Pending(Iterable[str]):
    """Lines that can be read ahead and given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()
        self.read = 0

    def peek(self) -> bool:
        """Whether a line is left."""
        if not self._ahead:
            self._ahead.extend(line for line in [next(self._lines, "")] if line)
        return bool(self._ahead)

    def record_columns(self) -> int | None:
        """Columns of the record that begins here, None when its quotes do not close; `read` is its number of lines."""
        self.read = 0
        try:
            return len(next(csv.reader(iter(self), strict=True)))
        except csv.Error:  # also for a value above csv.field_size_limit: 128 KiB of text in quotes
            return None

    def __iter__(self) -> Iterator[str]:
        while True:
            if self.read == len(self._ahead):
                line = next(self._lines, "")
                if not line:
                    return
                self._ahead.append(line)
            self.read += 1
            yield self._ahead[self.read - 1]

    def take(self, count: int) -> list[str]:
        """The next lines, for good."""
        return [self._ahead.popleft() for _ in range(count)]
