from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.errors import OutputError, QuestionError, RecordError
from chartsight.questions import QuestionConfig, build_questions, film_index_of, read_questions
from chartsight.questions.build import check_no_identifier, regold
from chartsight.questions.labels import LabelledFilm, read_film_labels
from chartsight.questions.templates import read_templates
from chartsight.records import open_record
from chartsight.schema import Question
from tests.questions.conftest import Rows, draw_rows, film_row

MakeRecord = Callable[..., Path]


def ask(record: Path, **changes: object) -> list[Question]:
    out = record.with_name(f"{record.stem}.parquet")
    build_questions(record, out, replace(QuestionConfig(), **changes), quiet=True, force=True)  # type: ignore[arg-type]
    return read_questions(out)


def test_no_patient_study_or_image_in_two_splits(questions: list[Question]) -> None:
    for key in ("subject_id", "study_ids", "image_ids"):
        splits = defaultdict(set)
        for question in questions:
            splits[getattr(question, key)].add(question.split)
        assert all(len(each) == 1 for each in splits.values())
    assert {question.split for question in questions} == {"train", "valid", "test"}


def test_two_builds_give_the_same_bytes(record: Path, built: Path) -> None:
    again = built.with_name("again.parquet")
    build_questions(record, again, QuestionConfig(), quiet=True)
    assert again.read_bytes() == built.read_bytes()
    other = built.with_name("other.parquet")
    build_questions(record, other, QuestionConfig(seed=8), quiet=True)
    assert other.read_bytes() != built.read_bytes()


def test_identifiers_stand_in_the_full_question_only(questions: list[Question]) -> None:
    for question in questions:
        study = str(question.study_ids[0])
        assert question.visual_question is not None
        assert study in question.question
        assert question.program.endswith(f"t1.study_id = {study}")
        assert f'func_vqa("{question.visual_question}"' in question.program
        assert not re.search(r"\d{2,}", question.visual_question)
        for identifier in (study, str(question.subject_id), question.image_ids[0]):
            assert identifier not in question.visual_question
        assert question.question.removeprefix(f"In study {study}, ").lower() == question.visual_question.lower()


def test_an_identifier_in_a_visual_question_is_refused() -> None:
    film = LabelledFilm("smith_jo", 5, 7, "d", "PA", None, "folder", "private", "real")
    check_no_identifier("Is there grade 2 oedema?", film)
    for text in ("In study 50414267, is there oedema?", "Does smith_jo have oedema?"):
        with pytest.raises(QuestionError, match="identifier"):
            check_no_identifier(text, film)


@pytest.mark.parametrize("yes_share", [0.3, 0.5, 0.8])
def test_yes_has_its_share_in_every_template(record: Path, yes_share: float) -> None:
    booleans = [q for q in ask(record, yes_share=yes_share) if q.answer_type == "boolean"]
    assert sum(q.answer == "true" for q in booleans) / len(booleans) == pytest.approx(yes_share, abs=0.01)
    by_template = defaultdict(list)
    for question in booleans:
        by_template[question.template_id].append(question.answer == "true")
    for name, answers in by_template.items():
        # Each of the three splits may be off by one question.
        assert abs(sum(answers) - yes_share * len(answers)) <= 3, name


def test_yes_has_its_share_for_every_finding(questions: list[Question]) -> None:
    answers = defaultdict(list)
    for question in questions:
        if question.template_id == "verify-attribute" and question.split == "train":
            answers[question.parameters].append(question.answer == "true")
    assert len(answers) >= 8
    for each in answers.values():
        assert abs(sum(each) - len(each) / 2) <= 1


def test_a_film_is_asked_each_question_once_and_not_too_often(questions: list[Question]) -> None:
    load = Counter(question.image_ids for question in questions)
    assert max(load.values()) <= QuestionConfig().per_film
    assert min(load.values()) >= QuestionConfig().per_film / 2
    assert max(Counter((q.image_ids, q.visual_question) for q in questions).values()) == 1
    assert len({question.question_id for question in questions}) == len(questions)


def test_empty_sets_are_limited(questions: list[Question]) -> None:
    sets = [question for question in questions if question.answer_type == "set"]
    assert sum(question.answer == "[]" for question in sets) / len(sets) == pytest.approx(0.2, abs=0.03)


def test_families_have_their_shares(questions: list[Question]) -> None:
    families = Counter(question.template_id.split("-")[0] for question in questions)
    assert families["verify"] / len(questions) == pytest.approx(0.5, abs=0.03)
    assert families["choose"] / len(questions) == pytest.approx(0.2, abs=0.03)
    facts = [question for question in questions if question.label_source == "record"]
    assert len(facts) / len(questions) < 0.13


def test_held_out_phrasings_are_read_in_test_only(questions: list[Question], record: Path) -> None:
    numbers = {split: {int(q.phrasing_id.split("/")[1]) for q in questions if q.split == split} for split in
               ("train", "valid", "test")}  # fmt: skip
    assert numbers == {"train": {1, 2, 3, 4, 6}, "valid": {1, 2, 3, 4, 6}, "test": {1, 2, 3, 4, 5, 6}}
    none = ask(record, held_out_phrasings=())
    assert {int(q.phrasing_id.split("/")[1]) for q in none if q.split == "train"} == {1, 2, 3, 4, 5, 6}
    with pytest.raises(QuestionError, match="held out"):
        ask(record, held_out_phrasings=(1, 2, 3, 4, 5, 6))


