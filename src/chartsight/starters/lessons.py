"""What a starter learns from, as files: films, tower targets, captions and questions in the project's own formats.

FOLDER/films/*.png         drawn scenes only; a record brings its own films
FOLDER/films.parquet       their index
FOLDER/targets.parquet     for the tower
FOLDER/captions.parquet    "describe the film." and its caption
FOLDER/questions.parquet   instructions
FOLDER/everything.parquet  both
FOLDER/reading.parquet     films only: is it there, in few words
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from chartsight.hospital.lateral.findings import LATERAL_FINDINGS
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.progress import track
from chartsight.questions.answer_text import render_answer
from chartsight.questions.files import read_questions, write_questions
from chartsight.records.record import open_record
from chartsight.runs import new_output
from chartsight.schema import WHOLE_FILM, AnswerType, Question, Split
from chartsight.starters.instructions import SEXES, VIEWS, FilmFacts, Vocabulary, ask_film
from chartsight.starters.reading import read_film
from chartsight.starters.scenes import ask_scene, draw_scene, present_labels, scene_labels
from chartsight.training.tower import write_targets

DESCRIBE = ("describe the film.", "describe the picture.", "what do you see?", "report what is shown.")
DESCRIBE_FILM = (
    *DESCRIBE, "write the findings.", "dictate a report.", "report this radiograph.", "findings?",
    "describe this chest radiograph.", "what are the findings?", "tell me what this radiograph shows.",
    "please write a short report.",
)  # fmt: skip
# Findings that a lateral film of the hospital shows.
SEEN_FROM_THE_SIDE = frozenset(name for name, drawing in LATERAL_FINDINGS.items() if drawing is not None)


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
            captions.append(
                _lesson(split, "caption", image_id, index, index, describe, "text", json.dumps(scene.caption()))
            )
            for asked in ask_scene(scene, seed, index):
                question = _lesson(
                    split, asked.template_id, image_id, index, index, asked.question, asked.answer_type, asked.answer,
                    asked.allowed_answers,
                )  # fmt: skip
                questions.append(question)
        write_targets(partial / "targets.parquet", targets)
        _write(partial, films, captions, questions)
        write_film_index(partial / "films.parquet", films)


def write_film_lesson(record: Path, out: Path, *, seed: int, quiet: bool = False) -> None:
    """The medical starter's lesson: the films of a record with reports as captions, instructions and targets.

    A lateral film is asked what can be seen from the side, and never where: places are those of a frontal film.
    """
    rows, facts, reports = _read_films(record)
    vocabulary = Vocabulary.of(facts.values())
    targets: list[tuple[str, str, float]] = []
    captions: list[Question] = []
    questions: list[Question] = []
    readings: list[Question] = []
    nth_patient = {subject_id: nth for nth, subject_id in enumerate(sorted({row[2] for row in rows}))}
    for index, (image_id, study_id, subject_id) in enumerate(track(rows, "writing lessons", quiet=quiet)):
        targets += [(image_id, label, value) for label, value in _film_targets(facts[image_id], vocabulary)]
        split: Split = "valid" if nth_patient[subject_id] % 40 == 0 else "train"
        random = np.random.default_rng([seed, index])
        if caption := caption_of_report(reports.get(study_id, "")):
            describe = DESCRIBE_FILM[int(random.integers(len(DESCRIBE_FILM)))]
            captions.append(
                _lesson(split, "caption", image_id, study_id, subject_id, describe, "text", json.dumps(caption))
            )
        instructed = ask_film(facts[image_id], vocabulary, random)
        read = read_film(facts[image_id], vocabulary, random)
        for lesson, every in ((questions, instructed), (readings, read)):
            lesson += [
                _lesson(
                    split, asked.template_id, image_id, study_id, subject_id, asked.question, asked.answer_type,
                    asked.answer, asked.allowed_answers,
                )
                for asked in every
            ]  # fmt: skip
    with new_output(out) as partial:
        partial.mkdir(parents=True)
        write_targets(partial / "targets.parquet", targets)
        _write(partial, record, captions, questions)
        write_questions(partial / "reading.parquet", readings, {"film_index": str(record)})


def _read_films(record: Path) -> tuple[list[tuple[str, int, int]], dict[str, FilmFacts], dict[int, str]]:
    """Films in order (image, study, patient), what is known of each, and the reports by study."""
    with open_record(record) as opened:
        films = opened.connection.execute(
            "SELECT image_id, study_id, f.subject_id, view_position, is_frontal, gender FROM films f "
            "LEFT JOIN patients p ON p.subject_id = f.subject_id ORDER BY image_id"
        ).fetchall()
        labels = opened.connection.execute(
            "SELECT study_id, object, attribute FROM labels WHERE state = 'present' AND source = 'imagenome'"
        ).fetchall()
        reports = dict(opened.connection.execute("SELECT study_id, text FROM reports").fetchall())
    of_study: dict[int, set[tuple[str, str]]] = {}
    for study_id, place, attribute in labels:
        of_study.setdefault(study_id, set()).add((attribute, place))
    facts = {}
    for image_id, study_id, _, view, is_frontal, sex in films:
        found = of_study.get(study_id, set())
        if not is_frontal:
            found = {(attribute, WHOLE_FILM) for attribute, _ in found if attribute in SEEN_FROM_THE_SIDE}
        facts[image_id] = FilmFacts(
            frozenset(found), view if is_frontal else "LATERAL", sex, knows_places=bool(is_frontal)
        )  # fmt: skip
    return [film[:3] for film in films], facts, reports


def _film_targets(facts: FilmFacts, vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    """Label and value of everything that is known of a film; what is not known has no row."""
    for attribute in vocabulary.attributes:
        if facts.knows_places or attribute in SEEN_FROM_THE_SIDE:
            yield attribute, float(attribute in facts.present)
    if facts.knows_places:
        for pair in vocabulary.pairs:
            yield f"{pair[0]} @ {pair[1]}", float(pair in facts.found)
    for view in VIEWS:
        yield f"view {view}", float(facts.view == view)
    if facts.sex in SEXES:
        yield "sex F", float(facts.sex == "F")


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


def _lesson(
    split: Split, template: str, image_id: str, study_id: int, subject_id: int, question: str,
    answer_type: AnswerType, answer: str, allowed: tuple[str, ...] = (),
) -> Question:  # fmt: skip
    digest = hashlib.sha256(f"{image_id}|{template}|{question}|{answer}".encode()).hexdigest()[:16]
    return Question(
        question_id=digest, split=split, template_id=template, phrasing_id=template, kind="image/one",
        modality="image", scope="single", subject_id=subject_id, study_ids=(study_id,), image_ids=(image_id,),
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
