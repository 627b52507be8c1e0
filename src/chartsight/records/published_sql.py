"""Published SQL on its own engine: SQLite, opened for reading only, with the rows in the order that they were stored.

    with open_published(Path("ehrsql.sqlite")) as connection:
        run_published(connection, "SELECT count(*) FROM patients WHERE dod < current_time")      # [(31,)]

The queries were written for a fixed "now" and were lower-cased on the way to their files; `repair_sql` gives them back
what they need. Nothing but reading is allowed: a query may come from a model.

Source: github.com/glee4810/ehrsql-2024, what its scoring does to a query before it runs.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from chartsight.errors import QueryError, RecordError
from chartsight.neuralsql import Settings, prepare, write
from chartsight.records.ehrsql_schema import NOW, PUBLISHED_TABLES
from chartsight.schema import SCHEMA_VERSION

PUBLISHED = Settings(now=NOW, mode="published")
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's machine, between two looks at the clock
MOST_ROWS = 1_000_000


@lru_cache(maxsize=4096)
def repair_sql(sql: str) -> str:
    """A published query as SQLite takes it, in NeuralSQL's published mode.

    `current_time` is the database's own now; `%y` and `%j` are years and Julian days, as they were before the query was
    lower-cased; `heart_rate_upper` is a number; `< =` is one operator.

    Raises:
        QueryError: It is not one SELECT.
    """
    return write(prepare(sql, PUBLISHED), "sqlite", PUBLISHED)


@contextmanager
def open_published(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at `path` for the length of the block, for reading only.

    Raises:
        RecordError: `path` is missing, is no database of EHRSQL-2024, or was written by a newer chartsight.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordError(
            "missing-file", path, "no such file", "EHRSQL's database", "make one: chartsight records build-ehrsql"
        )
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        try:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise RecordError("no-database", path, "is no SQLite database", "EHRSQL's database") from error
        missing = [table.name for table in PUBLISHED_TABLES if table.name not in found]
        if missing:
            raise RecordError("no-database", path, f"has no table {', '.join(missing)}", "the 17 tables of EHRSQL-2024")
        if version > SCHEMA_VERSION:
            raise RecordError(
                "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
            )
        connection.text_factory = lambda data: data.decode("utf-8", "ignore")
        connection.set_authorizer(_allow_reading)
        yield connection
    finally:
        connection.close()


@contextmanager
def open_reordered(path: Path, order: str) -> Iterator[sqlite3.Connection]:
    """A copy of the database in memory that stores the same rows in another order.

    A query whose answer differs here does not say which of several rows it means.

    Args:
        path: Of the database.
        order: An SQL expression over `row_id`, such as `row_id DESC`.

    Raises:
        RecordError: As `open_published`.
    """
    with open_published(path):
        pass  # it is one
    connection = sqlite3.connect(":memory:", uri=True)
    try:
        connection.execute("ATTACH DATABASE ? AS stored", [f"{Path(path).resolve().as_uri()}?mode=ro&immutable=1"])
        declared = connection.execute("SELECT name, sql FROM stored.sqlite_master WHERE type = 'table'").fetchall()
        for name, sql in declared:
            connection.execute(sql)
            connection.execute(f"INSERT INTO main.{name} SELECT * FROM stored.{name} ORDER BY {order}")
        connection.commit()
        connection.execute("DETACH DATABASE stored")
        connection.text_factory = lambda data: data.decode("utf-8", "ignore")
        connection.set_authorizer(_allow_reading)
        yield connection
    finally:
        connection.close()


def _allow_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY


def run_published(connection: sqlite3.Connection, sql: str, *, seconds: float = 60.0) -> list[tuple[Any, ...]]:
    """The rows of a repaired query, in the engine's order.

    Args:
        connection: Of `open_published`.
        sql: As published.
        seconds: That it may take.

    Raises:
        QueryError: It is no SQL of this database, does more than read, takes too long or gives too many rows. The
            message holds what SQLite says of the query, never a row.
    """
    repaired = repair_sql(sql)
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
    try:
        rows = connection.execute(repaired).fetchmany(MOST_ROWS + 1)
    except sqlite3.Error as error:
        if time.monotonic() > end:
            raise QueryError("too-slow", "query", f"takes more than {seconds:g} s") from error
        raise QueryError("bad-query", "query", str(error), "SQL that SQLite runs and that only reads") from error
    except ValueError as error:  # a null character
        raise QueryError("bad-query", "query", str(error), "one SQL statement") from error
    finally:
        connection.set_progress_handler(None, 0)
    if len(rows) > MOST_ROWS:
        raise QueryError("too-many-rows", "query", f"gives more than {MOST_ROWS:,} rows")
    return rows
