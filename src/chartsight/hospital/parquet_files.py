"""Parquet files that grow block by block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


class ParquetFile:
    """A parquet file that grows block by block; nothing but the block at hand is in memory.

    with ParquetFile(path, schema) as file:
        file.add(rows)
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self.count = 0
        self.writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows, one row group."""
        if rows:
            self.writer.write_table(pa.Table.from_pylist(rows, self.schema))
            self.count += len(rows)

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.writer.close()
