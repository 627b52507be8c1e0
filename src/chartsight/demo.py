"""`make demo`: the whole mission in one command, in plain words, with the command line of every step.

A hospital appears, a model learns to look, three models and a text-only twin are compared, and three questions are
answered with film, query and answer. With `--open-data` records and films are real; everything else is the same.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from chartsight.cli import run_command
from chartsight.errors import ChartsightError
from chartsight.exits import run_alone
from chartsight.schema import Question

PATIENTS = 400
NEEDED_OPEN_DATA = (
    "mimic-iv-demo", "mimic-iv-demo-meds", "nih-cxr14-sample", "kermany-pneumonia-subset", "hannover-covid-cxr",
)  # fmt: skip


def synthetic_steps(out: Path) -> list[tuple[str, list[str]]]:
    """What happens, in words and as arguments of the command line, on the synthetic hospital."""
    hospital, record, questions = out / "hospital", out / "record.duckdb", out / "questions.parquet"
    return [
        (
            f"A hospital appears: {PATIENTS} invented patients, their tables in MIMIC-IV layout, their chest films.",
            ["hospital", f"{hospital}", "--patients", f"{PATIENTS}", "--seed", "7"],
        ),
        (
            "Its tables, films, reports and labels become one record.",
            [
                "records", "build", f"{record}", "--mimiciv", f"{hospital}/mimic-iv",
                "--mimic-cxr-jpg", f"{hospital}/mimic-cxr-jpg", "--mimic-cxr-reports", f"{hospital}/mimic-cxr-reports",
                "--chest-imagenome", f"{hospital}/chest-imagenome",
            ],
        ),
        ("Questions with known answers, split by patient.", ["questions", "build", f"{record}", f"{questions}"]),
        *learning_steps("demo", out),
    ]  # fmt: skip


def open_data_steps(out: Path, data: Path) -> list[tuple[str, list[str]]]:
    """The same on real records (the MIMIC-IV demo) and real films (NIH, Kermany, Hannover)."""
    record, questions = out / "record.duckdb", out / "questions.parquet"
    films: list[str] = []
    for folder, table in (
        ("nih-cxr14-sample", "labels.csv"),
        ("kermany-pneumonia-subset", "labels.csv"),
        ("hannover-covid-cxr", "data.csv"),
    ):  # fmt: skip
        films += ["--films", f"{data / folder}", "--labels", f"{data / folder / table}", "--terms", "open"]
    return [
        (
            "100 real patients (the MIMIC-IV demo) and real chest films of other people become one record. Each film "
            "patient is given to a record patient of like sex and age: a synthetic pairing, marked as such everywhere.",
            [
                "records", "build", f"{record}", "--mimiciv", f"{data}/mimic-iv-demo",
                "--meds", f"{data}/mimic-iv-demo-meds/mimic_iv_demo_meds_events.parquet",
                *films, "--findings", "bacterial_pneumonia,viral_pneumonia", "--pair-films",
            ],
        ),
        ("Questions with known answers, split by patient.", ["questions", "build", f"{record}", f"{questions}"]),
        *learning_steps("demo-open-data", out),
    ]  # fmt: skip


def learning_steps(recipes: str, out: Path) -> list[tuple[str, list[str]]]:
    """Fine-tuning, its twin and the comparison; alike for both."""
    return [
        (
            "A model learns to look: the medical stand-in is fine-tuned on the train patients.",
            ["train", f"recipes/{recipes}/fine-tune.yaml", f"{out}/tuned"],
        ),
        (
            "Its text-only twin learns the same answers without ever seeing a film: what can be guessed, it guesses.",
            ["train", f"recipes/{recipes}/twin.yaml", f"{out}/twin"],
        ),
        (
            "Three models and the twin answer the same questions about test patients, with the right film, with "
            "another patient's film, and with a blank one.",
            ["compare", f"recipes/{recipes}/compare.yaml", f"{out}/report"],
        ),
    ]


def run_demo(steps: Sequence[tuple[str, list[str]]], console: Console, run: Callable[[list[str]], Any]) -> None:
    """Every step: said, run, timed."""
    for number, (words, arguments) in enumerate(steps, 1):
        console.print(f"\n[bold]{number}. {words}[/bold]")
        console.print(f"   $ chartsight {shlex.join(arguments)}", style="dim", markup=False, highlight=False)
        started = time.perf_counter()
        run(arguments)
        console.print(f"   {time.perf_counter() - started:.0f} s", style="dim")


def show_three_answers(out: Path, console: Console) -> None:
    """One yes/no question, one choice and one list of the test patients, as the fine-tuned model just answered them."""
    import pyarrow.parquet as pq

    from chartsight.imaging.film_index import read_film_index
    from chartsight.questions.answer_text import render_answer
    from chartsight.questions.files import film_index_of, read_questions

    questions = {question.question_id: question for question in read_questions(out / "questions.parquet")}
    predictions = pq.read_table(out / "report" / "predictions" / "tuned.full.parquet").to_pylist()
    films = read_film_index(film_index_of(out / "questions.parquet"))
    console.print("\n[bold]Three questions that it just answered:[/bold]")
    for kind in ("boolean", "choice", "set"):
        row = next((row for row in predictions if questions[row["question_id"]].answer_type == kind), None)
        if row is None:
            continue
        question: Question = questions[row["question_id"]]
        grid = Table.grid(padding=(0, 2))
        grid.add_row("film", str(films[question.image_ids[0]].path))
        grid.add_row("question", question.asked)
        grid.add_row("query", question.program)
        chances = json.loads(row["scores"])
        doubt = f"   (yes {chances['yes']:.2f}, no {chances['no']:.2f})" if {"yes", "no"} <= chances.keys() else ""
        grid.add_row("answer", f"{row['raw_text']}{doubt}")
        grid.add_row("gold", render_answer(question.answer, question.answer_type))
        console.print(Panel(grid, expand=False))


def demo(
    open_data: Annotated[Path | None, typer.Option(help="The folder of openly licensed records and films.")] = None,
) -> None:
    """Run the demo, in the new folder `demo`, or `demo-open-data` with --open-data: its recipes name their files so."""
    console = Console(highlight=False, soft_wrap=True)
    out = Path("demo" if open_data is None else "demo-open-data")
    if out.exists():
        raise ChartsightError("output-exists", out, "exists already", hint="remove the folder to run the demo again")
    if open_data is not None:
        for name in NEEDED_OPEN_DATA:
            if not (open_data / name).is_dir():
                raise ChartsightError(
                    "no-open-data", open_data / name, "is no folder", "the open data set of that name"
                )
    started = time.perf_counter()
    console.print("chartsight: research use only; not a medical device; not for clinical use.", style="italic")
    steps = open_data_steps(out, open_data) if open_data is not None else synthetic_steps(out)
    out.mkdir(parents=True)
    run_demo(steps, console, run_command)
    show_three_answers(out, console)
    report = (out / "report" / "report.html").resolve()
    verdict = json.loads((out / "report" / "report.json").read_text("utf-8"))["verdict"]["sentence"]
    console.print(f"\n[bold]{verdict}[/bold]")
    console.print(f"The report: {report}")
    console.print(f"The whole demo took {(time.perf_counter() - started) / 60:.1f} minutes.", style="dim")


if __name__ == "__main__":
    run_alone(demo)
