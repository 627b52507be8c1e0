"""EHRXQA and MIMIC-CXR-VQA as question sets, about the films of a record that was built from the same sources."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chartsight.errors import QuestionError
from chartsight.progress import track
from chartsight.questions.consistency import find_repeats
from chartsight.questions.faults import Faults
from chartsight.questions.gold_program import (
    NOW,
    GoldDatabase,
    ProgramError,
    open_gold_database,
    repair_program,
    takes_some_rows,
)
from chartsight.questions.identifiers import find_identifier, strip_identifiers
from chartsight.questions.imported import RowProblem
from chartsight.questions.layouts.ehrxqa import EhrxqaItem, find_ehrxqa_files, read_ehrxqa, type_answer
from chartsight.questions.layouts.mimic_cxr_vqa import CxrVqaItem, find_cxr_vqa_files, read_cxr_vqa
from chartsight.questions.splits import assign_splits, find_leaks, leak_values
from chartsight.runs import Run
from chartsight.schema import Pairing, Question, Split, Terms

DATABASE_NAMES = ("mimic_iv_cxr.db", "mimic_iv_cxr.sqlite", "mimic_iv_cxr.duckdb")


@dataclass(frozen=True)
class RecordFilm:
    """One film of the record: whose it is, and the digest of its bytes."""

    study_id: int
    subject_id: int
    digest: str


@dataclass(frozen=True)
class RecordFilms:
    """The films that questions can be about.

    Args:
        films: image_id → film.
        frontal: study_id → image_id of the one film that stands for the study (`tb_cxr`); never the first listed.
        studies: All studies with any film.
        terms: Of the record.
        pairing: Of the record.
    """

    films: Mapping[str, RecordFilm]
    frontal: Mapping[int, str]
    studies: frozenset[int]
    terms: Terms
    pairing: Pairing

    def subject_of(self, study_id: int) -> int | None:
        """Whose study it is; None when the record has no film of it."""
        image_id = self.frontal.get(study_id)
        return None if image_id is None else self.films[image_id].subject_id


def read_record_films(record: Path) -> RecordFilms:
    """The films of a record, and the one that stands for each study.

    Raises:
        RecordError: `record` is missing or no record.
    """
    from chartsight.records import open_record

    with open_record(record) as opened:
        films = opened.connection.execute("SELECT image_id, study_id, subject_id, digest FROM films").fetchall()
        frontal = opened.connection.execute("SELECT study_id, image_id FROM tb_cxr").fetchall()
        known = {image_id: RecordFilm(*rest) for image_id, *rest in films}
        return RecordFilms(
            known, {study_id: image_id for study_id, image_id in frontal if image_id in known},
            frozenset(film.study_id for film in known.values()), opened.terms, opened.pairing,
        )  # fmt: skip


def import_cxr_vqa(source: Path, films: RecordFilms, terms: Terms, run: Run, *, quiet: bool) -> list[Question]:
    """MIMIC-CXR-VQA's questions about films that the record has; the others are counted in `run`.

    Raises:
        QuestionError: A file is missing or damaged.
    """
    faults, questions = Faults(), []
    for file in find_cxr_vqa_files(source):
        number = 0
        for number, item in track(read_cxr_vqa(file), file.name, quiet=quiet):
            try:
                if isinstance(item, RowProblem):
                    raise item
                questions.append(_ask_image(item, films, terms))
            except RowProblem as problem:
                run.drop(str(problem), file.name, number)
                continue
            if item.answer == []:
                faults.note("empty-answer", f"{item.split}/{item.idx}")
        run.read(file, number)
    return finish(questions, films, faults, run)


def _ask_image(item: CxrVqaItem, films: RecordFilms, terms: Terms) -> Question:
    film = films.films.get(item.image_id)
    if film is None:
        raise RowProblem("image not in the record")
    if find_identifier(item.question) is not None:
        raise RowProblem("the question holds a long number")
    key = "\n".join(("mimic-cxr-vqa", item.split, str(item.idx), film.digest, item.question))
    return Question(
        question_id=hashlib.sha256(key.encode()).hexdigest()[:16],
        split=item.split,
        template_id=item.template_id,
        phrasing_id=item.phrasing_id,
        kind="image/one",
        modality="image",
        scope="single",
        subject_id=film.subject_id,
        study_ids=(film.study_id,),
        image_ids=(item.image_id,),
        question=item.question,
        visual_question=item.question,
        program="",
        parameters=_parameters(
            id=f"{item.split}/{item.idx}", slots=dict(item.slots), content_type=item.content_type,
            semantic_type=item.semantic_type,
        ),
        now=None,
        answer_type=item.answer_type,
        answer=json.dumps(item.answer, ensure_ascii=False),
        allowed_answers=item.allowed,
        answerable=True,
        tied=False,
        label_source="mimic-cxr-vqa",
        pairing=films.pairing,
        terms=terms,
        source="import:mimic-cxr-vqa",
    )  # fmt: skip


def import_ehrxqa(
    source: Path, films: RecordFilms, terms: Terms, run: Run, *, database: Path | None, quiet: bool
) -> list[Question]:
    """EHRXQA's questions; those that cannot be used are counted in `run`, with every fault by name.

    Args:
        source: A released file, or the folder of a release.
        films: Of the record: which film stands for a study.
        terms: Of the questions.
        run: Counts what is dropped; gets the faults.
        database: EHRXQA's own database, or the folder of its train/ and test/; without it, unanswered items have no
            gold, ties are not checked, and "the last study of patient P" finds no film.
        quiet: Without progress.

    Raises:
        QuestionError: A file is missing or damaged.
    """
    faults, questions = Faults(), []
    age_groups: dict[Split, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        opened: dict[Path, GoldDatabase] = {}

        def database_of(split: Split) -> GoldDatabase | None:
            path = find_database(database, split)
            if path is not None and path not in opened:
                opened[path] = stack.enter_context(open_gold_database(path))
            return None if path is None else opened[path]

        for file in find_ehrxqa_files(source):
            number = 0
            for number, item in track(read_ehrxqa(file), file.name, quiet=quiet):
                try:
                    if isinstance(item, RowProblem):
                        raise item
                    questions.append(_ask_record(item, films, terms, database_of(item.split), faults))
                except RowProblem as problem:
                    run.drop(str(problem), file.name, number)
                    continue
                if (age_group := item.age_group) is not None:
                    age_groups[item.split][age_group].append(f"{item.split}/{item.id}")
            run.read(file, number)
        for path in opened:
            run.read(path)
    for groups in age_groups.values():
        if len(groups) == 1 and len(ids := next(iter(groups.values()))) > 1:
            for each in ids:
                faults.note("constant-age-group", each)
    return finish(questions, films, faults, run)


def find_database(named: Path | None, split: Split) -> Path | None:
    """The database of a split: `named` itself, or the one in its folder train/ (also of valid) or test/.

    Raises:
        QuestionError: The folder has none.
    """
    if named is None or named.is_file():
        return named
    folder = named / ("test" if split == "test" else "train")
    for place in (folder, named):
        for name in DATABASE_NAMES:
            if (place / name).is_file():
                return place / name
    raise QuestionError("missing-database", folder, "holds no database", " or ".join(DATABASE_NAMES))


def _ask_record(
    item: EhrxqaItem, films: RecordFilms, terms: Terms, database: GoldDatabase | None, faults: Faults
) -> Question:
    """One item as a question.

    Raises:
        RowProblem: It has no answer, an answer of another kind than its template's, or a study without a film.
    """
    own_id = f"{item.split}/{item.id}"
    values, is_tied = _find_gold(item, own_id, database, faults)
    answer_type, answer, allowed = type_answer(item, values)
    if answer_type == "set" and not answer:
        faults.note("null-answer" if values else "empty-answer", own_id)
    study_ids = item.study_ids or _look_up_studies(item, database)
    for study_id in study_ids:
        if study_id not in films.studies:
            raise RowProblem("study not in the record")
        if study_id not in films.frontal:
            raise RowProblem("study without a frontal film in the record")
    image_ids: tuple[str, ...] = ()
    visual_question: str | None = None
    template_words: str | None = None
    if item.kind == "image/one" and len(study_ids) == 1:
        image_ids = (films.frontal[study_ids[0]],)
        identifiers = {*item.identifiers, str(study_ids[0])}
        template_words = item.template_words
        if find_identifier(template_words, identifiers) is not None:
            raise RowProblem("an identifier in the template's words")
        visual_question = _word(item, identifiers)
        if visual_question is None:
            faults.note("identifier-in-wording", own_id)
            visual_question = template_words
    faults.note("shuffled-pairing", own_id)
    patient = item.value.get("patient_id")
    subject_id = int(patient) if patient is not None else films.subject_of(study_ids[0]) if study_ids else None
    details = {"id": own_id, "slots": item.slots, "q_tag": item.q_tag, "t_tag": list(item.t_tag)}
    if template_words is not None:
        details["template"] = template_words
    if item.is_poster:
        details["subset"] = "poster"
    key = "\n".join(("ehrxqa", own_id, item.question, item.query))
    return Question(
        question_id=hashlib.sha256(key.encode()).hexdigest()[:16],
        split=item.split,
        template_id=item.template_id,
        phrasing_id=f"{item.template_id}/{_phrasing(visual_question or item.question, item.slots)}",
        kind=item.kind,
        modality=item.modality,
        scope=item.scope,
        subject_id=subject_id,
        study_ids=study_ids,
        image_ids=image_ids,
        question=item.question,
        visual_question=visual_question,
        program=repair_program(item.query),
        parameters=_parameters(**details),
        now=NOW,
        answer_type=answer_type,
        answer=json.dumps(answer, ensure_ascii=False),
        allowed_answers=allowed,
        answerable=True,
        tied=is_tied,
        label_source="ehrxqa" if item.answer is not None else "gold-program",
        pairing="ehrxqa-shuffled",
        terms=terms,
        source="import:ehrxqa",
    )


def _phrasing(words: str, slots: Mapping[str, str]) -> str:
    """A name for the wording, whatever fills its slots and whoever it is about: two questions may share it."""
    for value in sorted({value.lower() for value in slots.values() if value}, key=lambda each: (-len(each), each)):
        words = words.replace(value, "_")
    return hashlib.sha256(re.sub(r"\d+", "_", words).encode()).hexdigest()[:6]


def _find_gold(
    item: EhrxqaItem, own_id: str, database: GoldDatabase | None, faults: Faults
) -> tuple[tuple[Any, ...], bool]:
    """The gold values, released or computed, and whether they hang on the order of rows."""
    program = item.gold_program or (item.query if not item.inner_questions else None)
    computed: tuple[Any, ...] | None = None
    is_tied = False
    if program is not None:
        program = repair_program(program)
        if database is None:
            if takes_some_rows(program):
                faults.note("tie-not-checked", own_id)
        else:
            try:
                computed = tuple(database.run(program))
                is_tied = database.is_tied(program)
            except ProgramError:
                faults.note("program-failed", own_id)
    elif item.answer is not None and takes_some_rows(item.query):
        faults.note("tie-not-checked", own_id)  # it asks the visual model, and the gold program was not released
    if is_tied:
        faults.note("tied", own_id)
    if item.answer is None:
        if computed is None:
            raise RowProblem("no answer")
        return computed, is_tied
    if computed is not None and not is_tied and _comparable(computed) != _comparable(item.answer):
        faults.note("answer-differs", own_id)
    return item.answer, is_tied


def _comparable(values: Sequence[Any]) -> list[str]:
    return sorted(
        f"{float(value):.6g}" if isinstance(value, int | float) else str(value) for value in values if value is not None
    )


def _look_up_studies(item: EhrxqaItem, database: GoldDatabase | None) -> tuple[int, ...]:
    """The study that "the last study of patient P" is, by the item's own query; () when it cannot be told."""
    query = item.study_query
    if query is None or database is None:
        return ()
    try:
        found = {int(value) for value in database.run(repair_program(query)) if value is not None}
    except (ProgramError, ValueError):
        return ()
    return tuple(found) if len(found) == 1 else ()


