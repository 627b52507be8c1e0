"""The odd tables of tests/neuralsql/odd_tables.py in SQLite, DuckDB and a PostgreSQL server, filled once a session.

A test module that wants them says `pytest_plugins = ["tests.fixtures_odd_tables"]`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import pytest
from benchmarks.sql_engines import open_postgres

from tests.neuralsql.odd_tables import DECLARED, ODD_ROWS, ODD_TABLES


@pytest.fixture(scope="session")
def odd_engines() -> Iterator[dict[str, Any]]:
    """Engine → its connection."""
    with (
        closing(sqlite3.connect(":memory:")) as stored,
        duckdb.connect() as duck,
        open_postgres() as postgres,
    ):
        engines: dict[str, Any] = {"sqlite": stored, "duckdb": duck, "postgres": postgres}
        for name, connection in engines.items():
            for table, columns in ODD_TABLES.items():
                declared = ", ".join(f"{column} {DECLARED[kind]}" for column, kind in columns.items())
                connection.execute(f"CREATE TABLE {table} ({declared})")
                marks = ", ".join(["%s" if name == "postgres" else "?"] * len(columns))
                for row in ODD_ROWS[table]:
                    connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        yield engines
