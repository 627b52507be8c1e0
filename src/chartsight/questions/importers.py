"""Foreign question sets as ours: anyone's images, questions and answers, and the public sets as they are downloaded.

| format          | what                                                        | films from             |
|-----------------|-------------------------------------------------------------|------------------------|
| `jsonl`         | one JSON object a line: image, question, answer, ...        | files                  |
| `vqa-rad`       | VQA_RAD Dataset Public.json, or Parquet                     | files, or the Parquet  |
| `slake`         | train.json, validate.json, test.json, imgs/                 | files                  |
| `path-vqa`      | qas/*.pkl and images/, or Parquet                           | files, or the Parquet  |
| `ehrxqa`        | train.json, ... or _train.json, ...                         | a record               |
| `mimic-cxr-vqa` | train.json, valid.json, test.json                           | a record               |

Any modality is taken, without specialised support: an image, a question, an answer. An item that cannot be used is left
out with its number and reason; the others are kept, and what is wrong with them is reported by name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from chartsight.errors import FilmError, OutputError, QuestionError
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.imaging.pixels import FilmHeader, probe_film
from chartsight.progress import track
from chartsight.questions.data_card import build_data_card
from chartsight.questions.faults import Faults
from chartsight.questions.files import write_questions
from chartsight.questions.imported import Entries, ImportedRow, RowProblem
from chartsight.questions.layouts.json_lines import read_json_lines
from chartsight.questions.layouts.path_vqa import read_path_vqa
from chartsight.questions.layouts.slake import read_slake
from chartsight.questions.layouts.vqa_rad import read_vqa_rad
from chartsight.questions.released import (
    import_cxr_vqa,
    import_ehrxqa,
    note_all,
    read_record_films,
    split_anew,
)
from chartsight.questions.splits import assign_splits, check_splits
from chartsight.runs import Run, check_apart, check_replaceable, remove, removed_on_failure
from chartsight.schema import SPLITS, TERMS, Question, Terms, strictest_pairing, strictest_terms

Format = Literal["jsonl", "ehrxqa", "mimic-cxr-vqa", "vqa-rad", "slake", "path-vqa"]
FORMATS: tuple[Format, ...] = get_args(Format)
OF_A_RECORD: tuple[Format, ...] = ("ehrxqa", "mimic-cxr-vqa")
SplitBy = Literal["released", "patient"]

# What each set says of itself; PathVQA's pictures come from textbooks, whose terms it does not state.
DECLARED_TERMS: Mapping[Format, Terms] = {
    "jsonl": "private", "vqa-rad": "open", "slake": "open", "path-vqa": "private", "ehrxqa": "credentialed",
    "mimic-cxr-vqa": "credentialed",
}  # fmt: skip


@dataclass(frozen=True)
class ImportConfig:
    """How a foreign set is read.

    Args:
        format: Its layout.
        images: Folder that image names start from; what the layout says when None.
        record: Of the films that EHRXQA and MIMIC-CXR-VQA ask about.
        database: EHRXQA's own database (or the folder of its train/ and test/): gold answers, ties, studies.
        terms: What the data may be used for; what the set says of itself when None.
        split: `released` keeps the set's own splits and reports what they share; `patient` splits anew.
        seed: Of a new split.
        valid_share: Share of patients (without patients: of images) in valid.
        test_share: Share of patients in test.
    """

    format: Format = "jsonl"
    images: Path | None = None
    record: Path | None = None
    database: Path | None = None
    terms: Terms | None = None
    split: SplitBy = "released"
    seed: int = 7
    valid_share: float = 0.1
    test_share: float = 0.2

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise QuestionError("unknown-format", "format", str(self.format), " or ".join(FORMATS))
        if self.terms is not None and self.terms not in TERMS:
            raise QuestionError("unknown-terms", "terms", str(self.terms), "one of " + ", ".join(TERMS))
        if self.split not in get_args(SplitBy):
            raise QuestionError("unknown-split", "split", str(self.split), "released or patient")
        if self.format in OF_A_RECORD:
            if self.record is None:
                raise QuestionError(
                    "no-record", "record", "is not given", f"the record of the films that {self.format} asks about",
                    "make one: chartsight records build",
                )  # fmt: skip
            if self.images is not None:
                raise QuestionError("not-for-format", "images", f"means nothing for {self.format}", "record")
        elif self.record is not None:
            raise QuestionError("not-for-format", "record", f"means nothing for {self.format}", "images")
        if self.database is not None and self.format != "ehrxqa":
            raise QuestionError("not-for-format", "database", f"means nothing for {self.format}")
        if self.database is not None and not self.database.exists():
            raise QuestionError("missing-database", self.database, "no such file", "EHRXQA's database, or its folder")


def import_questions(
    source: Path, out: Path, config: ImportConfig | None = None, *, quiet: bool = False, force: bool = False
) -> Run:
    """A foreign question set as `questions.parquet`; a data card, a manifest and where needed a film index beside it.

    Args:
        source: A file, or for the public sets also the folder that their files lie in.
        out: `questions.parquet`; the film index of images that are files is `questions.films.parquet`, images that
            stood in Parquet are unpacked into `questions.images/`.
        config: How to read it; JSON Lines when None.
        quiet: Without progress.
        force: Replace `out`.

    Raises:
        QuestionError: `source` is missing or damaged, or no item of it can be used.
        RecordError: The record is missing or no record.
        OutputError: `out` exists already, or the disk is full.
        GateError: The splits of one's own file (`jsonl`) share a patient or an image.
    """
    config = config or ImportConfig()
    source, out = Path(source), Path(out)
    if not source.exists() or (config.format == "jsonl" and not source.is_file()):
        raise QuestionError("missing-file", source, "no such file", f"a file (or folder) in the layout {config.format}")
    if not out.name or out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "the name of a new file")
    check_apart(out, source, *(each for each in (config.record, config.database) if each is not None))
    if config.images is not None and not config.images.is_dir():
        raise QuestionError("missing-folder", config.images, "no such folder", "the folder of the images")
    terms = config.terms or DECLARED_TERMS[config.format]
    settings = {
        "format": config.format, "terms": terms, "split": config.split, "valid_share": config.valid_share,
        "test_share": config.test_share, "source": str(source),
        **{name: str(value) for name in ("images", "record", "database") if (value := getattr(config, name))},
    }  # fmt: skip
    run = Run("questions import", settings, config.seed, terms=terms, pairing="real")
    if config.format in OF_A_RECORD:
        return _import_released(source, out, config, run, quiet=quiet, force=force)
    return _import_images(source, out, config, run, quiet=quiet, force=force)


def _import_released(source: Path, out: Path, config: ImportConfig, run: Run, *, quiet: bool, force: bool) -> Run:
    assert config.record is not None
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="choose another name or pass --force")
    films = read_record_films(config.record)
    declared = config.terms or DECLARED_TERMS[config.format]
    terms = strictest_terms((declared, films.terms))
    if config.format == "ehrxqa":
        questions = import_ehrxqa(source, films, terms, run, database=config.database, quiet=quiet)
    else:
        questions = import_cxr_vqa(source, films, terms, run, quiet=quiet)
    run.read(config.record)
    if config.split == "patient":
        digests = {image_id: film.digest for image_id, film in films.films.items()}
        questions = split_anew(questions, digests, run, config.seed, config.valid_share, config.test_share)
    _check_any(questions, source, run)
    run.terms, run.pairing = terms, strictest_pairing(question.pairing for question in questions)
    metadata = {"film_index": str(config.record), "seed": str(config.seed)}
    _write(out, questions, metadata, run, [], force=force)
    return run


def _import_images(source: Path, out: Path, config: ImportConfig, run: Run, *, quiet: bool, force: bool) -> Run:
    films_path, unpacked = out.with_name(f"{out.stem}.films.parquet"), out.with_name(f"{out.stem}.images")
    for path in (out, films_path, unpacked):
        if path.exists() and not force:
            raise OutputError("output-exists", path, "exists already", hint="choose another name or pass --force")
    check_replaceable(unpacked)
    if force:
        remove(unpacked)
    folder = config.images or (source if source.is_dir() else source.parent)
    headers: dict[Path, FilmHeader | str] = {}
    with removed_on_failure(unpacked):
        entries = read_layout(config.format, source, config.images, unpacked)
        rows = list(read_rows(entries, headers, run, quiet=quiet))
        if source.is_file():
            run.read(source, len(rows))
        root = unpacked if unpacked.is_dir() else folder
        questions = _write_rows(rows, headers, root, run, config, f"import:{source.name}")
        _check_any(questions, source, run)
        shown = {image_id for question in questions for image_id in question.image_ids}
        films = [film for film in _index_films(rows, headers, root) if film.image_id in shown]
        if force:
            remove(films_path)
        write_film_index(films_path, films)
        run.outputs.append({"path": str(films_path), "rows": len(films)})
        run.kept["films"] = len(films)
        more = [films_path, *([unpacked] if unpacked.is_dir() else [])]
        metadata = {"film_index": str(films_path), "seed": str(config.seed)}
        with removed_on_failure(films_path):
            _write(out, questions, metadata, run, more, force=force)
        if unpacked.is_dir():
            run.write(unpacked)
    return run


def read_layout(format: Format, source: Path, images: Path | None, unpacked: Path) -> Entries:
    """The items of a set about images that are files (or stand in Parquet).

    Raises:
        QuestionError: `source` does not hold the layout's files.
    """
    if format == "vqa-rad":
        return read_vqa_rad(source, images, unpacked)
    if format == "slake":
        return read_slake(source, images)
    if format == "path-vqa":
        return read_path_vqa(source, images, unpacked)
    return read_json_lines(source, images or source.parent)


def read_rows(
    entries: Entries, headers: dict[Path, FilmHeader | str], run: Run, *, quiet: bool
) -> Iterator[ImportedRow]:
    """The usable items; the others are noted in `run` with their number and reason.

    `headers` is filled with every image that was looked at: its header, or why it cannot be read.
    """
    for entry in track(entries, "questions", quiet=quiet):
        try:
            row = entry.parsed
            if isinstance(row, RowProblem):
                raise row
            for path in row.images:
                if path not in headers:
                    headers[path] = _probe(path)
                if isinstance(header := headers[path], str):
                    raise RowProblem(header)
        except RowProblem as problem:
            run.drop(str(problem), entry.file, entry.number)
            continue
        yield row


def _probe(path: Path) -> FilmHeader | str:
    try:
        return probe_film(path)
    except FilmError as error:
        return f"image: {error.code}"


def _check_any(questions: Sequence[Question], source: Path, run: Run) -> None:
    if not questions:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in sorted(run.dropped.items())) or "it is empty"
        hint = (
            "give EHRXQA's database: --database"
            if "no answer" in run.dropped and run.config["format"] == "ehrxqa"
            else ""
        )
        raise QuestionError(
            "nothing-to-import", source, f"no usable item: {reasons}", "an image, question and answer", hint
        )


def _write(
    out: Path,
    questions: Sequence[Question],
    metadata: Mapping[str, str],
    run: Run,
    more: Sequence[Path],
    *,
    force: bool,
) -> None:
    """The question set with its card and its manifest; what is there of them goes when one fails."""
    run.outputs.insert(0, {"path": str(out), "rows": len(questions)})
    run.kept = {"questions": len(questions), **run.kept}
    run.kept |= {split: sum(question.split == split for question in questions) for split in SPLITS}
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, card, card.with_suffix(".json"), *more):
        write_questions(out, questions, metadata, replace=force)
        build_data_card(out, card, faults=run.faults, replace=True)
        run.write(out)


def _write_rows(
    rows: Sequence[ImportedRow], headers: Mapping[Path, FilmHeader | str], folder: Path, run: Run,
    config: ImportConfig, source: str,
) -> list[Question]:  # fmt: skip
    """Questions from usable rows: split by patient, and by image where no patient is named."""
    digest = {path: header.digest for path, header in headers.items() if isinstance(header, FilmHeader)}
    people = [f"patient:{row.patient}" if row.patient else f"image:{digest[row.images[0]]}" for row in rows]
    drawn = assign_splits(
        ((person, digest[path]) for person, row in zip(people, rows, strict=True) for path in row.images),
        config.seed, config.valid_share, config.test_share,
    )  # fmt: skip
    keep_splits = config.split == "released"
    if keep_splits:  # rows of the same patient that name no split follow those that do
        drawn |= {person: row.split for person, row in zip(people, rows, strict=True) if row.split}
    splits = [
        row.split if keep_splits and row.split else drawn[person] for person, row in zip(people, rows, strict=True)
    ]
    if config.format == "jsonl":
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
            parameters=json.dumps(
                {**({"id": row.own_id} if row.own_id is not None else {}), **row.details},
                sort_keys=True,
                ensure_ascii=False,
            ),
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
    if config.format != "jsonl":  # a public set keeps its splits, for its published figures' sake
        digests = {film.image_id: film.digest for film in films.values()}
        note_all(list(questions.values()), digests, Faults(), run)
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
