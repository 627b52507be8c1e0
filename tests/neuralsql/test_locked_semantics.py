"""What the dialect writes, the locked engines let pass, and answer as SQLite does: the queries of `semantics.sql`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import get_args

import pytest
from benchmarks.sql_engines import comparable

from chartsight.errors import QueryError
from chartsight.neuralsql import prepare, write
from chartsight.neuralsql.check import check
from chartsight.neuralsql.engines import EngineName, Limits, OpenEngine, open_engine
from chartsight.records.copy import copy_record
from tests.neuralsql.odd_tables import DECLARED, ODD_ROWS, ODD_TABLES, PUBLISHED, STABLE, run

pytest_plugins = ["tests.fixtures_postgres"]

LINES = Path(__file__).with_name("semantics.sql").read_text("utf-8").splitlines()
QUERIES = [line.rstrip(";") for line in LINES if line and not line.startswith("--")]


@pytest.fixture(scope="module")
def odd_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "odd.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE patients (subject_id INTEGER)")  # by which a record is known
        for table, columns in ODD_TABLES.items():
            declared = ", ".join(f"{column} {DECLARED[kind]}" for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({declared})")
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", ODD_ROWS[table])
    return path


@pytest.fixture(scope="module")
def locked(odd_file: Path, new_database: Callable[[], str]) -> Iterator[dict[str, OpenEngine]]:
    targets = {"sqlite": str(odd_file), "duckdb": str(odd_file.with_suffix(".duckdb")), "postgres": new_database()}
    for name in ("duckdb", "postgres"):
        copy_record(odd_file, targets[name], quiet=True)
    with ExitStack() as stack:
        yield {name: stack.enter_context(open_engine(target)) for name, target in targets.items()}


@pytest.mark.parametrize("name", get_args(EngineName))
def test_a_locked_engine_gives_what_sqlite_gives(locked: dict[str, OpenEngine], odd_file: Path, name: str) -> None:
    engine = locked[name]
    wrong = []
    with closing(sqlite3.connect(odd_file)) as free:
        for sql in QUERIES:
            expected = comparable(run(free, write(prepare(sql, PUBLISHED), "sqlite", PUBLISHED)))
            tree = prepare(sql, STABLE)
            try:
                check(tree, engine.catalog)
                rows = engine.run_sql(write(tree, engine.name, STABLE), {}, Limits(seconds=20, memory_mb=512))
            except QueryError as error:
                wrong.append((sql, str(error)))
                continue
            found = comparable(list(zip(*(column.to_pylist() for column in rows.columns), strict=True)))
            if found != expected:
                wrong.append((sql, f"{found} != {expected}"))
    assert wrong == [], "\n".join(map(str, wrong))
