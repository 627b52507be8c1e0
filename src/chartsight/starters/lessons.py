"""What a starter learns from, as files: films, tower targets, captions and questions in the project's own formats.

FOLDER/films/*.png         drawn scenes only; a record brings its own films
FOLDER/films.parquet       their index
FOLDER/targets.parquet     for the tower
FOLDER/captions.parquet    "describe the film." and its caption
FOLDER/questions.parquet   instructions
FOLDER/everything.parquet  both
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.progress import track
from chartsight.questions.answer_text import render_answer
from chartsight.questions.files import read_questions, write_questions
from chartsight.records.record import open_record
from chartsight.runs import new_output
from chartsight.schema import ABNORMALITY_CATEGORIES, WHOLE_FILM, AnswerType, Question, Split
from chartsight.starters.scenes import ask_scene, draw_scene, present_labels, scene_labels
from chartsight.training.tower import write_targets

DESCRIBE = ("describe the film.", "describe the picture.", "what do you see?", "report what is shown.")


def write_scene_lesson(out: Path, *, scenes: int, seed: int, quiet: bool = False) -> None:
    """The general starter's lesson: drawn scenes with captions, questions and targets, in a new folder."""
    labels = scene_labels()
    films, targets, captions, questions = [], [], [], []
    with new_output(out) as partial:
        (partial / "films").mkdir(parents=True)
        for index in track(range(scenes), "drawing scenes", quiet=quiet):
            scene = draw_scene(seed, index)
            image_id = f"scene-{index:06d}"
            path = partial / "films" / f"{image_id}.png"
            Image.fromarray(scene.pixels).save(path)
            digest = hashlib.sha256(scene.pixels.tobytes()).hexdigest()
            side = scene.pixels.shape[0]
            stands = out.absolute() / "films" / path.name
            films.append(IndexedFilm(image_id, index, index, None, stands, side, side, digest))
            present = present_labels(scene.drawn)
            targets += [(image_id, label, float(label in present)) for label in labels]
            split: Split = "valid" if index % 40 == 0 else "train"
            describe = DESCRIBE[index % len(DESCRIBE)]
            captions.append(_lesson(split, "caption", image_id, index, describe, "text", json.dumps(scene.caption())))
            for asked in ask_scene(scene, seed, index):
                question = _lesson(
                    split, asked.template_id, image_id, index, asked.question, asked.answer_type, asked.answer,
                    asked.allowed_answers,
                )  # fmt: skip
                questions.append(question)
        write_targets(partial / "targets.parquet", targets)
        _write(partial, films, captions, questions)
        write_film_index(partial / "films.parquet", films)


def write_film_lesson(record: Path, out: Path, *, seed: int, quiet: bool = False) -> None:
    """The medical starter's lesson: the films of a record with reports as captions, instructions and targets.

    The wording is not that of `questions build`: a medical model has met findings before, not this examination.
    """
    with open_record(record) as opened:
        rows = opened.connection.execute(
            "SELECT image_id, study_id, subject_id FROM films WHERE is_frontal ORDER BY image_id"
        ).fetchall()
        mentioned: dict[str, set[tuple[str, str]]] = {image_id: set() for image_id, _, _ in rows}
        for image_id, place, attribute in opened.connection.execute(
            "SELECT image_id, object, attribute FROM labels WHERE state = 'present' AND source = 'imagenome'"
        ).fetchall():
            if image_id in mentioned:
                mentioned[image_id].add((attribute, place))
        categories = dict(opened.connection.execute("SELECT DISTINCT attribute, category FROM labels").fetchall())
        reports = dict(opened.connection.execute("SELECT study_id, text FROM reports").fetchall())
    abnormal = {attribute for attribute, category in categories.items() if category in ABNORMALITY_CATEGORIES}
    pairs = sorted({pair for found in mentioned.values() for pair in found})
    attributes = sorted({attribute for attribute, _ in pairs})
    targets: list[tuple[str, str, float]] = []
    captions, questions = [], []
    nth_patient = {subject_id: nth for nth, subject_id in enumerate(sorted({row[2] for row in rows}))}
    for index, (image_id, study_id, subject_id) in enumerate(track(rows, "writing lessons", quiet=quiet)):
        found = mentioned[image_id]
        present = {attribute for attribute, _ in found}
        targets += [(image_id, attribute, float(attribute in present)) for attribute in attributes]
        targets += [(image_id, f"{pair[0]} @ {pair[1]}", float(pair in found)) for pair in pairs]
        split: Split = "valid" if nth_patient[subject_id] % 40 == 0 else "train"
        if caption := caption_of_report(reports.get(study_id, "")):
            describe = DESCRIBE[index % len(DESCRIBE)]
            captions.append(_lesson(split, "caption", image_id, subject_id, describe, "text", json.dumps(caption)))
        random = np.random.default_rng([seed, index])
        for template, question, answer_type, answer, allowed in _instructions(found, pairs, abnormal, random):
            questions.append(_lesson(split, template, image_id, subject_id, question, answer_type, answer, allowed))
    with new_output(out) as partial:
        partial.mkdir(parents=True)
        write_targets(partial / "targets.parquet", targets)
        _write(partial, record, captions, questions)


