"""Gold answers by running the released programs on EHRXQA's own database, in SQLite, as its authors did.

The programs come in a file that anyone may have written: the database is opened read-only, nothing but SELECT is
allowed, and a program that runs too long is stopped.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chartsight.errors import QueryError, QuestionError
from chartsight.neuralsql import Settings, prepare, write

NOW = "2105-12-31 23:59:00"  # EHRXQA's current_time
PUBLISHED = Settings(now=NOW, mode="published")
_READING = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
SECONDS = 60.0
STEPS = 100_000  # virtual machine instructions between two looks at the clock
DIGITS = 6  # to which EHRXQA rounds


class ProgramError(ValueError):
    """A program that does not run; without its text."""


def repair_program(sql: str) -> str:
    """A released program as SQLite reads it: they were lower-cased (`%y`), their quotes doubled, their ranges named.

    What is no query stays as it is, for SQLite to refuse.
    """
    try:
        return write(prepare(sql, PUBLISHED), "sqlite", PUBLISHED)
    except QueryError:
        return sql


@dataclass
class GoldDatabase:
    """EHRXQA's database, as its published builder or `records build-ehrxqa` made it.

    Args:
        path: The file.
        connection: Read-only.
    """

    path: Path
    connection: sqlite3.Connection
    _reversed: list[sqlite3.Connection] = field(default_factory=list)

    def run(self, program: str) -> list[Any]:
        """The first column of the rows that `program` returns, floats to six digits.

        Raises:
            ProgramError: It does not run, writes, or takes too long.
        """
        return _run(self.connection, program)

    def is_tied(self, program: str) -> bool:
        """Whether the answer changes when the rows of every table stand in the reverse order.

        A witness, no proof of the contrary: rows in the middle of a longer tie stay where they are.

        Raises:
            ProgramError: The program does not run.
        """
        if not takes_some_rows(program):
            return False
        if not self._reversed:
            self._reversed.append(_copy_reversed(self.path, self.connection))
        return sorted(map(str, self.run(program))) != sorted(map(str, _run(self._reversed[0], program)))


def takes_some_rows(program: str) -> bool:
    """Whether a program takes some of several rows (LIMIT), so that a tie decides its answer."""
    return re.search(r"\blimit\s+\d", program, re.IGNORECASE) is not None


@contextmanager
def open_gold_database(path: Path) -> Iterator[GoldDatabase]:
    """The database at `path` (SQLite, or a DuckDB file whose tables are copied), for the length of the block.

    Raises:
        QuestionError: There is none, or it is no database.
    """
    if not path.is_file():
        raise QuestionError("missing-database", path, "no such file", "EHRXQA's database (.db, .sqlite or .duckdb)")
    with path.open("rb") as file:
        is_sqlite = file.read(16) == b"SQLite format 3\0"
    try:
        connection = _read_only(path) if is_sqlite else _copy_duckdb(path)
        connection.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        raise QuestionError("no-database", path, "is no database", "EHRXQA's database") from error
    connection.set_authorizer(_only_reading)
    database = GoldDatabase(path, connection)
    try:
        yield database
    finally:
        for each in (connection, *database._reversed):
            each.close()


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _run(connection: sqlite3.Connection, program: str) -> list[Any]:
    deadline = time.monotonic() + SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        values = [row[0] for row in connection.execute(program).fetchall()]
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise ProgramError(type(error).__name__) from error
    finally:
        connection.set_progress_handler(None, 0)
    return [round(value, DIGITS) if isinstance(value, float) else value for value in values]


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _copy_reversed(path: Path, source: sqlite3.Connection) -> sqlite3.Connection:
    """A copy on temporary storage with every table's rows in the reverse order."""
    copy = sqlite3.connect("")
    source.set_authorizer(None)
    for name, sql in source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
        if name.startswith("sqlite_"):
            continue
        copy.execute(sql)
        rows = source.execute(f'SELECT * FROM "{name}" ORDER BY rowid DESC')
        copy.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows.description))})', rows)
    copy.commit()
    source.set_authorizer(_only_reading)
    copy.set_authorizer(_only_reading)
    return copy


def _copy_duckdb(path: Path) -> sqlite3.Connection:
    """A DuckDB file's tables in SQLite; times become text as SQLite's own functions write it."""
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            copy = sqlite3.connect("")
            for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
                columns = connection.execute(
                    "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                    [name],
                ).fetchall()
                picked = ", ".join(_as_sqlite(column, kind)[0] for column, kind in columns)
                declared = ", ".join(f'"{column}" {_as_sqlite(column, kind)[1]}' for column, kind in columns)
                copy.execute(f'CREATE TABLE "{name}" ({declared})')
                rows = connection.execute(f'SELECT {picked} FROM "{name}" ORDER BY rowid')
                while batch := rows.fetchmany(10_000):
                    copy.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', batch)
            copy.commit()
            return copy
    except duckdb.Error as error:
        raise QuestionError("no-database", path, "is no database", "EHRXQA's database (SQLite or DuckDB)") from error


def _as_sqlite(column: str, kind: str) -> tuple[str, str]:
    """How a DuckDB column is read, and its declared type in SQLite."""
    if kind.startswith("TIMESTAMP"):
        return f"""strftime("{column}", '%Y-%m-%d %H:%M:%S')""", "TEXT"
    if "INT" in kind:
        return f'"{column}"', "INTEGER"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return f'CAST("{column}" AS DOUBLE)', "REAL"
    return f'CAST("{column}" AS VARCHAR)', "TEXT"
