"""Which family of question a question may be, and which of its values fill which slot.

How many films has he had with effusion in 2103?     count of films with ⟨finding⟩ ⟨period⟩, of a patient      .81
                                                     count of patients with ⟨finding⟩ ⟨calendar⟩                .54
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from chartsight.neuralsql.families import Families, FamilyTemplate
from chartsight.neuralsql.families.templates import PERIOD_SLOTS
from chartsight.schema import ANSWER_TYPES, AnswerType
from chartsight.translate.conversation import Conversation
from chartsight.translate.grounding import Grounding, Mention, Reading
from chartsight.translate.phrasings import Phrasing, PhrasingIndex, canonical_words
from chartsight.translate.reading import MaskedQuestion, mask_question
from chartsight.translate.vocabulary import Vocabulary
from chartsight.translate.words import listed, split_words

PERIOD_KINDS = tuple(PERIOD_SLOTS)
LOOK_KINDS = ("finding", "listing", "named")

# Of a template's score: its nearest phrasing, its three nearest, and how much of the question its phrasings say at all.
W_NEAREST, W_NEAR, W_COVERED = 0.55, 0.15, 0.3
WRONG_TYPE = 0.35  # for a yes where a list is asked for
# What a question may leave unsaid, and what it costs; the patient and the film come from the conversation.
UNSAID_COSTS: Mapping[str, float] = {"patient": 0.02, "study": 0.04, "period": 0.0, "window": 0.06, "rank": 0.08}
NOT_IN_VIEW = 0.35  # besides, for a patient or a film that the conversation has not: first, who needs none is asked
UNREAD_CHOICE = 0.1  # for `last` read as a word, in a template that never says it
MOST_AROUND = 4  # words on either side of a value that say which slot it fills
EARLIER_FIRST = 1.0  # for two studies in the order in which they were taken, beside the words around them
AS_WRITTEN = 0.5  # likewise, for values in the order of the template


_PATIENTS = re.compile(r"\b(?:patients|people|persons)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """A known phrasing that a reading of the question may be.

    Args:
        template: Of the phrasing.
        phrasing: The template's nearest.
        masked: The reading.
        score: Its similarity, less what it leaves unsaid.
        absent: Of what it leaves unsaid, what the conversation has not either.
    """

    template: FamilyTemplate
    phrasing: Phrasing
    masked: MaskedQuestion
    score: float
    absent: float


class Matcher:
    """Finds the families that a question may be of.

    Args:
        families: What can be asked.
        held_out: Numbers (from 1) of phrasings that it does not know, to measure with them.
    """

    def __init__(self, families: Families, held_out: Collection[int] = ()) -> None:
        self.families = families
        self.templates = {template.id: template for template in families.templates}
        self.classes = kind_classes(families)
        phrasings = []
        for template in families.templates:
            masks = {slot: self.classes[kind] for slot, kind in template.slots.items()}
            for number, text in enumerate(template.phrasings, 1):
                if number not in held_out:
                    phrasings.append(Phrasing(template.id, template.phrasing_id(number), text, masks))
        self.index = PhrasingIndex(phrasings)
        self._places = {template_id: n for n, template_id in enumerate(self.index.template_ids)}
        self._rows: list[list[int]] = [[] for _ in self._places]
        for number, phrasing in enumerate(self.index.phrasings):
            self._rows[self._places[phrasing.template_id]].append(number)
        self._needs: dict[str, Counter[str]] = {}
        self._kinds: dict[str, dict[str, list[str]]] = {}
        for template in families.templates:
            self._needs[template.id] = Counter(self.classes[kind] for kind in template.slots.values())
            by_class = self._kinds.setdefault(template.id, {})
            for kind in template.slots.values():
                by_class.setdefault(self.classes[kind], []).append(kind)

    def match(self, grounding: Grounding, conversation: Conversation) -> list[Match]:
        """The nearest phrasing of every template that the question can be, nearest first."""
        readings = mask_question(grounding, self.classes, self.index.language)
        feasible: dict[frozenset[tuple[str, int]], dict[str, tuple[float, float]]] = {}
        asks_many = _PATIENTS.search(grounding.text) is not None
        costs = []
        for reading in readings:
            # Who says a value twice means one thing by it.
            said = dict.fromkeys((kind_class, mention.text.lower()) for mention, kind_class in reading.values)
            given = Counter(kind_class for kind_class, _ in said)
            key = frozenset(given.items())
            if key not in feasible:
                feasible[key] = self._feasible(given, conversation, asks_many)
            costs.append(feasible[key])
        used = [n for n, cost in enumerate(costs) if cost]
        if not used:
            return []
        masked = [readings[n].words for n in used]
        nearness, coverage = self.index.similarities(masked), self.index.coverages(masked)
        asked = asked_types(grounding)
        best: dict[str, Match] = {}
        for row, covered, n in zip(nearness, coverage, used, strict=True):
            for template_id, (cost, absent) in costs[n].items():
                place = self._places.get(template_id)
                if place is None or not self._fits(template_id, readings[n]):
                    continue
                columns = self._rows[place]
                own = row[columns]
                near = int(np.argmax(own))
                # Several phrasings that are near say more than one that happens to share a word.
                score = W_NEAREST * own[near] + W_NEAR * np.sort(own)[-3:].mean() + W_COVERED * covered[place]
                if self.templates[template_id].answer_type not in asked:
                    cost += WRONG_TYPE
                words = self.index.template_words[template_id]
                cost += UNREAD_CHOICE * sum(word not in words for word in readings[n].unread)
                score = float(score) - cost - absent - readings[n].cost
                if template_id not in best or score > best[template_id].score:
                    phrasing = self.index.phrasings[columns[near]]
                    best[template_id] = Match(self.templates[template_id], phrasing, readings[n], score, absent)
        return sorted(best.values(), key=lambda match: (-match.score, match.template.id))

    def _fits(self, template_id: str, reading: MaskedQuestion) -> bool:
        """Whether every value is one that some slot of its class can hold: `average` is no extreme."""
        kinds = self._kinds[template_id]
        return all(
            any(next(self.readings(kind, mention), None) for kind in kinds[kind_class])
            for mention, kind_class in reading.values
            if kind_class in kinds
        )

    def _feasible(
        self, given: Counter[str], conversation: Conversation, asks_many: bool
    ) -> dict[str, tuple[float, float]]:
        """Templates whose slots these classes can fill: the cost of what each leaves unsaid, and of what is nowhere."""
        missing = {
            "patient": NOT_IN_VIEW * (conversation.subject_id is None),
            "study": NOT_IN_VIEW * (conversation.subject_id is None and conversation.study_id is None),
        }
        feasible: dict[str, tuple[float, float]] = {}
        for template_id, needed in self._needs.items():
            left = given - needed
            if left and not self._can_merge(left, needed):
                continue
            cost = absent = 0.0
            for kind_class, n in (needed - given).items():
                if kind_class not in UNSAID_COSTS or (asks_many and kind_class == "patient"):
                    break
                cost += UNSAID_COSTS[kind_class] * n
                absent += missing.get(kind_class, 0.0) * n
            else:
                feasible[template_id] = cost, absent
        return feasible

    @staticmethod
    def _can_merge(left: Counter[str], needed: Counter[str]) -> bool:
        """A place that stands apart from its finding: `does the left lung show pneumothorax`."""
        return set(left) <= {"object", "side"} and left.total() == 1 and sum(needed[kind] for kind in LOOK_KINDS) == 1

    def readings(self, kind: str, mention: Mention) -> Iterator[Reading]:
        """The readings of a mention that fit a slot of this kind, least doubtful only."""
        if kind in PERIOD_KINDS:
            for reading in mention.of_kind("period"):
                found = self.families.read_period(reading.value)
                if found and found[0].kind in PERIOD_SLOTS[kind]:
                    yield reading
            return
        yield from mention.of_kind(kind)

    def arrange(self, match: Match, vocabulary: Vocabulary) -> dict[str, Mention]:
        """Which mention fills which slot; of several of one class, by the words around them in any known phrasing."""
        held: dict[str, Mention] = {}
        by_class: dict[str, list[str]] = {}
        for slot in match.template.slots:
            by_class.setdefault(match.phrasing.kinds[slot], []).append(slot)
        asked = surroundings(match.masked.words)
        for kind_class, slots in by_class.items():
            mentions = [mention for mention, each in match.masked.values if each == kind_class]
            around = [words for each, words in asked if each == kind_class]
            if len(slots) == 1 or not mentions:
                held |= dict(zip(slots, mentions, strict=False))
                continue
            known: dict[str, list[dict[str, float]]] = {slot: [] for slot in slots}
            for number in self._rows[self._places[match.template.id]]:
                phrasing = self.index.phrasings[number]
                for slot, (_, words) in zip(phrasing.named, surroundings(phrasing.words), strict=True):
                    if slot in known:
                        known[slot].append(words)
            fits = [[max(self._alike(words, each) for each in known[slot]) for slot in slots] for words in around]
            best = max(
                permutations(range(len(slots)), min(len(slots), len(mentions))),
                key=lambda places: (
                    sum(fits[n][place] for n, place in enumerate(places))
                    + EARLIER_FIRST * _in_order(kind_class, places, mentions, vocabulary)
                    + AS_WRITTEN * (list(places) == sorted(places)),
                    tuple(-match.phrasing.slots.index(slots[place]) for place in places),
                ),
            )
            held |= {slots[place]: mentions[n] for n, place in enumerate(best)}
        return held

    def _alike(self, words: Mapping[str, float], others: Mapping[str, float]) -> float:
        """How far two places are surrounded by the same words."""
        return sum(
            min(near, others[word]) * self.index.weight(word.split(" ")[-1])
            for word, near in words.items()
            if word in others
        )


def surroundings(words: Sequence[str]) -> list[tuple[str, dict[str, float]]]:
    """Of every value in a wording: its class, and the words before and after it, nearer ones with more weight."""
    canonical = canonical_words(words)
    found: list[tuple[str, dict[str, float]]] = []
    for index, word in enumerate(canonical):
        if not word.startswith("⟨"):
            continue
        around: dict[str, float] = {}
        for step in range(1, MOST_AROUND + 1):
            for side, place in (("before", index - step), ("after", index + step)):
                if 0 <= place < len(canonical) and canonical[place] != word:
                    name = f"{side} {canonical[place]}"
                    around[name] = max(around.get(name, 0.0), (1.0 if side == "before" else 0.5) / step)
        found.append((word.strip("⟨⟩"), around))
    return found


def _in_order(kind_class: str, places: Sequence[int], mentions: Sequence[Mention], vocabulary: Vocabulary) -> float:
    """1 when of two studies the one taken earlier stands in the slot that comes first, as in every comparison."""
    if kind_class != "study" or len(places) != 2:
        return 0.0
    times = []
    for _, mention in sorted(zip(places, mentions, strict=False), key=lambda each: each[0]):
        study = vocabulary.studies.get(int(mention.readings[0].value or 0))
        if study is None:
            return 0.0
        times.append(study.taken)
    return float(times[0] <= times[1])


_YES_NO = listed("is are was were do does did has have had can could will would should")
_LISTING: tuple[tuple[frozenset[str], frozenset[AnswerType]], ...] = (
    (listed("every"), frozenset({"set", "number"})),
    (listed("list id enumerate"), frozenset({"set", "text"})),
    (listed("which name"), frozenset({"set", "text", "choice", "number"})),
    (listed("what all"), frozenset({"set", "text", "choice", "number", "count"})),
)


_HOW_MANY_UNITS = re.compile(r" (?:how many|number of) (?:day|hour|week|month|year|ml) | how much ")


def asked_types(grounding: Grounding) -> frozenset[AnswerType]:
    """The types that an answer can have by the form of the question.

    >>> sorted(asked_types(grounder.ground("How many films has he had?")))
    ['count']
    """
    words = [word.text for word in grounding.words]
    text = f" {' '.join(words)} "
    if " yes or no " in text or " whether " in text or " yes no " in text:
        return frozenset({"boolean"})
    if " how long " in text or _HOW_MANY_UNITS.search(text):
        return frozenset({"number"})
    if any(each in text for each in (" how many ", " number of ", " count ", " how often ")):
        return frozenset({"count"})
    if (
        " when " in text
        or " what time " in text
        or " time of " in text
        or " time at which " in text
        or " date " in text
    ):
        return frozenset({"date", "boolean"}) if words[0] in _YES_NO else frozenset({"date"})
    clauses = [words, *([word.text for word in split_words(part)] for part in grounding.text.split(",")[1:])]
    if any(clause and clause[0] in _YES_NO for clause in clauses):
        return frozenset({"boolean", "choice"})
    for cues, types in _LISTING:
        if cues & set(words):
            return types
    return frozenset(ANSWER_TYPES) - {"date"}


def kind_classes(families: Families) -> dict[str, str]:
    """Kind → class: kinds whose words are alike cannot be told apart before a template is chosen.

    `first` is a rank and an end of a list; `in 2103` is a period with or without stays.
    """
    classes: dict[str, str] = {"object": "object", "side": "side"}
    for template in families.templates:
        for kind in template.slots.values():
            classes[kind] = "period" if kind in PERIOD_KINDS else kind
    classes["period"] = "period"
    looks = {kind: {each.template for each in asked} for kind, asked in families.looks.items()}
    for number, kind in enumerate(looks):
        alike = [other for other in list(looks)[:number] if looks[other] & looks[kind]]
        classes[kind] = classes.get(alike[0], alike[0]) if alike else kind
    ordered = list(families.choices.items())
    for number, (kind, words) in enumerate(ordered):
        for other, others in ordered[:number]:
            if set(words) & set(others):
                classes[kind] = classes.get(other, other)
                break
        else:
            classes.setdefault(kind, kind)
    return classes