def caption_of_report(report: str) -> str:
    """The report's FINDINGS (else IMPRESSION) in one line, at most 60 words; empty when it has neither."""
    for section in ("FINDINGS:", "IMPRESSION:"):
        _, found, after = report.partition(section)
        body = after.split("IMPRESSION:")[0] if section == "FINDINGS:" else after
        if found and body.strip():
            return " ".join(body.split()[:60]).lower()
    return ""


def corpus(lesson: Path) -> Iterator[str]:
    """Every question and answer of a lesson, for the tokenizer."""
    for question in read_questions(lesson / "everything.parquet"):
        yield question.question
        yield " " + render_answer(question.answer, question.answer_type)


def _instructions(
    found: set[tuple[str, str]], pairs: list[tuple[str, str]], abnormal: set[str], random: np.random.Generator
) -> Iterator[tuple[str, str, AnswerType, str, tuple[str, ...]]]:
    """About ten instructions of one film, yes and no in equal parts."""

    def pick(options: Iterable[str]) -> str:
        ordered = sorted(options)
        return ordered[random.integers(len(ordered))]

    attributes = sorted({attribute for attribute, _ in pairs})
    present = {attribute for attribute, _ in found}
    for options, answer in ((present, True), (set(attributes) - present, False)) * 2:
        if options:
            wording = pick(("does this radiograph show {}?", "can {} be seen?", "evidence of {}?"))
            yield "med-finding", wording.format(pick(options)), "boolean", json.dumps(answer), ()
    missing = [pair for pair in pairs if pair not in found]
    for chosen, answer in ((sorted(found), True), (missing, False)) * 2:
        if chosen:
            attribute, place = chosen[random.integers(len(chosen))]
            if place == WHOLE_FILM:
                continue
            wording = pick(("does the {1} show {0}?", "can {0} be seen in the {1}?", "evidence of {0} in the {1}?"))
            yield "med-finding-place", wording.format(attribute, place), "boolean", json.dumps(answer), ()
    wording = pick(("which abnormalities are visible?", "name the abnormalities."))
    yield "med-list", wording, "set", json.dumps(sorted(present & abnormal)), tuple(sorted(abnormal))
    if present:
        attribute = pick(present)
        places = sorted({place for name, place in found if name == attribute and place != WHOLE_FILM})
        if places:
            every = tuple(sorted({place for name, place in pairs if name == attribute and place != WHOLE_FILM}))
            yield "med-where", f"where is the {attribute}?", "set", json.dumps(places), every
    yield "med-normal", "is this film abnormal?", "boolean", json.dumps(bool(present & abnormal)), ()


def _lesson(
    split: Split, template: str, image_id: str, subject_id: int, question: str, answer_type: AnswerType, answer: str,
    allowed: tuple[str, ...] = (),
) -> Question:  # fmt: skip
    digest = hashlib.sha256(f"{image_id}|{template}|{question}|{answer}".encode()).hexdigest()[:16]
    return Question(
        question_id=digest, split=split, template_id=template, phrasing_id=template, kind="image/one",
        modality="image", scope="single", subject_id=subject_id, study_ids=(subject_id,), image_ids=(image_id,),
        question=question, visual_question=question, program="", parameters="{}", now=None, answer_type=answer_type,
        answer=answer, allowed_answers=allowed, answerable=True, tied=False, label_source="drawn",
        pairing="synthetic", terms="synthetic", source="starter lesson",
    )  # fmt: skip


def _write(folder: Path, films: object, captions: list[Question], questions: list[Question]) -> None:
    index = films if isinstance(films, Path) else folder / "films.parquet"
    everything = [*captions, *questions]
    sets = (("captions.parquet", captions), ("questions.parquet", questions), ("everything.parquet", everything))
    for name, asked in sets:
        distinct = {question.question_id: question for question in asked}
        write_questions(folder / name, list(distinct.values()), {"film_index": str(index)})
