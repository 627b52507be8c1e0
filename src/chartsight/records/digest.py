"""The content of a record as one hash a table: equal for equal content, wherever and however it was stored."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from chartsight.progress import track
from chartsight.records.record import open_record
from chartsight.records.sql import literal, quoted
from chartsight.schema import DUCKDB_TYPES, ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

    from chartsight.records.stores import Store

PLACE_TABLES = ("film_roots",)  # they say where files stand on this machine, not what they are
SCRATCH_MEMORY = "1GiB"
WIDE_TYPES: dict[ColumnType, str] = {"int": "BIGINT"}  # SQLite's INT may hold more than 32 bits; the JSON is the same


def content_digest(path: Path | str) -> dict[str, str]:
    """table → sha256 over its rows as JSON, sorted; tables that name places of this machine are left out.

    Args:
        path: A record in DuckDB, or its copy: a SQLite file, or postgresql://...

    Raises:
        RecordError: `path` is no record.
    """
    from chartsight.records.stores import is_copy, open_store

    if is_copy(path):
        with open_store(path) as store:
            return store_digest(store)
    with open_record(Path(path)) as record:
        tables = record.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
        ).fetchall()
        return {table: digest_table(record.connection, table) for (table,) in tables if table not in PLACE_TABLES}


def digest_table(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """sha256 over the rows of one table of an open DuckDB database; a zero has no sign in it, as in SQLite's files."""
    digest = hashlib.sha256()
    numbers = connection.execute(
        """SELECT DISTINCT column_name FROM duckdb_columns()
           WHERE NOT internal AND table_name = ? AND data_type IN ('DOUBLE', 'FLOAT') ORDER BY 1""",
        [table],
    ).fetchall()
    unsigned = ", ".join(f"{quoted(name)} + 0.0 AS {quoted(name)}" for (name,) in numbers)
    columns = f"* REPLACE ({unsigned})" if unsigned else "*"
    rows = connection.execute(
        f"SELECT to_json(each) AS row FROM (SELECT {columns} FROM {quoted(table)}) AS each ORDER BY 1"
    )
    while batch := rows.fetchmany(100_000):
        digest.update("".join(row + "\n" for (row,) in batch).encode())
    return digest.hexdigest()


def store_digest(store: Store, *, quiet: bool = True) -> dict[str, str]:
    """table → sha256 of an open database of any kind: what stands in it, read back and laid out as DuckDB would.

    Raises:
        RecordError: A value is not of its column's type.
    """
    tables = [table for table in sorted(store.tables) if table not in PLACE_TABLES]
    if store.scratch is not None:
        return {table: digest_table(store.scratch, table) for table in track(tables, "compare", quiet=quiet)}
    digests = {}
    with (
        tempfile.TemporaryDirectory(prefix="chartsight-digest-") as folder,
        duckdb.connect(str(Path(folder) / "scratch.duckdb")) as scratch,
    ):
        scratch.execute(f"SET memory_limit = '{SCRATCH_MEMORY}'")
        scratch.execute(f"SET temp_directory = {literal(Path(folder) / 'spill')}")
        scratch.execute("SET enable_progress_bar = false")
        for table in track(tables, "compare", quiet=quiet):
            fill_table(scratch, table, store)
            digests[table] = digest_table(scratch, table)
            scratch.execute(f"DROP TABLE {quoted(table)}")
    return digests


def fill_table(connection: duckdb.DuckDBPyConnection, table: str, store: Store) -> None:
    """A table of an open database as a new table of an open DuckDB database."""
    columns = ", ".join(
        f"{quoted(name)} {WIDE_TYPES.get(kind, DUCKDB_TYPES[kind])}" for name, kind in store.tables[table]
    )
    connection.execute(f"CREATE TABLE {quoted(table)} ({columns})")
    for batch in store.read(table):
        append_batch(connection, table, batch)


def append_batch(connection: duckdb.DuckDBPyConnection, table: str, batch: pa.RecordBatch) -> None:
    """More rows of a table."""
    import pyarrow as pa

    connection.register("incoming__", pa.table(batch))
    try:
        connection.execute(f"INSERT INTO {quoted(table)} SELECT * FROM incoming__")
    finally:
        connection.unregister("incoming__")
