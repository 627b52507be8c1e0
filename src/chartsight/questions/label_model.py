"""The labels of a record as a visual model: what they say of a film, to any question of our families.

    model = LabelModel(read_film_labels(connection, label_sources=("chest-imagenome",)))
    next(model.answer([Look((50414267,), ("img",), "Is there pneumothorax?", "boolean")]))

It stands behind the same seam as a model that sees: for gold answers, and for queries on a record without a model. What
the labels cannot tell is `cannot_tell`, and so is a study without labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from chartsight.errors import QueryError
from chartsight.questions.gold import Answers, Ask, answer_ask
from chartsight.questions.labels import SEXES, SIDES, VIEWS, FilmLabels
from chartsight.questions.templates import Template, TemplateSet, read_templates, slot_kind
from chartsight.schema import ATTRIBUTES, CATEGORIES, FINDING_SYNONYMS, OBJECTS, Look, VisualAnswer

EVIDENCE: Literal["label"] = "label"
_YES_OR_NO = re.compile(r"\b(is|are|does|do|has|have|can|any|evidence|sign|signs|show|shows|present)\b|yes or no")
_FIELD = re.compile(r"\{(\w+)\}")
# What two films in order say of one finding: before → after → the word.
_CHANGES: Mapping[str, tuple[bool, bool]] = {
    "new": (False, True), "newly": (False, True), "appeared": (False, True),
    "resolved": (True, False), "gone": (True, False), "disappeared": (True, False),
    "still": (True, True), "persisting": (True, True), "persists": (True, True), "unchanged": (True, True),
}  # fmt: skip


class QuestionGrammar:
    """Visual questions in words → which template they ask, with which slots.

    Args:
        labels: What can be named: their attributes and places, beside the house vocabulary.
        templates: Those of one film.
    """

    def __init__(self, labels: FilmLabels, templates: TemplateSet | None = None) -> None:
        self.templates = templates or read_templates()
        self.attributes = sorted({*labels.attributes, *ATTRIBUTES})
        self.objects = sorted({*labels.objects, *OBJECTS})
        self._patterns = list(self._build())
        self._by_id = {template.id: template for template in self.templates.templates}

    def kind(self, question: str) -> Literal["boolean", "set"] | None:
        """How a question is answered; None when no template asks it."""
        ask = self.parse(question)
        if ask is None:
            return "boolean" if self._change(question) is not None else None
        return "boolean" if ask.template.answer_type == "boolean" else "set"

    def parse(self, question: str) -> Ask | None:
        """The template and its slots; None when none fits.

        A question for yes or no in other words than ours is understood when it names one finding and one place at most.
        """
        words = _plain(question)
        for template, pattern, slots in self._patterns:
            found = pattern.fullmatch(words)
            if found is not None:
                return Ask(template, {slot: self._value(slot, found[name]) for name, slot in slots.items()})
        return self._parse_freely(words)

    def _parse_freely(self, words: str) -> Ask | None:
        if not _YES_OR_NO.search(words) or self._change(words) is not None:
            return None
        attributes = _named(words, {**{each: each for each in self.attributes}, **_synonyms()})
        if len(attributes) != 1:
            return None
        objects = _named(words, {each: each for each in self.objects})
        if not objects:
            return Ask(self._by_id["verify-attribute"], {"attribute": attributes[0]})
        if len(objects) == 1:
            slots = {"attribute": attributes[0], "object": objects[0]}
            return Ask(self._by_id["verify-attribute-in-object"], slots)
        return None

    def _change(self, question: str) -> tuple[tuple[bool, bool], str] | None:
        """What must have changed, and which finding, of a question about two films."""
        words = _plain(question)
        changes = {change for word, change in _CHANGES.items() if re.search(rf"\b{word}\b", words)}
        attributes = _named(words, {**{each: each for each in self.attributes}, **_synonyms()})
        return (changes.pop(), attributes[0]) if len(changes) == 1 and len(attributes) == 1 else None

    def _build(self) -> Iterator[tuple[Template, re.Pattern[str], dict[str, str]]]:
        options = {"attribute": self.attributes, "object": self.objects, "side": SIDES, "view": VIEWS, "sex": SEXES}
        several = self.templates.words
        asked = [(template, phrasing) for template in self.templates.templates for phrasing in template.phrasings]
        for template, phrasing in asked:
            slots: dict[str, str] = {}
            pattern, at = "", 0
            for field in _FIELD.finditer(phrasing):
                name = field[1]
                bare = name.removeprefix("a_")
                slot = re.sub("^categories", "category", bare)
                kind = slot_kind(slot)
                if kind == "category":
                    words = [spoken for pair in several.values() for spoken in pair] + list(CATEGORIES)
                else:
                    words = list(options[kind])
                choice = "|".join(re.escape(_plain(word)) for word in sorted(set(words), key=lambda w: (-len(w), w)))
                group = f"f{len(slots)}_{name}"
                slots[group] = slot
                article = "(?:an? )?" if name.startswith("a_") else ""
                pattern += re.escape(_plain(phrasing[at : field.start()], strip=False))
                pattern += f"{article}(?P<{group}>{choice})"
                at = field.end()
            pattern += re.escape(_plain(phrasing[at:], strip=False))
            yield template, re.compile(pattern.strip().replace("\\ \\ ", "\\ ")), slots

    def _value(self, slot: str, words: str) -> str:
        kind = slot_kind(slot)
        if kind == "category":
            for category, spoken in self.templates.words.items():
                if words in (*map(_plain, spoken), category):
                    return category
            return words
        options = {"attribute": self.attributes, "object": self.objects, "side": SIDES, "view": VIEWS, "sex": SEXES}
        return next(option for option in options[kind] if _plain(option) == words)


class LabelModel:
    """See `schema.VisualModel`.

    Args:
        labels: One film a study.
        templates: Those of one film.
    """

    evidence_kind = EVIDENCE
    seconds_a_look = 0.0

    def __init__(self, labels: FilmLabels, templates: TemplateSet | None = None) -> None:
        self.labels = labels
        self.grammar = QuestionGrammar(labels, templates)
        self._row_of = {film.study_id: row for row, film in enumerate(labels.films)}
        self._answers: dict[str, Answers] = {}
        said = hashlib.sha256("\n".join([*labels.attributes, *map(str, labels.places)]).encode())
        for array in (labels.whole, labels.placed, *labels.ratios.values()):
            said.update(np.ascontiguousarray(array).tobytes())
        self.fingerprint = f"labels:{said.hexdigest()[:16]}"

    def key(self, look: Look) -> str:
        """Labels are not stored: they are the record's own."""
        return ""

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        """One answer a look, in order.

        Raises:
            QueryError: A question that no template asks.
        """
        for look in looks:
            yield self._compare(look) if len(look.study_ids) == 2 else self._answer(look)

    def _answer(self, look: Look) -> VisualAnswer:
        if look.question not in self._answers:
            ask = self.grammar.parse(look.question)
            if ask is None:
                raise _not_understood(look.question)
            self._answers[look.question] = answer_ask(ask, self.labels, self.grammar.templates.words)
        answers = self._answers[look.question]
        row = self._row_of.get(look.study_ids[0])
        code = -1 if row is None else int(answers.codes[row])
        if code < 0:
            return VisualAnswer("cannot_tell", None, None)
        value = answers.values[code]
        if look.kind == "set" and isinstance(value, str):
            value = (value,)
        if isinstance(value, str) or (look.kind == "boolean") != isinstance(value, bool):
            raise QueryError(
                "look-kind", "FUNC_VQA", f"a question for a {'list' if look.kind == 'boolean' else 'yes or no'}",
                "one for yes or no" if look.kind == "boolean" else "one for a list",
            )  # fmt: skip
        return VisualAnswer("answered", value, 1.0)

    def _compare(self, look: Look) -> VisualAnswer:
        """Whether a finding changed from the first film to the second as the question says."""
        asked = self.grammar._change(look.question)
        if asked is None:
            raise _not_understood(look.question)
        (before, after), attribute = asked
        truth = self.labels.truth(attribute)
        states: list[bool | None] = []
        for study, wanted in zip(look.study_ids, (before, after), strict=True):
            row = self._row_of.get(study)
            code = -1 if row is None else int(truth[row])
            states.append(None if code < 0 else (code == 1) == wanted)
        if False in states:
            return VisualAnswer("answered", False, 1.0)
        return VisualAnswer("cannot_tell", None, None) if None in states else VisualAnswer("answered", True, 1.0)


def _not_understood(question: str) -> QueryError:
    return QueryError(
        "look-question", "FUNC_VQA", f"the labels cannot be asked {question[:80]!r}",
        "a question of the one-image family, such as 'Is there pneumothorax?'", "or ask a model: --model starter-med",
    )  # fmt: skip


def _plain(text: str, *, strip: bool = True) -> str:
    """Lower case, single blanks, without the mark at the end."""
    text = re.sub(r"\s+", " ", text.lower())
    return text.strip().rstrip("?.! ") if strip else text.rstrip("?.!")


def _synonyms() -> dict[str, str]:
    return {words: finding for words, finding in FINDING_SYNONYMS.items() if finding is not None}


def _named(words: str, vocabulary: Mapping[str, str]) -> list[str]:
    """What a text names of a vocabulary, the longest name first; a name inside a longer one is not counted."""
    found: list[str] = []
    rest = words
    for name in sorted(vocabulary, key=lambda each: (-len(each), each)):
        pattern = rf"(?<!\w){re.escape(_plain(name))}(?!\w)"
        if re.search(pattern, rest):
            rest = re.sub(pattern, " ", rest)
            if vocabulary[name] not in found:
                found.append(vocabulary[name])
    return found
