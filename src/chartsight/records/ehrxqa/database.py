"""The 19 tables as the published SQLite file has them: names, declared types, order of rows and columns; no keys.

Every table is written and read back (`published_csv.read_back`) before it goes in, as the published builder does.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from chartsight.errors import RecordError
from chartsight.records.sql import quoted

EHRXQA_TABLES = (
    "tb_cxr_plus", "tb_cxr", "patients", "admissions", "d_icd_diagnoses", "d_icd_procedures", "d_items", "d_labitems",
    "diagnoses_icd", "procedures_icd", "labevents", "prescriptions", "cost", "chartevents", "inputevents",
    "outputevents", "microbiologyevents", "icustays", "transfers",
)  # fmt: skip
ROWS_AT_A_TIME = 10_000


def sqlite_type(column: pa.DataType) -> str:
    """The declared type of a column."""
    return "INTEGER" if pa.types.is_int64(column) else "REAL" if pa.types.is_float64(column) else "TEXT"


def create_table(connection: sqlite3.Connection, name: str, columns: Sequence[tuple[str, str]]) -> None:
    """An empty table; its name in capitals, as published."""
    declared = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
    connection.execute(f"CREATE TABLE {quoted(name.upper())} ({declared})")


def insert_rows(connection: sqlite3.Connection, name: str, rows: Iterable[Sequence[Any]], width: int) -> int:
    """Append rows; how many."""
    marks = ", ".join("?" * width)
    before = connection.total_changes
    connection.executemany(f"INSERT INTO {quoted(name.upper())} VALUES ({marks})", rows)
    return connection.total_changes - before


def insert_table(connection: sqlite3.Connection, name: str, table: pa.Table) -> int:
    """Create and fill a table; how many rows."""
    create_table(connection, name, [(field.name, sqlite_type(field.type)) for field in table.schema])
    return insert_rows(connection, name, table_rows(table), table.num_columns)


def table_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table."""
    for batch in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def database_digest(path: Path) -> dict[str, str]:
    """table → sha256 over its declared columns and its rows in their order.

    Raises:
        RecordError: `path` is no SQLite database.
    """
    if not Path(path).is_file():
        raise RecordError("missing-record", path, "no such file", "a database", "make one: records build-ehrxqa")
    digests = {}
    connection = sqlite3.connect(f"file:{Path(path).resolve()}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        for (name,) in names:
            digest = hashlib.sha256()
            declared = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
            digest.update(json.dumps([column[1:3] for column in declared]).encode())
            rows = connection.execute(f"SELECT * FROM {quoted(name)} ORDER BY rowid")
            while some := rows.fetchmany(ROWS_AT_A_TIME):
                digest.update(json.dumps(some).encode() + b"\n")
            digests[name.lower()] = digest.hexdigest()
    except sqlite3.DatabaseError as error:
        raise RecordError("no-record", path, "is no SQLite database") from error
    finally:
        connection.close()
    return digests
