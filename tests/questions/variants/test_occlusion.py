"""Hidden places: the deciding one, and just as much of another; one set of boxes a film."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from chartsight.questions import read_questions
from chartsight.questions.variants import GoldMaker, KnownFilms, build_variants, film_facts, read_known_films
from chartsight.questions.variants.occlusion import MOST_HIDDEN, deciding_boxes, move_elsewhere
from chartsight.schema import Box, Question, Variant
from tests.questions.variants.conftest import SEED


@pytest.fixture(scope="module")
def drawn(rendered: Path) -> KnownFilms:
    return read_known_films(rendered)


@pytest.fixture(scope="module")
def asked_of_it(rendered: Path) -> dict[str, Question]:
    return {each.question_id: each for each in read_questions(rendered) if each.split == "test"}


@pytest.fixture(scope="module")
def hidden(drawn: KnownFilms, asked_of_it: Mapping[str, Question]) -> tuple[dict[str, Variant], dict[str, Variant]]:
    built = build_variants(list(asked_of_it.values()), ["occluded", "occluded_elsewhere"], drawn, SEED)
    return built["occluded"], built["occluded_elsewhere"]


def boxes_of(variant: Variant) -> tuple[Box, ...]:
    assert variant.change is not None and variant.change.kind == "occlude"
    return variant.change.boxes


def area(boxes: tuple[Box, ...]) -> float:
    """Of the union, counted in quarter pixels."""
    canvas = np.zeros((64 * 4, 64 * 4), bool)
    for x1, y1, x2, y2 in boxes:
        canvas[round(y1 * 4) : round(y2 * 4), round(x1 * 4) : round(x2 * 4)] = True
    return float(canvas.sum())


def touches(ones: tuple[Box, ...], others: tuple[Box, ...]) -> bool:
    return any(max(a[0], b[0]) < min(a[2], b[2]) and max(a[1], b[1]) < min(a[3], b[3]) for a in ones for b in others)


def test_another_place_of_the_same_area_that_touches_nothing_of_it(
    hidden: tuple[dict[str, Variant], dict[str, Variant]], asked_of_it: Mapping[str, Question], drawn: KnownFilms
) -> None:
    there, elsewhere = hidden
    assert len(there) > 10 and set(there) == set(elsewhere)
    for question_id, variant in there.items():
        own, other = boxes_of(variant), boxes_of(elsewhere[question_id])
        film = drawn.index[asked_of_it[question_id].image_ids[0]]
        assert not touches(own, other)
        assert area(own) == pytest.approx(area(other), rel=0.05)
        for x1, y1, x2, y2 in (*own, *other):
            assert 0 <= x1 < x2 <= film.columns and 0 <= y1 < y2 <= film.rows
        assert variant.gold is None and elsewhere[question_id].gold == asked_of_it[question_id].answer


def test_hidden_is_what_the_truth_says_is_there(
    hidden: tuple[dict[str, Variant], dict[str, Variant]], asked_of_it: Mapping[str, Question], drawn: KnownFilms
) -> None:
    for question_id, variant in hidden[0].items():
        question = asked_of_it[question_id]
        assert question.answer == "true" or question.answer_type == "choice"
        slots = json.loads(question.parameters)
        named = {value for name, value in slots.items() if name.startswith("attribute")}
        if question.template_id == "verify-attribute":
            marks = drawn.marks[question.image_ids[0]]
            true = {box for (_, attribute), boxes in marks.items() if attribute in named for box in boxes}
            if true:
                assert set(boxes_of(variant)) == true


def test_one_set_of_boxes_a_film(
    hidden: tuple[dict[str, Variant], dict[str, Variant]], asked_of_it: Mapping[str, Question]
) -> None:
    """So that a film is read once more hidden and once more with another place hidden, whatever is asked of it."""
    sets = defaultdict(set)
    for question_id, variant in hidden[0].items():
        sets[asked_of_it[question_id].image_ids].add(boxes_of(variant))
    assert {len(each) for each in sets.values()} == {1}


def test_what_is_not_there_has_no_place(drawn: KnownFilms, asked_of_it: Mapping[str, Question]) -> None:
    gold = GoldMaker(drawn)
    for question in asked_of_it.values():
        if question.answer == "false" or question.answer_type == "set" or "view" in question.template_id:
            assert deciding_boxes(question, gold) == ()


def test_regions_stand_in_where_no_truth_is(known: KnownFilms, asked: list[Question]) -> None:
    gold = GoldMaker(known)
    found = {each.question_id: boxes for each in asked if (boxes := deciding_boxes(each, gold))}
    assert found
    for question in asked:
        if question.question_id in found:
            regions = set(known.regions[question.image_ids[0]].values())
            assert set(found[question.question_id]) <= regions


def test_where_boxes_can_move() -> None:
    random = np.random.default_rng(1)
    assert move_elsewhere([(10, 20, 30, 40)], 100, 100, random) == ((70, 20, 90, 40),)
    middle = move_elsewhere([(40, 40, 60, 60)], 100, 100, random)  # its mirror image is itself
    assert middle is not None and not touches(middle, ((40, 40, 60, 60),))
    assert move_elsewhere([(0, 0, 100, 100 * MOST_HIDDEN + 1)], 100, 100, random) is None
    assert move_elsewhere([(30, 0, 70, 100)], 100, 100, random) is None  # 40%, and no room beside it
    assert move_elsewhere([(90, 90, 110, 99)], 100, 100, random) is None  # beyond the film
    two = move_elsewhere([(5, 5, 15, 15), (10, 60, 30, 90)], 100, 100, random)
    assert two == ((70, 60, 90, 90), (85, 5, 95, 15))


def test_facts_of_a_drawn_hospital(drawn: KnownFilms, asked_of_it: Mapping[str, Question]) -> None:
    facts = film_facts(list(asked_of_it.values()), drawn, size_px=32)
    assert set(facts) == set(asked_of_it)
    assert {each.sex for each in facts.values()} == {"female", "male"}
    assert all(each.age_band is not None and each.view in ("AP", "PA") for each in facts.values())
    large = 0
    for question_id, fact in facts.items():
        question = asked_of_it[question_id]
        film = drawn.index[question.image_ids[0]]
        if question.answer == "false":
            assert fact.lesion_px is None
        if fact.lesion_px is not None:
            widest = max((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in fact.boxes)
            assert fact.lesion_px == pytest.approx(widest**0.5 * 32 / max(film.rows, film.columns))
            large += 1
        assert fact.devices == drawn.devices(question.image_ids[0])
        assert fact.confounders["device"] == ("yes" if fact.devices else "no")
    assert large > 20
    assert {"mentioned", "unmentioned"} <= {fact.mention for fact in facts.values()}
