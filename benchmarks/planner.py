"""Looks and seconds of the planner beside FUNC_VQA as a function in DuckDB and in SQLite, over 20,000 studies.

    python benchmarks/planner.py                                 a table
    python benchmarks/planner.py --write docs/performance.md     and the section of the page

Three ways to answer the same questions with the same model, which here answers at once from a rule, so that seconds are
those of everything but the model. A function in a database is asked about every row that the database's own plan brings
to it, one at a time, and remembers its answers by study and question. What a model would add is looks times seconds a
look. The rows of the three must be equal; exits with 3 when they are not, or when the planner looks at more studies
than are needed and one batch.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from chartsight.errors import GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.neuralsql import Settings, prepare
from chartsight.neuralsql.engine_rows import EngineRows
from chartsight.neuralsql.engines import open_engine
from chartsight.neuralsql.plan import plan
from chartsight.neuralsql.run import BATCH, run_query
from chartsight.schema import Look, VisualAnswer

SECTION = Section("planner")
PATIENTS, STUDIES_EACH = 1000, 20
QUESTION = "is there a nodule?"
CALL = f"FUNC_VQA('{QUESTION}', c.study_id)"
SHARE = 0.14  # of studies that show it


@dataclass(frozen=True)
class Asked:
    """One question of the benchmark.

    Args:
        what: In words.
        sql: With `{vqa}` where the look stands.
        needed: Looks that no way of asking can spare, from the rule and the tables.
    """

    what: str
    sql: str
    needed: Callable[[Hospital], int]


@dataclass(frozen=True)
class Hospital:
    """The tables, as Python sees them."""

    ages: tuple[int, ...]

    @property
    def studies(self) -> list[tuple[int, int, int]]:
        """(study_id, subject_id, time) in order of time."""
        return [(100_000 + n, n % PATIENTS, n) for n in range(PATIENTS * STUDIES_EACH)]

    def of(self, oldest: int) -> int:
        """Studies of patients older than that."""
        return STUDIES_EACH * sum(age > oldest for age in self.ages)

    def until_first(self, oldest: int) -> int:
        """Looks until each patient older than that is known to have one with it, study by study."""
        looks = 0
        for subject, age in enumerate(self.ages):
            if age > oldest:
                shows = [says(study) for study, owner, _ in self.studies if owner == subject]
                looks += shows.index(True) + 1 if True in shows else len(shows)
        return looks

    def until(self, oldest: int, wanted: int) -> int:
        """Looks until so many studies of patients older than that show it, in order of time."""
        looks = found = 0
        for study, subject, _ in self.studies:
            if self.ages[subject] > oldest and found < wanted:
                looks += 1
                found += says(study)
        return looks


def says(study: int) -> bool:
    """The rule: what the model says of a study."""
    return int.from_bytes(hashlib.sha256(str(study).encode()).digest()[:4], "big") < SHARE * 2**32


JOINED = "FROM tb_cxr AS c JOIN patients AS p ON p.subject_id = c.subject_id"
QUESTIONS = (
    Asked("a group: studies of women", f"SELECT count(*) {JOINED} WHERE p.gender = 'F' AND {{vqa}}",
          lambda h: len(h.studies) // 2),
    Asked("distinct patients, all", "SELECT count(DISTINCT c.subject_id) FROM tb_cxr AS c WHERE {vqa}",
          lambda h: h.until_first(-1)),
    Asked("a group: studies of patients over 85", f"SELECT count(*) {JOINED} WHERE p.age > 85 AND {{vqa}}",
          lambda h: h.of(85)),
    Asked("the look first in the text", f"SELECT count(*) {JOINED} WHERE {{vqa}} AND p.age > 85", lambda h: h.of(85)),
    Asked("patients over 85 with any such film",
          "SELECT count(*) FROM patients AS p WHERE p.age > 85 AND EXISTS "
          "(SELECT 1 FROM tb_cxr AS c WHERE c.subject_id = p.subject_id AND {vqa})", lambda h: h.until_first(85)),
    Asked("distinct patients over 85", f"SELECT count(DISTINCT c.subject_id) {JOINED} WHERE p.age > 85 AND {{vqa}}",
          lambda h: h.until_first(85)),
    Asked("the first five films of patients over 85",
          f"SELECT c.study_id {JOINED} WHERE p.age > 85 AND {{vqa}} ORDER BY c.studydatetime, c.row_id LIMIT 5",
          lambda h: h.until(85, 5)),
    Asked("ever, anybody over 85", f"SELECT count(*) > 0 {JOINED} WHERE p.age > 85 AND {{vqa}}",
          lambda h: h.until(85, 1)),
    Asked("shown and tested", f"SELECT count({{vqa}}) {JOINED} WHERE p.age > 85 AND {{vqa}}", lambda h: h.of(85)),
    Asked("rows doubled by a join", f"SELECT count(*) {JOINED} JOIN labevents AS l ON l.subject_id = p.subject_id "
          "WHERE p.age > 85 AND {vqa}", lambda h: h.of(85)),
    Asked("over 30, or with it", f"SELECT count(*) {JOINED} WHERE p.age > 30 OR {{vqa}}",
          lambda h: h.of(-1) - h.of(30)),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one way of asking took."""

    looks: int
    seconds: float
    rows: str


