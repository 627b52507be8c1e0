"""Instructions are true of the film, many in wording, never in the examination's words, and give nothing away."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest

from chartsight.questions.templates import read_templates
from chartsight.schema import WHOLE_FILM
from chartsight.starters import instructions
from chartsight.starters.asked import Asked
from chartsight.starters.instructions import (
    EVERY_WORDING,
    KINDS,
    FilmFacts,
    Vocabulary,
    ask_film,
    is_abnormal,
)

PLACES = ("left lung", "right lung", "left apical zone", "right apical zone", "mediastinum")
FINDINGS = ("pleural effusion", "pneumothorax", "mass/nodule (not otherwise specified)", "picc", "rotated", "pneumonia")


def made_up(n: int = 400) -> list[FilmFacts]:
    random = np.random.default_rng(8)
    films = []
    for _ in range(n):
        found = {(name, place) for name in FINDINGS for place in PLACES if random.random() < 0.12}
        if random.random() < 0.2:
            found.add(("pneumonia", WHOLE_FILM))
        view = ("PA", "AP", "LATERAL")[int(random.integers(3))]
        if view == "LATERAL":
            found = {(name, WHOLE_FILM) for name, _ in found}
        films.append(FilmFacts(frozenset(found), view, "FM"[int(random.integers(2))], knows_places=view != "LATERAL"))
    return films


FILMS = made_up()
VOCABULARY = Vocabulary.of(FILMS)
QUESTIONS = [
    (facts, asked)
    for nth, facts in enumerate(FILMS)
    for asked in ask_film(facts, VOCABULARY, np.random.default_rng([3, nth]))
]


def slots(asked: Asked, frames: tuple[str, ...]) -> list[dict[str, str]]:
    """Every way to read a question as one of the frames."""
    found = []
    for frame in frames:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(frame))
        if match := re.fullmatch(pattern, asked.question):
            found.append(match.groupdict())
    return found


def test_yes_and_no_are_true_of_the_film() -> None:
    for facts, asked in QUESTIONS:
        if asked.template_id == "med-finding":
            [name] = {each["x"] for each in slots(asked, instructions.YES_NO)} & set(FINDINGS)
            assert json.loads(asked.answer) == (name in facts.present)
        if asked.template_id == "med-place":
            readings = slots(asked, instructions.OF_PLACE)
            phrased = [each["x"] for each in slots(asked, instructions.YES_NO)]
            readings += [
                {"x": match[1], "place": match[2]}
                for phrase in phrased
                if (match := re.fullmatch(r"(.+) (?:in|of|at|within) the (.+)", phrase))
            ]
            [pair] = {(each["x"], each["place"]) for each in readings} & {(f, p) for f in FINDINGS for p in PLACES}
            assert json.loads(asked.answer) == (pair in facts.found)
        if asked.template_id == "med-pair":
            yes = json.loads(asked.answer)
            both = slots(asked, instructions.BOTH)
            for reading in (both or slots(asked, instructions.EITHER))[:1]:
                if {reading["a"], reading["b"]} <= set(FINDINGS):
                    there = [name in facts.present for name in (reading["a"], reading["b"])]
                    assert yes == (all(there) if both else any(there)), asked


def test_choices_and_lists_are_true_of_the_film() -> None:
    for facts, asked in QUESTIONS:
        answer = json.loads(asked.answer)
        if asked.answer_type in ("choice", "set"):
            assert set([answer] if isinstance(answer, str) else answer) <= set(asked.allowed_answers)
        match asked.template_id:
            case "med-choose":
                assert [name for name in asked.allowed_answers if name in facts.present] == [answer]
            case "med-list":
                assert answer == sorted(name for name in facts.present if is_abnormal(name))
            case "med-side":
                [name] = [each for each in FINDINGS if each in asked.question]
                sides = {place.split()[0] for found, place in facts.found if found == name and place != WHOLE_FILM}
                assert sides == {answer}
            case "med-where":
                [name] = [each for each in FINDINGS if each in asked.question]
                assert answer == sorted(p for found, p in facts.found if found == name and p != WHOLE_FILM)
            case "med-which-fact":
                assert answer in {facts.view, "lateral" if facts.view == "LATERAL" else "", "female", "male"}


def test_every_kind_is_asked() -> None:
    documented = set(re.findall(r"^    (med-[a-z-]+) ", instructions.__doc__ or "", re.MULTILINE))
    assert {asked.template_id for _, asked in QUESTIONS} == documented
    assert len(QUESTIONS) / len(FILMS) > 10


def test_a_lateral_film_is_not_asked_where() -> None:
    for facts, asked in QUESTIONS:
        if not facts.knows_places:
            assert not any(place in asked.question for place in PLACES), asked


def test_yes_is_as_frequent_as_no_and_the_finding_does_not_say_which() -> None:
    """The frequent finding is as often asked where it is absent as where it is there."""
    answers: dict[str, Counter[bool]] = {}
    for _, asked in QUESTIONS:
        if asked.template_id == "med-finding":
            [name] = {each["x"] for each in slots(asked, instructions.YES_NO)} & set(FINDINGS)
            answers.setdefault(name, Counter())[json.loads(asked.answer)] += 1
    total = sum(answers.values(), Counter())
    assert 0.4 < total[True] / total.total() < 0.6
    for name, counts in answers.items():
        assert 0.25 < counts[True] / counts.total() < 0.75, name


TUPLES = [name for name in vars(instructions) if name.isupper() and isinstance(getattr(instructions, name), tuple)]


@pytest.mark.parametrize(
    "name", [name for name in TUPLES if name not in ("IN_PLACE", "OF_PLACE", "EVERY_WORDING", "ABNORMALITY_CATEGORIES")]
)
def test_at_least_twelve_wordings_of_each_kind(name: str) -> None:
    frames = getattr(instructions, name)
    assert len(set(frames)) == len(frames) >= 12


def test_no_wording_is_the_examination_s() -> None:
    def bare(text: str) -> str:
        return re.sub(r"\W+", " ", re.sub(r"\{\w+\}", "_", text.lower())).strip()

    examined = {bare(phrasing) for template in read_templates().templates for phrasing in template.phrasings}
    assert not examined & {bare(frame) for frame in EVERY_WORDING}
    asked = {bare(frame.replace("{x}", "{x} in the {place}")) for frame in instructions.YES_NO}
    assert not examined & asked


def test_kinds_are_the_schema_s() -> None:
    from chartsight.schema import CATEGORIES

    assert tuple(KINDS) == CATEGORIES


def test_nothing_to_say_is_said() -> None:
    facts = FilmFacts(frozenset(), "PA", None)
    asked = list(ask_film(facts, VOCABULARY, np.random.default_rng(0)))
    lists = [each for each in asked if each.template_id == "med-list"]
    assert lists and all(each.answer == "[]" for each in lists)
    assert not any(each.template_id in ("med-choose", "med-where", "med-side") for each in asked)
    assert list(ask_film(facts, Vocabulary.of([facts]), np.random.default_rng(0)))
