"""Two odd tables: every kind of column, and values that are hard to compare."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import duckdb
import psycopg

from chartsight.neuralsql import Settings

ODD_TABLES: Mapping[str, Mapping[str, str]] = {
    "t": {"row_id": "int", "i": "int", "r": "float", "s": "text", "tm": "time", "d": "date", "b": "bool"},
    "u": {"k": "int", "name": "text", "amount": "float"},
}
NOW = "2100-12-31 23:59:00"
STABLE = Settings(now=NOW, tables=ODD_TABLES)
PUBLISHED = Settings(now=NOW, mode="published")
DECLARED = {
    "int": "INTEGER", "float": "DOUBLE PRECISION", "text": "VARCHAR", "time": "TIMESTAMP", "date": "DATE",
    "bool": "BOOLEAN",
}  # fmt: skip
ODD_ROWS: Mapping[str, list[tuple[Any, ...]]] = {
    "t": [
        (0, 1, 1.5, "20", "2100-01-31 10:30:00", "2100-01-31", True),
        (1, 20, 20.0, "20.0", "2100-02-28 23:59:59", "2100-02-28", False),
        (2, -7, -2.5, " 7", "2104-02-29 00:00:00", "2104-02-29", None),
        (3, None, None, None, None, None, True),
        (4, 7, 0.1, "abc", "2100-12-31 23:59:00", "2100-12-31", False),
        (5, 0, 0.0, "", "2101-01-01 00:00:00", "2101-01-01", True),
        (6, 2100, 1e10, "12abc", "2100-03-01 12:00:00", "2100-03-01", True),
        (7, 3, 2.5, "1e3", "2100-03-31 08:05:09", "2100-03-31", False),
        (8, 20, 3.14159, "É a_b%", "2100-07-15 00:00:01", "2100-07-15", None),
        (9, 1, 1.5, "ABC", "2100-01-31 10:30:00", "2100-01-31", True),
        (10, 5, -0.5, "2100-01-31", "2099-12-31 23:59:59", "2099-12-31", True),
        (11, 6, 7.0, "2100", "2100-05-05 05:05:05", "2100-05-05", True),
        (12, 6, 8.0, "x'y", "2100-10-31 05:05:05", "2100-10-31", False),
    ],
    "u": [(1, "one", 1.0), (1, "one", 2.0), (20, "twenty", None), (7, "seven", 7.5), (None, "none", 0.0)],
}


def run(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query; an engine's own error is raised."""
    assert isinstance(connection, (sqlite3.Connection, duckdb.DuckDBPyConnection, psycopg.Connection))
    return [tuple(row) for row in connection.execute(sql).fetchall()]
