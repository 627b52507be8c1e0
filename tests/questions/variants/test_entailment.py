"""What follows from what: hand-made pairs, and that no right answer of a built set contradicts another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartsight.questions import read_questions
from chartsight.questions.templates import read_templates
from chartsight.questions.variants import find_entailments
from chartsight.schema import Entailment, Question

TEMPLATES = read_templates()


@pytest.fixture
def make(questions: Sequence[Question]) -> Any:
    def question(name: str, template: str, answer: object, allowed: tuple[str, ...] = (), **slots: str) -> Question:
        found = TEMPLATES.by_id[template]
        options = tuple(slots[slot] for slot in found.gold.choose)
        return replace(
            questions[0], question_id=name, template_id=template, answer_type=found.answer_type,
            answer=json.dumps(answer), allowed_answers=allowed or options, parameters=json.dumps(slots),
        )  # fmt: skip

    return question


def told(*questions: Question) -> set[tuple[str, object, str, str, object]]:
    return {
        (each.premise, _plain(each.premise_value), each.conclusion, each.relation, _plain(each.conclusion_value))
        for each in find_entailments(questions, TEMPLATES)
    }


def _plain(value: str) -> object:
    read = json.loads(value)
    return tuple(read) if isinstance(read, list) else read


def test_both_says_each_and_none_says_no_to_each(make: Any) -> None:
    a = make("a", "verify-attribute", True, attribute="pleural effusion")
    both = make("both", "verify-attribute-and-attribute", True, attribute="pleural effusion", attribute2="atelectasis")
    assert told(a, both) == {("both", True, "a", "equals", True), ("a", False, "both", "equals", False)}
    either = make("or", "verify-attribute-or-attribute", False, attribute="pleural effusion", attribute2="atelectasis")
    assert told(a, either) == {("or", False, "a", "equals", False), ("a", True, "or", "equals", True)}


def test_any_says_each(make: Any) -> None:
    any_ = make("any", "verify-abnormality", False)
    kind = make("kind", "verify-category", False, category="disease")
    one = make("one", "verify-attribute", False, attribute="pneumonia")
    assert told(any_, kind, one) == {
        ("any", False, "kind", "equals", False), ("any", False, "one", "equals", False),
        ("kind", False, "one", "equals", False), ("kind", True, "any", "equals", True),
        ("one", True, "kind", "equals", True), ("one", True, "any", "equals", True),
    }  # fmt: skip
    quality = make("quality", "verify-attribute", True, attribute="rotated")
    assert told(any_, quality) == set()  # of the film, not of the patient


def test_a_zone_is_in_its_lung_and_on_its_side(make: Any) -> None:
    slots = {"attribute": "atelectasis"}
    zone = make("zone", "verify-attribute-in-object", True, **slots, object="left lower lung zone")
    lung = make("lung", "verify-attribute-in-object", True, **slots, object="left lung")
    film = make("film", "verify-attribute", True, **slots)
    other = make("other", "verify-attribute-in-object", True, **slots, object="right lung")
    side = make("side", "choose-side", "left", **slots, side="left", side2="right")
    assert ("zone", True, "lung", "equals", True) in told(zone, lung)
    assert ("lung", False, "zone", "equals", False) in told(zone, lung)
    assert told(zone, other) == set()
    assert ("film", False, "zone", "equals", False) in told(zone, film)
    assert told(zone, side) == {
        ("zone", True, "side", "equals", "left"), ("side", "right", "zone", "equals", False),
    }  # fmt: skip


def test_a_list_and_what_it_lists(make: Any) -> None:
    allowed = ("atelectasis", "pneumonia")
    list_ = make("list", "query-findings-in-object", ["atelectasis"], allowed, object="left lung")
    yes = make("yes", "verify-attribute-in-object", True, attribute="atelectasis", object="left lung")
    no = make("no", "verify-attribute-in-object", False, attribute="pneumonia", object="left lung")
    film = make("film", "verify-attribute", True, attribute="atelectasis")
    assert told(list_, yes) == {
        ("list", ("atelectasis",), "yes", "equals", True),
        ("yes", True, "list", "contains", ("atelectasis",)), ("yes", False, "list", "lacks", ("atelectasis",)),
    }  # fmt: skip
    assert ("no", True, "list", "contains", ("pneumonia",)) in told(list_, no)
    assert ("list", ("atelectasis",), "no", "equals", False) in told(list_, no)
    assert ("list", ("atelectasis",), "film", "equals", True) in told(list_, film)
    assert ("film", False, "list", "lacks", ("atelectasis",)) in told(list_, film)
    only = make(
        "only", "query-findings-only-in-object", ["atelectasis"], allowed, object="right lung", object2="left lung"
    )
    assert ("only", ("atelectasis",), "yes", "equals", False) in told(only, yes)


def test_view_and_sex_stay_what_they_are(make: Any) -> None:
    ap = make("ap", "verify-view", True, view="AP")
    which = make("which", "choose-view", "AP", view="AP", view2="PA")
    assert told(ap, which) == {
        ("ap", True, "which", "equals", "AP"), ("ap", False, "which", "equals", "PA"),
        ("which", "AP", "ap", "equals", True), ("which", "PA", "ap", "equals", False),
    }  # fmt: skip
    pa = make("pa", "verify-view", False, view="PA")
    assert ("ap", True, "pa", "equals", False) in told(ap, pa)
    assert ("ap", False, "pa", "equals", True) not in told(ap, pa)  # there are other views
    here = make("here", "verify-sex", True, sex="female")
    there = replace(make("there", "verify-sex", False, sex="male"), image_ids=("another film",))
    assert told(here, there) == {
        ("here", True, "there", "equals", False), ("here", False, "there", "equals", True),
        ("there", True, "here", "equals", False), ("there", False, "here", "equals", True),
    }  # fmt: skip
    stranger = replace(there, subject_id=1)
    assert told(here, stranger) == set()


def holds(answer: object, entailment: Entailment) -> bool:
    follows = json.loads(entailment.conclusion_value)
    if entailment.relation == "equals":
        return answer == follows
    assert isinstance(answer, list)
    return set(follows) <= set(answer) if entailment.relation == "contains" else not set(follows) & set(answer)


def count_broken(questions: Sequence[Question], found: Sequence[Entailment]) -> Counter[bool]:
    answers = {each.question_id: json.loads(each.answer) for each in questions}
    return Counter(
        holds(answers[each.conclusion], each)
        for each in found
        if answers[each.premise] == json.loads(each.premise_value)
    )


def test_right_answers_never_contradict_one_another(questions: Sequence[Question], rendered: Path) -> None:
    for asked in (questions, read_questions(rendered)):
        found = find_entailments(asked, TEMPLATES)
        counted = count_broken(asked, found)
        assert counted[True] > 300 and not counted[False]
        wrong = [
            replace(each, answer=json.dumps(not json.loads(each.answer))) if each.answer_type == "boolean" else each
            for each in asked
        ]
        assert count_broken(wrong, found)[False] > 100  # and the check can fail


def test_the_order_of_questions_does_not_matter(questions: Sequence[Question]) -> None:
    some = list(questions[:200])
    assert find_entailments(some, TEMPLATES) == find_entailments(some[::-1], TEMPLATES)


def test_questions_of_other_templates_say_nothing(questions: Sequence[Question]) -> None:
    assert find_entailments([replace(each, source="import:jsonl") for each in questions], TEMPLATES) == []
