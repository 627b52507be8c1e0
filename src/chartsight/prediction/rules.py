"""How a question may be answered: in free text, or among its allowed answers only.

    scoring   type                 how it is answered
    free      any                  the model writes
    allowed   boolean, choice      exact probability of each allowed answer, the likeliest counts
    allowed   count                written, 0 to 99
    allowed   set                  written in the form of a list, names of the vocabulary only; or name by name
    allowed   number, date, text   the model writes: they are open

`sets="constrained"` writes lists in their form whatever the scoring. Lists name by name ask yes or no a
name: weighed by the first word when free, scored when allowed.
"""

from __future__ import annotations

import json
from typing import Literal, get_args

from chartsight.questions.answer_text import EMPTY_SET, render_answer
from chartsight.schema import Question
from chartsight.vlm.grammars import Rule, Scored, Weighed, Written

Scoring = Literal["free", "allowed"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
Sets = Literal["generate", "itemwise", "constrained"]
SETS: tuple[Sets, ...] = get_args(Sets)
DECODING = "greedy/48"
YES_NO = Scored(("yes", "no"))
COUNTS = Written(tuple(map(str, range(100))))


def rule_of(question: Question, sets: Sets = "generate", scoring: Scoring = "free") -> Rule | None:
    """The rule by which a question is answered when it is put whole; None for free text."""
    allowed = tuple(dict.fromkeys(question.allowed_answers))
    if question.answer_type == "set":
        if not allowed or (scoring == "free" and sets != "constrained"):
            return None
        names = tuple(render_answer(json.dumps([name]), "set") for name in sorted(allowed))
        return Written(names, empty=EMPTY_SET, many=True)
    if scoring == "free":
        return None
    if question.answer_type == "boolean":
        return YES_NO
    if question.answer_type == "choice" and allowed:
        return Scored(tuple(render_answer(json.dumps(answer), "choice") for answer in allowed))
    return COUNTS if question.answer_type == "count" else None


def decoding_of(rule: Rule | None) -> str:
    """How an answer by this rule comes about, for its key."""
    if rule is None:
        return DECODING
    if isinstance(rule, Weighed):
        return "weighed"
    if isinstance(rule, Scored):
        return "scored/" + json.dumps(rule.answers, ensure_ascii=False)
    return "written/" + json.dumps([rule.names, rule.empty, rule.many], ensure_ascii=False)
