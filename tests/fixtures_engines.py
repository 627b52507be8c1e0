"""The tiny hospital's record in DuckDB, SQLite and PostgreSQL, and an open engine of each, once a session.

A test module that wants them says
`pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_postgres", "tests.fixtures_engines"]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chartsight.neuralsql.engines import OpenEngine, open_engine
from chartsight.records.copy import copy_record


@pytest.fixture(scope="session")
def engine_targets(tiny_record: Path, new_database: Callable[[], str]) -> dict[str, str]:
    """engine → where its copy of one record stands."""
    targets = {
        "duckdb": str(tiny_record),
        "sqlite": str(tiny_record.with_name("copy.sqlite")),
        "postgres": new_database(),
    }
    for name in ("sqlite", "postgres"):
        copy_record(tiny_record, targets[name], quiet=True)
    return targets


@pytest.fixture(scope="session")
def engines(engine_targets: dict[str, str]) -> Iterator[dict[str, OpenEngine]]:
    """engine → it, open."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(open_engine(target)) for name, target in engine_targets.items()}
