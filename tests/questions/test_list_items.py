"""Lists taken apart into yes/no questions: the same answer as the list's own, for whoever answers those rightly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.errors import CheckpointError
from chartsight.questions.list_items import ITEM_ODDS, ItemOdds, ListItem, list_items, read_list
from chartsight.questions.templates import read_templates
from chartsight.schema import Question
from tests.questions.conftest import Rows
from tests.questions.test_gold import SlowReading

EVEN = ItemOdds({}, {})


@pytest.fixture(scope="module")
def meaning() -> dict[str, tuple[str, str | None]]:
    """Canonical yes/no question → what is looked for, and where; read from the templates' own words."""
    from chartsight.schema import ATTRIBUTES, CATEGORIES, OBJECTS

    templates = read_templates()
    known: dict[str, tuple[str, str | None]] = {}
    for kind, tests in (
        ("attribute", tuple(ATTRIBUTES)), ("category", CATEGORIES), ("abnormality", ("abnormality",))
    ):  # fmt: skip
        for test in tests:
            own = {} if kind == "abnormality" else {kind: test}
            known[templates.render_phrasing(templates.by_id[f"verify-{kind}"], 1, own)] = (test, None)
            for place in OBJECTS:
                template = templates.by_id[f"verify-{kind}-in-object"]
                known[templates.render_phrasing(template, 1, own | {"object": place})] = (test, place)
    return known


def test_who_answers_yes_and_no_rightly_lists_rightly(
    rows: Rows, questions: list[Question], meaning: dict[str, tuple[str, str | None]]
) -> None:
    reading = SlowReading(rows)
    lists = [question for question in questions if question.answer_type == "set"]
    taken_apart = 0
    for question in lists:
        items = list_items(question)
        assert [item.name for item in items] == list(question.allowed_answers)
        chances = {
            ask: {True: 0.99, False: 0.01, None: 0.5}[reading.is_true(question.study_ids[0], *meaning[ask])]
            for item in items for ask in item.asks
        }  # fmt: skip
        if 0.5 in chances.values():
            continue  # something is unknown that the answer does not hang on
        found, scores = read_list(items, chances, EVEN)
        assert list(found) == json.loads(question.answer), question.visual_question
        assert set(scores) == set(question.allowed_answers)
        taken_apart += 1
    assert taken_apart > len(lists) / 2 and {len(i.asks) for q in lists for i in list_items(q)} == {1, 2}


def test_only_lists_of_the_own_templates_are_taken_apart(questions: list[Question]) -> None:
    question = next(each for each in questions if each.answer_type == "set")
    assert list_items(question)
    others = (
        {"answer_type": "boolean"}, {"source": "templates:one-image:0"}, {"source": "templates:nobodys:2"},
        {"source": "ehrxqa"}, {"template_id": "query-nothing"}, {"allowed_answers": ()},
    )  # fmt: skip
    for other in others:
        assert list_items(replace(question, **other)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("join", "chance"), [(None, 0.8), ("or", 1 - 0.2 * 0.7), ("and", 0.8 * 0.3), ("only", 0.8 * 0.7)]
)
def test_two_questions_decide_by_their_join(join: str | None, chance: float) -> None:
    item = ListItem("a", ("first?",) if join is None else ("first?", "second?"), join)  # type: ignore[arg-type]
    assert item.chance({"first?": 0.8, "second?": 0.3}) == pytest.approx(chance)


def test_odds_are_those_of_the_lists_and_move_an_even_answer(questions: list[Question]) -> None:
    lists = [each for each in questions if each.template_id == "query-findings-in-object"]
    odds = ItemOdds.of(lists)
    ask, n = max(odds.asked.items(), key=lambda each: each[1])
    holding = [each for each in lists if any(ask in item.asks for item in list_items(each))]
    name = next(item.name for item in list_items(holding[0]) if ask in item.asks)
    assert n == len(holding)
    assert odds.found.get(ask, 0) == sum(name in json.loads(each.answer) for each in holding)
    assert odds.corrected(ask, 0.5) == pytest.approx(odds.chance(ask))
    assert odds.corrected(ask, 0.9) > odds.chance(ask) > odds.corrected(ask, 0.1)
    assert EVEN.corrected(ask, 0.7) == pytest.approx(0.7)


def test_odds_come_back_from_a_folder(tmp_path: Path, questions: list[Question]) -> None:
    odds = ItemOdds.of(questions)
    odds.write(tmp_path)
    again = ItemOdds.read(tmp_path)
    assert {ask: again.chance(ask) for ask in odds.asked} == {ask: odds.chance(ask) for ask in odds.asked}
    assert ItemOdds.read(tmp_path / "elsewhere") == EVEN
    (tmp_path / ITEM_ODDS).write_text("[1]", "utf-8")
    with pytest.raises(CheckpointError, match="item odds written by"):
        ItemOdds.read(tmp_path)
