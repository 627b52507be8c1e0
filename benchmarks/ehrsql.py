"""Does our EHRSQL-2024 database answer the published queries as published? The gate of `make ehrsql`.

    python benchmarks/ehrsql.py                                              all gold SQL of train and valid
    python benchmarks/ehrsql.py --predictions mine.json --split valid        RS(c), coverage and risk of a system
    python benchmarks/ehrsql.py --database ours.sqlite --against theirs.sqlite     two databases, row by row

The database is built by a process of its own that is told of MIMIC-IV's files and the MEDS events and of nothing else;
its manifest must name no other input. Only then are questions and answers opened here. Data is read from
../shared/open-data, --open-data or CHARTSIGHT_OPEN_DATA (docs/open-data.md). Exits with 3 below the expected counts.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from chartsight.errors import ChartsightError, GateError, QueryError
from chartsight.evaluation.ehrsql import ABSTAINED, FAILED, Answer, Reliability, parse_published_rows, score_reliability
from chartsight.exits import run_alone
from chartsight.progress import track
from chartsight.records import open_published, run_published
from chartsight.records.ehrsql_schema import PUBLISHED_TABLES, PublishedTable
from chartsight.runs import manifest_path

DEMO = "mimic-iv-demo"
EVENTS = "mimic-iv-demo-meds/mimic_iv_demo_meds_events.parquet"
QUESTIONS = "ehrsql-2024/data/mimic_iv"
FEWEST_EQUAL = {"train": 4673, "valid": 931}  # of 4,674 and 931 answerable; docs/ehrsql.md has the one that differs
SHOWN = 10


@dataclass(frozen=True)
class Agreement:
    """How the gold SQL of one split fared against the published answers; `differing` are the questions' ids."""

    split: str
    questions: int
    answerable: int
    equal: int
    failed: int
    differing: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Build:
    """What it took to make the database."""

    seconds: float
    peak_memory_mib: float
    rows: Mapping[str, int]


def find_open_data(folder: Path | None) -> Path:
    """The folder of the open data sets.

    Raises:
        ChartsightError: What the gate needs is not there; all of it is named.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "open-data"
    folder = folder or Path(os.environ.get("CHARTSIGHT_OPEN_DATA") or beside)
    missing = [name for name in (DEMO, EVENTS, QUESTIONS) if not (folder / name).exists()]
    if missing:
        raise ChartsightError(
            "no-open-data", folder, f"has no {', '.join(missing)}", "the open data sets of docs/open-data.md",
            "name their folder: OPEN_DATA=DIR",
        )  # fmt: skip
    return folder


def build_database(open_data: Path, out: Path) -> Build:
    """The database at `out`, made by a process of its own that knows of no question and no answer.

    Raises:
        ChartsightError: It could not be made, in the words of that process.
        GateError: It read another file than those of MIMIC-IV and the MEDS events.
    """
    mimiciv, meds = open_data / DEMO, open_data / EVENTS
    command = [sys.executable, "-m", "chartsight", "records", "build-ehrsql", str(out)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--mimiciv", str(mimiciv), "--meds", str(meds), "--json", "--quiet"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if done.returncode:
        raise ChartsightError("no-database", out, "could not be built", "the line above says why")
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    manifest = json.loads(manifest_path(out).read_text("utf-8"))
    read = [Path(each["path"]) for each in manifest["inputs"]]
    if strangers := [path.name for path in read if path != meds and not path.is_relative_to(mimiciv)]:
        raise GateError("answers-read", "records build-ehrsql", f"read {', '.join(strangers)}", f"{DEMO} and {EVENTS}")
    return Build(seconds, peak_kib / 1024, json.loads(done.stdout)["kept"])


def read_entries(path: Path) -> dict[str, str]:
    """question → text of `label.json`, `answer.json` or a file of predictions.

    Raises:
        ChartsightError: It is missing or no such file.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ChartsightError("no-entries", path, "cannot be read", "a JSON object: question → text") from error
    if not isinstance(entries, dict) or not all(isinstance(each, str) for each in entries.values()):
        raise ChartsightError("no-entries", path, "holds something else", "a JSON object: question → text")
    return entries


def run_queries(database: Path, queries: Mapping[str, str], name: str, *, quiet: bool) -> dict[str, Answer]:
    """question → rows of its query, None where there is none ("null"), FAILED where it does not run."""
    answers: dict[str, Answer] = {}
    with open_published(database) as connection:
        for question, sql in track(queries.items(), name, len(queries), quiet=quiet):
            try:
                answers[question] = None if sql == ABSTAINED else run_published(connection, sql)
            except QueryError:
                answers[question] = FAILED
    return answers


