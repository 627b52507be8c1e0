"""Gzipped CSV whose bytes depend on the rows only."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from chartsight.hospital.open_files import OpenFiles

# Types that the csv module writes as MIMIC-IV does (None as nothing); formatting each field would cost twice the time.
# Times must be of whole seconds.
AS_IT_IS = frozenset({str, int, type(None), date, datetime})


class CsvFile(OpenFiles):
    """A gzipped CSV that grows row by row, its header written first. None is an empty field.

    with CsvFile(path, header) as file:
        file.add(rows)
    """

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.count = 0
        super().__init__()
        raw = self.stack.enter_context(path.open("wb"))
        # No name and no time in the gzip header: the bytes depend on the rows only.
        packed = self.stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6))
        text = self.stack.enter_context(io.TextIOWrapper(packed, encoding="utf-8", newline=""))
        self.writer = csv.writer(text, lineterminator="\n")
        self.writer.writerow(header)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows."""
        for row in rows:
            self.writer.writerow([value if type(value) in AS_IT_IS else format_field(value) for value in row])
            self.count += 1


def write_csv_gz(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """The number of rows written to `path`."""
    with CsvFile(path, header) as file:
        file.add(rows)
    return file.count


def format_field(value: Any) -> str:
    """As MIMIC-IV writes it: `2150-04-10 07:00:00`, `2150-04-10`, `7.25`, `12` (not `12.0`)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(value, ".12g")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value))
