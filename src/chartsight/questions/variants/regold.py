"""The right answer to a question about another film, by the code that made its own.

    gold = GoldMaker(known)
    gold.regold(question, donor_image_id)        # '"left lung"', or None where the labels cannot tell

A question of a template is answered by `questions.gold` over the labels of all films; a question of another set, where
its words are those of a template, likewise. Its own gold must come out of it as it is stored: a question whose own gold
the labels do not give has none on any other film either.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, cast

from chartsight.questions.gold import Answers, Ask, answer_ask
from chartsight.questions.label_model import QuestionGrammar
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.schema import Question


class GoldMaker:
    """Answers questions about any film whose labels are known.

    Args:
        known: The films.
    """

    def __init__(self, known: KnownFilms) -> None:
        self.known = known
        self._answers: dict[tuple[str, tuple[tuple[str, str], ...]], Answers] = {}
        self._asks: dict[str, Ask | None] = {}

    def regold(self, question: Question, image_id: str) -> str | None:
        """The answer (JSON) that `question` would have on another film; None where the labels cannot tell."""
        ask = self.ask_of(question)
        return None if ask is None else self.answer(ask, image_id)

    def ask_of(self, question: Question) -> Ask | None:
        """What the question asks; None when the labels do not give the gold answer that it has."""
        if question.question_id not in self._asks:
            self._asks[question.question_id] = self._sound_ask(question)
        return self._asks[question.question_id]

    def answers(self, ask: Ask) -> Answers:
        """The answers for all films of the labels, made once."""
        assert self.known.labels is not None
        key = ask.template.id, tuple(sorted(ask.slots.items()))
        if key not in self._answers:
            self._answers[key] = answer_ask(ask, self.known.labels, self.known.templates.words)
        return self._answers[key]

    def answer(self, ask: Ask, image_id: str) -> str | None:
        """The answer (JSON) of `ask` on one film; None where the labels cannot tell, or do not have the film."""
        row = self.known.row_of.get(image_id)
        if row is None:
            return None
        answers = self.answers(ask)
        code = int(answers.codes[row])
        return None if code < 0 else json.dumps(answers.values[code])

    def parse(self, question: Question) -> Ask | None:
        """The template and slots of a question, whatever its gold; None when no template asks it."""
        templates = self.known.templates
        if question.source == templates.source:
            template = templates.by_id.get(question.template_id)
            return None if template is None else Ask(template, json.loads(question.parameters))
        if question.source.startswith("templates:") or self.known.labels is None:
            return None  # another version of the templates: its words and rules may be other ones
        ask = self._grammar.parse(question.asked)
        return ask if ask is not None and ask.template.answer_type == question.answer_type else None

    def _sound_ask(self, question: Question) -> Ask | None:
        if self.known.labels is None or not question.looks_at_one_film or not question.answerable:
            return None
        ask = self.parse(question)
        if ask is None:
            return None
        own = self.answer(ask, question.image_ids[0])
        return ask if own is not None and _plain(own) == _plain(question.answer) else None

    @cached_property
    def _grammar(self) -> QuestionGrammar:
        assert self.known.labels is not None
        return QuestionGrammar(self.known.labels, self.known.templates)


def _plain(answer: str) -> Any:
    value = cast(Any, json.loads(answer))
    return sorted(value) if isinstance(value, list) else value