class RuleModel:
    """Answers by the rule."""

    fingerprint = "rule"

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        for look in looks:
            yield VisualAnswer("answered", says(look.study_ids[0]), 1.0)


def write_tables(path: Path, ages: Sequence[int]) -> None:
    """The hospital as a DuckDB record."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE patients (subject_id INTEGER, age INTEGER, gender VARCHAR)")
        connection.executemany(
            "INSERT INTO patients VALUES (?, ?, ?)", [(n, age, "FM"[n % 2]) for n, age in enumerate(ages)]
        )
        connection.execute(
            f"""CREATE TABLE tb_cxr AS SELECT n AS row_id, (n % {PATIENTS})::INTEGER AS subject_id,
                100000 + n AS study_id, 'film-' || n AS image_id,
                TIMESTAMP '2100-01-01' + n * INTERVAL 1 HOUR AS studydatetime
                FROM range({PATIENTS * STUDIES_EACH}) AS t(n)"""
        )
        connection.execute(
            f"CREATE TABLE labevents AS SELECT n AS labevent_id, (n % {PATIENTS})::INTEGER AS subject_id "
            f"FROM range({2 * PATIENTS}) AS t(n)"
        )


def remembered() -> tuple[Callable[[str, int], bool], dict[tuple[str, int], bool]]:
    """The model as a function in a database, and what it was asked."""
    asked: dict[tuple[str, int], bool] = {}

    def func_vqa(question: str, study: int) -> bool:
        key = (question, study)
        if key not in asked:
            asked[key] = says(study)
        return asked[key]

    return func_vqa, asked


def by_planner(record: Path, sql: str) -> Outcome:
    """The planner on DuckDB."""
    with open_engine(record) as engine:
        rows = EngineRows(engine, Settings(now="2110-01-01 00:00:00", tables=engine.catalog.tables))
        started = time.perf_counter()
        made = plan(rows.settle(prepare(sql, rows.settings)), engine.catalog.tables)
        result = run_query(made, rows, RuleModel(), batch=BATCH)
        seconds = time.perf_counter() - started
    return Outcome(result.made, seconds, shown(result.rows.to_pylist()))


def by_duckdb(record: Path, sql: str) -> Outcome:
    """A function in DuckDB."""
    function, asked = remembered()
    with duckdb.connect(str(record), read_only=True) as connection:
        connection.create_function("func_vqa", function, ["VARCHAR", "BIGINT"], "BOOLEAN")
        started = time.perf_counter()
        cursor = connection.execute(sql)
        found = cursor.fetchall()
        return Outcome(len(asked), time.perf_counter() - started, shown([{"row": each} for each in found]))


def by_sqlite(record: Path, sql: str) -> Outcome:
    """A function in SQLite, its keys indexed and its statistics fresh."""
    function, asked = remembered()
    with duckdb.connect(str(record), read_only=True) as source, sqlite3.connect(":memory:") as connection:
        for table in ("patients", "tb_cxr", "labevents"):
            cursor = source.execute(f"SELECT * FROM {table}")
            names = [each[0] for each in cursor.description]
            connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            rows = [[str(v) if hasattr(v, "isoformat") else v for v in row] for row in cursor.fetchall()]
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
            connection.execute(f"CREATE INDEX {table}_subject ON {table} (subject_id)")
        connection.execute("ANALYZE")
        connection.create_function("FUNC_VQA", 2, function, deterministic=True)
        started = time.perf_counter()
        found = connection.execute(sql).fetchall()
        return Outcome(len(asked), time.perf_counter() - started, shown([{"row": each} for each in found]))


def shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one text, truth values as numbers, for comparison."""
    values = [list(row["row"]) if list(row) == ["row"] else list(row.values()) for row in rows]
    return json.dumps([[int(each) if isinstance(each, bool) else each for each in row] for row in values], default=str)


