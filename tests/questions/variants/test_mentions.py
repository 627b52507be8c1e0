"""What the labels literally said: present, absent, perhaps, nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from chartsight.questions.gold import Ask
from chartsight.questions.templates import read_templates
from chartsight.questions.variants import KnownFilms, film_facts
from chartsight.questions.variants.mentions import mention_of
from chartsight.schema import Question
from tests.questions.conftest import Rows


def ask(template: str, **slots: str) -> Ask:
    return Ask(read_templates().by_id[template], slots)


def test_a_place_is_spoken_of_through_its_whole_and_its_parts(known: KnownFilms) -> None:
    image_id = next(iter(known.row_of))

    def said(of: Ask, *statements: tuple[str, str, str]) -> str | None:
        given: Mapping[tuple[str, str], str] = {(where, what): state for where, what, state in statements}
        films = KnownFilms(known.index, known.labels, known.templates, {image_id: given})
        return mention_of(of, films, image_id)

    anywhere = ask("verify-attribute", attribute="effusion")
    left = ask("verify-attribute-in-object", attribute="effusion", object="left lung")
    zone = ask("verify-attribute-in-object", attribute="effusion", object="left lower lung zone")
    both = ask("verify-attribute-or-attribute", attribute="effusion", attribute2="nodule")
    side = ask("choose-side", attribute="effusion", side="left", side2="right")
    assert said(anywhere) == "unmentioned"
    assert said(anywhere, ("left lung", "effusion", "absent")) == "negated"
    assert said(anywhere, ("left lung", "effusion", "absent"), ("right lung", "effusion", "present")) == "mentioned"
    assert said(left, ("right lung", "effusion", "present")) == "unmentioned"
    assert said(left, ("left lower lung zone", "effusion", "present")) == "mentioned"
    assert said(left, ("left lower lung zone", "effusion", "absent")) == "unmentioned"  # of a part, not of the whole
    assert said(zone, ("left lung", "effusion", "absent")) == "negated"
    assert said(zone, ("left lung", "effusion", "present")) == "unmentioned"  # somewhere in it
    assert said(zone, ("whole film", "effusion", "absent")) == "negated"
    assert said(left, ("left lung", "effusion", "uncertain")) == "uncertain"
    assert said(both, ("left lung", "effusion", "present")) == "unmentioned"  # of two, the one said least
    assert said(both, ("left lung", "effusion", "present"), ("left lung", "nodule", "absent")) == "negated"
    assert said(side, ("left lung", "effusion", "present"), ("right lung", "effusion", "absent")) == "negated"
    assert said(ask("verify-abnormality")) is None


def test_mentions_of_a_question_set_are_its_rows(rows: Rows, asked: Sequence[Question], known: KnownFilms) -> None:
    literal = {(row[1], row[2], row[3]): row[5] for row in rows["labels"]}
    facts = film_facts(asked, known, 64)
    named = {"present": "mentioned", "absent": "negated", "uncertain": "uncertain"}
    checked = 0
    for question in asked:
        if question.template_id != "verify-attribute-in-object":
            continue
        slots = json.loads(question.parameters)
        state = literal.get((question.image_ids[0], slots["object"], slots["attribute"]))
        if state is not None:
            assert facts[question.question_id].mention == named[str(state)]
            assert (question.answer == "true") == (state == "present")
            checked += 1
    assert checked > 30
