"""Does what the demo's model has learned hold elsewhere? On fresh patients of its own hospital, and of another.

    make demo
    python benchmarks/another_hospital.py demo runs/another-hospital --write docs/another-hospital.md

Three hospitals of each recipe are drawn with seeds that no training has used, asked about, and answered by the four
models of the demo's comparison. The page says how far the fine-tuned model is above its text-only twin, above the
medical baseline and above the prior, with intervals over patients, and what the move to another hospital costs. A
killed run goes on. About half an hour on two cores.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
import typer
from rich.console import Console

from chartsight.comparison.predictions import Answers, prediction_path, score_answers
from chartsight.errors import ChartsightError
from chartsight.evaluation import ClusterBootstrap, Interval, patients_of
from chartsight.exits import run_alone
from chartsight.figures import Section
from chartsight.hospital import build_hospital
from chartsight.hospital.recipe import read_hospital_recipe
from chartsight.prediction import predict_questions
from chartsight.questions import QuestionConfig, build_questions, read_questions
from chartsight.records import RecordSources, build_record
from chartsight.runs import machine, package_versions
from chartsight.schema import Condition, Question

SEEDS = (910_001, 910_002, 910_003)
PATIENTS, LIMIT = 150, 1500
HOSPITALS = {"same hospital": "harbour-default", "another hospital": "hillside-reversed"}  # shown as → recipe
MODELS = {
    "baseline": "starter", "medical": "starter-med", "tuned": "{demo}/tuned", "twin": "{demo}/twin",
    "tuned, writing": "{demo}/tuned", "twin, writing": "{demo}/twin",
}  # fmt: skip
# Lists are decided name by name, as the demo's comparison does it; these two write them.
WRITING = ("tuned, writing", "twin, writing")
CONDITIONS: dict[str, tuple[Condition, ...]] = {"tuned": ("full", "shuffled")}
RECIPES = Path(__file__).parents[1] / "recipes" / "hospitals"
SECTION = Section("another-hospital")
POINTS = 20.0  # above the twin, that the fine-tuned model has to show


@dataclass(frozen=True)
class Shift:
    """What was found in one kind of hospital, over its seeds.

    Args:
        hospital: As shown.
        questions, patients: Behind the figures.
        verify: Model → balanced accuracy of yes/no questions.
        query: Model → exact lists.
        query_f1: Model → mean F1 of a list with the right one.
        accuracy: Model → all answers.
        prior: Accuracy of each template's commonest training answer.
        over_twin: "verify", "query" or "query_f1" → fine-tuned minus twin; of lists, the twin's better way.
        over_medical: All answers, fine-tuned minus medical baseline.
        twin_over_prior: All answers.
        over_shuffled: All answers, the right film minus another patient's.
    """

    hospital: str
    questions: int
    patients: int
    verify: dict[str, Interval]
    query: dict[str, Interval]
    query_f1: dict[str, Interval]
    accuracy: dict[str, Interval]
    prior: Interval
    over_twin: dict[str, Interval]
    over_medical: Interval
    twin_over_prior: Interval
    over_shuffled: Interval


def draw_questions(work: Path, recipe: str, seed: int, *, quiet: bool) -> Path:
    """The questions about a hospital that is drawn in `work`; all of its patients are test patients."""
    config = replace(read_hospital_recipe(RECIPES / f"{recipe}.yaml"), patients=PATIENTS, seed=seed)
    hospital, record, questions = work / "hospital", work / "record.duckdb", work / "questions.parquet"
    work.mkdir(parents=True, exist_ok=True)
    if not hospital.exists():
        build_hospital(hospital, config, quiet=quiet)
    if not record.exists():
        sources = RecordSources(
            mimiciv=hospital / "mimic-iv", mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
            mimic_cxr_reports=hospital / "mimic-cxr-reports", chest_imagenome=hospital / "chest-imagenome",
        )  # fmt: skip
        build_record(record, sources, quiet=quiet)
    if not questions.exists():
        build_questions(record, questions, QuestionConfig(seed=seed, valid_share=0.0, test_share=0.9), quiet=quiet)
    return questions


def answer(work: Path, questions: Path, demo: Path, *, quiet: bool) -> dict[tuple[str, Condition], Path]:
    """Predictions of every model."""
    written = {}
    for name, place in MODELS.items():
        for condition in CONDITIONS.get(name, ("full",)):
            out = prediction_path(work, name.replace(", ", "-"), condition)
            predict_questions(
                place.format(demo=demo), questions, out, condition=condition, split="test", limit=LIMIT,
                sets="generate" if name in WRITING else "itemwise", quiet=quiet,
            )  # fmt: skip
            written[name, condition] = out
    return written


def measure(hospital: str, asked: Sequence[Question], answers: dict[tuple[str, Condition], Answers],
            prior: dict[str, str]) -> Shift:  # fmt: skip
    """The figures of one kind of hospital.

    Args:
        hospital: As shown.
        asked: The questions of all seeds [N]; patients of different seeds have different numbers.
        answers: In the order of `asked`.
        prior: Template → commonest answer of the questions that the model was fine-tuned on.
    """
    bootstrap = ClusterBootstrap(patients_of(asked), 10_000, seed=7)
    is_boolean = np.array([question.answer_type == "boolean" for question in asked])
    is_set = np.array([question.answer_type == "set" for question in asked])
    is_yes = np.array([question.answer == "true" for question in asked])
    right = {name: found.is_correct for (name, condition), found in answers.items() if condition == "full"}
    f1 = {name: found.f1 for (name, condition), found in answers.items() if condition == "full"}
    twins = [name for name in right if name.startswith("twin")]
    best = max(twins, key=lambda name: float(right[name][is_set].mean()))
    best_f1 = max(twins, key=lambda name: float(f1[name][is_set].mean()))
    prior_right = np.array([prior.get(question.template_id) == question.answer for question in asked])
    return Shift(
        hospital=hospital,
        questions=len(asked),
        patients=bootstrap.n_clusters,
        verify={name: bootstrap.balanced_accuracy(is_yes, each, is_boolean) for name, each in right.items()},
        query={name: bootstrap.proportion(each, is_set) for name, each in right.items()},
        query_f1={name: bootstrap.mean(each, is_set) for name, each in f1.items()},
        accuracy={name: bootstrap.proportion(each) for name, each in right.items()},
        prior=bootstrap.proportion(prior_right),
        over_twin={
            "verify": bootstrap.balanced_difference(is_yes, right["tuned"], right["twin"], is_boolean),
            "query": bootstrap.difference(right["tuned"], right[best], is_set),
            "query_f1": bootstrap.difference(f1["tuned"], f1[best_f1], is_set),
        },
        over_medical=bootstrap.difference(right["tuned"], right["medical"]),
        twin_over_prior=bootstrap.difference(right["twin"], prior_right),
        over_shuffled=bootstrap.difference(right["tuned"], answers["tuned", "shuffled"].is_correct),
    )


def learned_prior(questions: Path) -> dict[str, str]:
    """Template → commonest answer in the train split; of equals the first in the alphabet."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in read_questions(questions):
        if question.split == "train":
            counts[question.template_id][question.answer] += 1
    return {name: min(each, key=lambda answer: (-each[answer], answer)) for name, each in counts.items()}


