"""Fewer variants where an audit would cost too much: the same for every model, films with all their questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from chartsight.errors import QuestionError
from chartsight.questions.variants import KnownFilms, build_variants, plan_variants, thin_variants
from chartsight.questions.variants.thinning import FILM_IN_ASKS, MOST_PASSES, THINNED, count_asks
from chartsight.schema import CONDITIONS, Condition, Question, Variant
from tests.questions.variants.conftest import SEED

Variants = Mapping[Condition, Mapping[str, Variant]]


def test_what_is_counted(asked: Sequence[Question], variants: Variants) -> None:
    films = {question.image_ids for question in asked}
    assert count_asks({"full": variants["full"]}) == FILM_IN_ASKS * len(films) + len(asked)
    twice = {"full": variants["full"], "scrambled": variants["scrambled"]}
    assert count_asks(twice) == count_asks({"full": variants["full"]})  # the same asks of the same films
    texts = {question.asked for question in asked}
    assert count_asks({"question_only": variants["question_only"]}) == len(texts)
    assert count_asks({"blank": variants["blank"]}) == FILM_IN_ASKS + len(texts)
    assert count_asks({}) == 0


def test_no_more_than_is_allowed_and_no_fewer_than_needed(asked: Sequence[Question], variants: Variants) -> None:
    plain = count_asks({"full": variants["full"]})
    thinned = thin_variants(variants, asked, SEED)
    assert count_asks(variants) > MOST_PASSES * plain >= count_asks(thinned) > 0.95 * MOST_PASSES * plain
    film_of = {question.question_id: question.image_ids for question in asked}
    kept = {film_of[name] for name in thinned["paraphrase"]}
    for condition in CONDITIONS:
        if condition not in THINNED:
            assert thinned[condition] == variants[condition]
        else:  # a film keeps all its questions or none
            assert thinned[condition] == {
                name: each for name, each in variants[condition].items() if film_of[name] in kept
            }
            assert 0 < len(thinned[condition]) < len(variants[condition])
    assert thin_variants(variants, asked, SEED, most_passes=20) == variants
    assert thin_variants(variants, asked, SEED + 1) != thinned


def test_a_plan_is_the_same_whichever_conditions_are_asked(asked: Sequence[Question], known: KnownFilms) -> None:
    whole = plan_variants(asked, CONDITIONS, known, SEED)
    some = plan_variants(asked, ["mirrored", "full"], known, SEED)
    assert list(some) == ["mirrored", "full"]
    assert some == {"mirrored": whole["mirrored"], "full": whole["full"]}
    assert len(whole["mirrored"]) < len(build_variants(asked, ["mirrored"], known, SEED)["mirrored"])


def test_one_patient_alone(asked: Sequence[Question], known: KnownFilms) -> None:
    mine = [each for each in asked if each.subject_id == asked[0].subject_id]
    assert len(plan_variants(mine, ["full"], known, SEED)["full"]) == len(mine)
    with pytest.raises(QuestionError, match="one patient"):
        plan_variants(mine, ["shuffled"], known, SEED)
