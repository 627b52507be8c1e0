"""English → NeuralSQL by the nearest known way of asking, its slots filled with what the question names.

translator = RetrievalTranslator(read_families())
translation = translator.translate("was 10000032 ever given lasix?", vocabulary, Conversation())
translation.program       # SELECT COUNT(*) > 0 FROM prescriptions AS x WHERE x.subject_id = 10000032 AND ...
translation.assumptions   # ("'lasix' is read as the drug Furosemide",)

It never makes up a query: what no family asks is refused, and so is a name that may be two things.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from chartsight.errors import QuestionError
from chartsight.neuralsql.families import Families
from chartsight.schema import Candidate, GroundedValue, Refusal, Translation
from chartsight.translate.calibration import Calibration, read_calibration
from chartsight.translate.conversation import Conversation
from chartsight.translate.follow_up import go_on, missing_from_record
from chartsight.translate.grounding import Grounder, Grounding, Mention, Reading, place_look
from chartsight.translate.matching import LOOK_KINDS, PERIOD_KINDS, Match, Matcher
from chartsight.translate.vocabulary import Vocabulary
from chartsight.translate.words import spell

UNSAID_RANK = "last"
UNSAID_WINDOW = "at any time"
MOST_SURE_EDITS = 1  # a word, of a typo that is read without asking back
NEAR = 0.6  # score of a question that lacks nothing but the patient, or the film
BRACKETS = "()[] "  # a span ends with a word
SHOWN_OPTIONS = 5
SHOWN_CANDIDATES = 3


class Translator(Protocol):
    """Turns a question into a program, or says why not: by retrieval, by a small model, by an endpoint."""

    def translate(self, question: str, vocabulary: Vocabulary, conversation: Conversation) -> Translation:
        """The program, or the refusal, with what was understood."""
        ...


class RetrievalTranslator:
    """Finds the nearest known phrasing whose slots the question fills.

    Args:
        families: What can be asked.
        held_out: Numbers (from 1) of phrasings that it does not know, to measure with them.
        calibration: When to refuse; that of the package when None.
    """

    def __init__(
        self, families: Families, held_out: Collection[int] = (), calibration: Calibration | None = None
    ) -> None:
        self.families = families
        self.calibration = calibration or read_calibration()
        self._matcher = Matcher(families, held_out)
        self._grounder: Grounder | None = None

    def translate(self, question: str, vocabulary: Vocabulary, conversation: Conversation | None = None) -> Translation:
        """The program of the nearest known phrasing, or a refusal.

        Args:
            question: In English.
            vocabulary: Of the record.
            conversation: What was said before.
        """
        conversation = conversation or Conversation()
        grounding, matches = self.find(question, vocabulary, conversation)
        if (going_on := go_on(grounding, self.families, vocabulary, conversation)) is not None:
            return going_on
        candidates = tuple(
            Candidate(match.template.id, match.phrasing.text, round(match.score, 4))
            for match in matches[:SHOWN_CANDIDATES]
        )
        confidence = self.calibration.confidence(*signs(grounding, matches)) if matches else 0.0
        if confidence < self.calibration.threshold:
            # Who forgot to name the patient is told so, and not that nobody asks such things.
            nearest = max(matches, key=lambda match: match.score + match.absent, default=None)
            if nearest is not None and nearest.absent and nearest.score + nearest.absent >= NEAR:
                return self._fill(nearest, vocabulary, conversation, candidates, confidence)
            return _refuse(grounding, candidates, confidence)
        return self._fill(matches[0], vocabulary, conversation, candidates, confidence)

    def find(self, question: str, vocabulary: Vocabulary, conversation: Conversation) -> tuple[Grounding, list[Match]]:
        """What a question names, and the families that it may be of, nearest first."""
        if self._grounder is None or self._grounder.vocabulary is not vocabulary:
            self._grounder = Grounder(vocabulary, self._matcher.index.language)
        grounding = self._grounder.ground(question, conversation)
        return grounding, self._matcher.match(grounding, conversation)

    def _fill(
        self,
        match: Match,
        vocabulary: Vocabulary,
        conversation: Conversation,
        candidates: tuple[Candidate, ...],
        score: float,
    ) -> Translation:
        """The program of a match, each slot filled; a refusal at the first that nothing certain fills."""
        template = match.template
        held = self._matcher.arrange(match, vocabulary)
        places = [mention for mention, kind_class in match.masked.values if kind_class in ("object", "side")]
        grounded: list[GroundedValue] = []
        assumptions: list[str] = []

        def refuse(refusal: Refusal) -> Translation:
            return Translation(None, refusal, candidates, tuple(grounded), score, template.id)

        for slot, kind in template.slots.items():
            mention = held.get(slot)
            reading = (
                self._unsaid(kind, vocabulary, conversation) if mention is None else self._said(kind, mention, places)
            )
            if isinstance(reading, Refusal):
                return refuse(reading)
            if missing := missing_from_record(kind, reading.value, vocabulary):
                return refuse(missing)
            value = GroundedValue(slot, kind, reading.value, mention.text if mention else "", reading.how)
            grounded.append(value)
            assumptions += _assumptions(value, reading)
        if not template.is_answerable:
            return refuse(Refusal("not-in-record", "the record holds nothing that answers this"))
        try:
            program = self.families.render_program(template, {value.slot: value.value for value in grounded})
        except QuestionError as error:
            return refuse(Refusal("bad-value", error.found))
        return Translation(
            program, None, candidates, tuple(grounded), score, template.id, template.answer_type,
            tuple(dict.fromkeys(assumptions)),
        )  # fmt: skip

    def _said(self, kind: str, mention: Mention, places: Sequence[Mention]) -> Reading | Refusal:
        """What a mention fills a slot with; a refusal when it may be two things, or is too far from any."""
        readings = list(self._matcher.readings(kind, mention))
        for spelling in (str, str.lower):
            text = spelling(mention.text).strip(BRACKETS)
            if as_written := [each for each in readings if spelling(each.value).strip(BRACKETS) == text]:
                readings = as_written
                break
        if kind in LOOK_KINDS and places:
            readings = [at for reading in readings for at in place_look(reading, places[0])]
        if not readings:
            return Refusal("unknown-name", f"{mention.text!r} is no {kind} that fits here")
        if len({reading.value for reading in readings}) > 1:
            commonest = sorted(readings, key=lambda each: (-each.rows, each.value))
            options = tuple(dict.fromkeys(reading.value for reading in commonest))[:SHOWN_OPTIONS]
            return Refusal("ambiguous-name", f"{mention.text!r} may be more than one {kind}", options, mention.text)
        reading = readings[0]
        if reading.how == "typo" and reading.edits > MOST_SURE_EDITS * len(mention.text.split()):
            message = f"{mention.text!r} is not known; this is the nearest {kind}"
            return Refusal("ambiguous-name", message, (reading.value,), mention.text)
        return reading

    @staticmethod
    def _unsaid(kind: str, vocabulary: Vocabulary, conversation: Conversation) -> Reading | Refusal:
        """What fills a slot that the question says nothing of."""
        if kind in PERIOD_KINDS:
            return Reading(kind, "", "exact")
        if kind == "window":
            return Reading(kind, UNSAID_WINDOW, "conversation", note="no window is named: at any time")
        if kind == "patient":
            return Reading(kind, str(conversation.subject_id or ""), "conversation")
        if kind == "study":
            films = vocabulary.by_patient.get(conversation.subject_id or -1, ())
            if conversation.study_id is None and films:
                note = f"no film is named: the last of the patient, study {films[-1].study_id}"
                return Reading(kind, str(films[-1].study_id), "conversation", note=note)
            return Reading(kind, str(conversation.study_id or ""), "conversation")
        return Reading(kind, UNSAID_RANK, "conversation", note=f"no order is named: the {UNSAID_RANK} one")


def signs(grounding: Grounding, matches: Sequence[Match]) -> tuple[float, float, float]:
    """What says how sure the first match is: its score, its distance to the next, the share of words nobody knows."""
    best = matches[0]
    second = matches[1].score if len(matches) > 1 else 0.0
    inside = {n for mention, _ in best.masked.values for n in range(mention.first, mention.last)}
    unknown = len(grounding.unknown - inside) / max(1, len(grounding.words))
    return best.score + best.absent, best.score - second, unknown


def _assumptions(value: GroundedValue, reading: Reading) -> Iterator[str]:
    """What was read into the question for one value."""
    if reading.note:
        yield reading.note
    elif value.how == "conversation":
        yield (
            f"{value.kind} {value.value}, who is in view" if value.kind == "patient" else f"{value.kind} {value.value}"
        )
    elif (
        value.text
        and value.how in ("alias", "abbreviation", "loose", "typo")
        and spell(value.text) != spell(value.value)
    ):
        yield f"{value.text!r} is read as the {value.kind} {value.value}"


def _refuse(grounding: Grounding, candidates: tuple[Candidate, ...], score: float) -> Translation:
    unknown = [grounding.text[grounding.words[n].start : grounding.words[n].end] for n in sorted(grounding.unknown)]
    message = "no known question is near enough to this one"
    if unknown:
        message += f"; not understood: {', '.join(unknown)}"
    options = tuple(candidate.phrasing for candidate in candidates)
    return Translation(None, Refusal("unknown-question", message, options), candidates, (), score)
