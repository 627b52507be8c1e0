"""A question's words, and what each span of them may mean in the record.

was 10000032 given lasix after 2103
    patient        drug  period
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from chartsight.translate.conversation import Conversation
from chartsight.translate.periods import read_periods
from chartsight.translate.spelling import Speller
from chartsight.translate.times import read_times
from chartsight.translate.vocabulary import (
    ABBREVIATION,
    ABNORMALITY,
    ALIAS,
    CATEGORY_WORDS,
    EXACT,
    LOOSE,
    SIDES,
    Vocabulary,
)
from chartsight.translate.words import Word, split_words

WAYS = ("exact", "pattern", "conversation", "alias", "abbreviation", "loose", "typo")  # least doubtful first
TIERS = {EXACT: "exact", ALIAS: "alias", ABBREVIATION: "abbreviation", LOOSE: "loose"}
SHORTEST_IDENTIFIER = 5  # digits; a shorter number is a year, a count, a dose
MOST_SPELLINGS = 24  # of one span

_CODE = re.compile(r"[a-z]?\d[a-z0-9]{2,6}")  # of a diagnosis or a procedure, without its point
_FILM_WORDS = frozenset({"study", "film", "image", "radiograph", "xray", "cxr"})
_PATIENT_IN_VIEW = re.compile(
    r"\b(?:(?:this|that|the|my|our|same)\s+patient(?!\s*\d|s\b)|he|she|him|her|his|they|them|their)\b", re.IGNORECASE
)
_A_FILM = r"(?:film|study|image|x-?ray|radiograph|cxr|picture|exam(?:ination)?)"
_FILM_IN_VIEW = re.compile(rf"\b(?:this|that|the same|the)\s+(?:chest\s+)?{_A_FILM}(?!\s*\d|s\b)", re.IGNORECASE)
_FILM_BEFORE = re.compile(
    rf"\b(?:the\s+)?(?:one|{_A_FILM})\s+(?:just\s+)?before(?:\s+(?:that|this|it|that one))?\b"
    rf"|\b(?:the|its|his|her|their)\s+(?:previous|prior|preceding)\s+(?:one|(?:chest\s+)?{_A_FILM})\b",
    re.IGNORECASE,
)
_FILM_AFTER = re.compile(
    rf"\b(?:the\s+)?(?:one|{_A_FILM})\s+(?:just\s+)?after(?:\s+(?:that|this|it|that one))?\b"
    rf"|\b(?:the|its|his|her|their)\s+(?:next|following|subsequent)\s+(?:one|(?:chest\s+)?{_A_FILM})\b",
    re.IGNORECASE,
)
# Between a finding and its place.
_IN = re.compile(
    r"^[\s,]*(?:(?:located|seen|present|visible)\s+)?(?:in|of|on|at|within|inside|over|involving|affecting)\s+(?:the|his|her|their)?\s*$|^\s*$"
)
_PLACE_FIRST = re.compile(r"^[\s-]*(?:sided?|lateral)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """One way to understand a span.

    Args:
        kind: drug, lab, patient, study, finding, period, ...
        value: As the record or the families of question write it; empty for a patient or film that is not in view.
        how: One of WAYS.
        edits: That a misspelled word is away from the name.
        rows: Of the name in the record.
        note: An assumption that it makes, as a sentence.
    """

    kind: str
    value: str
    how: str
    edits: int = 0
    rows: int = 0
    note: str = ""

    @property
    def doubt(self) -> int:
        """0 for its own name, more for what is less sure."""
        return WAYS.index(self.how) + self.edits


@dataclass(frozen=True)
class Mention:
    """A span of words and its readings.

    Args:
        first: Index of its first word.
        last: Index behind its last.
        text: As the question writes it.
        readings: Least doubtful first.
    """

    first: int
    last: int
    text: str
    readings: tuple[Reading, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of its readings, each once."""
        return tuple(dict.fromkeys(reading.kind for reading in self.readings))

    def of_kind(self, kind: str) -> tuple[Reading, ...]:
        """Its readings of one kind that are least in doubt: two of them, and the question has to be asked back."""
        own = [reading for reading in self.readings if reading.kind == kind]
        least = min((reading.doubt for reading in own), default=0)
        return tuple(reading for reading in own if reading.doubt == least)


