"""A made-up question set about drawn films, and stand-in models whose habits are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from chartsight.comparison.predictions import Predict
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.questions.files import read_questions, write_questions
from chartsight.questions.variants import build_variants, read_known_films, read_variants, write_variants
from chartsight.schema import Condition, Pairing, Question, Split, Variant, prediction_schema

SIDES = ("left lung", "right lung")
FINDINGS = ("atelectasis", "lung opacity", "pleural effusion", "pneumothorax")

Habit = Callable[[Question, Condition, np.random.Generator], str]


def draw_film(path: Path, generator: np.random.Generator) -> None:
    """Two dark lungs on grey, a bright spot in one."""
    image = Image.new("L", (240, 280), 150)
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 50, 110, 230), fill=50)
    draw.ellipse((130, 50, 210, 230), fill=50)
    x, y = generator.integers(40, 190), generator.integers(70, 200)
    draw.ellipse((x, y, x + 24, y + 24), fill=190)
    noise = generator.normal(0, 6, (280, 240))
    Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)).save(path)


def make_questions(folder: Path, *, patients: int = 60, pairing: Pairing = "synthetic", films: bool = True) -> Path:
    """questions.parquet with its film index: `patients` in test and as many in train, six questions each."""
    generator = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    questions, indexed = [], []
    for number in range(2 * patients):
        split: Split = "test" if number < patients else "train"
        image_id = f"film-{number:03d}"
        path = folder / "films" / f"{image_id}.png"
        path.parent.mkdir(exist_ok=True)
        if films:
            draw_film(path, generator)
        indexed.append(IndexedFilm(image_id, 5000 + number, 1000 + number, "PA", path, 280, 240, f"{number:064x}"))
        for slot in range(6):
            kind = ("boolean", "boolean", "boolean", "choice", "set", "set")[slot]
            if kind == "boolean":
                answer, allowed = json.dumps(bool(generator.random() < 0.6)), ("yes", "no")
                template, text = "verify-attribute", f"Is there {FINDINGS[slot]}?"
            elif kind == "choice":
                answer, allowed = json.dumps(SIDES[int(generator.integers(2))]), SIDES
                template, text = "choose-side", "Which lung is affected?"
            else:
                names = sorted(name for name in FINDINGS if generator.random() < 0.4)
                answer, allowed = json.dumps(names), FINDINGS
                template, text = f"query-findings-{slot - 4}", "List the findings & signs <in view>."
            questions.append(
                Question(
                    question_id=f"q{number:03d}-{slot}", split=split, template_id=template, phrasing_id="1",
                    kind="image/one", modality="image", scope="single", subject_id=1000 + number,
                    study_ids=(5000 + number,), image_ids=(image_id,), question=text, visual_question=text, program="",
                    parameters="{}", now=None, answer_type=kind, answer=answer, allowed_answers=allowed,
                    answerable=True, tied=False, label_source="made up", pairing=pairing, terms="synthetic",
                    source="made up",
                )
            )  # fmt: skip
    write_film_index(folder / "films.parquet", indexed)
    write_questions(folder / "questions.parquet", questions, {"film_index": str(folder / "films.parquet")})
    return folder / "questions.parquet"


def say(answer: str) -> str:
    """A gold answer (JSON) as a model would write it."""
    value = json.loads(answer)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def sees(question: Question, condition: Condition, generator: np.random.Generator) -> str:
    """Right four times of five with its film, no better than any answer of the type with another."""
    if condition == "full" and generator.random() < 0.8:
        return say(question.answer)
    return guesses(question, condition, generator)


def guesses(question: Question, condition: Condition, generator: np.random.Generator) -> str:
    """Any answer of the type."""
    if question.answer_type == "boolean":
        return ("yes", "no")[int(generator.integers(2))]
    return str(generator.choice(question.allowed_answers))


def always_the_same(question: Question, condition: Condition, generator: np.random.Generator) -> str:
    """One answer a type, whatever the film."""
    return {"boolean": "yes", "choice": SIDES[0], "set": "none"}[question.answer_type]


def declines(question: Question, condition: Condition, generator: np.random.Generator) -> str:
    """Never an answer."""
    return "I cannot determine" if question.answer_type != "boolean" else "the film is fine"


def stand_in(habits: dict[str, Habit], asked: list[tuple[str, str]] | None = None) -> Predict:
    """A predictor whose models have the habits of their names; notes each call in `asked`."""

    def predict(
        model: str | Path, questions: Path, folder: Path, conditions: Sequence[Condition], *, name: str = "",
        split: Split = "test", seed: int = 0, limit: int | None = None, sets: str = "generate",
        scoring: str = "free", shots: int = 0, quiet: bool = False,
    ) -> dict[Condition, Path]:  # fmt: skip
        chosen = [question for question in read_questions(questions) if question.split == split][:limit]
        variants = build_variants(
            [each for each in chosen if each.looks_at_one_film], conditions, read_known_films(questions), seed
        )
        if "paraphrase" in conditions and not variants["paraphrase"]:  # these templates have one wording: take it again
            variants["paraphrase"] = {
                each.question_id: Variant(each.question_id, "paraphrase", f"Tell me: {each.asked}", each.image_ids, (),
                                          None, each.answer_type, each.allowed_answers, each.answer)
                for each in chosen if each.looks_at_one_film
            }  # fmt: skip
        path = folder / "variants.parquet"
        kept = read_variants(path) if path.is_file() else {}
        write_variants(path, {**kept, **variants}, seed=seed, replace=True)
        outs = {each: folder / f"{name}.{each}.parquet" for each in conditions if variants[each]}
        for condition, out in outs.items():
            if out.exists() and pq.read_table(out)["model_fingerprint"][0].as_py() == f"made-up-{model}":
                continue
            if asked is not None:
                asked.append((str(model), condition))
            generator = np.random.default_rng([seed, len(str(model)), len(condition)])
            rows = [
                {
                    "question_id": question.question_id, "model_fingerprint": f"made-up-{model}",
                    "condition": condition, "raw_text": habits[str(model)](question, condition, generator),
                    "value": "null", "outcome": "answered",
                }
                for question in chosen if question.question_id in variants[condition]
            ]  # fmt: skip
            names = prediction_schema().names
            table = [{name: row.get(name) for name in names} for row in rows]
            pq.write_table(pa.Table.from_pylist(table, prediction_schema()), out)
        return outs

    return predict
