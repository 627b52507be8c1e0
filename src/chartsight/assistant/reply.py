"""What a person is told: an answer in words, and everything that it rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from chartsight.neuralsql.explain import Explanation
from chartsight.neuralsql.run import QueryResult
from chartsight.query.answer import USE_LINE, QueryAnswer, table_values
from chartsight.schema import AnswerType, Translation
from chartsight.translate import Conversation

State = Literal["answered", "cannot_tell", "refused", "explained"]
CANNOT_TELL, NOTHING_FOUND = "cannot tell", "nothing found"
SHOWN_VALUES = 20


@dataclass(frozen=True)
class Reply:
    """The reply to one question.

    Args:
        question: As it was asked.
        state: `answered`; `cannot_tell` when the looks do not settle it; `refused`; `explained` when only the cost was
            asked for.
        text: The answer in words: yes, no, cannot tell, a number, a list, or why it is refused.
        translation: What was understood.
        answer: Rows, looks, evidence; None when refused or explained.
        explanation: What it costs; None when refused.
        assumptions: What was read into the question, in sentences.
        conversation: With which the next question goes on.
    """

    question: str
    state: State
    text: str
    translation: Translation
    answer: QueryAnswer | None
    explanation: Explanation | None
    assumptions: tuple[str, ...]
    conversation: Conversation

    @property
    def query(self) -> str:
        """The program in lines that can be read; empty when refused."""
        return pretty_program(self.translation.program or "")

    def as_dict(self) -> dict[str, Any]:
        """JSON of all of it."""
        translation = self.translation
        told: dict[str, Any] = {
            "question": self.question,
            "state": self.state,
            "answer": self.text,
            "answer_type": translation.answer_type,
            "query": translation.program,
            "template_id": translation.template_id,
            "score": round(translation.score, 4),
            "grounded": [asdict(value) for value in translation.grounded],
            "candidates": [asdict(candidate) for candidate in translation.candidates],
            "refusal": None if translation.refusal is None else asdict(translation.refusal),
            "assumptions": list(self.assumptions),
            "cost_beforehand": None if self.explanation is None else self.explanation.sentence,
            "in_view": {"subject_id": self.conversation.subject_id, "study_id": self.conversation.study_id},
            "use": USE_LINE,
        }
        if self.answer is not None:
            shared = set(told)
            told |= {name: value for name, value in self.answer.as_dict().items() if name not in shared}
        return told


def say_result(result: QueryResult, answer_type: AnswerType | None) -> tuple[State, str]:
    """The answer in words; `cannot tell` where looks that matter have no answer and could change it."""
    values = first_column(result.rows)
    if answer_type == "boolean":
        return _say_boolean(result, values)
    if answer_type in ("count", "number"):
        return _say_number(result, values)
    certain = sorted({_word(value) for value in values if value is not None})
    if result.is_exact:
        return "answered", _listed(certain) if certain else NOTHING_FOUND
    if result.possible is None:
        return "cannot_tell", CANNOT_TELL
    open_values = sorted({_word(each) for each in first_column(result.possible) if each is not None} - set(certain))
    state: State = "answered" if certain else "cannot_tell"
    told = [f"certain: {_listed(certain)}"] if certain else [CANNOT_TELL]
    return state, "; ".join([*told, *([f"possible: {_listed(open_values)}"] if open_values else [])])


def first_column(rows: Any) -> list[Any]:
    """The answer itself; other columns only order it."""
    return [row[0] for row in table_values(rows)]


def _say_boolean(result: QueryResult, values: Sequence[Any]) -> tuple[State, str]:
    if result.is_exact and not values:
        return "answered", NOTHING_FOUND
    if not result.is_exact:
        possible = first_column(result.possible) if result.possible is not None else []
        # What is certain and what is possible agree, so that no open look can change it.
        values = values if values and possible == values else [None]
    told = {None: None, 0: "no", 1: "yes"}.get(values[0]) if values else None
    return ("cannot_tell", CANNOT_TELL) if told is None else ("answered", told)


def _say_number(result: QueryResult, values: Sequence[Any]) -> tuple[State, str]:
    if result.is_exact:
        known = [value for value in values if value is not None]
        return "answered", _listed([_word(value) for value in known]) if known else NOTHING_FOUND
    if result.intervals:
        interval = result.intervals[0]
        if interval.low == interval.high:
            return "answered", _word(interval.low)
        return "cannot_tell", f"{CANNOT_TELL}: between {_word(interval.low)} and {_word(interval.high)}"
    return "cannot_tell", CANNOT_TELL


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:SHOWN_VALUES])
    hidden = len(words) - SHOWN_VALUES
    return f"{shown}, and {hidden:,} more" if hidden > 0 else shown


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if value != int(value) or abs(value) >= 1e15 else str(int(value))
    return str(value)


_CLAUSES = re.compile(
    r"\s+(?=(?:FROM|WHERE|AND|OR|JOIN|LEFT JOIN|GROUP BY|ORDER BY|HAVING|LIMIT|UNION|INTERSECT|EXCEPT)\b)"
)


def pretty_program(program: str) -> str:
    """The program with a line for each of its outermost clauses; what stands in brackets or quotes is left as it is."""
    lines, depth, quote, start = [], 0, "", 0
    breaks = {match.start(): match.end() for match in _CLAUSES.finditer(program)}
    for index, letter in enumerate(program):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif index in breaks and depth == 0:
            lines.append(program[start:index])
            start = breaks[index]
    return "\n".join([*lines, program[start:]])