def _word(item: EhrxqaItem, identifiers: set[str]) -> str | None:
    """What the visual model is asked: the query's own words for it, or else the question without its identifiers."""
    inner = item.inner_questions
    if len(inner) == 1 and find_identifier(inner[0], identifiers) is None:
        return inner[0]
    return strip_identifiers(item.question, identifiers) if item.is_poster else None


def _parameters(**details: Any) -> str:
    return json.dumps(details, sort_keys=True, ensure_ascii=False)


def finish(questions: Sequence[Question], films: RecordFilms, faults: Faults, run: Run) -> list[Question]:
    """Each question once, with repeats, contradictions and overlaps of the released splits noted in `run`."""
    digests = {image_id: film.digest for image_id, film in films.films.items()}
    kept = {question.question_id: question for question in questions}
    if repeated := len(questions) - len(kept):
        run.drop("repeated question", run.verb, count=repeated)
    note_all(list(kept.values()), digests, faults, run)
    return list(kept.values())


def note_all(questions: Sequence[Question], digests: Mapping[str, str], faults: Faults, run: Run) -> None:
    """Fills the faults of `run`: what was noted before, repeats, contradictions and overlaps of the splits.

    Args:
        questions: Each once.
        digests: image_id → digest.
        faults: Found so far.
        run: Of the import.
    """
    repeats = find_repeats(questions, digests)
    for name, groups in (("question-repeated", repeats.repeated), ("question-contradicted", repeats.contradicted)):
        for question in (question for group in groups for question in group):
            faults.note(name, source_id(question))
    overlaps = note_overlaps(questions, digests, faults)
    run.faults = faults.summary()
    if "split-overlap" in run.faults:
        run.faults["split-overlap"]["values"] = overlaps


