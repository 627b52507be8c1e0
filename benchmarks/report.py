"""How long the whole report takes from cached predictions: all audits, figures, gallery and tables.

    python benchmarks/report.py                                     4,200 items, 3 models: minutes on a busy machine
    python benchmarks/report.py --items 420                         sooner
    python benchmarks/report.py --write docs/performance.md         put between the markers of that page

Questions, films, labels and answers are made up, but whole: every item has an answer of every model under each of the
twelve conditions that applies to it, with right answers for other films, so that every audit has its figures. The
models see with a known chance what their film shows, and otherwise give the commonest answer. Making them is not
measured; the comparison runs in a process of its own. Ends with exit code 3 when it takes more than 60 s of processor
time or 2 GB.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from PIL import Image

from chartsight.comparison import ComparedModel, CompareRecipe, compare
from chartsight.errors import GateError
from chartsight.exits import run_alone
from chartsight.figures import Figure, Section, render_section, show_figures
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.questions.files import write_questions
from chartsight.questions.templates import TemplateSet, read_templates
from chartsight.questions.variants import write_variants
from chartsight.schema import CONDITIONS, Condition, FilmChange, FilmFacts, Question, Split, Variant, prediction_schema

SECTION = Section("report")
COMMAND = "python benchmarks/report.py --write docs/performance.md"
SEED = 7
ITEMS, ITEMS_A_PATIENT = 4_200, 10
MODELS: Mapping[str, tuple[str, float]] = {
    "baseline": ("baseline", 0.1),
    "tuned": ("tuned", 0.7),
    "twin": ("twin", 0.0),
}
FINDINGS = ("atelectasis", "consolidation", "lung opacity", "pleural effusion", "pneumothorax", "scoliosis")
PREVALENCE = (0.5, 0.2, 0.6, 0.4, 0.1, 0.15)
SIDES = ("left lung", "right lung")
OF_WORDS: tuple[Condition, ...] = ("full", "paraphrase", "negated", "scrambled")
LONGEST_S, MOST_GB = 60.0, 2.0
Variants = Mapping[Condition, Mapping[str, Variant]]


@dataclass(frozen=True)
class Shown:
    """What a film shows: findings, and on which side the effusion is."""

    findings: frozenset[str]
    side: str


@dataclass(frozen=True)
class Made:
    """A whole made-up comparison.

    Args:
        recipe: Of it.
        folder: Where its predictions lie.
        facts: Of the films.
    """

    recipe: CompareRecipe
    folder: Path
    facts: dict[str, FilmFacts]


def answer_of(question: Question, shown: Shown, *, is_negated: bool = False) -> str:
    """JSON of the right answer for a film."""
    slots = json.loads(question.parameters)
    if question.template_id == "verify-attribute":
        return json.dumps((slots["attribute"] in shown.findings) is not is_negated)
    if question.template_id == "verify-abnormality":
        return json.dumps(bool(shown.findings) is not is_negated)
    if question.template_id == "choose-side":
        return json.dumps(shown.side)
    return json.dumps(sorted(shown.findings))


def make_questions(folder: Path, items: int) -> tuple[list[Question], dict[str, Shown]]:
    """Questions on films that are drawn here: half of the patients in train, half in test."""
    generator = np.random.default_rng(SEED)
    templates = read_templates()
    patients = items // ITEMS_A_PATIENT
    questions, indexed, shown = [], [], {}
    (folder / "films").mkdir()
    for number in range(2 * patients):
        image_id, split = f"film-{number:05d}", ("test" if number < patients else "train")
        path = folder / "films" / f"{image_id}.jpg"
        view = ("PA", "AP")[number % 2]
        grey = generator.integers(40, 200, (20, 20), dtype=np.uint8)
        Image.fromarray(grey).resize((320, 320), Image.Resampling.BICUBIC).save(path, quality=80)
        indexed.append(IndexedFilm(image_id, 5000 + number, 1000 + number, view, path, 320, 320, f"{number:064x}"))
        present = frozenset(name for name, p in zip(FINDINGS, PREVALENCE, strict=True) if generator.random() < p)
        shown[image_id] = Shown(present, SIDES[int(generator.random() < 0.35)])
        questions += questions_about(image_id, number, split, shown[image_id], templates)  # type: ignore[arg-type]
    write_film_index(folder / "films.parquet", indexed)
    write_questions(folder / "questions.parquet", questions, {"film_index": str(folder / "films.parquet")})
    return questions, shown


def questions_about(image_id: str, number: int, split: Split, shown: Shown, templates: TemplateSet) -> list[Question]:
    """Ten questions about one film."""
    asks: list[tuple[str, dict[str, str]]] = [("verify-attribute", {"attribute": name}) for name in FINDINGS]
    asks += [("verify-abnormality", {}), ("query-findings", {})]
    asks += [("choose-side", {"attribute": FINDINGS[place], "side": SIDES[0], "side2": SIDES[1]}) for place in (0, 3)]
    questions = []
    for place, (template_id, slots) in enumerate(asks):
        template = templates.by_id[template_id]
        allowed = {"boolean": ("yes", "no"), "choice": SIDES, "set": FINDINGS}[template.answer_type]
        text = templates.render_phrasing(template, 1, slots)
        question = Question(
            question_id=f"q{number:05d}-{place}", split=split, template_id=template_id,
            phrasing_id=template.phrasing_id(1), kind="image/one", modality="image", scope="single",
            subject_id=1000 + number, study_ids=(5000 + number,), image_ids=(image_id,), question=text,
            visual_question=text, program="", parameters=json.dumps(slots), now=None, answer_type=template.answer_type,
            answer="null", allowed_answers=allowed, answerable=True, tied=False, label_source="made up",
            pairing="synthetic", terms="synthetic", source=templates.source,
        )  # fmt: skip
        questions.append(replace(question, answer=answer_of(question, shown)))
    return questions


def make_variants(
    asked: Sequence[Question], shown: Mapping[str, Shown], templates: TemplateSet
) -> dict[Condition, dict[str, Variant]]:
    """What every question becomes under every condition that applies to it."""
    films = list(dict.fromkeys(question.image_ids[0] for question in asked))
    place = {film: number for number, film in enumerate(films)}
    variants: dict[Condition, dict[str, Variant]] = {condition: {} for condition in CONDITIONS}
    for number, question in enumerate(asked):
        own = question.image_ids[0]
        donor = films[(place[own] + 2 + 2 * (number % 97)) % len(films)]
        plain = Variant(
            question.question_id, "full", question.asked, question.image_ids, (), None, question.answer_type,
            question.allowed_answers, question.answer, (), False,
        )  # fmt: skip
        boxes = ((40.0, 60.0, 120.0, 150.0),)
        mirrored = Shown(shown[own].findings, SIDES[1 - SIDES.index(shown[own].side)])
        of: dict[Condition, Variant | None] = {
            "full": plain,
            "scrambled": plain,
            "blank": replace(plain, change=FilmChange("blank")),
            "noise": replace(plain, change=FilmChange("noise", SEED)),
            "question_only": replace(plain, image_ids=()),
            "shuffled": replace(plain, image_ids=(donor,), donor_image_ids=(donor,)),
            "swap": replace(
                plain, image_ids=(donor,), donor_image_ids=(donor,), gold=answer_of(question, shown[donor]),
                stratum=("view=PA",), is_matched=number % 3 > 0,
            ),
            "paraphrase": replace(plain, asked=f"Look closely. {question.asked}"),
            "mirrored": replace(plain, change=FilmChange("mirror"), gold=answer_of(question, mirrored)),
            "negated": replace(
                plain, asked=f"Is it false? {question.asked}", gold=answer_of(question, shown[own], is_negated=True)
            ) if question.answer_type == "boolean" else None,
            "occluded": replace(plain, change=FilmChange("occlude", 0, boxes)) if number % 4 == 0 else None,
            "occluded_elsewhere": replace(plain, change=FilmChange("occlude", 0, boxes)) if number % 4 == 0 else None,
        }  # fmt: skip
        for condition, variant in of.items():
            if variant is not None:
                variants[condition][question.question_id] = replace(variant, condition=condition)
    return variants


def make_predictions(folder: Path, asked: Sequence[Question], variants: Variants, shown: Mapping[str, Shown]) -> None:
    """`MODEL.CONDITION.parquet` of every model under every condition that makes sense for it."""
    commonest = {"boolean": "true", "choice": json.dumps(SIDES[0]), "set": json.dumps(["lung opacity"])}
    names = prediction_schema().names
    for number, (model, (role, sight)) in enumerate(MODELS.items()):
        for condition in OF_WORDS if role == "twin" else CONDITIONS:
            generator = np.random.default_rng([SEED, number, CONDITIONS.index(condition)])
            rows: list[dict[str, Any]] = []
            for question in asked:
                variant = variants[condition].get(question.question_id)
                if variant is None:
                    continue
                changes_nothing = variant.change is None or variant.change.shows_film
                sees = bool(variant.image_ids) and changes_nothing and generator.random() < sight
                right = variant.gold or question.answer
                if condition == "shuffled":
                    right = answer_of(question, shown[variant.image_ids[0]])
                value = json.loads(right if sees else commonest[question.answer_type])
                is_yes = value is True
                chance = float(np.clip(generator.normal(0.75 if is_yes else 0.25, 0.12), 0.02, 0.98))
                text = ("yes" if value else "no") if isinstance(value, bool) else value
                rows.append(
                    dict.fromkeys(names)
                    | {
                        "question_id": question.question_id, "model_fingerprint": f"made-up-{model}",
                        "condition": condition, "donor_image_ids": list(variant.donor_image_ids),
                        "raw_text": ", ".join(text) or "none" if isinstance(text, list) else text,
                        "value": json.dumps(value),
                        "outcome": "answered",
                        "scores": json.dumps({"yes": chance, "no": 1 - chance} if isinstance(value, bool) else {}),
                    }
                )  # fmt: skip
            pq.write_table(pa.Table.from_pylist(rows, prediction_schema()), folder / f"{model}.{condition}.parquet")


def make_comparison(folder: Path, items: int) -> Made:
    """Everything that a comparison finds when its predictions are there already."""
    questions, shown = make_questions(folder, items)
    asked = [question for question in questions if question.split == "test"]
    variants = make_variants(asked, shown, read_templates())
    predictions = folder / "predictions"
    predictions.mkdir()
    write_variants(predictions / "variants.parquet", variants, seed=SEED)
    make_predictions(predictions, asked, variants, shown)
    generator = np.random.default_rng(SEED)
    facts = {}
    for question in asked:
        number = int(question.question_id[1:6])
        view = ("PA", "AP")[number % 2]
        facts[question.question_id] = FilmFacts(
            sex=("female", "male")[number % 3 > 0], age_band=f"{20 + 10 * (number % 7)}-{29 + 10 * (number % 7)}",
            view=view, devices=("picc",) if number % 5 == 0 else (),
            mention=("mentioned", "negated", "unmentioned")[int(generator.integers(3))],
            lesion_px=float(generator.uniform(2, 60)), boxes=((40.0, 60.0, 120.0, 150.0),), confounders={"view": view},
        )  # fmt: skip
    models = tuple(
        ComparedModel.model_validate({"name": name, "path": f"made-up-{name}", "role": role})
        for name, (role, _) in MODELS.items()
    )
    recipe = CompareRecipe(questions=folder / "questions.parquet", models=models, title="Made-up answers")
    return Made(recipe, predictions, facts)


def run_report(made: Made, out: Path) -> dict[str, float]:
    """The comparison in this process; its seconds, peak memory and the size of its page."""

    def predict(model: object, questions: Path, folder: Path, conditions: Sequence[Condition], **options: Any) -> Any:
        paths = {each: made.folder / f"{options['name']}.{each}.parquet" for each in conditions}
        (folder / "variants.parquet").write_bytes((made.folder / "variants.parquet").read_bytes())
        return {condition: path for condition, path in paths.items() if path.is_file()}

    before, started = time.process_time(), time.perf_counter()
    result = compare(made.recipe, out, predict=predict, facts=made.facts, quiet=True)
    return {
        "cpu": time.process_time() - before,
        "wall": time.perf_counter() - started,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "page_mb": result.report.stat().st_size / 1e6,
        "items": float(result.analysis.n),
    }


def measure(made: Made, out: Path) -> dict[str, float]:
    """The same in a process of its own, so that memory is the comparison's alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run_report, (made, out))


