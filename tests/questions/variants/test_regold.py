"""Gold answers of other films: made by the code that made the question's own, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.questions import read_questions
from chartsight.questions.label_engine import LabelEngine
from chartsight.questions.variants import GoldMaker, KnownFilms, read_known_films
from chartsight.records import open_record
from chartsight.schema import Question


def test_regold_of_the_own_film_is_the_stored_gold(questions: Sequence[Question], gold: GoldMaker) -> None:
    assert {gold.regold(question, question.image_ids[0]) == question.answer for question in questions} == {True}


def test_and_on_a_drawn_hospital_read_from_its_manifest(rendered: Path) -> None:
    gold = GoldMaker(read_known_films(rendered))
    questions = read_questions(rendered)
    assert len(questions) > 200
    assert {gold.regold(question, question.image_ids[0]) == question.answer for question in questions} == {True}


def test_a_question_whose_gold_the_labels_do_not_give_has_none_anywhere(
    questions: Sequence[Question], gold: GoldMaker, known: KnownFilms
) -> None:
    question = next(each for each in questions if each.answer == "true" and each.template_id == "verify-attribute")
    wrong = replace(question, question_id="other", answer="false")
    assert gold.ask_of(question) is not None and gold.ask_of(wrong) is None
    assert {gold.regold(wrong, image_id) for image_id in known.row_of} == {None}
    older = replace(question, question_id="older", source="templates:one-image:1")
    assert gold.regold(older, question.image_ids[0]) is None


def test_an_imported_question_in_the_words_of_a_template_is_regolded_alike(
    questions: Sequence[Question], gold: GoldMaker, known: KnownFilms
) -> None:
    own = next(each for each in questions if each.template_id == "verify-attribute-in-object")
    foreign = replace(own, question_id="foreign", source="import:jsonl", template_id="x", parameters="{}")
    films = sorted(known.row_of)[:40]
    assert [gold.regold(foreign, each) for each in films] == [gold.regold(own, each) for each in films]
    free = replace(foreign, question_id="free", visual_question="How does the patient feel?")
    assert gold.regold(free, films[0]) is None


def test_the_program_run_on_the_donor_s_study_says_the_same(rendered: Path) -> None:
    """Another way to the same gold: the stored NeuralSQL with the donor's study in it, on labels in SQLite."""
    known = read_known_films(rendered)
    gold = GoldMaker(known)
    assert known.labels is not None
    films = known.labels.films
    questions = [each for each in read_questions(rendered) if each.answer_type == "boolean"][::7]
    donors = [films[(7 * n) % len(films)] for n in range(len(questions))]
    programs = [
        question.program.replace(str(question.study_ids[0]), str(donor.study_id))
        for question, donor in zip(questions, donors, strict=True)
    ]
    compared = 0
    with (
        open_record(rendered.with_name("record.duckdb")) as record,
        LabelEngine(record.connection, known.labels, programs) as engine,
    ):
        for question, donor, program in zip(questions, donors, programs, strict=True):
            ask = gold.ask_of(question)
            assert ask is not None
            engine.teach(question.asked.replace('"', "'"), gold.answers(ask))
            [[value]] = engine.run(program, "2150-01-01 00:00:00").rows
            wanted = gold.regold(question, donor.image_id)
            assert (None if value is None else bool(value)) == (None if wanted is None else json.loads(wanted))
            compared += wanted is not None
    assert compared > 30


def test_a_film_without_labels_has_no_gold(questions: Sequence[Question], known: KnownFilms) -> None:
    bare = GoldMaker(KnownFilms(known.index))
    assert bare.regold(questions[0], questions[0].image_ids[0]) is None
    with pytest.raises(KeyError):
        known.index["no such film"]
