"""A record in any of the three databases that can hold one: its tables, and their rows in batches of Arrow.

    with open_store("record.sqlite") as store:
        store.tables["patients"]             # (("subject_id", "int"), ("gender", "text"), ...)
        for batch in store.read("patients"): ...

Whatever holds them, values come in the types of the columns, times as times. Nothing is written here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa

from chartsight.errors import RecordError
from chartsight.neuralsql.catalog import column_type
from chartsight.neuralsql.engines.base import SQLITE_MARK, engine_name, is_url, need_psycopg, shown
from chartsight.records.sql import count_rows, quoted
from chartsight.schema import POSTGRES_SCHEMA, TABLES, ColumnType

if TYPE_CHECKING:
    import psycopg

BATCH_ROWS = 50_000
MANIFEST_TABLE = "record_manifest"  # of a copy in PostgreSQL, where no file can stand beside it

Columns = tuple[tuple[str, ColumnType], ...]

ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "int": pa.int64(),  # a database may declare INT and hold more
    "bigint": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "bool": pa.bool_(),
}


class Store(Protocol):
    """An open database with a record in it."""

    tables: Mapping[str, Columns]
    scratch: duckdb.DuckDBPyConnection | None  # itself, when it is DuckDB and can lay its rows out as JSON

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        ...

    def read(self, table: str) -> Iterator[pa.RecordBatch]:
        """Its rows in the order in which they are stored.

        Raises:
            RecordError: A value is not of its column's type.
        """
        ...


def is_copy(target: str | Path) -> bool:
    """Whether a target is in another database than DuckDB: a URL, or a SQLite file."""
    if is_url(target):
        return True
    path = Path(target)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_MARK)) == SQLITE_MARK


@contextmanager
def open_store(target: str | Path) -> Iterator[Store]:
    """The database at `target`, for reading, for the length of the block.

    Args:
        target: A DuckDB or SQLite file, or postgresql://...

    Raises:
        RecordError: It is missing, is no database, or holds no record.
    """
    engine = engine_name(target)
    if engine == "postgres":
        with connect_postgres(str(target)) as connection:
            yield _checked(PostgresStore(connection), target)
        return
    opened: duckdb.DuckDBPyConnection | sqlite3.Connection
    store: Store
    try:
        if engine == "duckdb":
            opened = duckdb.connect(str(target), read_only=True)
            store = DuckDbStore(opened)
        else:
            opened = sqlite3.connect(f"{Path(target).resolve().as_uri()}?mode=ro", uri=True)
            store = SqliteStore(opened)
    except (duckdb.Error, sqlite3.Error) as error:
        raise RecordError("no-record", target, "cannot be opened", "a record that nobody is writing") from error
    with closing(opened):
        yield _checked(store, target)


def _checked(store: Store, target: str | Path) -> Store:
    if "patients" not in store.tables:
        raise RecordError("no-record", shown(target), "has no table of patients", "a record")
    return store


@contextmanager
def connect_postgres(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection, committed when the block ends and rolled back when it fails.

    Raises:
        RecordError: The URL holds a password, or nobody answers there.
        ChartsightError: psycopg is not installed.
    """
    need_psycopg()
    import psycopg

    from chartsight.neuralsql.engines.postgres import CONNECT_SECONDS, no_connection, refuse_password

    refuse_password(url)
    try:
        connection = psycopg.connect(url, connect_timeout=CONNECT_SECONDS, application_name="chartsight")
    except (psycopg.Error, UnicodeError) as error:
        raise no_connection(url) from error
    with connection:
        yield connection


@contextmanager
def unharmed(table: str) -> Iterator[None]:
    """A block that reads from a file.

    Raises:
        RecordError: The file is damaged.
    """
    try:
        yield
    except (duckdb.Error, sqlite3.Error, pa.ArrowException) as error:
        raise RecordError("damaged", table, "its rows cannot be read", "a whole database", "copy it again") from error


