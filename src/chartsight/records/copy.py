"""A record copied to another database: SQLite, PostgreSQL or DuckDB, whole or not at all, with the same content.

    chartsight records copy record.duckdb record.sqlite
    chartsight records copy record.duckdb postgresql://me@db.hospital/records

Rows stream in batches. What was written is read back, and its content digest must be the source's before the copy
appears. In PostgreSQL a record is a schema (`chartsight`) made in one transaction, and a role that may read it and
nothing else (`chartsight_reader`), which its users are made members of.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from chartsight.errors import GateError, OutputError, RecordError
from chartsight.neuralsql.engines.base import is_url, shown
from chartsight.neuralsql.engines.values import render_value
from chartsight.progress import track
from chartsight.records.digest import append_batch, store_digest
from chartsight.records.sql import quoted
from chartsight.records.stores import (
    BATCH_ROWS,
    MANIFEST_TABLE,
    PostgresStore,
    Store,
    connect_postgres,
    open_store,
    record_facts,
)
from chartsight.runs import (
    Run,
    check_apart,
    manifest_path,
    new_output,
    read_manifest,
    remove,
    removed_on_failure,
)
from chartsight.schema import (
    DUCKDB_TYPES,
    HIDDEN_COLUMNS,
    HIDDEN_TABLES,
    PAIRINGS,
    POSTGRES_READER,
    POSTGRES_SCHEMA,
    SCHEMA_VERSION,
    TERMS,
    ColumnType,
)

if TYPE_CHECKING:
    import psycopg

SQLITE_TYPES: Mapping[ColumnType, str] = {
    "int": "INTEGER", "bigint": "BIGINT", "float": "DOUBLE", "text": "TEXT", "date": "DATE", "time": "TIMESTAMP",
    "bool": "BOOLEAN",
}  # fmt: skip
# Whole numbers have 64 bits, and text the order of its bytes, as in SQLite.
POSTGRES_TYPES: Mapping[ColumnType, str] = {
    "int": "bigint", "bigint": "bigint", "float": "double precision", "text": 'text COLLATE "C"', "date": "date",
    "time": "timestamp", "bool": "boolean",
}  # fmt: skip
# Columns by which questions find rows; an index for each table that has one.
KEYS = ("subject_id", "hadm_id", "stay_id", "study_id", "image_id", "itemid", "icd_code")
COMMENT = "chartsight record, schema_version "


def copy_record(source: Path, target: Path | str, *, force: bool = False, quiet: bool = False) -> Run:
    """Copy the record at `source` to `target` and return the run.

    Args:
        source: A record in DuckDB, or a database of the same tables in SQLite (EHRSQL's, EHRXQA's).
        target: `*.sqlite` or `*.db`, `*.duckdb`, or postgresql://... without a password.
        force: Replace an existing copy.
        quiet: Draw no progress.

    Raises:
        RecordError: `source` is no record, or a server does not answer.
        OutputError: `target` exists or cannot be written.
        GateError: What was read back is not what was read; nothing is left behind.
    """
    source = Path(source)
    manifest = read_manifest(source) or {}
    with open_store(source) as store:
        facts = {**manifest, **record_facts(store)}
        run = Run(
            "records copy",
            {"source": str(source), "target": shown(target)},
            terms=facts.get("terms") if facts.get("terms") in TERMS else "private",
            pairing=facts.get("pairing") if facts.get("pairing") in PAIRINGS else "synthetic",
        )
        if manifest.get("run_id"):
            run.parent_runs.append(manifest["run_id"])
        run.read(source)
        if is_url(target):
            _copy_to_postgres(store, str(target), run, force=force, quiet=quiet)
            return run
        target = Path(target)
        kind = target.suffix.lower()
        if kind not in (".sqlite", ".sqlite3", ".db", ".duckdb"):
            raise OutputError(
                "bad-target", target, "is of no kind that is known", "*.sqlite, *.duckdb or postgresql://"
            )
        check_apart(target, source)
        with new_output(target, replace=force) as partial:
            write = _write_duckdb if kind == ".duckdb" else _write_sqlite
            try:
                write(store, partial, run, quiet=quiet)
                with open_store(partial) as copy:
                    _compare(store, copy, target, run, quiet=quiet)
            finally:
                remove(partial.with_name(partial.name + ".wal"))
    with removed_on_failure(target):
        run.write(target)
    return run


def _batches(store: Store, run: Run, *, quiet: bool) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Every table's rows, with progress; counts them as kept."""
    counts = {table: store.count(table) for table in store.tables}
    total = sum(ceil(rows / BATCH_ROWS) for rows in counts.values())
    run.kept |= counts

    def read() -> Iterator[tuple[str, pa.RecordBatch]]:
        for table in store.tables:
            for batch in store.read(table):
                yield table, batch

    yield from track(read(), "copy", total, quiet=quiet)


