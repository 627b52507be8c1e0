"""A film with left and right exchanged, and what is then right.

On a mirrored film the finding of the left lung lies in the right one: the right answer to "Is there an effusion in the
left lung?" is what the labels say of the right lung, and "left" becomes "right" in the answers. Asked is what names a
side, or may be answered by one; who reads the film must give the other side's answer.

Everything on the film is mirrored, burnt-in side markers and words included: they contradict the new anatomy no more
than they did the old, but their letters are back to front. The heart points to the right, as in dextrocardia; that is
no finding here. A lateral film has its left and right behind one another, so that mirroring turns front and back:
such a film, or one whose view is not known, has no variant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from chartsight.questions.gold import Ask
from chartsight.questions.labels import SIDES
from chartsight.questions.templates import slot_kind
from chartsight.questions.variants.regold import GoldMaker
from chartsight.schema import FRONTAL_VIEWS, FilmChange, Question, Variant


def mirror_films(questions: Sequence[Question], gold: GoldMaker) -> list[Variant]:
    """Questions about a side of a frontal film, asked of it mirrored; those without a known answer are left out."""
    variants = []
    for question in questions:
        ask = gold.ask_of(question)
        if ask is None or not has_side(ask):
            continue
        [image_id] = question.image_ids
        if gold.known.index[image_id].view_position not in FRONTAL_VIEWS:
            continue
        answer = gold.answer(mirror_ask(ask), image_id)
        if answer is None:
            continue
        exchanged = mirror_answer(json.loads(answer))
        allowed = question.allowed_answers
        if isinstance(exchanged, list):  # a pacemaker that is only ever seen on the left is now on the right
            allowed = tuple(sorted({*allowed, *map(mirror_words, allowed), *exchanged}))
        variants.append(
            Variant(
                question.question_id, "mirrored", question.asked, question.image_ids, (), FilmChange("mirror"),
                question.answer_type, allowed, json.dumps(exchanged),
            )
        )  # fmt: skip
    return variants


def has_side(ask: Ask) -> bool:
    """Whether the question names a side, or is answered by places that have one."""
    named = any(slot_kind(slot) == "side" or mirror_words(value) != value for slot, value in ask.slots.items())
    return named or ask.template.gold.list == "object"


def mirror_ask(ask: Ask) -> Ask:
    """The question that is to the film what `ask` is to the mirrored film."""
    return Ask(ask.template, {slot: mirror_words(value) for slot, value in ask.slots.items()})


def mirror_answer(value: bool | str | list[str]) -> bool | str | list[str]:
    """An answer on the film as the answer on the mirrored film."""
    if isinstance(value, list):
        return sorted(map(mirror_words, value))
    return mirror_words(value) if isinstance(value, str) else value


def mirror_words(place: str) -> str:
    """`left lung` as `right lung`; what does not begin with a side stays, and so does the right atrium.

    Chambers and vessels are called right and left by what they do, not by where they lie.
    """
    first, _, rest = place.partition(" ")
    if first not in SIDES or rest == "atrium":
        return place
    other = SIDES[1 - SIDES.index(first)]
    return f"{other} {rest}" if rest else other