WAYS: Mapping[str, Callable[[Path, str], Outcome]] = {
    "planner": by_planner, "DuckDB function": by_duckdb, "SQLite function": by_sqlite,
}  # fmt: skip


def main(
    write: Annotated[Path | None, typer.Option(help="A page with the markers <!-- planner -->.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Ask every question in every way; compare rows, looks and seconds."""
    ages = tuple(20 + (n * 37) % 70 for n in range(PATIENTS))
    hospital = Hospital(ages)
    found: list[tuple[Asked, dict[str, Outcome]]] = []
    with TemporaryDirectory() as folder:
        record = Path(folder) / "record.duckdb"
        write_tables(record, ages)
        for asked in QUESTIONS:
            found.append((asked, {name: way(record, asked.sql.format(vqa=CALL)) for name, way in WAYS.items()}))
    if as_json:
        print(
            json.dumps([{"what": a.what, **{name: asdict(o) for name, o in by.items()}} for a, by in found], indent=2)
        )
    else:
        table = Table(title=describe_machine(), title_justify="left")
        for name in ("question", "needed", *WAYS):
            table.add_column(name, justify="left" if name == "question" else "right")
        for asked, by in found:
            table.add_row(asked.what, f"{asked.needed(hospital):,}", *(cell(each) for each in by.values()))
        Console().print(table)
    check(found, hospital)
    if write is not None:
        SECTION.write(write, render(found, hospital))


def cell(outcome: Outcome) -> str:
    """Looks and seconds."""
    return f"{outcome.looks:,} ({outcome.seconds:.2f} s)"


def check(found: Sequence[tuple[Asked, Mapping[str, Outcome]]], hospital: Hospital) -> None:
    """Nothing when all ways agree and the planner looks no more than it must.

    Raises:
        GateError: They do not, or it does.
    """
    for asked, by in found:
        if len({each.rows for each in by.values()}) > 1:
            raise GateError("rows-differ", asked.what, "the three ways give different rows", "the same rows")
        needed = asked.needed(hospital)
        if by["planner"].looks > needed + BATCH - 1:
            raise GateError("too-many-looks", asked.what, f"{by['planner'].looks} looks", f"{needed} and one batch")


def render(found: Sequence[tuple[Asked, Mapping[str, Outcome]]], hospital: Hospital) -> str:
    """The section in Markdown."""
    from datetime import UTC, datetime

    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"`python benchmarks/planner.py --write docs/performance.md` on {day}: {describe_machine()}. Looks, and "
        "seconds without any model.", "",
        f"| question | needed | {' | '.join(WAYS)} |", "|---|---:|" + "---:|" * len(WAYS),
        *(
            f"| {asked.what} | {asked.needed(hospital):,} | {' | '.join(cell(each) for each in by.values())} |"
            for asked, by in found
        ),
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    run_alone(main)