@dataclass(frozen=True)
class Grounding:
    """A question as words, mentions, and words that nobody knows.

    Args:
        text: The question.
        words: Of it, misspelled ones of the language already read as what is meant.
        mentions: All of them, overlapping ones too, by place, longest first.
        unknown: Indexes of words that neither the language nor the record knows.
    """

    text: str
    words: tuple[Word, ...]
    mentions: tuple[Mention, ...]
    unknown: frozenset[int]

    def starting_at(self, index: int) -> tuple[Mention, ...]:
        """The mentions that begin with this word, longest first."""
        return self._by_start.get(index, ())

    @cached_property
    def _by_start(self) -> dict[int, tuple[Mention, ...]]:
        by_start: dict[int, list[Mention]] = {}
        for mention in self.mentions:
            by_start.setdefault(mention.first, []).append(mention)
        return {start: tuple(sorted(each, key=lambda m: -m.last)) for start, each in by_start.items()}


class Grounder:
    """Finds what a question names.

    Args:
        vocabulary: Of the record.
        language: Words that questions are worded with: `show`, `patient`, `first`.
    """

    def __init__(self, vocabulary: Vocabulary, language: Iterable[str]) -> None:
        self.vocabulary = vocabulary
        self.language = frozenset(language)
        self._named = frozenset(word for text in vocabulary.surfaces for word in text.split())
        self._speller = Speller(self._named | self.language)
        self._longest = vocabulary.longest

    def ground(self, question: str, conversation: Conversation | None = None) -> Grounding:
        """What `question` names, every typo read as the nearest names; nothing is decided yet."""
        conversation = conversation or Conversation()
        words, edits, unknown = self._read_words(question)
        names = list(self._names(question, words, edits))
        mentions = [
            *self._identifiers(question, words),
            *self._in_view(question, words, conversation),
            *self._times(question, words),
            *names,
            *self._looks(question, words, names),
        ]
        merged: dict[tuple[int, int], Mention] = {}
        for mention in mentions:
            place = (mention.first, mention.last)
            held = merged.get(place)
            readings = (held.readings if held else ()) + mention.readings
            merged[place] = replace(mention, readings=tuple(sorted(dict.fromkeys(readings), key=_surest_first)))
        ordered = tuple(_without_parts(sorted(merged.values(), key=lambda each: (each.first, -each.last))))
        named = {n for mention in ordered for n in range(mention.first, mention.last)}
        return Grounding(question, words, ordered, unknown - named)

    def _read_words(self, question: str) -> tuple[tuple[Word, ...], dict[int, dict[str, int]], frozenset[int]]:
        """The words; for each misspelled one the names it may be; which are unknown."""
        words = list(split_words(question))
        edits: dict[int, dict[str, int]] = {}
        unknown: set[int] = set()
        for index, word in enumerate(words):
            near = self._speller.correct(word.text)
            if near:
                fewest = near[0].edits
                edits[index] = {each.word: each.edits for each in near if each.edits == fewest}
                spoken = [each.word for each in near if each.edits == fewest and each.word in self.language]
                if spoken and len(spoken) == len(edits[index]):
                    words[index] = replace(word, text=spoken[0])
            elif word.text not in self._speller.known and not word.text[0].isdigit():
                unknown.add(index)
        return tuple(words), edits, frozenset(unknown)

    def _identifiers(self, question: str, words: Sequence[Word]) -> Iterator[Mention]:
        for index, word in enumerate(words):
            if _CODE.fullmatch(word.text):
                yield Mention(index, index + 1, word.text, (Reading("code", word.text.upper(), "pattern"),))
            if not word.text.isdigit():
                continue
            if len(word.text) < SHORTEST_IDENTIFIER:
                yield Mention(index, index + 1, word.text, (Reading("n", word.text, "pattern"),))
                continue
            known = (("patient", self.vocabulary.patients), ("study", self.vocabulary.studies))
            kinds = [kind for kind, numbers in known if int(word.text) in numbers]
            if not kinds:  # named as one, it is one that the record lacks
                before = {each.text for each in words[max(0, index - 2) : index]}
                kinds = ["study"] if before & _FILM_WORDS else ["patient"]
            readings = tuple(Reading(kind, word.text, "pattern") for kind in kinds)
            yield Mention(index, index + 1, question[word.start : word.end], readings)

    def _in_view(self, question: str, words: Sequence[Word], conversation: Conversation) -> Iterator[Mention]:
        """The patient and the film that the conversation is about, where a question points to them."""
        patient = str(conversation.subject_id or "")
        for found in _PATIENT_IN_VIEW.finditer(question):
            yield from _spanning(question, words, *found.span(), Reading("patient", patient, "conversation"))
        is_named = any(word.text.isdigit() and int(word.text) in self.vocabulary.studies for word in words)
        if conversation.subject_id is None or is_named:
            return  # `the study before it` is then a part of the question, not of the conversation
        films = self._films_in_view(conversation)
        for pattern, film in zip((_FILM_BEFORE, _FILM_AFTER, _FILM_IN_VIEW), films, strict=True):
            # A film before the first is asked for in vain; a film in view, when none is, is left unsaid.
            for found in pattern.finditer(question) if film or pattern is not _FILM_IN_VIEW else ():
                note = f"{found[0]!r} is study {film}"
                yield from _spanning(question, words, *found.span(), Reading("study", film, "conversation", note=note))

    def _films_in_view(self, conversation: Conversation) -> tuple[str, str, str]:
        """The film before, the one after, and the one in view: their study_id, empty when there is none."""
        films = [str(study.study_id) for study in self.vocabulary.by_patient.get(conversation.subject_id or -1, ())]
        if str(conversation.study_id or "") not in films:
            return (films[-2] if len(films) > 1 else ""), "", (films[-1] if films else "")
        place = films.index(str(conversation.study_id))
        return films[place - 1] if place else "", films[place + 1] if place + 1 < len(films) else "", films[place]

    def _times(self, question: str, words: Sequence[Word]) -> Iterator[Mention]:
        for said in read_periods(question):
            note = "" if said.is_exact else f"{question[said.start : said.end]!r} is read as {said.words!r}"
            yield from _spanning(
                question, words, said.start, said.end, Reading(said.kind, said.words, "pattern", note=note)
            )
        for found in read_times(question):
            if found.kind == "number" and len(found.value) < SHORTEST_IDENTIFIER:
                yield from _spanning(question, words, found.start, found.end, Reading("n", found.value, "pattern"))

    def _names(self, question: str, words: Sequence[Word], edits: dict[int, dict[str, int]]) -> Iterator[Mention]:
        texts = [word.text for word in words]
        for first in range(len(words)):
            for last in range(first + 1, min(len(words), first + self._longest) + 1):
                text = question[words[first].start : words[last - 1].end]
                if len(text) == 1 and not text.isupper() and not text.isdigit():
                    continue  # the word "i" is no index of icterus
                readings = self._readings(texts[first:last], [edits.get(n, {}) for n in range(first, last)])
                if first + 1 == last and texts[first] in SIDES and not _says_where(texts, first):
                    readings = tuple(reading for reading in readings if reading.kind != "side")
                if readings:
                    yield Mention(first, last, text, readings)

    def _readings(self, texts: Sequence[str], edits: Sequence[dict[str, int]]) -> tuple[Reading, ...]:
        """What the span means: as it is written, or with each misspelled word in it read as a known one."""
        spelled: list[tuple[str, int]] = [("", 0)]
        for text, corrections in zip(texts, edits, strict=True):
            options = list(corrections.items()) or [(text, 0)]
            spelled = [(f"{head} {word}".strip(), n + edit) for head, n in spelled for word, edit in options]
            if len(spelled) > MOST_SPELLINGS:
                return ()
        readings: dict[tuple[str, str], Reading] = {}
        for text, n_edits in spelled:
            for surface in self.vocabulary.surfaces.get(text, ()):
                how = "typo" if n_edits else TIERS[surface.tier]
                reading = Reading(surface.term.kind, surface.term.name, how, n_edits, surface.term.rows)
                key = (reading.kind, reading.value)
                if key not in readings or readings[key].doubt > reading.doubt:
                    readings[key] = reading
        return tuple(sorted(readings.values(), key=_surest_first))

    def _looks(self, question: str, words: Sequence[Word], names: Sequence[Mention]) -> Iterator[Mention]:
        """What is looked for on a film, with its place where that stands beside it."""
        placed = [mention for mention in names if {"object", "side"} & set(mention.kinds)]
        for mention in names:
            looked = tuple(look for reading in mention.readings for look in look_readings(reading, mention.text))
            if not looked:
                continue
            any_before = mention.first > 0 and words[mention.first - 1].text in ("any", "some", "all")
            first = mention.first - 1 if any_before else mention.first
            yield Mention(first, mention.last, question[words[first].start : words[mention.last - 1].end], looked)
            for place in placed:
                if place.first >= mention.last:
                    gap = question[words[mention.last - 1].end : words[place.first].start]
                    start, end, beside = first, place.last, _IN.match(gap)
                else:
                    gap = question[words[place.last - 1].end : words[mention.first].start]
                    start, end, beside = place.first, mention.last, _PLACE_FIRST.match(gap)
                if beside:
                    readings = tuple(at for look in looked for at in place_look(look, place))
                    yield Mention(start, end, question[words[start].start : words[end - 1].end], readings)


