"""A mirrored film: the gold answer is that of a hospital in which every left is a right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.questions.gold import Ask, answer_ask
from chartsight.questions.labels import read_film_labels
from chartsight.questions.templates import read_templates
from chartsight.questions.variants import GoldMaker, KnownFilms
from chartsight.questions.variants.mirrored import has_side, mirror_answer, mirror_ask, mirror_films, mirror_words
from chartsight.records import open_record
from chartsight.schema import OBJECTS, Condition, Question, Variant
from tests.questions.conftest import Rows, create_record


@pytest.fixture(scope="module")
def mirrored(variants: Mapping[Condition, Mapping[str, Variant]]) -> Mapping[str, Variant]:
    return variants["mirrored"]


def test_words() -> None:
    assert mirror_words("left lower lung zone") == "right lower lung zone"
    assert mirror_words("right") == "left"
    assert mirror_words("right atrium") == "right atrium"
    assert mirror_words("cardiac silhouette") == "cardiac silhouette"
    assert {mirror_words(place) for place in OBJECTS} == set(OBJECTS)
    assert all(mirror_words(mirror_words(place)) == place for place in OBJECTS)
    assert mirror_answer(["left lung", "spine"]) == ["right lung", "spine"]
    assert mirror_answer(True) is True


def test_gold_is_that_of_a_hospital_with_left_and_right_exchanged(
    rows: Rows, asked: Sequence[Question], mirrored: Mapping[str, Variant], known: KnownFilms, tmp_path: Path
) -> None:
    exchanged = {**rows}
    exchanged["labels"] = [(*row[:2], mirror_words(str(row[2])), *row[3:]) for row in rows["labels"]]
    with open_record(create_record(tmp_path / "mirrored.duckdb", exchanged)) as record:
        labels = read_film_labels(record.connection, label_sources=("imagenome",))
    row_of = {film.image_id: row for row, film in enumerate(labels.films)}
    templates = read_templates()
    compared = changed = 0
    for question in asked:
        if question.question_id not in mirrored:
            continue
        ask = Ask(templates.by_id[question.template_id], json.loads(question.parameters))
        answers = answer_ask(ask, labels, templates.words)
        code = answers.codes[row_of[question.image_ids[0]]]
        if code < 0:
            continue
        value = answers.values[code]
        gold = mirrored[question.question_id].gold
        assert gold == json.dumps(list(value) if isinstance(value, tuple) else value), question.asked
        compared += 1
        changed += gold != question.answer
    assert compared > 0.9 * len(mirrored) and changed > 0.3 * compared


def test_asked_is_what_has_a_side_and_no_more(
    asked: Sequence[Question], mirrored: Mapping[str, Variant], gold: GoldMaker
) -> None:
    for question in asked:
        ask = gold.ask_of(question)
        assert ask is not None
        if question.question_id in mirrored:
            variant = mirrored[question.question_id]
            assert has_side(ask) and variant.asked == question.asked and variant.image_ids == question.image_ids
            assert variant.change is not None and variant.change.kind == "mirror"
        elif has_side(ask):  # the labels cannot tell the other side
            assert gold.answer(mirror_ask(ask), question.image_ids[0]) is None
    sides = [each for each in asked if each.template_id == "choose-side" and each.question_id in mirrored]
    assert sides
    assert {(each.answer, mirrored[each.question_id].gold) for each in sides} == {
        ('"left"', '"right"'), ('"right"', '"left"'),
    }  # fmt: skip


def test_twice_mirrored_is_the_film_itself(asked: Sequence[Question], mirrored: Mapping[str, Variant]) -> None:
    for question in asked:
        if question.question_id in mirrored:
            answer = json.loads(str(mirrored[question.question_id].gold))
            assert mirror_answer(mirror_answer(answer)) == answer
            if isinstance(answer, list):
                assert set(answer) <= set(mirrored[question.question_id].allowed_answers)
                assert set(question.allowed_answers) <= set(mirrored[question.question_id].allowed_answers)


def test_a_lateral_film_is_left_out(asked: Sequence[Question], known: KnownFilms) -> None:
    """Its left and right lie behind one another."""
    index = {each: replace(film, view_position="LATERAL") for each, film in known.index.items()}
    lateral = replace(known, index=type(known.index)(index.values(), known.index.source))
    assert mirror_films(asked, GoldMaker(lateral)) == []