def test_labels_without_places_are_asked_about_the_whole_film_only(make_record: MakeRecord) -> None:
    questions = ask(make_record(draw_rows(60, 5, placed=False, source="folder")))
    assert {question.label_source for question in questions} == {"folder", "record"}
    for question in questions:
        assert not {"object", "side"} & set(json.loads(question.parameters))
    assert {"verify-attribute", "choose-attribute", "query-findings"} <= {q.template_id for q in questions}


def test_films_without_labels_are_asked_about_view_and_sex_only(make_record: MakeRecord, rows: Rows) -> None:
    questions = ask(make_record({**rows, "labels": [], "boxes": []}))
    assert {q.template_id for q in questions} == {"verify-view", "choose-view", "verify-sex", "choose-sex"}


def test_stated_labels_only_gives_fewer_questions_and_the_same_yes(make_record: MakeRecord, rows: Rows) -> None:
    record = make_record(rows)
    stated = [q for q in ask(record, unmentioned="unknown") if q.template_id == "verify-attribute-in-object"]
    said = {(row[0], row[2], row[3], row[5]) for row in rows["labels"]}
    assert stated
    for question in stated:
        slots = json.loads(question.parameters)
        if question.answer == "false" and slots["object"] == "trachea":  # no parts: the statement itself must exist
            assert (question.study_ids[0], slots["object"], slots["attribute"], "absent") in said


def test_laterals_are_left_out_unless_asked_for(make_record: MakeRecord, rows: Rows) -> None:
    lateral = film_row("lateral-0", 59999999, 10000000, "LATERAL", "digest-lateral")
    label = (59999999, "lateral-0", "left lung", "pleural effusion", "anatomicalfinding", "present", "imagenome")
    changed = {**rows, "films": [*rows["films"], lateral], "labels": [*rows["labels"], label]}
    record = make_record(changed)
    assert not [q for q in ask(record) if "lateral-0" in q.image_ids]
    assert [q for q in ask(record, frontal_only=False) if "lateral-0" in q.image_ids]


def test_rare_findings_are_not_asked(make_record: MakeRecord, rows: Rows) -> None:
    study, image = rows["labels"][0][:2]
    label = (study, image, "left lung", "hernia", "anatomicalfinding", "present", "imagenome")
    questions = ask(make_record({**rows, "labels": [*rows["labels"], label]}))
    assert not [q for q in questions if "hernia" in json.loads(q.parameters).values()]
    listed = [q for q in questions if q.template_id == "query-findings" and q.study_ids == (study,)]
    assert all("hernia" in json.loads(q.answer) for q in listed)


def test_terms_and_pairing_travel(make_record: MakeRecord, rows: Rows) -> None:
    record = make_record(rows, terms="credentialed", pairing="ehrxqa-shuffled")
    run = build_questions(record, record.with_name("q.parquet"), quiet=True)
    assert (run.terms, run.pairing) == ("credentialed", "ehrxqa-shuffled")
    questions = read_questions(record.with_name("q.parquet"))
    assert {(q.terms, q.pairing) for q in questions} == {("credentialed", "ehrxqa-shuffled")}
    manifest = json.loads(record.with_name("q.parquet.run.json").read_text())
    assert (manifest["terms"], manifest["counts"]["kept"]["questions"]) == ("credentialed", len(questions))
    assert film_index_of(record.with_name("q.parquet")) == record


def test_a_swapped_film_has_its_own_gold(record: Path, questions: list[Question]) -> None:
    with open_record(record) as opened:
        labels = read_film_labels(opened.connection, label_sources=QuestionConfig().label_sources)
    templates = read_templates()
    for question in questions[::97]:
        assert regold(question, question.image_ids[0], labels, templates) == question.answer
    question = next(q for q in questions if q.template_id == "verify-attribute")
    answers = {regold(question, film.image_id, labels, templates) for film in labels.films}
    assert answers >= {"true", "false"}


def test_mistakes_are_one_clear_line(make_record: MakeRecord, rows: Rows, built: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        build_questions(built.with_name("record.duckdb"), built, quiet=True)
    with pytest.raises(RecordError, match="no such file"):
        build_questions(tmp_path / "absent.duckdb", tmp_path / "q.parquet")
    empty = make_record({"patients": rows["patients"]}, "empty.duckdb")
    with pytest.raises(QuestionError, match="has no films"):
        build_questions(empty, tmp_path / "q.parquet")
    lateral = make_record({**rows, "tb_cxr": []}, "lateral.duckdb")
    with pytest.raises(QuestionError, match=r"none of its \d+ films is frontal.*--all-views"):
        build_questions(lateral, tmp_path / "q.parquet")
    few = make_record({**rows, "films": rows["films"][:2], "tb_cxr": rows["tb_cxr"][:2]}, "few.duckdb")
    with pytest.raises(QuestionError, match="min_support"):
        build_questions(few, tmp_path / "q.parquet")
    assert not list(tmp_path.glob("*.parquet*"))
    assert not list(tmp_path.glob(".*"))
    for change in (
        {"yes_share": 1.5},
        {"per_film": 0},
        {"unmentioned": "no"},
        {"verify_share": 0.9, "choose_share": 0.2},
    ):
        with pytest.raises(QuestionError):
            QuestionConfig(**change)  # type: ignore[arg-type]


def test_a_record_is_never_replaced_by_its_questions(record: Path) -> None:
    before = record.read_bytes()
    with pytest.raises(OutputError, match="is or holds the input"):
        build_questions(record, record, QuestionConfig(), quiet=True, force=True)
    assert record.read_bytes() == before
    with pytest.raises(QuestionError, match="seed: -5"):
        QuestionConfig(seed=-5)
