"""One verdict on one answer: what came of it, whether it is right, how much of it is.

    score_text(question, "Yes, there is a nodule.")       # Score(outcome="answered", value=True, is_correct=True, ...)
    score_text(question, "I cannot determine")            # Score(outcome="refused", value=None, is_correct=False, ...)

The answer type of the question decides how its answers are scored, the text never does:

    boolean   closed    right when the first sentence says the right one of yes and no
    choice    choose    right when it names the one right answer
    set       set       right when it names just the members; credit is F1
    count     count     right when equal
    number    number    right within the tolerance, in the unit that was asked for (`unit`, `tolerance` in parameters)
    date      date      right at the granularity of the gold answer
    text      open      right when equal after normalisation; credit is F1 of the words

Rows of SQL are compared in `rows`. `unparsed`, `refused` and `abstained` are outcomes, not errors: never right, always
in the denominator, counted apart. Rules of published scorers are in `published`, each under its own name.

Source: reference on evaluation, section 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from chartsight.evaluation.metrics import NUMBER_TOLERANCE, answer_from_json, gold_answer, same_answer, set_f1, token_f1
from chartsight.evaluation.normaliser import NORMALISER_VERSION, Answer, parse_answer
from chartsight.schema import AnswerType, Outcome, Question

SCORER_VERSION = NORMALISER_VERSION
SCORER_KINDS: Mapping[AnswerType, str] = {
    "boolean": "closed", "choice": "choose", "set": "set", "count": "count", "number": "number", "date": "date",
    "text": "open",
}  # fmt: skip
_RULES = ("normaliser.py", "metrics.py", "units.py", "scorers.py")


@dataclass(frozen=True)
class Score:
    """The verdict on one answer.

    Args:
        outcome: answered, unparsed, refused, abstained or failed.
        value: The typed answer; None unless answered.
        is_correct: Strict: only an answered value can be right.
        credit: F1 of a set or an open answer; 1 or 0 for the rest.
    """

    outcome: Outcome
    value: Answer | None
    is_correct: bool
    credit: float


def score_text(question: Question, raw_text: str) -> Score:
    """The verdict on what a model wrote."""
    unit = asked_unit(question) if question.answer_type == "number" else None
    parsed = parse_answer(raw_text, question.answer_type, tuple(question.allowed_answers), unit)
    return score_value(question, parsed.value, parsed.outcome)


def score_value(question: Question, value: Answer | None, outcome: Outcome = "answered") -> Score:
    """The verdict on a typed answer; None is never right, whatever the outcome says."""
    gold = gold_answer(question)
    is_correct = _is_same(question, gold, value)
    credit = float(is_correct)
    if question.answer_type == "set" and isinstance(gold, tuple):
        credit = set_f1(gold, value if isinstance(value, tuple) else None)
    elif question.answer_type == "text":
        credit = token_f1(str(gold), None if value is None else str(value))
    return Score(outcome, value, is_correct, credit)


def score_prediction(question: Question, raw_text: str | None, outcome: Outcome, value: str | None) -> Score:
    """The verdict on a row of predictions.

    The text is parsed anew, so that all files are scored by one set of rules. A predictor's own value (JSON) counts
    only where there is no text (it chose among closed answers), its `abstained` and `failed` always.
    """
    if outcome in ("abstained", "failed"):
        return score_value(question, None, outcome)
    if raw_text:
        return score_text(question, raw_text)
    if outcome == "answered" and value not in (None, "", "null"):
        return score_value(question, answer_from_json(str(value)))
    return score_value(question, None, "refused" if outcome == "refused" else "unparsed")


def asked_unit(question: Question) -> str | None:
    """The unit that a number was asked for in: `unit` of the parameters, or of the slots of the question's wording."""
    options = question_options(question)
    slots = options.get("slots")
    unit = options.get("unit", slots.get("unit") if isinstance(slots, dict) else None)
    return unit if isinstance(unit, str) else None


def question_options(question: Question) -> dict[str, Any]:
    """The question's parameters that are an object; empty for anything else."""
    try:
        options = json.loads(question.parameters or "{}")
    except ValueError:
        return {}
    return options if isinstance(options, dict) else {}


def _is_same(question: Question, gold: Answer, value: Answer | None) -> bool:
    if question.answer_type == "number":
        tolerance = question_options(question).get("tolerance")
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (tolerance, gold, value)):
            # As wide as the written tolerance and no wider: 37.1 +- 0.05 takes 37.15, whatever its last bit.
            return bool(abs(value - gold) <= tolerance * (1 + NUMBER_TOLERANCE))  # type: ignore[operator]
    return same_answer(question.answer_type, gold, value)


@lru_cache(maxsize=16)
def scorer_sha256(*files: str) -> str:
    """Hex digest of the rules that turn texts into scores: these source files of `evaluation`, ours by default."""
    digest = hashlib.sha256()
    for name in files or _RULES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()


def scorer_stamp() -> str:
    """What is printed beside a figure: `chartsight strict v2 3f9c0a1b2c3d`."""
    return f"chartsight strict v{SCORER_VERSION} {scorer_sha256()[:12]}"