def _compare(store: Store, copy: Store, target: Path | str, run: Run, *, quiet: bool) -> None:
    """Notes the content digest of a copy.

    Raises:
        GateError: It is not the source's.
    """
    before = store_digest(store, quiet=quiet)
    after = store_digest(copy, quiet=quiet)
    differing = sorted(table for table in before.keys() | after.keys() if before.get(table) != after.get(table))
    if differing:
        raise GateError("copy-differs", shown(target), f"read back, {', '.join(differing)} is not what was copied")
    run.outputs.append({"path": shown(target), "tables": {k: v for k, v in run.kept.items() if v}, "digest": after})


# ------------------------------------------------------------------------------------------------------------- SQLite


def _write_sqlite(store: Store, path: Path, run: Run, *, quiet: bool) -> None:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _fill_sqlite(connection, store, run, quiet=quiet)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
            raise OSError(errno.ENOSPC, "SQLite's file does not fit") from error
        raise OutputError("not-writable", path, f"SQLite cannot write it ({error.sqlite_errorname})") from error


def _fill_sqlite(connection: sqlite3.Connection, store: Store, run: Run, *, quiet: bool) -> None:
    connection.execute("PRAGMA journal_mode = OFF")  # the file is thrown away when anything fails
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("BEGIN")
    for table, columns in store.tables.items():
        declared = ", ".join(f"{quoted(name)} {SQLITE_TYPES[kind]}" for name, kind in columns)
        connection.execute(f"CREATE TABLE {quoted(table)} ({declared})")
    for table, batch in _batches(store, run, quiet=quiet):
        rows = zip(*([_stored(each) for each in column.to_pylist()] for column in batch.columns), strict=True)
        connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({', '.join('?' * batch.num_columns)})", rows)
    for table, column in _keys(store):
        connection.execute(f"CREATE INDEX {quoted(f'{table}_{column}')} ON {quoted(table)} ({quoted(column)})")
    connection.execute("COMMIT")


def _stored(value: Any) -> Any:
    return value if isinstance(value, float) else render_value(value)


def _keys(store: Store) -> Iterator[tuple[str, str]]:
    for table, columns in store.tables.items():
        for name, _ in columns:
            if name in KEYS:
                yield table, name


# ------------------------------------------------------------------------------------------------------------- DuckDB


def _write_duckdb(store: Store, path: Path, run: Run, *, quiet: bool) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET enable_progress_bar = false")
        for table, columns in store.tables.items():
            declared = ", ".join(f"{quoted(name)} {DUCKDB_TYPES[kind]}" for name, kind in columns)
            connection.execute(f"CREATE TABLE {quoted(table)} ({declared})")
        for table, batch in _batches(store, run, quiet=quiet):
            append_batch(connection, table, batch)
        connection.execute("CHECKPOINT")


# --------------------------------------------------------------------------------------------------------- PostgreSQL


def _copy_to_postgres(store: Store, url: str, run: Run, *, force: bool, quiet: bool) -> None:
    """One transaction: schema, tables, rows, indexes, rights, the comparison, and the manifest."""
    with connect_postgres(url) as connection:
        import psycopg

        try:
            _make_schema(connection, url, force=force)
            _fill_schema(connection, store, run, quiet=quiet)
            run.config = {**run.config, "reader": _grant(connection, store)}
            _compare(store, PostgresStore(connection), url, run, quiet=quiet)
            _write_manifest(connection, run)
        except psycopg.Error as error:
            raise _refused(error, url) from error


