"""Other words for one film: paraphrases, opposites, other identifiers and dates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from chartsight.errors import QuestionError
from chartsight.questions.templates import parse_template, read_templates
from chartsight.questions.variants import GoldMaker
from chartsight.questions.variants.wordings import (
    negate_questions,
    new_identifier,
    paraphrase_questions,
    scramble_questions,
    shift_dates,
)
from chartsight.schema import Condition, Question, Variant
from tests.questions.variants.conftest import SEED

Variants = Mapping[Condition, Mapping[str, Variant]]


def test_a_paraphrase_asks_the_same_in_other_words(
    asked: Sequence[Question], variants: Variants, gold: GoldMaker
) -> None:
    assert set(variants["paraphrase"]) == {question.question_id for question in asked}
    templates = read_templates()
    for question in asked:
        variant = variants["paraphrase"][question.question_id]
        template = templates.by_id[question.template_id]
        slots = json.loads(question.parameters)
        words = [templates.render_phrasing(template, n + 1, slots) for n in range(len(template.phrasings))]
        assert variant.asked in words and variant.asked != question.asked
        assert variant.gold == question.answer and variant.image_ids == question.image_ids


def test_an_imported_question_is_asked_in_its_template_s_words(asked: Sequence[Question], gold: GoldMaker) -> None:
    def foreign(parameters: str) -> list[Variant]:
        question = replace(
            asked[0], source="import:ehrxqa", parameters=parameters, visual_question="any effusion there?"
        )
        return paraphrase_questions([question], gold, SEED)

    [variant] = foreign('{"template": "is there an effusion?"}')
    assert variant.asked == "is there an effusion?"
    for words in ("any effusion there?", "is there ${attribute}?", f"in study {asked[0].study_ids[0]}, an effusion?"):
        assert foreign(json.dumps({"template": words})) == []
    assert foreign("{}") == []


def test_a_negation_has_the_other_answer(asked: Sequence[Question], variants: Variants) -> None:
    booleans = {question.question_id: question for question in asked if question.answer_type == "boolean"}
    assert set(variants["negated"]) == set(booleans)
    for question_id, variant in variants["negated"].items():
        assert json.loads(str(variant.gold)) is not json.loads(booleans[question_id].answer)
        assert variant.asked not in (booleans[question_id].asked, "")


def test_every_yes_no_template_has_an_opposite_and_nothing_else_has() -> None:
    templates = read_templates()
    for template in templates.templates:
        assert (template.negated is not None) == (template.answer_type == "boolean"), template.id
    slots = {"attribute": "pneumothorax", "object": "left lung"}
    asked = templates.render_negated(templates.by_id["verify-attribute-in-object"], slots)
    assert asked == "Is the left lung free of pneumothorax?"
    with pytest.raises(QuestionError, match="no words for its opposite"):
        templates.render_negated(templates.by_id["query-findings"], {})


def test_a_negation_of_a_list_is_refused() -> None:
    declared = {
        "id": "query-x", "slots": [], "answer_type": "set", "gold": {"list": "category"},
        "phrasings": [f"What is there, {n}?" for n in range(5)], "negated": "What is not there?",
    }  # fmt: skip
    with pytest.raises(QuestionError, match="only a yes/no question has an opposite"):
        parse_template(declared, "mine.yaml")


def test_a_template_without_words_for_its_opposite_is_left_out(asked: Sequence[Question], gold: GoldMaker) -> None:
    templates = gold.known.templates
    bare = replace(templates, templates=tuple(replace(each, negated=None) for each in templates.templates))
    assert negate_questions(asked, GoldMaker(replace(gold.known, templates=bare))) == []


# ---------------------------------------------------------------------------------------------------------- identifiers


def test_what_names_nobody_stays_as_it_is(asked: Sequence[Question], variants: Variants) -> None:
    assert {variants["scrambled"][each.question_id].asked == each.asked for each in asked} == {True}


def test_identifiers_are_new_and_dates_are_shifted_alike(asked: Sequence[Question]) -> None:
    patient, study = asked[0].subject_id, asked[0].study_ids[0]
    texts = [
        (f"Between 2150-01-03 and 2150-01-10 08:30, did study {study} of patient {patient} show more?", "text", '"x"'),
        (f"When was study {study} of {patient} after 2150-02-28?", "date", '"2150-03-01"'),
    ]
    questions = [
        replace(asked[0], question=text, visual_question=None, answer_type=kind, answer=answer, question_id=text[:4])  # type: ignore[arg-type]
        for text, kind, answer in texts
    ]
    one, other = scramble_questions(questions, SEED)
    for variant in (one, other):
        assert str(patient) not in variant.asked and str(study) not in variant.asked
        assert new_identifier(str(study), SEED) in variant.asked and "2150" not in variant.asked.split("study")[0][:16]
    dates = [part for part in one.asked.replace(",", "").split() if part.count("-") == 2]
    shifted = shift_dates(shift_dates("2150-01-03 to 2150-01-10", 5), -5)
    assert shifted == "2150-01-03 to 2150-01-10"
    first, second = map(date.fromisoformat, dates)
    assert (second - first).days == 7 and " 08:30," in one.asked
    [asked_date] = [part.rstrip("?") for part in other.asked.split() if part.count("-") == 2]
    moved = date.fromisoformat(asked_date) - date(2150, 2, 28)
    assert date.fromisoformat(json.loads(str(other.gold))) - date(2150, 3, 1) == moved
    assert first - date(2150, 1, 3) == moved  # of one patient, all dates alike


def test_a_new_identifier_looks_like_the_old() -> None:
    assert new_identifier("50000123", 1) != "50000123" and len(new_identifier("50000123", 1)) == 8
    assert new_identifier("50000123", 1)[0] == "5"
    assert new_identifier("50000123", 1) == new_identifier("50000123", 1) != new_identifier("50000123", 2)
    made = new_identifier("0a1b-22ff", 3)
    assert made[4] == "-" and made != "0a1b-22ff"
    assert shift_dates("day 2150-13-45 is none", 3) == "day 2150-13-45 is none"
