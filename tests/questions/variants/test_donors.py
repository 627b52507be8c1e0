"""Donors: another patient, the same split and view, balanced over their right answer; what guessing makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from chartsight.questions import read_questions
from chartsight.questions.variants import GoldMaker, KnownFilms, build_variants, read_known_films
from chartsight.questions.variants.donors import swap_films
from chartsight.schema import Condition, Question, Variant
from tests.questions.variants.conftest import SEED


@pytest.fixture(scope="module")
def swap(variants: Mapping[Condition, Mapping[str, Variant]]) -> Mapping[str, Variant]:
    return variants["swap"]


def test_a_donor_is_another_patient_of_the_same_split_and_view(
    questions: Sequence[Question], asked: Sequence[Question], known: KnownFilms, swap: Mapping[str, Variant]
) -> None:
    split_of = {question.image_ids[0]: question.split for question in questions}
    assert len(swap) > 0.95 * len(asked)
    for question in asked:
        if question.question_id not in swap:
            continue
        variant = swap[question.question_id]
        [donor], [own] = variant.image_ids, question.image_ids
        assert variant.donor_image_ids == (donor,) and variant.change is None and variant.asked == question.asked
        assert known.index[donor].subject_id != known.index[own].subject_id
        assert known.index[donor].digest != known.index[own].digest
        assert split_of[donor] == question.split
        if "view" not in question.template_id:
            assert known.index[donor].view_position == known.index[own].view_position


def test_the_right_answer_on_the_donor_is_computed(
    asked: Sequence[Question], swap: Mapping[str, Variant], gold: GoldMaker
) -> None:
    for question in asked:
        if question.question_id in swap:
            variant = swap[question.question_id]
            assert variant.gold is not None
            assert variant.gold == gold.regold(question, variant.donor_image_ids[0])


def test_donors_are_balanced_over_their_answer(asked: Sequence[Question], swap: Mapping[str, Variant]) -> None:
    """From the donor's right answer nobody can tell the own one: half and half within each own answer."""
    pairs = Counter(
        (question.answer, swap[question.question_id].gold)
        for question in asked
        if question.answer_type == "boolean" and question.question_id in swap
    )
    for own in ("true", "false"):
        n = pairs[own, "true"] + pairs[own, "false"]
        assert n > 100 and abs(pairs[own, "true"] / n - 0.5) < 0.05
    choices = [
        swap[each.question_id].gold == each.answer
        for each in asked
        if each.answer_type == "choice" and each.question_id in swap
    ]
    assert abs(np.mean(choices) - 0.5) < 0.15


def test_donors_are_alike_where_they_can_be(
    asked: Sequence[Question], swap: Mapping[str, Variant], known: KnownFilms
) -> None:
    matched = 0
    for question in asked:
        if (variant := swap.get(question.question_id)) is None:
            continue
        own, other = (known.confounders(each) for each in (question.image_ids[0], variant.image_ids[0]))
        shared = dict(each.split("=", 1) for each in variant.stratum)
        shared.pop("mention", None)
        assert shared.items() <= own.items() and shared.items() <= other.items()
        matched += variant.is_matched
        if variant.is_matched and "device" in shared:
            assert own["device"] == other["device"]
    assert matched > 0.8 * len(swap)


def test_a_question_about_devices_is_not_matched_on_devices(
    asked: Sequence[Question], swap: Mapping[str, Variant]
) -> None:
    about = [each for each in asked if each.template_id == "verify-attribute" and "tube" in each.parameters]
    assert about
    for question in about:
        if question.question_id in swap:
            assert not any(each.startswith("device=") for each in swap[question.question_id].stratum)


def test_techniques_of_a_drawn_hospital_are_confounders(rendered: Path) -> None:
    known = read_known_films(rendered)
    names = set.union(*(set(known.confounders(image_id)) for image_id in known.row_of))
    assert {"view", "geometry", "device", "padding", "marker", "portable", "annotated", "source"} <= names
    asked = [each for each in read_questions(rendered) if each.split == "test"]
    swapped = build_variants(asked, ["swap"], known, SEED)["swap"]
    shared = Counter(each.split("=")[0] for variant in swapped.values() for each in variant.stratum)
    chance = Counter(
        name
        for question in asked
        for other in asked[:: len(asked) // 20]
        for name, value in known.confounders(question.image_ids[0]).items()
        if known.confounders(other.image_ids[0]).get(name) == value
    )
    n_chance = len(asked) * len(asked[:: len(asked) // 20])
    assert shared["padding"] / len(swapped) > chance["padding"] / n_chance  # better than drawn without a look


def test_the_same_seed_draws_the_same_donors(
    asked: Sequence[Question], known: KnownFilms, swap: Mapping[str, Variant]
) -> None:
    again = {each.question_id: each for each in swap_films(asked, GoldMaker(known), SEED)}
    assert again == swap
    backwards = {each.question_id: each for each in swap_films(list(reversed(asked)), GoldMaker(known), SEED)}
    assert backwards == swap
    other = {each.question_id: each for each in swap_films(asked, GoldMaker(known), SEED + 1)}
    assert other != swap


def test_one_patient_alone_has_no_donor(asked: Sequence[Question], gold: GoldMaker) -> None:
    mine = [each for each in asked if each.subject_id == asked[0].subject_id]
    assert swap_films(mine, gold, SEED) == []


# ------------------------------------------------------------------------------------------ what guessing makes of them


def grounding(asked: Sequence[Question], swap: Mapping[str, Variant], said: Mapping[tuple[str, str], bool]) -> float:
    """Counterfactual grounding over yes/no questions whose donor has the other answer; `said` by (question, film)."""
    hits = []
    for question in asked:
        variant = swap.get(question.question_id)
        if question.answer_type != "boolean" or variant is None or variant.gold in (None, question.answer):
            continue
        own = said[question.question_id, question.image_ids[0]] == json.loads(question.answer)
        other = said[question.question_id, variant.image_ids[0]] == json.loads(str(variant.gold))
        hits.append(own and other)
    assert len(hits) > 150
    return float(np.mean(hits))


def test_who_does_not_look_has_no_grounding_and_a_coin_a_quarter(
    asked: Sequence[Question], swap: Mapping[str, Variant], gold: GoldMaker
) -> None:
    pairs = [
        (question.question_id, image_id)
        for question in asked
        if question.question_id in swap
        for image_id in (question.image_ids[0], swap[question.question_id].image_ids[0])
    ]
    prior = {question.question_id: len(question.template_id) % 2 == 0 for question in asked}
    assert grounding(asked, swap, {pair: prior[pair[0]] for pair in pairs}) == 0
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        found.append(grounding(asked, swap, {pair: bool(random.random() < 0.5) for pair in pairs}))
    assert abs(np.mean(found) - 0.25) < 0.02
    by_id = {question.question_id: question for question in asked}
    seen = {pair: json.loads(str(gold.regold(by_id[pair[0]], pair[1]))) for pair in pairs}
    assert grounding(asked, swap, seen) == 1