def figures_of(found: Mapping[str, float]) -> list[Figure]:
    items = f"{found['items']:,.0f} items, {len(MODELS)} models, all audits, 10,000 draws"
    return [
        Figure("report from cached predictions, processor time", found["cpu"], "s", items),
        Figure("the same by the clock", found["wall"], "s", "beside whatever else the machine did"),
        Figure("memory at its peak", found["gb"], "GB", "of the comparing process"),
        Figure("size of the page", found["page_mb"], "MB", "films, figures and all items inside"),
    ]


def check(found: Mapping[str, float]) -> None:
    """Raises a GateError when the report is slower or larger than promised."""
    if found["cpu"] > LONGEST_S:
        raise GateError("too-slow", "the report", f"{found['cpu']:.0f} s", f"at most {LONGEST_S:.0f} s")
    if found["gb"] > MOST_GB:
        raise GateError("too-large", "the report", f"{found['gb']:.1f} GB", f"at most {MOST_GB:.0f} GB")


def main(
    items: Annotated[int, typer.Option(min=100, help="Questions, ten a patient.")] = ITEMS,
    keep: Annotated[Path | None, typer.Option(help="Keep the page there: a new folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="Put the section into this page.")] = None,
) -> None:
    """Measure the report of made-up predictions."""
    if write is not None:
        SECTION.split(write)  # a page without markers is told before the work
    with TemporaryDirectory() as folder:
        made = make_comparison(Path(folder), items)
        found = measure(made, keep or Path(folder) / "out")
    figures = figures_of(found)
    if write is not None:
        SECTION.write(write, render_section(COMMAND, figures))
    show_figures(figures, as_json=as_json)
    check(found)


if __name__ == "__main__":
    run_alone(main)
