"""What the medical starter is asked while it learns: many wordings of few kinds of question, with true answers.

The wordings are not those of `questions build`: a medical model has met findings before, not this examination. They are
many, and of every form (question, order, heading), because a small language model reads what it has met.

    med-finding         is it there?                      yes, no
    med-place           is it there, in this place?       yes, no
    med-kind            is there a device, a disease, ... yes, no
    med-normal          is the film, the place abnormal?  yes, no
    med-pair            either of two, both of two?       yes, no
    med-fact            is this an AP film, a woman?      yes, no
    med-choose          which of two findings is it?      one of the two
    med-choose-place    in which of two places?           one of the two
    med-side            on which side?                    left, right
    med-which-fact      which view, which sex?            one of the two
    med-list            which abnormalities?              a list
    med-list-place      which abnormalities in a place?   a list
    med-list-kind       which devices, diseases, ...?     a list
    med-where           where is it?                      a list
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from chartsight.schema import ABNORMALITY_CATEGORIES, ATTRIBUTES, WHOLE_FILM
from chartsight.starters.asked import Asked

# {x} is a finding, or a finding in a place; {a} and {b} are two of a kind.
YES_NO = (
    "does this radiograph show {x}?", "can {x} be made out?", "evidence of {x}?", "{x}?", "do you see {x}?",
    "look for {x}. is it there?", "tell me whether there is {x}.", "is {x} visible here?", "{x}, present or not?",
    "does the picture suggest {x}?", "would you report {x}?", "please check whether {x} is seen.",
    "search this radiograph for {x}.", "examine the chest for {x}: yes or no?", "is {x} among the findings?",
    "confirm or rule out {x}.", "question of {x}.", "has this patient {x}?",
)  # fmt: skip
IN_PLACE = (
    "{x} in the {place}", "{x} in the {place}", "{x} of the {place}", "{x} at the {place}", "{x} within the {place}",
)  # fmt: skip
OF_PLACE = (
    "is the {place} showing {x}?", "looking at the {place}, is there {x}?", "examine the {place}: {x}?",
    "the {place}: any {x}?", "search the {place} for {x}.", "is the {place} affected by {x}?",
    "does {x} involve the {place}?", "please inspect the {place} for {x}.",
)  # fmt: skip
NORMAL = (
    "is this radiograph abnormal?", "is there anything to report?", "does the chest look abnormal?",
    "any pathology or device here?", "search this radiograph for abnormalities.", "abnormal: yes or no?",
    "would you call this abnormal?", "do you see something that should not be there?", "abnormal findings?",
    "tell me whether anything is wrong.", "please say if the film is abnormal.", "is the examination abnormal?",
    "examine the chest: anything abnormal?",
)  # fmt: skip
NORMAL_PLACE = (
    "does the {place} look abnormal?", "anything to report in the {place}?", "examine the {place}: anything abnormal?",
    "the {place}: abnormal, yes or no?", "search the {place} for abnormalities.", "is something wrong in the {place}?",
    "do you see any abnormality of the {place}?", "tell me whether the {place} is abnormal.",
    "would you call the {place} abnormal?", "please inspect the {place}. is it abnormal?",
    "abnormal findings in the {place}?", "has the {place} any abnormality?",
)  # fmt: skip
EITHER = (
    "does this radiograph show {a} or {b}?", "{a} or {b}, is one of them there?", "is one of {a} and {b} visible?",
    "do you see {a} or else {b}?", "search this radiograph for {a} or {b}.", "evidence of {a} or of {b}?",
    "tell me whether there is {a} or {b}.", "either {a} or {b}: yes or no?", "would you report {a} or {b}?",
    "please check whether {a} or {b} is seen.", "can one of {a} and {b} be made out?", "has this patient {a} or {b}?",
)  # fmt: skip
BOTH = (
    "does this radiograph show {a} as well as {b}?", "{a} and {b}, are both there?", "are {a} and {b} both visible?",
    "do you see {a} together with {b}?", "search this radiograph for {a} together with {b}.",
    "evidence of both {a} and {b}?", "tell me whether there are {a} and {b} at once.", "{a} with {b}: yes or no?",
    "would you report {a} along with {b}?", "please check whether both {a} and {b} are seen.",
    "can {a} and {b} be made out together?", "has this patient both {a} and {b}?",
)  # fmt: skip
CHOOSE = (
    "{a} or {b}: which one is it?", "which of the two is there, {a} or {b}?", "which do you see, {a} or {b}?",
    "choose: {a}, {b}.", "is it {a} or is it {b}?", "decide between {a} and {b}.",
    "which one would you report, {a} or {b}?", "of {a} and {b}, one is on this radiograph. which?",
    "name the one that is visible: {a} or {b}.", "what does the radiograph show: {a}, or rather {b}?",
    "pick the right one: {a} or {b}?", "which finding has this patient, {a} or {b}?",
    "tell me which is seen, {a} or {b}.",
)  # fmt: skip
CHOOSE_PLACE = (
    "{x}, in the {a} or the {b}?", "which place shows {x}, {a} or {b}?", "where do you see {x}, {a} or {b}?",
    "choose the place of {x}: {a}, {b}.", "is {x} found in the {a} or rather the {b}?",
    "decide where {x} is, {a} or {b}.", "{x} is in one of {a} and {b}. which?", "name the place of {x}: {a} or {b}.",
    "of the {a} and the {b}, which has {x}?", "pick the right place for {x}: {a} or {b}?",
    "tell me where {x} is seen, {a} or {b}.", "which of the two is affected by {x}: {a} or {b}?",
)  # fmt: skip
SIDE = (
    "which side has {x}, {a} or {b}?", "{x}: {a} or {b} side?", "on what side do you see {x}, {a} or {b}?",
    "is {x} {a}-sided or {b}-sided?", "choose the side of {x}: {a}, {b}.", "tell me the side of {x}, {a} or {b}.",
    "decide on which side {x} lies, {a} or {b}.", "name the side with {x}: {a} or {b}.", "side of {x}, {a} or {b}?",
    "does {x} lie {a} or {b}?", "which half of the chest shows {x}, {a} or {b}?",
    "pick the right side for {x}: {a} or {b}?",
)  # fmt: skip
LIST = (
    "which abnormalities are visible?", "name the abnormalities.", "give all abnormalities.", "what is wrong here?",
    "what would you report?", "list what is abnormal.", "abnormalities?", "tell me every abnormality that you see.",
    "summarise the abnormalities.", "which findings does this radiograph show?",
    "write down all pathology and devices.", "what abnormalities has this patient?",
    "please enumerate the abnormal findings.",
)  # fmt: skip
LIST_PLACE = (
    "which abnormalities has the {place}?", "name the abnormalities of the {place}.", "what is wrong in the {place}?",
    "give all abnormalities in the {place}.", "what would you report in the {place}?",
    "list what is abnormal in the {place}.", "the {place}: which abnormalities?",
    "tell me every abnormality of the {place}.", "what affects the {place}?",
    "summarise the abnormalities of the {place}.", "write down all that is abnormal in the {place}.",
    "please enumerate the abnormal findings of the {place}.",
)  # fmt: skip
LIST_KIND = (
    "which {kinds} are visible?", "name the {kinds}.", "give all {kinds}.", "{kinds}?",
    "list the {kinds} that you see.", "what {kinds} would you report?", "tell me every one of the {kinds}.",
    "summarise the {kinds}.", "which {kinds} does this radiograph show?", "write down the {kinds}.",
    "what {kinds} has this patient?", "please enumerate the {kinds}.",
)  # fmt: skip
WHERE = (
    "where is {x}?", "in which places is {x} seen?", "give all places of {x}.", "locate {x}.", "{x}: where?",
    "what parts are affected by {x}?", "list the places that show {x}.", "tell me where {x} lies.",
    "which regions of the chest have {x}?", "name the location of {x}.", "write down every place with {x}.",
    "please localise {x}.", "show me the places of {x}.",
)  # fmt: skip
FACT = (
    "is this {x}?", "{x}: true or not, yes or no?", "would you say that this is {x}?", "do you see {x} here?",
    "tell me whether this is {x}.", "please say if this is {x}.", "does this radiograph look like {x}?",
    "confirm that this is {x}.", "am I looking at {x}?", "can this be {x}?", "this is {x}, yes or no?",
    "judge whether this is {x}.",
)  # fmt: skip
WHICH_FACT = (
    "{a} or {b}: which one is this?", "which is it, {a} or {b}?", "decide between {a} and {b}.", "choose: {a}, {b}.",
    "is it {a} or is it {b}?", "tell me which, {a} or {b}.", "name the right one: {a} or {b}.",
    "pick one: {a} or {b}?", "what do you see, {a} or {b}?", "{a}, or rather {b}?", "of {a} and {b}, which is right?",
    "would you say {a} or {b}?",
)  # fmt: skip

KINDS: Mapping[str, tuple[str, str]] = {
    "anatomicalfinding": ("anatomical finding", "anatomical findings"),
    "disease": ("disease", "diseases"),
    "tubesandlines": ("tube or line", "tubes and lines"),
    "device": ("device", "devices"),
    "technicalassessment": ("technical limitation", "technical limitations"),
}
VIEWS = {"PA": "a PA view", "AP": "an AP view", "LATERAL": "a lateral view"}
SEXES = {"F": "a female patient", "M": "a male patient"}
EVERY_WORDING = (
    *YES_NO, *OF_PLACE, *NORMAL, *NORMAL_PLACE, *EITHER, *BOTH, *CHOOSE, *CHOOSE_PLACE, *SIDE, *LIST, *LIST_PLACE,
    *LIST_KIND, *WHERE, *FACT, *WHICH_FACT,
)  # fmt: skip


@dataclass(frozen=True)
class FilmFacts:
    """What is known of a film.

    Args:
        found: (attribute, place); the place may be `WHOLE_FILM`.
        view: PA, AP, LATERAL, or another word of the record.
        sex: F, M, or None.
        knows_places: False for a lateral film: places are those of a frontal one.
    """

    found: frozenset[tuple[str, str]]
    view: str | None = None
    sex: str | None = None
    knows_places: bool = True

    @property
    def present(self) -> set[str]:
        """Attributes that are there, anywhere."""
        return {attribute for attribute, _ in self.found}


@dataclass(frozen=True)
class Vocabulary:
    """What can be asked, and how often it is true: wrong options are as frequent as right ones, so that a question's
    words do not give its answer away.

    Args:
        pairs: (attribute, place) → films that show it.
        attributes: Attribute → films that show it.
    """

    pairs: Mapping[tuple[str, str], int]
    attributes: Mapping[str, int]
    places_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, films: Iterable[FilmFacts]) -> Vocabulary:
        """Counted over films."""
        pairs: dict[tuple[str, str], int] = {}
        attributes: dict[str, int] = {}
        for facts in films:
            for attribute in facts.present:
                attributes[attribute] = attributes.get(attribute, 0) + 1
            for attribute, place in facts.found:
                if place != WHOLE_FILM:
                    pairs[attribute, place] = pairs.get((attribute, place), 0) + 1
        places: dict[str, list[str]] = {}
        for attribute, place in sorted(pairs):
            places.setdefault(attribute, []).append(place)
        every = {attribute: tuple(each) for attribute, each in places.items()}
        return cls(dict(sorted(pairs.items())), dict(sorted(attributes.items())), every)

    @property
    def abnormal(self) -> tuple[str, ...]:
        """Attributes of the four kinds that count as abnormal, sorted."""
        return tuple(name for name in self.attributes if is_abnormal(name))


class _Worded(Protocol):
    def __call__(self, frames: Sequence[str], **slots: str) -> str: ...


def is_abnormal(attribute: str) -> bool:
    """Whether an attribute makes a film abnormal."""
    return ATTRIBUTES.get(attribute) in ABNORMALITY_CATEGORIES


def ask_film(facts: FilmFacts, vocabulary: Vocabulary, random: np.random.Generator) -> Iterator[Asked]:
    """About sixteen questions of one film, yes and no in equal parts.

    Args:
        facts: Of the film.
        vocabulary: Of all films; without an attribute nothing but view and sex is asked.
        random: Of this film.
    """

    def worded(frames: Sequence[str], **slots: str) -> str:
        return frames[int(random.integers(len(frames)))].format(**slots)

    def pick(options: Iterable[str]) -> str:
        ordered = sorted(options)
        return ordered[int(random.integers(len(ordered)))]

    def pick_absent(absent: Sequence[str]) -> str:
        counts = np.array([vocabulary.attributes[name] for name in absent], np.float64)
        return absent[int(random.choice(len(absent), p=counts / counts.sum()))]

    present = facts.present & set(vocabulary.attributes)
    absent = [name for name in vocabulary.attributes if name not in present]
    for _ in range(2):
        if present:
            yield Asked("med-finding", worded(YES_NO, x=pick(present)), "boolean", "true")
        if absent:
            yield Asked("med-finding", worded(YES_NO, x=pick_absent(absent)), "boolean", "false")
    if present and len(absent) > 1:
        yield from _pairs(sorted(present), absent, worded, random)
    if facts.knows_places:
        yield from _places(facts, vocabulary, worded, random)
    kind = list(KINDS)[int(random.integers(len(KINDS)))]
    of_kind = sorted(name for name in present if ATTRIBUTES.get(name) == kind)
    one, several = KINDS[kind]
    yield Asked("med-kind", worded(YES_NO, x=f"any {one}"), "boolean", json.dumps(bool(of_kind)))
    allowed = tuple(name for name in vocabulary.attributes if ATTRIBUTES.get(name) == kind)
    if allowed:
        yield Asked("med-list-kind", worded(LIST_KIND, kinds=several), "set", json.dumps(of_kind), allowed)
    abnormal = sorted(name for name in present if is_abnormal(name))
    yield Asked("med-normal", worded(NORMAL), "boolean", json.dumps(bool(abnormal)))
    if vocabulary.abnormal:
        yield Asked("med-list", worded(LIST), "set", json.dumps(abnormal), vocabulary.abnormal)
    yield from _facts(facts, worded, random)


def _pairs(present: list[str], absent: list[str], worded: _Worded, random: np.random.Generator) -> Iterator[Asked]:
    """Two findings at once: either, both, which."""

    def pick(options: list[str]) -> str:
        return options[int(random.integers(len(options)))]

    there, not_there = pick(present), pick(absent)
    a, b = (there, not_there) if random.random() < 0.5 else (not_there, there)
    yield Asked("med-choose", worded(CHOOSE, a=a, b=b), "choice", json.dumps(there), (a, b))
    wants_yes = random.random() < 0.5
    if random.random() < 0.5:
        others = [name for name in absent if name != not_there]
        a, b = (a, b) if wants_yes else (not_there, pick(others))
        yield Asked("med-pair", worded(EITHER, a=a, b=b), "boolean", json.dumps(wants_yes))
    elif not wants_yes:
        yield Asked("med-pair", worded(BOTH, a=a, b=b), "boolean", "false")
    elif len(present) > 1:
        first, second = (present[int(place)] for place in random.choice(len(present), 2, replace=False))
        yield Asked("med-pair", worded(BOTH, a=first, b=second), "boolean", "true")


def _places(facts: FilmFacts, vocabulary: Vocabulary, worded: _Worded, random: np.random.Generator) -> Iterator[Asked]:
    """Where things are."""
    found = sorted(pair for pair in facts.found if pair in vocabulary.pairs)
    here = set(found)
    missing = [pair for pair in vocabulary.pairs if pair not in here]
    present = {attribute for attribute, _ in found}
    elsewhere = [pair for pair in missing if pair[0] in present]

    def pick(options: Sequence[tuple[str, str]]) -> tuple[str, str]:
        return options[int(random.integers(len(options)))]

    def ask(attribute: str, place: str, answer: bool) -> Asked:
        if random.random() < 0.4:
            return Asked("med-place", worded(OF_PLACE, x=attribute, place=place), "boolean", json.dumps(answer))
        phrase = worded(IN_PLACE, x=attribute, place=place)
        return Asked("med-place", worded(YES_NO, x=phrase), "boolean", json.dumps(answer))

    for nth in range(2):
        if found:
            yield ask(*pick(found), True)
        if missing:
            yield ask(*pick(elsewhere if elsewhere and nth else missing), False)
    if not vocabulary.pairs:
        return
    place = sorted({place for _, place in (found if found and random.random() < 0.6 else vocabulary.pairs)})
    chosen = place[int(random.integers(len(place)))]
    wrong = sorted({attribute for attribute, at in found if at == chosen and is_abnormal(attribute)})
    possible = tuple(sorted({name for name, at in vocabulary.pairs if at == chosen and is_abnormal(name)}))
    yield Asked("med-normal", worded(NORMAL_PLACE, place=chosen), "boolean", json.dumps(bool(wrong)))
    if possible:
        yield Asked("med-list-place", worded(LIST_PLACE, place=chosen), "set", json.dumps(wrong), possible)
    if not found:
        return
    attribute, at = pick(found)
    places = sorted(where for name, where in found if name == attribute)
    every = vocabulary.places_of[attribute]
    yield Asked("med-where", worded(WHERE, x=attribute), "set", json.dumps(places), every)
    if others := [where for where in every if where not in places]:
        other = others[int(random.integers(len(others)))]
        a, b = (at, other) if random.random() < 0.5 else (other, at)
        yield Asked(
            "med-choose-place", worded(CHOOSE_PLACE, x=attribute, a=a, b=b), "choice", json.dumps(at), (a, b)
        )  # fmt: skip
    sides = {where.split(" ")[0] for where in places if where.startswith(("left ", "right "))}
    if len(sides) == 1 and all(where.startswith(("left ", "right ")) for where in places):
        a, b = ("left", "right") if random.random() < 0.5 else ("right", "left")
        yield Asked(
            "med-side", worded(SIDE, x=attribute, a=a, b=b), "choice", json.dumps(sides.pop()), ("left", "right")
        )


def _facts(facts: FilmFacts, worded: _Worded, random: np.random.Generator) -> Iterator[Asked]:
    """View and sex, in words."""
    for words, value in ((VIEWS, facts.view), (SEXES, facts.sex)):
        if value not in words:
            continue
        others = [each for each in words if each != value]
        other = others[int(random.integers(len(others)))]
        if random.random() < 0.5:
            asked = value if random.random() < 0.5 else other
            yield Asked("med-fact", worded(FACT, x=words[asked]), "boolean", json.dumps(asked == value))
            continue
        a, b = (value, other) if random.random() < 0.5 else (other, value)
        short = {key: words[key].split(" ")[1] for key in (a, b)}
        yield Asked(
            "med-which-fact", worded(WHICH_FACT, a=short[a], b=short[b]), "choice", json.dumps(short[value]),
            (short[a], short[b]),
        )  # fmt: skip
