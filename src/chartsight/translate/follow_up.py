"""Short questions that go on from the last one: `and on the left?`, `the one before?`, `what about 2104?`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chartsight.errors import QuestionError
from chartsight.neuralsql.families import Families, FamilyTemplate
from chartsight.schema import GroundedValue, Refusal, Translation
from chartsight.translate.conversation import Conversation
from chartsight.translate.grounding import WAYS, Grounding, Mention, Reading
from chartsight.translate.matching import LOOK_KINDS, PERIOD_KINDS
from chartsight.translate.vocabulary import SIDES, Vocabulary
from chartsight.translate.words import listed

MOST_WORDS = 10  # a longer question is a whole one
_GOING_ON = listed(
    """a about also an and at but did does film for how i in is it later look now of ok okay on one or patient
    please same see show so study that the then there to was what with"""
)
_PLACED = re.compile(r"^(?P<what>.+?)(?: in the (?P<where>.+))?$")


def go_on(
    grounding: Grounding, families: Families, vocabulary: Vocabulary, conversation: Conversation
) -> Translation | None:
    """The last question with what this one says anew; None when this one stands for itself."""
    template = next((each for each in families.templates if each.id == conversation.template_id), None)
    mentions = _nothing_but_mentions(grounding)
    if template is None or mentions is None:
        return None
    values = {value.slot: value for value in conversation.values}
    for mention in mentions:
        changed = _say_anew(mention, template, values)
        if changed is None:
            return _on_another_film(mention, families, template, values, vocabulary) if len(mentions) == 1 else None
        if missing := missing_from_record(changed.kind, changed.value, vocabulary):
            return Translation(None, missing, template_id=template.id)
        values[changed.slot] = changed
    return _render(families, template, tuple(values.values()), "goes on from the last question")


def missing_from_record(kind: str, value: str, vocabulary: Vocabulary) -> Refusal | None:
    """Why a patient or a study cannot be asked about; None when the record has it."""
    if kind == "patient":
        if not value:
            return Refusal("missing-patient", "no patient is in view; name one, or say which with --patient")
        if int(value) not in vocabulary.patients:
            return Refusal("unknown-name", "the record has no such patient")
    if kind == "study":
        if not value:
            return Refusal("missing-film", "there is no such film in view; name a study, or a patient")
        if int(value) not in vocabulary.studies:
            return Refusal("unknown-name", "the record has no such study")
    return None


def _nothing_but_mentions(grounding: Grounding) -> tuple[Mention, ...] | None:
    """The mentions of a question that is nothing but them and a few joining words; None for a whole question."""
    if len(grounding.words) > MOST_WORDS:
        return None
    chosen: list[Mention] = []
    index = 0
    while index < len(grounding.words):
        mentions = grounding.starting_at(index)
        if mentions:
            chosen.append(mentions[0])
            index = mentions[0].last
        elif grounding.words[index].text in _GOING_ON:
            index += 1
        else:
            return None
    return tuple(chosen) or None


def _say_anew(mention: Mention, template: FamilyTemplate, values: Mapping[str, GroundedValue]) -> GroundedValue | None:
    """The value of the last question that a mention replaces."""
    for slot, kind in template.slots.items():
        readings = mention.of_kind("period" if kind in PERIOD_KINDS else kind)
        if len({reading.value for reading in readings}) == 1:
            reading, value = readings[0], readings[0].value
            before = _PLACED.match(values[slot].value) if slot in values and kind in LOOK_KINDS else None
            if before and before["where"] and " in the " not in value:
                value = f"{value} in the {before['where']}"
            return GroundedValue(slot, kind, value, mention.text, reading.how)
    place = next(iter((*mention.of_kind("object"), *mention.of_kind("side"))), None)
    for slot, kind in template.slots.items():
        if place and kind in LOOK_KINDS and slot in values and (before := _PLACED.match(values[slot].value)):
            where = place.value
            if where in SIDES:  # the other side of the same part
                _, _, part = (before["where"] or "").partition(" ")
                where = f"{where} {part or 'lung'}"
            how = max(place.how, values[slot].how, key=WAYS.index)
            return GroundedValue(slot, kind, f"{before['what']} in the {where}", mention.text, how)
    return None


def _on_another_film(
    mention: Mention,
    families: Families,
    template: FamilyTemplate,
    values: Mapping[str, GroundedValue],
    vocabulary: Vocabulary,
) -> Translation | None:
    """The last question's look, at a film that it did not name: by the family that asks it of a named study."""
    reading: Reading | None = next(iter(mention.of_kind("study")), None)
    looks = [value for value in values.values() if value.kind in LOOK_KINDS]
    if reading is None or len(looks) != 1:
        return None
    if missing := missing_from_record("study", reading.value, vocabulary):
        return Translation(None, missing, template_id=template.id)
    for other in families.templates:
        wanted = {kind: slot for slot, kind in other.slots.items()}
        if (
            set(wanted) == {"study", looks[0].kind}
            and len(other.slots) == 2
            and other.answer_type == template.answer_type
        ):
            film = GroundedValue(wanted["study"], "study", reading.value, mention.text, reading.how)
            look = GroundedValue(wanted[looks[0].kind], looks[0].kind, looks[0].value, looks[0].text, looks[0].how)
            return _render(families, other, (film, look), reading.note or f"on study {reading.value}")
    return None


def _render(families: Families, template: FamilyTemplate, values: tuple[GroundedValue, ...], note: str) -> Translation:
    try:
        program = families.render_program(template, {value.slot: value.value for value in values})
    except QuestionError as error:
        return Translation(None, Refusal("bad-value", error.found), (), values, 0.0, template.id)
    return Translation(program, None, (), values, 1.0, template.id, template.answer_type, (note,))
