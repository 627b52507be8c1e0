"""The 19 tables as the published SQLite file has them: names, declared types, order of rows and columns; no keys.

Every table is written and read back (`published_csv.read_back`) before it goes in, as the published builder does.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chartsight.errors import RecordError
from chartsight.records.sql import quoted

EHRXQA_TABLES = (
    "tb_cxr_plus", "tb_cxr", "patients", "admissions", "d_icd_diagnoses", "d_icd_procedures", "d_items", "d_labitems",
    "diagnoses_icd", "procedures_icd", "labevents", "prescriptions", "cost", "chartevents", "inputevents",
    "outputevents", "microbiologyevents", "icustays", "transfers",
)  # fmt: skip
ROWS_AT_A_TIME = 10_000  # the digests are over so many rows at a time
ROWS_A_STATEMENT = 64  # SQLite takes 32,766 values in one


def sqlite_type(column: pa.DataType) -> str:
    """The declared type of a column."""
    return "INTEGER" if pa.types.is_int64(column) else "REAL" if pa.types.is_float64(column) else "TEXT"


def insert_table(connection: sqlite3.Connection, name: str, table: pa.Table) -> int:
    """Create and fill a table, its name in capitals, as published; how many rows."""
    declared = ", ".join(f"{quoted(column)} {kind}" for column, kind in declared_columns(table))
    connection.execute(f"CREATE TABLE {quoted(name.upper())} ({declared})")
    row = f"({', '.join('?' * table.num_columns)})"
    for rows, values in statement_values(table):
        statement = f"INSERT INTO {quoted(name.upper())} VALUES {', '.join([row] * rows)}"
        connection.executemany(statement, values)
    return len(table)


def declared_columns(table: pa.Table) -> list[tuple[str, str]]:
    """Names and declared types of the columns of a table."""
    return [(field.name, sqlite_type(field.type)) for field in table.schema]


def statement_values(table: pa.Table) -> Iterator[tuple[int, Iterator[list[Any]]]]:
    """The values of a table, row after row, in statements of many rows: how many rows each has, and their values."""
    width = table.num_columns
    for start in range(0, table.num_rows, ROWS_AT_A_TIME):
        some = table.slice(start, ROWS_AT_A_TIME)
        values: list[Any] = [None] * (some.num_rows * width)
        for nth, column in enumerate(some.columns):
            values[nth::width] = values_of(column.combine_chunks())
        last = some.num_rows % ROWS_A_STATEMENT
        whole = (some.num_rows - last) * width
        yield ROWS_A_STATEMENT, pieces(values[:whole], ROWS_A_STATEMENT * width)
        yield 1, pieces(values[whole:], width)


def pieces(values: list[Any], size: int) -> Iterator[list[Any]]:
    """So many values at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def values_of(column: pa.Array) -> list[Any]:
    """The values of a column; a text that stands several times is made once."""
    if not pa.types.is_string(column.type):
        values: list[Any] = column.to_pylist()
        return values
    encoded = column.dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    places = pc.fill_null(encoded.indices, len(texts) - 1)
    return [texts[place] for place in places.to_pylist()]


def table_digest(table: pa.Table) -> str:
    """sha256 over the declared columns of a table and its values, column by column of so many rows at a time."""
    digest = hashlib.sha256(json.dumps(declared_columns(table)).encode())
    for start in range(0, table.num_rows, ROWS_AT_A_TIME):
        for column in table.slice(start, ROWS_AT_A_TIME).columns:
            add_column(digest, column.combine_chunks())
    return digest.hexdigest()


def add_column(digest: hashlib._Hash, column: pa.Array) -> None:
    """Add a column to a digest: which values are missing, and the others; of texts their lengths first."""
    digest.update(np.packbits(pc.is_null(column).to_numpy(zero_copy_only=False)).tobytes())
    if pa.types.is_string(column.type):
        texts = pc.fill_null(column, "")
        digest.update(pc.binary_length(texts).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
        digest.update(pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")[0].as_buffer())
    else:
        kind = "<i8" if pa.types.is_int64(column.type) else "<f8"
        digest.update(pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(kind).tobytes())


def database_digest(path: Path) -> dict[str, str]:
    """table → sha256 over its declared columns and its rows in their order (`table_digest`).

    Raises:
        RecordError: `path` is no such SQLite database.
    """
    if not Path(path).is_file():
        raise RecordError("missing-record", path, "no such file", "a database", "make one: records build-ehrxqa")
    digests = {}
    connection = sqlite3.connect(f"file:{Path(path).resolve()}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        for (name,) in names:
            digests[name.lower()] = stored_digest(connection, name)
    except (sqlite3.DatabaseError, pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as error:
        raise RecordError("no-record", path, "is no SQLite database") from error
    finally:
        connection.close()
    return digests


def stored_digest(connection: sqlite3.Connection, name: str) -> str:
    """`table_digest` of a table in a database."""
    declared = [tuple(column[1:3]) for column in connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()]
    kinds = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string()}
    schema = pa.schema([(column, kinds[kind]) for column, kind in declared])
    digest = hashlib.sha256(json.dumps(declared).encode())
    rows = connection.execute(f"SELECT * FROM {quoted(name)} ORDER BY rowid")
    while some := rows.fetchmany(ROWS_AT_A_TIME):
        for values, kind in zip(zip(*some, strict=True), schema.types, strict=True):
            add_column(digest, pa.array(values, kind))
    return digest.hexdigest()
