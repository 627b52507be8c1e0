"""Anyone's images, questions and answers as a question set. One JSON object a line:

    {"image": "a.png", "question": "Is there a fracture?", "answer": "yes", "patient_id": "17"}
    {"images": ["a.png", "b.png"], "question": "What is new?", "answer": ["nodule"], "split": "test"}

Any modality is taken, without specialised support: an image, a question, an answer. A row that cannot be used is left
out with its line number and reason; the others are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from chartsight.errors import FilmError, OutputError, QuestionError
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.imaging.pixels import FilmHeader, probe_film
from chartsight.progress import track
from chartsight.questions.data_card import build_data_card
from chartsight.questions.files import write_questions
from chartsight.questions.splits import assign_splits, check_splits
from chartsight.runs import Run, check_apart, remove, removed_on_failure
from chartsight.schema import ANSWER_TYPES, SPLITS, TERMS, AnswerType, Question, Split, Terms

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validate": "valid",
    "validation": "valid", "dev": "valid", "test": "test", "testing": "test",
}  # fmt: skip
BOOLEANS = {"yes": True, "true": True, "no": False, "false": False}
IMAGE_PLACEHOLDER = "<image>"  # LLaVA's files carry it; the prompt places the image itself
SHORTEST_IDENTIFIER = 4  # characters; a patient called "1" may well stand in a question


@dataclass(frozen=True)
class ImportedRow:
    """One usable line.

    Args:
        line: Its number in the file, from 1.
        images: Files, in reading order.
        split: As the file says, None when it does not.
        patient: As the file says, None when it does not.
    """

    line: int
    images: tuple[Path, ...]
    question: str
    answer: Any
    answer_type: AnswerType
    allowed_answers: tuple[str, ...]
    split: Split | None
    patient: str | None
    template_id: str
    own_id: str | None


class RowProblem(ValueError):
    """Why a line cannot be used; without its content."""


def import_questions(
    file: Path,
    out: Path,
    *,
    format: Literal["jsonl"] = "jsonl",
    images: Path | None = None,
    terms: Terms = "private",
    seed: int = 7,
    valid_share: float = 0.1,
    test_share: float = 0.2,
    keep_splits: bool = True,
    quiet: bool = False,
    force: bool = False,
) -> Run:
    """A question set from a file of images, questions and answers; a film index, a data card and a manifest beside it.

    Args:
        file: JSON Lines. Fields: image or images, question, answer; optional patient_id, split, answer_type,
            allowed_answers, template_id, id.
        out: `questions.parquet`; the film index is `questions.films.parquet`.
        format: Of `file`.
        images: Folder that the image paths start from; that of `file` when None.
        terms: What the data may be used for; `private` until said otherwise.
        seed: Of the split.
        valid_share: Share of patients (without patients: of images) in valid.
        test_share: Share of patients in test.
        keep_splits: Take the splits that the file names; otherwise all rows are split anew.
        quiet: Without progress.
        force: Replace `out`.

    Raises:
        QuestionError: `file` is missing, of an unknown format, or no row of it can be used.
        OutputError: `out` exists already, or the disk is full.
        GateError: The file's own splits share a patient or an image.
    """
    file, out = Path(file), Path(out)
    if format != "jsonl":
        raise QuestionError("unknown-format", "format", str(format), "jsonl")
    if terms not in TERMS:
        raise QuestionError("unknown-terms", "terms", str(terms), "one of " + ", ".join(TERMS))
    if not file.is_file():
        raise QuestionError("missing-file", file, "no such file", "JSON Lines of image, question and answer")
    if not out.name or out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "the name of a new file")
    check_apart(out, file)
    films_path = out.with_name(f"{out.stem}.films.parquet")
    for path in (out, films_path):
        if path.exists() and not force:
            raise OutputError("output-exists", path, "exists already", hint="choose another name or pass --force")
    folder = Path(images) if images is not None else file.parent
    if not folder.is_dir():
        raise QuestionError("missing-folder", folder, "no such folder", "the folder of the images")
    config = {"format": format, "terms": terms, "valid_share": valid_share, "test_share": test_share,
              "keep_splits": keep_splits, "images": str(folder)}  # fmt: skip
    run = Run("questions import", config, seed, terms=terms, pairing="real")
    headers: dict[Path, FilmHeader | str] = {}
    rows = list(read_rows(file, folder, headers, run, quiet=quiet))
    run.read(file, len(rows))
    questions = _write_rows(rows, headers, folder, run, valid_share, test_share, keep_splits, f"import:{file.name}")
    if not questions:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in sorted(run.dropped.items())) or "it is empty"
        raise QuestionError("nothing-to-import", file, f"no usable row: {reasons}", "image, question and answer a line")
    shown = {image_id for question in questions for image_id in question.image_ids}
    films = [film for film in _index_films(rows, headers, folder) if film.image_id in shown]
    if force:
        remove(films_path)
    write_film_index(films_path, films)
    run.outputs += [{"path": str(out), "rows": len(questions)}, {"path": str(films_path), "rows": len(films)}]
    run.kept = {"questions": len(questions), "films": len(films)}
    run.kept |= {split: sum(question.split == split for question in questions) for split in SPLITS}
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, films_path, card, card.with_suffix(".json")):
        write_questions(out, questions, {"film_index": str(films_path), "seed": str(seed)}, replace=force)
        build_data_card(out, card, replace=True)
        run.write(out)
    return run


def read_rows(
    file: Path, folder: Path, headers: dict[Path, FilmHeader | str], run: Run, *, quiet: bool
) -> Iterator[ImportedRow]:
    """The usable lines of `file`; the others are noted in `run` with their number and reason.

    `headers` is filled with every image that was looked at: its header, or why it cannot be read.
    """
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in track(enumerate(lines, 1), "questions", quiet=quiet):
            if not line.strip():
                continue
            try:
                row = parse_row(line, number, folder)
                for path in row.images:
                    if path not in headers:
                        headers[path] = _probe(path)
                    if isinstance(header := headers[path], str):
                        raise RowProblem(header)
            except RowProblem as problem:
                run.drop(str(problem), file, number)
                continue
            yield row


def _probe(path: Path) -> FilmHeader | str:
    try:
        return probe_film(path)
    except FilmError as error:
        return f"image: {error.code}"


def parse_row(line: str, number: int, folder: Path) -> ImportedRow:
    """One line as typed values.

    Raises:
        RowProblem: It is no JSON object, a field is missing or of the wrong type, or the question names the patient.
    """
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # half a character, as \ud800
        raise RowProblem("text that is no Unicode") from error
    except (ValueError, RecursionError) as error:
        raise RowProblem("not JSON") from error
    if not isinstance(row, dict):
        raise RowProblem("not a JSON object")
    named = row.get("images", row.get("image"))
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, list) or not named or not all(isinstance(each, str) and each for each in named):
        raise RowProblem("no image")
    if any("\0" in each for each in named):
        raise RowProblem("no file is called so")
    if len(set(named)) != len(named):
        raise RowProblem("the same image twice")
    question = row.get("question")
    question = question.replace(IMAGE_PLACEHOLDER, " ") if isinstance(question, str) else ""
    question = " ".join(question.split())
    if not question:
        raise RowProblem("no question")
    allowed = row.get("allowed_answers") or ()
    if not isinstance(allowed, list | tuple) or not all(isinstance(each, str) for each in allowed):
        raise RowProblem("allowed_answers is no list of texts")
    answer_type, answer = parse_answer(row.get("answer"), row.get("answer_type"), tuple(allowed))
    split = row.get("split")
    if split is not None and str(split).lower() not in SPLIT_NAMES:
        raise RowProblem("unknown split")
    patient = row.get("patient_id")
    patient = None if patient in (None, "") else str(patient)
    if patient is not None and len(patient) >= SHORTEST_IDENTIFIER and patient in question:
        raise RowProblem("the question names the patient")
    own_id = row.get("id")
    return ImportedRow(
        number, tuple(folder / each for each in named), question, answer, answer_type, tuple(allowed),
        None if split is None else SPLIT_NAMES[str(split).lower()], patient,
        str(row.get("template_id") or "import"), None if own_id is None else str(own_id),
    )  # fmt: skip


def parse_answer(answer: Any, declared: Any, allowed: tuple[str, ...]) -> tuple[AnswerType, Any]:
    """Type and typed value of an answer.

    Without a declared type: yes, no, true, false are booleans; a list is a set; a whole number is a count, another a
    number; a text is a choice when there are allowed answers and otherwise open.

    Raises:
        RowProblem: There is no answer, or it is not of the declared type or among the allowed answers.
    """
    if answer is None or answer == "":
        raise RowProblem("no answer")
    if declared is not None and declared not in ANSWER_TYPES:
        raise RowProblem("unknown answer_type")
    kind = cast(AnswerType, declared) if declared is not None else _infer_type(answer, allowed)
    wrong = RowProblem(f"the answer is no {kind}")
    if kind == "boolean":
        if isinstance(answer, bool):
            return kind, answer
        word = answer.strip().rstrip(".").lower() if isinstance(answer, str) else ""
        if word not in BOOLEANS:
            raise wrong
        return kind, BOOLEANS[word]
    if kind == "set":
        members = [answer] if isinstance(answer, str) else answer
        if not isinstance(members, list) or not all(isinstance(each, str) and each for each in members):
            raise wrong
        if allowed and set(members) - set(allowed):
            raise RowProblem("an answer outside allowed_answers")
        return kind, sorted(set(members))
    if kind in ("count", "number"):
        if isinstance(answer, bool) or not isinstance(answer, int if kind == "count" else int | float):
            raise wrong
        if isinstance(answer, float) and not math.isfinite(answer):
            raise wrong
        return kind, answer
    if not isinstance(answer, str) or not answer.strip():
        raise wrong
    if kind == "choice" and answer not in allowed:
        raise RowProblem("an answer outside allowed_answers")
    return kind, answer.strip()


def _infer_type(answer: Any, allowed: tuple[str, ...]) -> AnswerType:
    if isinstance(answer, bool):
        return "boolean"
    if isinstance(answer, list):
        return "set"
    if isinstance(answer, int | float):
        return "count" if isinstance(answer, int) else "number"
    if isinstance(answer, str) and answer.strip().rstrip(".").lower() in BOOLEANS:
        return "boolean"
    return "choice" if allowed else "text"


def _write_rows(
    rows: Sequence[ImportedRow], headers: Mapping[Path, FilmHeader | str], folder: Path, run: Run,
    valid_share: float, test_share: float, keep_splits: bool, source: str,
) -> list[Question]:  # fmt: skip
    """Questions from usable rows: split by patient, and by image where no patient is named."""
    digest = {path: header.digest for path, header in headers.items() if isinstance(header, FilmHeader)}
    people = [f"patient:{row.patient}" if row.patient else f"image:{digest[row.images[0]]}" for row in rows]
    drawn = assign_splits(
        ((person, digest[path]) for person, row in zip(people, rows, strict=True) for path in row.images),
        run.seed or 0, valid_share, test_share,
    )  # fmt: skip
    if keep_splits:  # rows of the same patient that name no split follow those that do
        drawn |= {person: row.split for person, row in zip(people, rows, strict=True) if row.split}
    splits = [
        row.split if keep_splits and row.split else drawn[person] for person, row in zip(people, rows, strict=True)
    ]
    check_splits(
        (
            (split, {"patient": row.patient, "image": digest[path]})
            for split, row in zip(splits, rows, strict=True)
            for path in row.images
        ),
        "the file's splits" if keep_splits else "questions",
    )
    films = {film.path: film for film in _index_films(rows, headers, folder)}
    questions: dict[str, Question] = {}
    for row, split in zip(rows, splits, strict=True):
        shown = [films[path.resolve()] for path in row.images]
        key = "\n".join([*(digest[path] for path in row.images), row.question, row.template_id, row.answer_type])
        question_id = hashlib.sha256(key.encode()).hexdigest()[:16]
        if question_id in questions:
            run.drop("repeated question", source.removeprefix("import:"), row.line)
            continue
        questions[question_id] = Question(
            question_id=question_id,
            split=split,
            template_id=row.template_id,
            phrasing_id=f"{row.template_id}/1",
            kind={1: "image/one", 2: "image/two"}.get(len(shown), "image/many"),
            modality="image",
            scope="single",
            subject_id=shown[0].subject_id if row.patient else None,
            study_ids=tuple(film.study_id for film in shown),
            image_ids=tuple(film.image_id for film in shown),
            question=row.question,
            visual_question=row.question,
            program="",
            parameters=json.dumps({"id": row.own_id} if row.own_id is not None else {}, sort_keys=True),
            now=None,
            answer_type=row.answer_type,
            answer=json.dumps(row.answer, ensure_ascii=False),
            allowed_answers=row.allowed_answers,
            answerable=True,
            tied=False,
            label_source="import",
            pairing="real",
            terms=cast(Terms, run.terms),
            source=source,
        )
    return list(questions.values())


def _index_films(
    rows: Sequence[ImportedRow], headers: Mapping[Path, FilmHeader | str], folder: Path
) -> list[IndexedFilm]:
    """The films of all rows; patients and films are numbered from 1 in sorted order, nameless patients come last."""
    owner: dict[Path, str] = {}
    for row in rows:
        for path in row.images:
            owner[path] = owner.get(path) or row.patient or ""
    number = {patient: n for n, patient in enumerate(sorted({each for each in owner.values() if each}), 1)}
    films = []
    for n, path in enumerate(sorted(owner), 1):
        header = headers[path]
        assert isinstance(header, FilmHeader)
        image_id = Path(os.path.relpath(path, folder)).as_posix()
        subject_id = number[owner[path]] if owner[path] else len(number) + n
        films.append(
            IndexedFilm(image_id, n, subject_id, None, path.resolve(), header.rows, header.columns, header.digest)
        )
    return films