def _says_where(texts: Sequence[str], index: int) -> bool:
    """Whether `left` or `right` is a place here, and not a turn of speech: `right after`, `what is left`."""
    before, after = texts[index - 1] if index else "", texts[index + 1] if index + 1 < len(texts) else ""
    return before in ("the", "his", "her", "on", "in", "to") or after in ("side", "sided", "lateral") or len(texts) <= 3


def _without_parts(mentions: Sequence[Mention]) -> Iterator[Mention]:
    """The mentions without those that say no more than a longer one around them: `copd` in `copd/emphysema`."""
    for mention in mentions:
        named = {(reading.kind, reading.value) for reading in mention.readings}
        around = [each for each in mentions if each.first <= mention.first and mention.last <= each.last]
        if not any(
            each is not mention and named <= {(reading.kind, reading.value) for reading in each.readings}
            for each in around
        ):
            yield mention


def _surest_first(reading: Reading) -> tuple[int, int, str, str]:
    return reading.doubt, -reading.rows, reading.kind, reading.value


def _spanning(question: str, words: Sequence[Word], start: int, end: int, reading: Reading) -> Iterator[Mention]:
    inside = [n for n, word in enumerate(words) if start <= word.start and word.end <= end]
    if inside:
        yield Mention(inside[0], inside[-1] + 1, question[start:end], (reading,))