def source_id(question: Question) -> str:
    """The source's own id of an imported question, otherwise the question's."""
    own_id = json.loads(question.parameters).get("id")
    return str(own_id) if own_id is not None else question.question_id


def note_overlaps(
    questions: Sequence[Question], digests: Mapping[str, str], faults: Faults
) -> dict[str, dict[str, int]]:
    """Notes every question whose patient, study or image stands in another split too; how many there are of each."""
    splits_of: dict[tuple[str, object], set[Split]] = defaultdict(set)
    for question in questions:
        for values in leak_values(question, digests):
            for kind, value in values.items():
                splits_of[kind, value].add(question.split)
    for question in questions:
        if any(
            value is not None and len(splits_of[kind, value]) > 1
            for values in leak_values(question, digests)
            for kind, value in values.items()
        ):
            faults.note("split-overlap", source_id(question))
    return find_leaks((question.split, values) for question in questions for values in leak_values(question, digests))


def split_anew(
    questions: Sequence[Question],
    digests: Mapping[str, str],
    run: Run,
    seed: int,
    valid_share: float,
    test_share: float,
) -> list[Question]:
    """The questions in new splits, by patient; patients who share an image go together.

    A question about a group of patients spans them and is left out; one about nobody keeps its split.
    """
    asked = [question for question in questions if question.subject_id is not None]
    split_of = assign_splits(
        (
            (question.subject_id, digests.get(image_id, image_id))
            for question in asked
            for image_id in question.image_ids or (f"nobody's {question.subject_id}",)
            if question.subject_id is not None
        ),
        seed, valid_share, test_share,
    )  # fmt: skip
    placed = []
    for question in questions:
        if question.subject_id is not None:
            placed.append(replace(question, split=split_of[question.subject_id]))
        elif question.scope == "none":
            placed.append(question)
        else:
            run.drop("about a group of patients, who stand in several splits", "questions", source_id(question))
    return placed
