"""Gold answers: a template with its slots filled, answered for every film by the labels.

ask = Ask(template, {"attribute": "pneumothorax"})
answers = answer_ask(ask, labels)
answers.values          # (False, True)
answers.codes           # int32 [films]: 0, 1, or -1 where the labels cannot tell (never asked)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.questions.labels import (
    PARENT_OBJECTS,
    SEXES,
    SIDES,
    VIEWS,
    FilmLabels,
    Statements,
    all_of,
    any_of,
    negated,
)
from chartsight.questions.templates import SIZES, Template, slot_kind
from chartsight.schema import ABNORMALITY_CATEGORIES

Value = bool | str | tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """A template with its slots filled: one question, to be asked of any film."""

    template: Template
    slots: Mapping[str, str]

    def mirrored(self) -> Ask:
        """The same question with each pair of slots in the other order."""
        other = {slot: slot[:-1] if slot.endswith("2") else f"{slot}2" for slot in self.slots}
        return Ask(self.template, {slot: self.slots.get(other[slot], value) for slot, value in self.slots.items()})


@dataclass(frozen=True)
class Answers:
    """The answers of one question for all films.

    Args:
        codes: int32 [films], index into `values`; -1 where the labels cannot tell.
        values: Distinct answers: booleans, options, or sorted tuples for sets.
        allowed: The closed set of a choice or the vocabulary of a set; empty for a boolean.
    """

    codes: NDArray[np.int32]
    values: tuple[Value, ...]
    allowed: tuple[str, ...] = ()


def answer_ask(ask: Ask, labels: FilmLabels, words: Mapping[str, tuple[str, str]] | None = None) -> Answers:
    """The gold answer of `ask` for every film.

    Args:
        ask: A template with all its slots.
        labels: Of the films.
        words: Category → (one, several) in words, for the list of categories.
    """
    gold = ask.template.gold
    tests = tuple(ask.slots.get(name, name) for name in gold.test)
    places: tuple[str | None, ...] = tuple(ask.slots[name] for name in gold.places) or (None,)
    if gold.choose:
        return _answer_choice(tuple(ask.slots[name] for name in gold.choose), tests, places[0], labels)
    if gold.list == "category":
        shown = [category for category in ABNORMALITY_CATEGORIES if category in labels.categories]
        names = [words[category][0] if words else category for category in shown]
        return _answer_set(names, [labels.truth(category) for category in shown], len(labels))
    if gold.list == "attribute":
        meant = {a for place in places for a in _attributes(labels, tests[0], place)}
        candidates = sorted(meant)
        known = [{a: labels.truth(a, place) for a in _attributes(labels, tests[0], place)} for place in places]
        found = [_join([each.get(a, _absent(labels)) for each in known], gold.join) for a in candidates]
        return _answer_set(candidates, found, len(labels))
    if gold.list == "object":
        held = [{place for place in labels.objects if labels.attributes_in(test, place)} for test in tests]
        candidates = sorted(set.union(*held))
        found = [
            _join(
                [labels.truth(t, o) if o in h else _absent(labels) for t, h in zip(tests, held, strict=True)], gold.join
            )
            for o in candidates
        ]
        return _answer_set(candidates, found, len(labels))
    found = [labels.truth(test, place) for test, place in product(tests, places)]
    return Answers(_join(found, gold.join).astype(np.int32), (False, True))


def _attributes(labels: FilmLabels, subject: str, place: str | None) -> tuple[str, ...]:
    return labels.attributes_of(subject) if place is None else labels.attributes_in(subject, place)


def _absent(labels: FilmLabels) -> Statements:
    """Of a finding that no film ever shows in a place: impossible pairs are absent, as in EHRXQA."""
    return np.zeros(len(labels), np.int8)


def _join(found: list[Statements], join: str | None) -> Statements:
    if len(found) == 1:
        return found[0]
    if join == "only":
        found = [found[0], negated(found[1])]
    return any_of(np.stack(found, 1)) if join == "or" else all_of(np.stack(found, 1))


def _answer_choice(options: tuple[str, ...], tests: tuple[str, ...], place: str | None, labels: FilmLabels) -> Answers:
    if tests:
        found = np.stack([labels.truth(tests[0], option) for option in options], 1)
    else:
        found = np.stack([labels.truth(option, place) for option in options], 1)
    is_decided = ((found == 1).sum(1) == 1) & (found != -1).all(1)
    return Answers(np.where(is_decided, found.argmax(1), -1).astype(np.int32), options, options)


def _answer_set(candidates: list[str], found: list[Statements], n_films: int) -> Answers:
    if not candidates:
        return Answers(np.full(n_films, -1, np.int32), ())
    stated = np.stack(found, 1)
    is_known = (stated != -1).all(1)
    if not is_known.any():
        return Answers(np.full(n_films, -1, np.int32), ())
    packed = np.ascontiguousarray(np.packbits(stated[is_known] == 1, axis=1))
    patterns, inverse = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_inverse=True)
    bits = np.unpackbits(patterns.view(np.uint8).reshape(len(patterns), -1), axis=1, count=len(candidates))
    values = tuple(tuple(sorted(candidates[n] for n in np.flatnonzero(row))) for row in bits)
    codes = np.full(n_films, -1, np.int32)
    codes[is_known] = inverse
    return Answers(codes, values, tuple(sorted(candidates)))


# ------------------------------------------------------------------------------------------------------ which to ask


def enumerate_asks(template: Template, labels: FilmLabels, min_support: int = 1) -> Iterator[Ask]:
    """Every way to fill the template's slots from what the labels speak of, in a fixed order.

    A finding is named only where at least `min_support` films show it: in a compound question as well, a rarer one
    would be there for its wording alone.
    """
    kinds = {slot_kind(slot) for slot in template.slots}
    n_objects = sum(slot_kind(slot) == "object" for slot in template.slots)
    subject = next((kind for kind in ("attribute", "category") if kind in kinds), None)
    n_subjects = sum(slot_kind(slot) == subject for slot in template.slots)
    pick: Any = combinations if template.is_symmetric else permutations
    for places in pick(labels.objects, n_objects):
        if any(PARENT_OBJECTS.get(a) == b or PARENT_OBJECTS.get(b) == a for a, b in combinations(places, 2)):
            continue  # a finding in the part is one in the whole: nothing to choose, and the answer follows
        for subjects in pick(_subjects(template, subject, places, labels, min_support), n_subjects):
            slots = dict(zip((slot for slot in template.slots if slot_kind(slot) == "object"), places, strict=True))
            slots |= dict(zip((slot for slot in template.slots if slot_kind(slot) == subject), subjects, strict=True))
            for kind, values in (("side", SIDES), ("view", VIEWS), ("sex", SEXES)):
                if f"{kind}2" in template.slots:
                    slots |= {kind: values[0], f"{kind}2": values[1]}
            single = [(kind, values) for kind, values in (("view", VIEWS), ("sex", SEXES)) if template.slots == (kind,)]
            for kind, values in single:
                yield from (Ask(template, {kind: value}) for value in values)
            if not single:
                yield Ask(template, {slot: slots[slot] for slot in template.slots})


def _subjects(
    template: Template, kind: str | None, places: tuple[str, ...], labels: FilmLabels, min_support: int
) -> tuple[str, ...]:
    """The attributes or categories that enough films show in each of these places (without places: on the film)."""
    if kind is None:
        return ()
    named = labels.attributes if kind == "attribute" else tuple(sorted(set(labels.categories)))
    if template.gold.list == "object" or "side" in template.slots:
        named = tuple(each for each in named if any(labels.attributes_in(each, place) for place in labels.objects))
    return tuple(
        each for each in named
        if all(labels.count_present(each, place) >= min_support for place in places or (None,))
    )  # fmt: skip


def needs_labels(template: Template) -> bool:
    """Whether the answer comes from statements about findings, and not from view, sex or boxes."""
    gold = template.gold
    kinds = {slot_kind(slot) for slot in template.slots}
    return not (kinds & {"view", "sex"} or set(gold.test) & set(SIZES))
