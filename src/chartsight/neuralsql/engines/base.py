"""The parent's side of an engine: a child process that holds the database, its questions and answers, its clock.

    with open_engine("record.duckdb") as engine:
        engine.run_sql("SELECT count(*) AS n FROM patients", {}, Limits(seconds=5))["n"].to_pylist()      # [200]

One child serves many queries, so that a query costs no process. A child that dies, or is killed because it does not
answer in time, is replaced at the next query; a database is only ever opened for reading, so nothing is left half done.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from importlib.util import find_spec
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from chartsight import errors
from chartsight.errors import ChartsightError, QueryError, RecordError
from chartsight.neuralsql.catalog import Catalog
from chartsight.neuralsql.check import PLAIN_NAME
from chartsight.schema import Limits

if TYPE_CHECKING:
    import pyarrow as pa

EngineName = Literal["duckdb", "sqlite", "postgres"]

OPENING_SECONDS = 60.0  # for a child to start and to open the database
GRACE_SECONDS = 2.0  # that a child has to stop by itself before it is killed
BEGINNING = re.compile(r"[\s(]*(select|with|values)\b", re.IGNORECASE)
DUCKDB_MARK, SQLITE_MARK = b"DUCK", b"SQLite format 3\0"


class OpenEngine:
    """An engine of an open database; see `schema.Engine`.

    Args:
        name: Of the engine.
        target: A file, or the URL of a PostgreSQL database.
        threads: That DuckDB may use. One gives sums of numbers in the same order every time.
    """

    def __init__(self, name: EngineName, target: str, threads: int = 1) -> None:
        self.name, self.target, self.threads = name, target, threads
        self._child: _Child | None = None
        self._catalog: Catalog | None = None
        self._turn = threading.Lock()

    @property
    def catalog(self) -> Catalog:
        """Which tables and columns questions may read."""
        if self._catalog is None:
            self._started(Limits())
        assert self._catalog is not None
        return self._catalog

    @property
    def process_id(self) -> int | None:
        """Of the child; None while there is none."""
        return None if self._child is None else self._child.process.pid

    def run_sql(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """The rows, as Arrow, in the values that SQLite would give; see `schema.Engine`.

        Args:
            sql: One SELECT in the engine's own dialect.
            parameters: Whole numbers, numbers, text, booleans, dates or null, by name.
            limits: Those of `Limits()` when None. Another memory_mb than the last query's costs a new child.
            tables: Temporary relations by name.

        Raises:
            QueryError: It is refused, fails, takes too long or too much, or its child died; the next query has another.
        """
        limits = limits or Limits()
        check_limits(limits)
        for name in tables or {}:
            if not PLAIN_NAME.fullmatch(name):
                raise QueryError(
                    "bad-name", "tables", "a temporary relation has no plain name", "letters, digits and _"
                )
        words = {
            "sql": sql,
            "parameters": {name: parameter(name, value) for name, value in (parameters or {}).items()},
            "seconds": limits.seconds,
            "rows": limits.rows,
            "memory_mb": limits.memory_mb,
        }
        with self._turn:
            child = self._started(limits)
            try:
                answer, found = child.ask(words, tables or {}, limits.seconds + GRACE_SECONDS)
            except (EOFError, OSError) as error:
                self._end()
                raise _gone(child, limits) from error
            except BaseException:  # an interrupt: what the child is about to say belongs to no later query
                self._end()
                raise
        _raise_told(answer)
        return found["rows"]

    def close(self) -> None:
        """End the child."""
        self._end()

    def _started(self, limits: Limits) -> _Child:
        """The child, started when there is none or when it has another limit of memory."""
        if self._child is not None and (self._child.memory_mb != limits.memory_mb or not self._child.is_alive()):
            self._end()
        if self._child is None:
            child = _Child(limits.memory_mb)
            opening = {"engine": self.name, "target": self.target, "threads": self.threads}
            try:
                answer, _ = child.ask({**opening, "memory_mb": limits.memory_mb}, {}, OPENING_SECONDS)
            except (EOFError, OSError) as error:
                child.end()
                raise RecordError(
                    "engine-died", shown(self.target), "its process ended while it opened the database",
                    hint=f"memory_mb is {limits.memory_mb}; raise it when that is little",
                ) from error  # fmt: skip
            except BaseException:
                child.end()
                raise
            if "error" in answer:
                child.end()
            _raise_told(answer)
            self._catalog = Catalog(answer["catalog"], frozenset(answer["partial"]))
            self._child = child
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """A process that runs `child.py`, and the pipe to it."""

    def __init__(self, memory_mb: int) -> None:
        self.memory_mb = memory_mb
        self.was_stopped = False
        self.pipe, theirs = Pipe()
        package_folder = str(Path(errors.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package_folder, os.environ.get("PYTHONPATH")]))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "chartsight.neuralsql.engines.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a dying process may print rows
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # an interrupt from the terminal is the parent's to handle
            )

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def ask(
        self, words: Mapping[str, Any], tables: Mapping[str, pa.Table], seconds: float
    ) -> tuple[dict[str, Any], dict[str, pa.Table]]:
        """Its answer.

        Raises:
            EOFError: It died, or was killed because it took more than `seconds`.
            OSError: The same, in the middle of a message.
        """
        from chartsight.neuralsql.engines.messages import receive, send

        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            send(self.pipe, words, tables)
            return receive(self.pipe)
        finally:
            timer.cancel()

    def _stop(self) -> None:
        self.was_stopped = True
        self.process.kill()

    def end(self) -> None:
        """Nothing is left of it."""
        with suppress(OSError):
            self.pipe.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def open_engine(target: str | Path, *, threads: int = 1) -> Iterator[OpenEngine]:
    """The engine of a record for the length of the block.

    Args:
        target: `record.duckdb`, a SQLite file, or `postgresql://...` (passwords come from PGPASSFILE or PGPASSWORD).
        threads: That DuckDB may use.

    Raises:
        RecordError: There is no record at `target`.
    """
    name = engine_name(target)
    engine = OpenEngine(name, str(target) if name == "postgres" else str(Path(target).resolve()), threads)
    try:
        assert engine.catalog is not None  # opened now: a wrong target is told here
        yield engine
    finally:
        engine.close()


def need_psycopg() -> None:
    """Nothing, when PostgreSQL can be spoken to.

    Raises:
        ChartsightError: psycopg is not installed.
    """
    if find_spec("psycopg") is None:
        raise ChartsightError(
            "missing-package", "psycopg", "is not installed", hint="pip install 'chartsight[postgres]'"
        )


def is_url(target: str | Path) -> bool:
    """Whether a target is a PostgreSQL database."""
    return str(target).startswith(("postgresql://", "postgres://"))


def engine_name(target: str | Path) -> EngineName:
    """The engine of a target, by what the file is, not by what it is called.

    Raises:
        RecordError: It is missing or no database.
    """
    if is_url(target):
        need_psycopg()
        return "postgres"
    path = Path(target)
    if not path.is_file():
        raise RecordError("missing-record", path, "no such file", "a record", "make one: chartsight records build")
    with path.open("rb") as file:
        begins = file.read(16)
    if begins == SQLITE_MARK:
        return "sqlite"
    if begins[8:12] == DUCKDB_MARK:
        return "duckdb"
    raise RecordError("no-record", path, "is no database", "a record in DuckDB or SQLite")


def shown(target: str | Path) -> str:
    """A target for a message: of a URL neither password nor options."""
    if not is_url(target):
        return str(target)
    try:
        parts = urlsplit(str(target))
        user = f"{parts.username}@" if parts.username else ""
        place = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
        return urlunsplit((parts.scheme, f"{user}{place}", parts.path, "", ""))
    except ValueError:
        return "postgresql://"


def check_limits(limits: Limits) -> None:
    """Nothing, when a query can run under these limits.

    Raises:
        QueryError: One is no number above 0, or out of reach.
    """
    for name, most in (("seconds", 7 * 86_400), ("rows", 2**31), ("memory_mb", 2**24)):
        value = getattr(limits, name)
        if not (isinstance(value, int | float) and math.isfinite(value) and 0 < value <= most):
            raise QueryError("bad-limit", f"limits.{name}", repr(value), f"a number above 0, at most {most:,}")


def parameter(name: str, value: Any) -> int | float | str | bool | None:
    """A parameter as it crosses to the child; dates and times in SQLite's form.

    Raises:
        QueryError: It is of another type.
    """
    from chartsight.neuralsql.engines.values import render_value

    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return render_value(value)
    raise QueryError(
        "bad-parameter", f"parameter {name}", type(value).__name__, "a number, text, date, boolean or None"
    )


def _raise_told(answer: Mapping[str, Any]) -> None:
    """The error that the child tells of.

    Raises:
        ChartsightError: There is one.
    """
    if "error" not in answer:
        return
    told = {key: str(answer["error"][key]) for key in ("code", "where", "found", "expected", "hint")}
    family: type[ChartsightError] = RecordError if answer["family"] == "RecordError" else QueryError
    raise family(**told)


def _gone(child: _Child, limits: Limits) -> QueryError:
    if child.was_stopped:
        return too_slow(limits.seconds)
    return QueryError(
        "engine-died", "query", f"ended its process, perhaps for more than {limits.memory_mb:,} MB of memory",
        hint="ask for less at once, or raise the limit of memory",
    )  # fmt: skip


def too_slow(seconds: float) -> QueryError:
    """The error of a query that its clock stopped."""
    return QueryError("too-slow", "query", f"takes more than {seconds:g} s", hint="ask for less, or raise the limit")


def too_many_rows(rows: int) -> QueryError:
    """The error of an answer that is too long."""
    return QueryError(
        "too-many-rows", "query", f"gives more than {rows:,} rows", hint="count them, add LIMIT, or raise the limit"
    )


def too_much_memory(memory_mb: int) -> QueryError:
    """The error of a query that needs too much."""
    return QueryError(
        "too-much-memory", "query", f"needs more than {memory_mb:,} MB", hint="ask for less at once, or raise the limit"
    )


def refuse_other_beginning(sql: str) -> None:
    """Nothing, when a text begins as a SELECT does.

    Raises:
        QueryError: It begins otherwise, with a comment for instance.
    """
    if not BEGINNING.match(sql):
        raise refused("is no SELECT")


def refused(what: str, expected: str = "") -> QueryError:
    """The error of a query that would do more than read the record's tables."""
    return QueryError("refused", "query", what, expected or "one SELECT over the record's tables")
