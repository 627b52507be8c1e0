"""Every gold answer against a slow reading of the label rows, one film and one statement at a time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from chartsight.questions.labels import PARENT_OBJECTS
from chartsight.questions.templates import read_templates
from chartsight.schema import ABNORMALITY_CATEGORIES, ATTRIBUTES, CATEGORIES, Question
from tests.questions.conftest import Rows

ONE_IMAGE = read_templates()


class SlowReading:
    """What the rows say, by sets and loops; None is unknown."""

    def __init__(self, rows: Rows) -> None:
        self.seen: dict[Any, set[tuple[Any, Any]]] = defaultdict(set)
        self.maybe: dict[Any, set[tuple[Any, Any]]] = defaultdict(set)
        for study, _, place, attribute, _, state, _ in rows["labels"]:
            found = {"present": self.seen, "uncertain": self.maybe}.get(str(state))
            if found is not None:
                found[study] |= {(place, attribute), (PARENT_OBJECTS.get(str(place), place), attribute)}
        self.view = {row[1]: row[3] for row in rows["films"]}
        self.sex = {row[1]: dict(rows_sex(rows))[row[2]] for row in rows["films"]}
        study_of = {row[0]: row[1] for row in rows["films"]}
        self.boxes = {(study_of[row[0]], row[1]): (row[2], row[4]) for row in rows["boxes"]}
        self.vocabulary = set().union(*self.seen.values())

    def is_true(self, study: int, subject: str, place: str | None) -> bool | None:
        if subject in ("AP", "PA"):
            return self.view[study] == subject
        if subject in ("female", "male"):
            return self.sex[study] == subject
        if subject in ("ct_ratio", "mt_ratio"):
            left, right = self.boxes[study, "left lung"], self.boxes[study, "right lung"]
            width = self.boxes[study, "cardiac silhouette" if subject == "ct_ratio" else "upper mediastinum"]
            ratio = (width[1] - width[0]) / (max(left[1], right[1]) - min(left[0], right[0]))
            return bool(ratio > (1 / 2 if subject == "ct_ratio" else 1 / 3))

        def fits(statement: tuple[Any, Any]) -> bool:
            where = place is None or statement[0] == place or statement[0].startswith(f"{place} ")
            return where and statement[1] in meant(subject)

        if any(fits(statement) for statement in self.seen[study]):
            return True
        return None if any(fits(statement) for statement in self.maybe[study]) else False


def rows_sex(rows: Rows) -> list[tuple[Any, str]]:
    return [(row[0], {"F": "female", "M": "male"}[str(row[1])]) for row in rows["patients"]]


def meant(subject: str) -> set[str]:
    categories = ABNORMALITY_CATEGORIES if subject == "abnormality" else (subject,)
    return (
        {a for a, c in ATTRIBUTES.items() if c in categories} if subject in (*CATEGORIES, "abnormality") else {subject}
    )


def both(join: str | None, first: bool | None, second: bool | None) -> bool | None:
    if join == "only":
        second = None if second is None else not second
    short = join == "or"
    if short in (first, second):
        return short
    return None if None in (first, second) else not short


def answer_slowly(question: Question, reading: SlowReading) -> Any:
    template = next(each for each in ONE_IMAGE.templates if each.id == question.template_id)
    slots, gold, study = json.loads(question.parameters), template.gold, question.study_ids[0]
    tests = [slots.get(name, name) for name in gold.test]
    places = [slots[name] for name in gold.places] or [None]

    def joined(answers: list[bool | None]) -> bool | None:
        return answers[0] if len(answers) == 1 else both(gold.join, *answers)

    if gold.choose:
        options = [slots[name] for name in gold.choose]
        found = [
            reading.is_true(study, tests[0], option) if tests else reading.is_true(study, option, places[0])
            for option in options
        ]
        assert None not in found
        assert found.count(True) == 1
        return options[found.index(True)]
    if gold.list == "category":
        shown = [c for c in ABNORMALITY_CATEGORIES if reading.is_true(study, c, None)]
        return sorted(ONE_IMAGE.words[category][0] for category in shown)
    if gold.list:
        candidates = (
            sorted({a for _, a in reading.vocabulary if a in meant(tests[0])})
            if gold.list == "attribute" else sorted({place for place, _ in reading.vocabulary})
        )  # fmt: skip
        listed = []
        for each in candidates:
            if gold.list == "attribute":
                truth = joined([reading.is_true(study, each, place) for place in places])
            else:
                truth = joined([reading.is_true(study, test, each) for test in tests])
            assert truth is not None, "a list was asked although a member is unknown"
            listed += [each] * truth
        return listed
    truth = joined([reading.is_true(study, test, place) for test in tests for place in places])
    assert truth is not None, "asked although unknown"
    return truth


def test_gold_agrees_with_a_slow_reading_of_the_labels(rows: Rows, questions: list[Question]) -> None:
    reading = SlowReading(rows)
    wrong = [q for q in questions if json.loads(q.answer) != answer_slowly(q, reading)]
    assert not wrong, [(q.visual_question, q.answer) for q in wrong[:5]]


def test_every_template_is_asked_when_the_labels_allow_it(questions: list[Question]) -> None:
    assert {question.template_id for question in questions} == {template.id for template in ONE_IMAGE.templates}


def test_answers_have_their_type_and_stay_within_what_is_allowed(questions: list[Question]) -> None:
    for question in questions:
        value = json.loads(question.answer)
        if question.answer_type == "boolean":
            assert isinstance(value, bool)
        elif question.answer_type == "choice":
            assert value in question.allowed_answers
            assert all(option.lower() in question.visual_question.lower() for option in question.allowed_answers)
        else:
            assert value == sorted(value)
            assert set(value) <= set(question.allowed_answers)


def test_the_place_of_an_option_does_not_tell_the_answer(questions: list[Question]) -> None:
    choices = [question for question in questions if question.answer_type == "choice"]
    first = Counter(question.allowed_answers.index(json.loads(question.answer)) for question in choices)
    assert abs(first[0] / len(choices) - 0.5) < 0.08


def test_part_and_whole_are_never_set_against_each_other(questions: list[Question]) -> None:
    for question in questions:
        slots = json.loads(question.parameters)
        pair = (slots.get("object"), slots.get("object2"))
        assert PARENT_OBJECTS.get(pair[0]) != pair[1] or pair[1] is None
        assert PARENT_OBJECTS.get(pair[1]) != pair[0] or pair[1] is None
