"""What a film's labels literally say of the finding that a question names, before anything is filled in.

A report that does not mention a finding counts as absent in the gold answers; a model may be right on what was said and
wrong on what was not, so the two are reported apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.questions.gold import Ask
from chartsight.questions.labels import PARENT_OBJECTS
from chartsight.questions.templates import slot_kind
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.schema import WHOLE_FILM, Mention

_SAID_AS: Mapping[str, Mention] = {"present": "mentioned", "absent": "negated", "uncertain": "uncertain"}
_STATED_LEAST: tuple[Mention, ...] = ("unmentioned", "uncertain", "negated", "mentioned")
_STATED_MOST: tuple[Mention, ...] = ("mentioned", "uncertain", "negated")


def mention_of(ask: Ask, known: KnownFilms, image_id: str) -> Mention | None:
    """How the film's label source speaks of what is asked; of several findings or places, the one stated least.

    A statement about a part counts for the whole when it says present, one about the whole for its parts when it says
    absent; a question without a place is answered by any statement about the finding.

    Returns:
        None when the question names no finding, or no source has labelled the film.
    """
    findings = [value for slot, value in ask.slots.items() if slot_kind(slot) == "attribute"]
    row = known.row_of.get(image_id)
    if not findings or known.labels is None or row is None or not known.labels.sources[row]:
        return None
    places: list[str | None] = [value for slot, value in ask.slots.items() if slot_kind(slot) in ("object", "side")]
    said = known.statements.get(image_id, {})
    found = [_mention(finding, place, said) for finding in findings for place in places or [None]]
    return next(each for each in _STATED_LEAST if each in found)


def _mention(finding: str, place: str | None, said: Mapping[tuple[str, str], str]) -> Mention:
    states = {
        _SAID_AS[state]
        for (where, attribute), state in said.items()
        if attribute == finding and _counts(where, place, state)
    }
    return next((each for each in _STATED_MOST if each in states), "unmentioned")


def _counts(where: str, place: str | None, state: str) -> bool:
    """Whether a statement about `where` says something of `place`."""
    if place is None or where == place or where.startswith(f"{place} "):
        return True
    if state == "absent":
        return where in (PARENT_OBJECTS.get(place), WHOLE_FILM)
    return PARENT_OBJECTS.get(where) == place