def measure_hospitals(demo: Path, work: Path, seeds: Sequence[int], *, quiet: bool) -> list[Shift]:
    """Every kind of hospital, over the seeds."""
    prior = learned_prior(demo / "questions.parquet")
    shifts = []
    for shown, recipe in HOSPITALS.items():
        asked: list[Question] = []
        rows: dict[tuple[str, Condition], dict[str, dict[str, object]]] = defaultdict(dict)
        for number, seed in enumerate(seeds):
            folder = work / f"{recipe}-{seed}"
            questions = draw_questions(folder, recipe, seed, quiet=quiet)
            written = answer(folder, questions, demo, quiet=quiet)
            tables = {key: {row["question_id"]: row for row in pq.read_table(path).to_pylist()}
                      for key, path in written.items()}  # fmt: skip
            answered = set.intersection(*(set(each) for each in tables.values()))
            for question in read_questions(questions):
                if question.question_id in answered:
                    name = f"{seed}-{question.question_id}"
                    subject = None if question.subject_id is None else question.subject_id + 10**9 * (number + 1)
                    asked.append(replace(question, question_id=name, subject_id=subject))
                    for key, table in tables.items():
                        rows[key][name] = table[question.question_id]
        answers = {key: score_answers(asked, each) for key, each in rows.items()}
        shifts.append(measure(shown, asked, answers, prior))
    return shifts


