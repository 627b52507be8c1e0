"""The same film, asked in other words: another wording, the opposite question, other identifiers and dates.

paraphrase   Is there pneumothorax?    Any sign of pneumothorax?             the same answer
negated      Is there pneumothorax?    Is this film free of pneumothorax?    the opposite answer
scrambled    ... in study 50000123?    ... in study 58230911?                the same answer, dates shifted alike
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from chartsight.questions.identifiers import find_identifier
from chartsight.questions.variants.regold import GoldMaker
from chartsight.schema import Question, Variant

STREAM = 89  # of the draws of wordings
MOST_DAYS_SHIFTED = 3650
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b(?:[ T]\d{2}:\d{2}(?::\d{2})?)?")
_DATE_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")


def paraphrase_questions(questions: Sequence[Question], gold: GoldMaker, seed: int) -> list[Variant]:
    """Questions in another wording of their template, drawn with a seed; of an imported set, in the template's own."""
    variants = []
    for question in questions:
        asked = _other_words(question, gold, seed)
        if asked is not None and asked != question.asked:
            variants.append(
                Variant(
                    question.question_id, "paraphrase", asked, question.image_ids, (), None, question.answer_type,
                    question.allowed_answers, question.answer,
                )
            )  # fmt: skip
    return variants


def negate_questions(questions: Sequence[Question], gold: GoldMaker) -> list[Variant]:
    """Yes/no questions turned into their opposite, where their template has words for it."""
    templates = gold.known.templates
    variants = []
    for question in questions:
        ask = gold.parse(question)
        if ask is None or ask.template.negated is None or question.source != templates.source:
            continue
        asked = templates.render_negated(ask.template, ask.slots)
        opposite = json.dumps(not json.loads(question.answer))
        variants.append(
            Variant(
                question.question_id, "negated", asked, question.image_ids, (), None, "boolean", (), opposite
            )
        )  # fmt: skip
    return variants


def scramble_questions(questions: Sequence[Question], seed: int) -> list[Variant]:
    """Questions with new identifiers, and all dates of one patient shifted by the same days.

    What a model reads of a film names no patient and no study: there the words stay, the answer's key stays, and an
    answer can only stay.
    """
    return [_scramble(question, seed) for question in questions]


def _scramble(question: Question, seed: int) -> Variant:
    identifiers = sorted(
        {str(each) for each in (question.subject_id, *question.study_ids, *question.image_ids) if each is not None},
        key=lambda each: (-len(each), each),
    )
    text = question.asked
    for identifier in identifiers:
        text = re.sub(rf"(?<!\w){re.escape(identifier)}(?!\w)", lambda found: new_identifier(found[0], seed), text)
    days = int(np.random.default_rng([STREAM, seed, question.subject_id or 0]).integers(1, MOST_DAYS_SHIFTED))
    answer = json.loads(question.answer)
    if question.answer_type == "date" and isinstance(answer, str):
        answer = shift_dates(answer, days)
    return Variant(
        question.question_id, "scrambled", shift_dates(text, days), question.image_ids, (), None,
        question.answer_type, question.allowed_answers, json.dumps(answer, ensure_ascii=False),
    )  # fmt: skip


def new_identifier(identifier: str, seed: int) -> str:
    """Another identifier of the same look: digits for digits (the first is kept), letters a to f for such letters.

    One identifier always becomes the same other one.
    """
    source = hashlib.sha256(f"{seed} {identifier}".encode()).digest()
    draws = np.random.default_rng(list(source))
    made = []
    for place, mark in enumerate(identifier):
        drawn = str(draws.integers(10)) if mark.isdigit() else "abcdef"[draws.integers(6)]
        made.append(drawn if (mark.isdigit() and place) or mark in "abcdef" else mark)
    return "".join(made)


def shift_dates(text: str, days: int) -> str:
    """Every ISO date of a text, with or without a time, moved by whole days; what is no date stays."""

    def moved(found: re.Match[str]) -> str:
        for form in _DATE_FORMS:
            try:
                return (datetime.strptime(found[0], form) + timedelta(days=days)).strftime(form)
            except (ValueError, OverflowError):
                continue
        return found[0]

    return _DATE.sub(moved, text)


def _other_words(question: Question, gold: GoldMaker, seed: int) -> str | None:
    templates = gold.known.templates
    if question.source == templates.source and question.template_id in templates.by_id:
        template = templates.by_id[question.template_id]
        slots: Mapping[str, str] = json.loads(question.parameters)
        numbers = [n for n in range(1, len(template.phrasings) + 1) if template.phrasing_id(n) != question.phrasing_id]
        random = np.random.default_rng([STREAM, seed, *question.question_id.encode()])
        return templates.render_phrasing(template, numbers[int(random.integers(len(numbers)))], slots)
    if not question.source.startswith("import:"):
        return None
    words = json.loads(question.parameters).get("template")
    if not isinstance(words, str) or not words.strip() or re.search(r"[{}$]|\[[a-z_0-9]+\]", words):
        return None  # with open places it is no question
    identifiers = [str(each) for each in (question.subject_id, *question.study_ids, *question.image_ids)]
    return None if find_identifier(words, identifiers) is not None else words
