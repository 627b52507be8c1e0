"""SQLite inside the child: opened for reading, and asked at every step of compiling a query whether it may.

SQLite calls the authorizer for each table, column, function and action that a query would use, as it understands the
query; what is on no list is denied before anything runs. A handler looks at the clock every few thousand instructions.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from chartsight.errors import QueryError, RecordError
from chartsight.neuralsql.catalog import Catalog, column_type, readable
from chartsight.neuralsql.check import FUNCTIONS, listed
from chartsight.neuralsql.engines.base import refuse_other_beginning, refused, too_much_memory, too_slow
from chartsight.neuralsql.engines.values import array_of, batch_rows, render_value, rough_bytes
from chartsight.schema import SCHEMA_VERSION, Limits

COPIED_ROWS = 10_000
STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine, between two looks at the clock
LONGEST_VALUE = 50_000_000  # bytes; functions that build text out of numbers stop there
SQLITE_FUNCTIONS = FUNCTIONS | listed(
    """like glob -> ->> char concat concat_ws format printf julianday unicode hex acos asin atan atan2 cos sin tan
    degrees radians log log2 log10 pi trunc row_number sqrt max min"""
)


class SqliteDatabase:
    """See `child.Database`."""

    def __init__(self, target: str, memory_mb: int) -> None:
        path = Path(target)
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self.connection.isolation_level = None
        self.connection.text_factory = lambda data: data.decode("utf-8", "replace")
        self.reason = ""
        self.temporary: frozenset[str] = frozenset()
        try:
            for setting in (
                "query_only = ON", "trusted_schema = OFF", "temp_store = MEMORY", "cell_size_check = ON",
                f"hard_heap_limit = {memory_mb * 2**20}",
            ):  # fmt: skip
                self.connection.execute(f"PRAGMA {setting}").fetchall()
            self.catalog = self._read_catalog(target)
            modules = {name.lower() for (name,) in self.connection.execute("PRAGMA module_list")}
        except sqlite3.Error as error:
            raise RecordError("no-record", target, "cannot be opened by SQLite", "a record") from error
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        stored = self.connection.execute("SELECT name FROM sqlite_master").fetchall()
        self.known = {name.lower() for (name,) in stored} | modules

    def _read_catalog(self, target: str) -> Catalog:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise RecordError(
                "newer-schema", target, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
            )
        rows = self.connection.execute(
            """SELECT m.name, c.name, c.type FROM sqlite_master AS m, pragma_table_info(m.name) AS c
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"""
        ).fetchall()
        found: dict[str, list[tuple[str, Any]]] = {}
        for table, column, kind in rows:
            found.setdefault(table, []).append((column, column_type(kind)))
        if "patients" not in found:
            raise RecordError("no-record", target, "has no table of patients", "a record")
        return readable(found)

    def run(self, sql: str, parameters: Mapping[str, Any], limits: Limits, tables: Mapping[str, pa.Table]) -> pa.Table:
        """See `child.Database`."""
        refuse_other_beginning(sql)  # EXPLAIN is the one statement that the authorizer is not told of
        end = time.monotonic() + limits.seconds
        self.reason = ""
        with self._temporary(tables):
            self.connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
            self.connection.set_authorizer(self._authorize)
            try:
                return self._fetch(sql, parameters, limits, end)
            except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
                if time.monotonic() > end:
                    raise too_slow(limits.seconds) from error
                raise self._told(error, limits) from error
            finally:
                self.connection.set_authorizer(None)
                self.connection.set_progress_handler(None, 0)

    def _fetch(self, sql: str, parameters: Mapping[str, Any], limits: Limits, end: float) -> pa.Table:
        cursor = self.connection.execute(sql, dict(parameters))
        try:
            if cursor.description is None:
                raise refused("is no SELECT")
            names = [column[0] for column in cursor.description]
            rows: list[tuple[Any, ...]] = []
            held = 0
            while batch := cursor.fetchmany(batch_rows(len(rows), held, limits.rows)):
                rows.extend(batch)
                held += rough_bytes(batch)
                if held > limits.memory_mb * 2**20:
                    raise too_much_memory(limits.memory_mb)
                if len(rows) > limits.rows:
                    break
                if time.monotonic() > end:
                    raise too_slow(limits.seconds)
        finally:
            cursor.close()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.table([array_of(values) for values in columns], names=names)

    def _authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, within: str | None
    ) -> int:
        """Allows a SELECT to read known columns and to call known functions; denies all else, and says why."""
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            if self._may_read((first or "").lower(), (second or "").lower(), database):
                return sqlite3.SQLITE_OK
            self.reason = "reads a table or column that is not of the record"
        elif action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() in SQLITE_FUNCTIONS:
                return sqlite3.SQLITE_OK
            self.reason = f"calls {(second or '').lower()}()"
        elif action == sqlite3.SQLITE_RECURSIVE:
            self.reason = "runs without bound (WITH RECURSIVE)"
        else:
            self.reason = "is no SELECT"
        return sqlite3.SQLITE_DENY

    def _may_read(self, table: str, column: str, database: str | None) -> bool:
        if table in self.temporary:
            return True
        columns = self.catalog.tables.get(table)
        if columns is not None:
            return column in columns or column in ("", "rowid")
        # A WITH name is asked for when no column of it is used: `WITH c AS (...) SELECT count(*) FROM c`.
        return column == "" and table not in self.known and not table.startswith(("sqlite_", "pragma_"))

    @contextlib.contextmanager
    def _temporary(self, tables: Mapping[str, pa.Table]) -> Iterator[None]:
        """The temporary relations, for the length of the block; they hide tables of the same name."""
        self.connection.execute("PRAGMA query_only = OFF")
        try:
            for name, table in tables.items():
                columns = ", ".join(f"{_quoted(field.name)} {_affinity(field.type)}" for field in table.schema)
                self.connection.execute(f"CREATE TEMP TABLE {_quoted(name)} ({columns})")
                marks = ", ".join("?" * table.num_columns)
                with self._transaction():
                    for batch in table.to_batches(COPIED_ROWS):
                        values = zip(*([render_value(each) for each in column.to_pylist()] for column in batch.columns),
                                     strict=True)  # fmt: skip
                        self.connection.executemany(f"INSERT INTO temp.{_quoted(name)} VALUES ({marks})", values)
            self.connection.execute("PRAGMA query_only = ON")
            self.temporary = frozenset(name.lower() for name in tables)
            yield
        finally:
            self.temporary = frozenset()
            self.connection.execute("PRAGMA query_only = OFF")
            for name in tables:
                self.connection.execute(f"DROP TABLE IF EXISTS temp.{_quoted(name)}")
            self.connection.execute("PRAGMA query_only = ON")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _told(self, error: Exception, limits: Limits) -> QueryError:
        if isinstance(error, sqlite3.DatabaseError) and self.reason:
            return refused(self.reason)
        said = str(error)
        if "out of memory" in said or "too big" in said:
            return too_much_memory(limits.memory_mb)
        if isinstance(error, sqlite3.ProgrammingError) and ("bind" in said or "parameter" in said):
            return QueryError("bad-parameter", "query", "its parameters are not those given", "a value for each :name")
        if isinstance(error, sqlite3.Warning | sqlite3.ProgrammingError) and "one statement" in said:
            return refused("holds several statements")
        return QueryError("bad-query", "query", f"SQLite says: {said}", "SQL that SQLite runs and that only reads")


def _affinity(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    return "REAL" if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else "TEXT"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