def compare_gold(database: Path, folder: Path, *, quiet: bool) -> Agreement:
    """The gold SQL of a split's folder against its published answers."""
    started = time.perf_counter()
    answered = run_queries(database, read_entries(folder / "label.json"), folder.name, quiet=quiet)
    published: dict[str, Answer] = {
        question: parse_published_rows(text) for question, text in read_entries(folder / "answer.json").items()
    }
    differing = tuple(
        question
        for question, rows in published.items()
        if score_reliability({question: rows}, {question: answered.get(question, FAILED)}).score(0) != 1
    )
    answerable = [question for question, rows in published.items() if rows is not None]
    return Agreement(
        folder.name, len(published), len(answerable), len(answerable) - len(set(differing) & set(answerable)),
        sum(rows is FAILED for rows in answered.values()), differing, time.perf_counter() - started,
    )  # fmt: skip


def score_predictions(database: Path, folder: Path, predictions: Path, *, quiet: bool) -> Reliability:
    """A system's queries (JSON: question → SQL or "null") against the gold SQL of a split's folder."""
    gold = run_queries(database, read_entries(folder / "label.json"), "gold", quiet=quiet)
    return score_reliability(gold, run_queries(database, read_entries(predictions), "predictions", quiet=quiet))


def differing_rows(ours: Path, theirs: Path) -> dict[str, int]:
    """table → how many of its rows differ between two databases: by value, by type, by place, or by absence."""
    with open_published(ours) as mine, open_published(theirs) as published:
        return {
            table.name: sum(
                one is None or other is None or [*map(type, one), *one] != [*map(type, other), *other]
                for one, other in zip_longest(*(each.execute(stored_rows(table)) for each in (mine, published)))
            )
            for table in PUBLISHED_TABLES
        }


def stored_rows(table: PublishedTable) -> str:
    """A table's rows with their place, in the order in which they were stored."""
    return f"SELECT rowid, {', '.join(table.header)} FROM {table.name} ORDER BY rowid"


def main(
    open_data: Annotated[Path | None, typer.Option(help="The folder of the open data sets.")] = None,
    database: Annotated[Path | None, typer.Option(help="An existing database instead of building one.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Score these instead: JSON, question → SQL or null.")] = None,
    split: Annotated[str, typer.Option(help="Of the predictions.")] = "valid",
    against: Annotated[Path | None, typer.Option(help="Compare with this database row by row instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Build EHRSQL-2024's database, run all gold SQL, compare with the published answers."""
    if database is not None and against is not None:
        show_differences(differing_rows(database, against), against, as_json=as_json)
        return
    folder = find_open_data(open_data)
    with TemporaryDirectory(prefix="chartsight-ehrsql-") as scratch:
        build = None
        if database is None:
            database = Path(scratch) / "ehrsql.sqlite"
            build = build_database(folder, database)
        if against is not None:
            show_differences(differing_rows(database, against), against, as_json=as_json)
            return
        if predictions is not None:
            score = score_predictions(database, folder / QUESTIONS / split, predictions, quiet=quiet).as_dict()
            typer.echo(json.dumps(score, indent=2) if as_json else render_score(score))
            return
        agreements = [compare_gold(database, folder / QUESTIONS / name, quiet=quiet) for name in FEWEST_EQUAL]
    if as_json:
        result = {"build": asdict(build) if build else None, "splits": [asdict(each) for each in agreements]}
        typer.echo(json.dumps(result, indent=2))
    else:
        print_agreements(build, agreements)
    for each in agreements:
        if each.equal < FEWEST_EQUAL[each.split]:
            raise GateError(
                "parity", f"EHRSQL-2024 {each.split}", f"{each.equal:,} of {each.answerable:,} answers are equal",
                f"at least {FEWEST_EQUAL[each.split]:,}", "is this the MIMIC-IV demo 2.2?",
            )  # fmt: skip


def show_differences(found: Mapping[str, int], against: Path, *, as_json: bool) -> None:
    """The tables that differ.

    Raises:
        GateError: There is one.
    """
    typer.echo(json.dumps({"differing_rows": found}, indent=2) if as_json else render_score(found))
    if differing := [f"{table} in {count:,} rows" for table, count in found.items() if count]:
        raise GateError("parity", against, f"differs: {', '.join(differing)}", "equal rows in 17 tables")


def print_agreements(build: Build | None, agreements: list[Agreement]) -> None:
    """A table for people."""
    console = Console()
    if build is not None:
        console.print(
            f"built {sum(build.rows[table] for table in build.rows if ' ' not in table):,} rows in 17 tables: "
            f"{build.seconds:.1f} s, {build.peak_memory_mib:.0f} MiB at most",
            highlight=False,
        )
    table = Table("split", "questions", "answerable", "equal", "failed", "seconds")
    for each in agreements:
        table.add_row(
            each.split, f"{each.questions:,}", f"{each.answerable:,}", f"{each.equal:,}", str(each.failed),
            f"{each.seconds:.1f}",
        )  # fmt: skip
    console.print(table)
    for each in agreements:
        if each.differing:
            console.print(
                f"{each.split} differs in {', '.join(each.differing[:SHOWN])}", soft_wrap=True, highlight=False
            )


def render_score(score: Mapping[str, Any]) -> str:
    """One line a figure."""
    return "\n".join(
        f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value:,}" for name, value in score.items()
    )


if __name__ == "__main__":
    run_alone(main)