def look_readings(reading: Reading, text: str) -> Iterator[Reading]:
    """What is looked for when a question names this: `finding` asks whether, `listing` asks which."""
    if reading.kind == "attribute":
        yield replace(reading, kind="finding")
        yield replace(reading, kind="named")
    elif reading.kind == "category":
        one, several = CATEGORY_WORDS[reading.value][:2]
        yield replace(reading, kind="finding", value=f"any {one}")
        yield replace(reading, kind="listing", value=several)
    elif reading.kind == ABNORMALITY:
        yield replace(reading, kind="finding", value="any abnormality")
        if not text.lower().startswith(("abnormal ", "any ", "anything ")) or "finding" in text.lower():
            yield replace(reading, kind="listing", value="findings")


def place_look(look: Reading, place: Mention) -> Iterator[Reading]:
    """What is looked for, in this place; a side alone is its lung."""
    if look.kind == "named":
        return
    for kind in ("object", "side"):
        for at in place.of_kind(kind):
            where = f"{at.value} lung" if at.value in SIDES else at.value
            note = f"{place.text!r} is read as the {where}" if at.value in SIDES else look.note
            how = max(look.how, at.how, key=WAYS.index)
            yield replace(look, value=f"{look.value} in the {where}", how=how, edits=look.edits + at.edits, note=note)
