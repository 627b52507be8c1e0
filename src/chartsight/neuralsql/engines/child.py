"""The child's side of an engine: limits of the operating system first, then the database, then one query after another.

python -m chartsight.neuralsql.engines.child FD        # by `base.OpenEngine` only
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pyarrow as pa

from chartsight.errors import ChartsightError, QueryError, RecordError
from chartsight.neuralsql.catalog import Catalog
from chartsight.neuralsql.engines.base import GRACE_SECONDS, too_many_rows, too_much_memory
from chartsight.neuralsql.engines.messages import receive, send
from chartsight.neuralsql.engines.values import as_sqlite_values
from chartsight.schema import Limits

PARENT_LOOK_SECONDS = 1.0
OPEN_FILES = 64
OVERHEAD_MB = 256  # threads' stacks and allocators, beside what a query holds


class Database(Protocol):
    """An open database of one engine, inside the child."""

    catalog: Catalog

    def run(self, sql: str, parameters: Mapping[str, Any], limits: Limits, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The rows; at most one more than the limit, which the child then refuses.

        Raises:
            QueryError: The query is refused, fails, or goes beyond a limit.
        """
        ...


def open_database(engine: str, target: str, threads: int, memory_mb: int) -> Database:
    """The database of `target`, locked down.

    Raises:
        RecordError: It cannot be opened or is no record.
    """
    if engine == "duckdb":
        from chartsight.neuralsql.engines.duckdb import DuckDbDatabase

        return DuckDbDatabase(target, threads, memory_mb)
    if engine == "sqlite":
        from chartsight.neuralsql.engines.sqlite import SqliteDatabase

        return SqliteDatabase(target, memory_mb)
    from chartsight.neuralsql.engines.postgres import PostgresDatabase

    return PostgresDatabase(target)


def serve(pipe: Connection[Any, Any]) -> None:
    """Answers queries until the parent goes."""
    words, _ = receive(pipe)
    memory_mb = words["memory_mb"]
    try:
        limit_process()
        database = open_database(words["engine"], words["target"], words["threads"], memory_mb)
        limit_memory(memory_mb)
    except ChartsightError as error:
        send(pipe, told(error))
        return
    catalog = database.catalog
    send(pipe, {"catalog": {name: dict(columns) for name, columns in catalog.tables.items()},
                "partial": sorted(catalog.partial)})  # fmt: skip
    while True:
        words, tables = receive(pipe)
        limits = Limits(words["seconds"], words["rows"], words["memory_mb"])
        late = threading.Timer(limits.seconds + 2 * GRACE_SECONDS, die)  # when nobody is left to kill it
        late.daemon = True
        late.start()
        try:
            rows = as_sqlite_values(database.run(words["sql"], words["parameters"], limits, tables))
            if rows.num_rows > limits.rows:
                raise too_many_rows(limits.rows)
            if rows.nbytes > limits.memory_mb * 2**20:
                raise too_much_memory(limits.memory_mb)
            send(pipe, {}, {"rows": rows})
        except ChartsightError as error:
            send(pipe, told(error))
        except (MemoryError, pa.ArrowMemoryError):
            send(pipe, told(too_much_memory(limits.memory_mb)))
        except (EOFError, OSError):
            raise  # the parent has gone
        except Exception as error:
            send(pipe, told(QueryError("failed", "query", f"ends in {type(error).__name__} inside the engine")))
        finally:
            late.cancel()


def told(error: ChartsightError) -> dict[str, Any]:
    """An error as it crosses to the parent."""
    return {"error": error.as_dict(), "family": "RecordError" if isinstance(error, RecordError) else "QueryError"}


def limit_process() -> None:
    """No core dumps, no writing of files, few open files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def limit_memory(memory_mb: int) -> None:
    """No more memory than what is held now, the limit twice (rows and their copy as Arrow) and some overhead."""
    most = held_bytes() + (2 * memory_mb + OVERHEAD_MB) * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def held_bytes() -> int:
    """Private writable memory of this process, as RLIMIT_DATA counts it; 0 where /proc does not say."""
    try:
        with Path("/proc/self/status").open(encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0


def watch_parent(parent: int) -> None:
    """Ends this process when its parent has gone, also in the middle of a query."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_SECONDS)
    die()


def die() -> NoReturn:
    """The end, without any cleaning up."""
    os._exit(1)


def main(arguments: list[str]) -> int:
    """What the process does."""
    threading.Thread(target=watch_parent, args=(os.getppid(),), daemon=True).start()
    try:
        with Connection(int(arguments[0])) as pipe:
            serve(pipe)
    except (EOFError, OSError):
        return 0  # the parent has gone, or is done
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
