"""The few pieces of SQL that every reader needs: names, literals, single values, tables, rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from chartsight.schema import DUCKDB_TYPES, TABLES, ColumnType, Table


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """An SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def scalar(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> Any:
    """The first value of the first row.

    All rows are fetched: an unfinished result would block the connection's next statement.
    """
    return connection.execute(query, list(parameters)).fetchall()[0][0]


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """The number of rows of a table."""
    return int(scalar(connection, f"SELECT count(*) FROM {quoted(table)}"))


def create_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """An empty table of the record."""
    columns = ", ".join(f"{quoted(column.name)} {DUCKDB_TYPES[column.type]}" for column in table.columns)
    connection.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows, in the table's own order of columns."""
    import pyarrow as pa

    if not rows:
        return
    types: dict[ColumnType, Any] = {
        "int": pa.int32(), "bigint": pa.int64(), "float": pa.float64(), "text": pa.string(),
        "date": pa.date32(), "time": pa.timestamp("us"), "bool": pa.bool_(),
    }  # fmt: skip
    declared = TABLES[table].columns
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, types[column.type]) for column, values in zip(declared, columns, strict=True)]
    connection.register("incoming__", pa.table(arrays, names=[column.name for column in declared]))
    try:
        connection.execute(f"INSERT INTO {quoted(table)} SELECT * FROM incoming__")
    finally:
        connection.unregister("incoming__")
