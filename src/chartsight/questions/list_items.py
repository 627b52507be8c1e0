"""A list taken apart: for each name that may be in it, the yes/no questions that decide whether it is.

"What are all the findings in the left lung or the right lung?", allowed: atelectasis, ...

    atelectasis     Is there atelectasis in the left lung?    or    Is there atelectasis in the right lung?

`ItemOdds` are what a model was fine-tuned on: how often each of these was true in its lists. Yes/no questions are asked
half and half, lists are not, so that what a model says to the one needs these odds to say the other.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from chartsight.errors import CheckpointError, QuestionError
from chartsight.questions.templates import Join, TemplateSet, read_templates, slot_kind
from chartsight.runs import write_json
from chartsight.schema import Question

ITEM_ODDS = "item_odds.json"  # in a model's folder
KNOWN_BEFORE = 2.0  # lists that stand in for what is known before any is counted
CERTAIN = 1e-4  # a model's chance is never taken for less, or for more than one minus this


@dataclass(frozen=True)
class ListItem:
    """One name that may be in a list.

    Args:
        name: As in the allowed answers.
        asks: The yes/no question that decides, or the two that do.
        join: How two decide: one of them, both, the first without the second.
    """

    name: str
    asks: tuple[str, ...]
    join: Join | None = None

    def chance(self, chances: Mapping[str, float]) -> float:
        """Of being in the list, from the chance of each of its questions."""
        first, *rest = (chances[ask] for ask in self.asks)
        if not rest:
            return first
        second = rest[0]
        if self.join == "or":
            return 1 - (1 - first) * (1 - second)
        return first * (1 - second) if self.join == "only" else first * second


def list_items(question: Question) -> tuple[ListItem, ...]:
    """What decides a list, name by name; empty for what is no list, or not a list of the package's own templates."""
    if question.answer_type != "set" or not question.allowed_answers:
        return ()
    templates = _templates(question.source)
    template = templates and templates.by_id.get(question.template_id)
    if not templates or not template or template.gold.list is None:
        return ()
    slots: dict[str, str] = json.loads(question.parameters)
    gold = template.gold
    tests = [slots.get(name, name) for name in gold.test]
    kinds = [slot_kind(name) for name in gold.test]
    places: list[str | None] = [slots[name] for name in gold.places] or [None]
    items = []
    for name in question.allowed_answers:
        if gold.list == "object":
            asks = [_ask(templates, kind, test, name) for kind, test in zip(kinds, tests, strict=True)]
        elif gold.list == "category":
            meant = [category for category, (one, _) in templates.words.items() if one == name]
            asks = [_ask(templates, "category", meant[0], None)] if meant else []
        else:
            asks = [_ask(templates, "attribute", name, place) for place in places]
        if not asks:
            return ()
        items.append(ListItem(name, tuple(asks), gold.join))
    return tuple(items)


@lru_cache(maxsize=8)
def _templates(source: str) -> TemplateSet | None:
    kind, _, rest = source.partition(":")
    if kind != "templates":
        return None
    try:
        templates = read_templates(rest.partition(":")[0])
    except QuestionError:
        return None
    return templates if templates.source == source else None


def _ask(templates: TemplateSet, kind: str, test: str, place: str | None) -> str:
    """The canonical yes/no question about one finding, one kind of finding, or any, in a place or anywhere."""
    template = templates.by_id[f"verify-{kind}" + ("" if place is None else "-in-object")]
    return templates.render_phrasing(template, 1, {kind: test} | ({} if place is None else {"object": place}))


@dataclass(frozen=True)
class ItemOdds:
    """How often what was true in the lists that a model was fine-tuned on.

    Args:
        found: Yes/no question → lists in which it was true.
        asked: Yes/no question → lists in which it could have been.
    """

    found: Mapping[str, int]
    asked: Mapping[str, int]

    @classmethod
    def of(cls, questions: Iterable[Question]) -> ItemOdds:
        """Of lists that one question an item decides."""
        found: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for question in questions:
            answer = None
            for item in list_items(question):
                if len(item.asks) > 1:
                    break
                answer = set(json.loads(question.answer)) if answer is None else answer
                asked[item.asks[0]] += 1
                found[item.asks[0]] += item.name in answer
        return cls(dict(found), dict(asked))

    def chance(self, ask: str) -> float:
        """How likely it is before the film is seen; half when no list was counted."""
        if not self.asked:
            return 0.5
        base = (sum(self.found.values()) + 1) / (sum(self.asked.values()) + 2)
        return (self.found.get(ask, 0) + KNOWN_BEFORE * base) / (self.asked.get(ask, 0) + KNOWN_BEFORE)

    def corrected(self, ask: str, chance: float) -> float:
        """The chance of yes in a list, from that which a model gives where half of the answers are yes."""
        return 1 / (1 + math.exp(-_log_odds(chance) - _log_odds(self.chance(ask))))

    def write(self, folder: Path) -> None:
        """Into a model's folder."""
        rows = {ask: [self.found.get(ask, 0), n] for ask, n in sorted(self.asked.items())}
        write_json(folder / ITEM_ODDS, rows)

    @classmethod
    def read(cls, folder: Path) -> ItemOdds:
        """Of a model's folder; even odds when it has none.

        Raises:
            CheckpointError: The file is none of ours.
        """
        path = folder / ITEM_ODDS
        if not path.is_file():
            return cls({}, {})
        try:
            rows = json.loads(path.read_text("utf-8"))
            return cls({ask: int(row[0]) for ask, row in rows.items()}, {ask: int(row[1]) for ask, row in rows.items()})
        except (ValueError, AttributeError, TypeError, IndexError):
            raise CheckpointError("bad-odds", path, "cannot be read", "item odds written by chartsight train") from None


def read_list(
    items: Sequence[ListItem], chances: Mapping[str, float], odds: ItemOdds
) -> tuple[tuple[str, ...], dict[str, float]]:
    """The names that are rather in the list than not, sorted, and the chance of each.

    Args:
        items: Of `list_items`.
        chances: Yes/no question → chance of yes, where half of the answers are yes.
        odds: Of the model.
    """
    known = {
        ask: odds.corrected(ask, min(max(chances[ask], CERTAIN), 1 - CERTAIN)) for item in items for ask in item.asks
    }
    scored = {item.name: round(item.chance(known), 4) for item in items}
    return tuple(sorted(name for name, chance in scored.items() if chance > 0.5)), scored


def _log_odds(chance: float) -> float:
    return math.log(chance / (1 - chance))