def page(shifts: Sequence[Shift], command: str) -> str:
    """The figures as Markdown."""

    def shown(interval: Interval, *, sign: bool = False) -> str:
        form = "{:+.1f} [{:+.1f}, {:+.1f}]" if sign else "{:.1f} [{:.1f}, {:.1f}]"
        return form.format(*(100 * value for value in (interval.estimate, interval.low, interval.high)))

    versions = ", ".join(f"{name} {version}" for name, version in package_versions().items()
                         if name in ("torch", "transformers"))  # fmt: skip
    here = machine()
    on = f"{datetime.now(UTC):%Y-%m-%d}, {here['processor']}, {here['cores']} cores; {versions}"
    lines = [
        f"`{command}` on {on}. Points of a hundred; intervals over patients. Three hospitals of {PATIENTS} patients "
        f"each, at most {LIMIT:,} questions a hospital.",
        "",
        "| | " + " | ".join(shift.hospital for shift in shifts) + " |",
        "|---|" + "---:|" * len(shifts),
        "| questions (patients) | " + " | ".join(f"{s.questions:,} ({s.patients})" for s in shifts) + " |",
    ]
    for words, field in (
        ("yes/no, balanced", "verify"), ("lists, exact", "query"), ("lists, F1", "query_f1"),
        ("all answers", "accuracy"),
    ):  # fmt: skip
        for name in MODELS:
            if name in WRITING and field not in ("query", "query_f1"):
                continue
            found = " | ".join(shown(getattr(shift, field)[name]) for shift in shifts)
            lines.append(f"| {words}: {name} | {found} |")
    for words, cells in (
        ("all answers: prior", [shown(s.prior) for s in shifts]),
        ("**fine-tuned over twin, yes/no balanced**", [shown(s.over_twin["verify"], sign=True) for s in shifts]),
        ("**fine-tuned over twin, lists exact**", [shown(s.over_twin["query"], sign=True) for s in shifts]),
        ("**fine-tuned over twin, lists F1**", [shown(s.over_twin["query_f1"], sign=True) for s in shifts]),
        ("**fine-tuned over medical baseline, all**", [shown(s.over_medical, sign=True) for s in shifts]),
        ("**twin over prior, all**", [shown(s.twin_over_prior, sign=True) for s in shifts]),
        ("right film over another patient's, all", [shown(s.over_shuffled, sign=True) for s in shifts]),
    ):
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(
    demo: Annotated[Path, typer.Argument(help="What `make demo` left behind.")],
    work: Annotated[Path, typer.Argument(help="Folder for the hospitals and answers; a killed run goes on in it.")],
    write: Annotated[Path | None, typer.Option(help="Put the table between the markers of this page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
) -> None:
    """Measure the demo's models on fresh patients of their own hospital and of another."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    for needed in ("questions.parquet", "tuned", "twin"):
        if not (demo / needed).exists():
            raise ChartsightError("no-demo", demo / needed, "is not there", "the output of `make demo`")
    shifts = measure_hospitals(demo, work, SEEDS, quiet=quiet)
    text = page(shifts, f"python benchmarks/another_hospital.py {demo} {work}")
    if as_json:
        typer.echo(json.dumps([asdict(shift) for shift in shifts]))
    else:
        Console(soft_wrap=True, highlight=False).print(text, markup=False)
    if write is not None:
        SECTION.write(write, text)


if __name__ == "__main__":
    run_alone(main)