class DuckDbStore:
    """See `Store`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.scratch: duckdb.DuckDBPyConnection | None = connection
        rows = connection.execute(
            """SELECT table_name, column_name, data_type FROM duckdb_columns()
               WHERE NOT internal AND schema_name = 'main' ORDER BY table_name, column_index"""
        ).fetchall()
        self.tables: Mapping[str, Columns] = _columns(rows)

    def count(self, table: str) -> int:
        """See `Store`."""
        return count_rows(self.connection, table)

    def read(self, table: str) -> Iterator[pa.RecordBatch]:
        """See `Store`."""
        names = ", ".join(quoted(name) for name, _ in self.tables[table])
        reader = self.connection.sql(f"SELECT {names} FROM {quoted(table)}").to_arrow_reader(BATCH_ROWS)
        schema = arrow_schema(self.tables[table])
        while True:
            with unharmed(table):
                batch = next(reader, None)
            if batch is None:
                return
            yield batch.cast(schema)


class SqliteStore:
    """See `Store`. A time is text there, in the form '2100-01-31 08:00:00'."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.scratch: duckdb.DuckDBPyConnection | None = None
        self.connection.text_factory = lambda data: data.decode("utf-8", "ignore")  # as published queries read it
        rows = connection.execute(
            """SELECT m.name, c.name, c.type FROM sqlite_master AS m, pragma_table_info(m.name) AS c
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"""
        ).fetchall()
        self.tables: Mapping[str, Columns] = _columns(rows)

    def count(self, table: str) -> int:
        """See `Store`."""
        (rows,) = self.connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
        return int(rows)

    def read(self, table: str) -> Iterator[pa.RecordBatch]:
        """See `Store`."""
        names = ", ".join(quoted(name) for name, _ in self.tables[table])
        cursor = self.connection.execute(f"SELECT {names} FROM {quoted(table)} ORDER BY rowid")
        first = 1
        while True:
            with unharmed(table):
                rows = cursor.fetchmany(BATCH_ROWS)
            if not rows:
                return
            yield as_batch(table, self.tables[table], rows, first)
            first += len(rows)


class PostgresStore:
    """See `Store`. Names are in lower case there; those of the contract come back as it spells them."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection
        self.scratch: duckdb.DuckDBPyConnection | None = None
        rows = connection.execute(
            """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname <> %s ORDER BY c.relname, a.attnum""",
            [POSTGRES_SCHEMA, MANIFEST_TABLE],
        ).fetchall()
        self.tables: Mapping[str, Columns] = _columns(
            [(table, spelled(table, column), kind) for table, column, kind in rows]
        )

    def count(self, table: str) -> int:
        """See `Store`."""
        from psycopg import sql

        place = sql.Identifier(POSTGRES_SCHEMA, table)
        rows = self.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(place)).fetchall()
        return int(rows[0][0])

    def read(self, table: str) -> Iterator[pa.RecordBatch]:
        """See `Store`."""
        from psycopg import sql

        names = sql.SQL(", ").join(sql.Identifier(name.lower()) for name, _ in self.tables[table])
        query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(POSTGRES_SCHEMA, table))
        with self.connection.cursor(name="rows") as cursor:
            cursor.itersize = BATCH_ROWS
            cursor.execute(query)
            first = 1
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield as_batch(table, self.tables[table], rows, first)
                first += len(rows)


def spelled(table: str, column: str) -> str:
    """A column as the contract spells it (procedureevents.ORIGINALAMOUNT), where it is known."""
    known = TABLES.get(table)
    return next((name for name in known.header if name.lower() == column), column) if known else column


def arrow_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of a table's batches."""
    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns])


def _columns(rows: Sequence[tuple[str, str, str]]) -> dict[str, Columns]:
    tables: dict[str, Columns] = {}
    for table, column, declared in rows:
        tables[table] = (*tables.get(table, ()), (column, column_type(declared)))
    return tables


def as_batch(table: str, columns: Columns, rows: Sequence[Sequence[Any]], first: int) -> pa.RecordBatch:
    """Rows as Arrow.

    Raises:
        RecordError: A value is not of its column's type; with the row's number, counted from 1, and never the value.
    """
    arrays = []
    for (name, kind), values in zip(columns, zip(*rows, strict=True), strict=True):
        try:
            arrays.append(pa.array([_value(each, kind) for each in values], ARROW_TYPES[kind]))
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            number = next(first + n for n, each in enumerate(values) if not _is(each, kind))
            raise RecordError(
                "bad-value", f"{table}.{name}, row {number}", "a value of another type", f"{kind}, as declared"
            ) from None
    return pa.record_batch(arrays, schema=arrow_schema(columns))


def _value(value: Any, kind: ColumnType) -> Any:
    if value is None:
        return None
    if kind == "time" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "bool" and isinstance(value, int):
        if value not in (0, 1):
            raise ValueError("neither 0 nor 1")
        return bool(value)
    return value


def _is(value: Any, kind: ColumnType) -> bool:
    try:
        pa.array([_value(value, kind)], ARROW_TYPES[kind])
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return False
    return True


def record_facts(store: Store) -> dict[str, str]:
    """The rows of `record_info`; empty for a database without."""
    if "record_info" not in store.tables:
        return {}
    facts: dict[str, str] = {}
    for batch in store.read("record_info"):
        facts.update(zip(batch.column("key").to_pylist(), batch.column("value").to_pylist(), strict=True))
    return facts