def _make_schema(connection: psycopg.Connection[Any], url: str, *, force: bool) -> None:
    from psycopg import sql

    (encoding,) = connection.execute("SHOW server_encoding").fetchall()[0]
    if encoding != "UTF8":
        raise RecordError("bad-encoding", shown(url), f"its database is in {encoding}", "a database in UTF8")
    rows = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", [POSTGRES_SCHEMA]
    ).fetchall()
    schema = sql.Identifier(POSTGRES_SCHEMA)
    if rows:
        if not force:
            raise OutputError(
                "output-exists", shown(url), f"has a schema {POSTGRES_SCHEMA} already", hint="choose another database "
                "or pass --force",
            )  # fmt: skip
        if not str(rows[0][0] or "").startswith(COMMENT):
            raise OutputError(
                "output-exists", shown(url), f"its schema {POSTGRES_SCHEMA} holds something else",
                hint="choose another database",
            )  # fmt: skip
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(f"{COMMENT}{SCHEMA_VERSION}")))


def _fill_schema(connection: psycopg.Connection[Any], store: Store, run: Run, *, quiet: bool) -> None:
    import pyarrow.csv as arrow_csv
    from psycopg import sql

    for table, columns in store.tables.items():
        declared = sql.SQL(", ").join(
            sql.SQL("{} " + POSTGRES_TYPES[kind]).format(sql.Identifier(name.lower())) for name, kind in columns
        )
        place = sql.Identifier(POSTGRES_SCHEMA, table.lower())
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(place, declared))
    # Quoted text, unquoted nothing: PostgreSQL tells an empty text from a null by that.
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with connection.cursor() as cursor:
        for table, batch in _batches(store, run, quiet=quiet):
            place = sql.Identifier(POSTGRES_SCHEMA, table.lower())
            sink = pa.BufferOutputStream()
            arrow_csv.write_csv(batch, sink, options)
            with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(place)) as copy:
                copy.write(memoryview(sink.getvalue()))
    for table, column in _keys(store):
        connection.execute(
            sql.SQL("CREATE INDEX ON {} ({})").format(
                sql.Identifier(POSTGRES_SCHEMA, table.lower()), sql.Identifier(column)
            )
        )


def _grant(connection: psycopg.Connection[Any], store: Store) -> str | None:
    """The role that may read; None when this user may make none and there is none."""
    import psycopg
    from psycopg import sql

    role, schema = sql.Identifier(POSTGRES_READER), sql.Identifier(POSTGRES_SCHEMA)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [POSTGRES_READER]).fetchall():
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        except psycopg.errors.InsufficientPrivilege:
            return None
    with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
    for table, columns in store.tables.items():
        if table.lower() in HIDDEN_TABLES:
            continue
        hidden = HIDDEN_COLUMNS.get(table.lower(), frozenset())
        names = [sql.Identifier(name.lower()) for name, _ in columns if name.lower() not in hidden]
        place = sql.Identifier(POSTGRES_SCHEMA, table.lower())
        right = sql.SQL("SELECT ({})").format(sql.SQL(", ").join(names)) if hidden else sql.SQL("SELECT")
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(right, place, role))
    return POSTGRES_READER


def _write_manifest(connection: psycopg.Connection[Any], run: Run) -> None:
    from psycopg import sql

    with tempfile.TemporaryDirectory(prefix="chartsight-copy-") as folder:
        run.write(Path(folder))
        text = manifest_path(Path(folder)).read_text("utf-8")
    place = sql.Identifier(POSTGRES_SCHEMA, MANIFEST_TABLE)
    connection.execute(sql.SQL("CREATE TABLE {} (manifest text)").format(place))
    connection.execute(sql.SQL("INSERT INTO {} VALUES (%s)").format(place), [json.dumps(json.loads(text))])


def _refused(error: psycopg.Error, url: str) -> OutputError | RecordError:
    """The one line for what a server does not do; it repeats no value and nothing of the URL but its place."""
    import psycopg

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return OutputError(
            "not-writable", shown(url), "its user may not make a schema there", hint="GRANT CREATE ON DATABASE to it"
        )
    if isinstance(error, psycopg.errors.DiskFull):
        return OutputError("disk-full", shown(url), "the server's disk is full", hint="free some space and try again")
    if isinstance(error, psycopg.errors.UntranslatableCharacter | psycopg.errors.CharacterNotInRepertoire):
        return RecordError("bad-text", shown(url), "a text holds a character that PostgreSQL refuses")
    return OutputError("not-written", shown(url), f"the server ended the copy ({type(error).__name__})")
