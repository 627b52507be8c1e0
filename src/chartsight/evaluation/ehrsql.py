"""EHRSQL-2024's own score: are the rows of two queries the same, and was it right to answer at all?

    gold     = {"a": [["po"], ["iv"]], "b": [[7.4204]], "c": None}        # None: nobody could answer this
    answered = {"a": [["iv"], ["po"]], "b": [[7.42]],   "c": [[3]]}       # None: abstained; FAILED: the query failed
    score_reliability(gold, answered).score(10)                          # (1 + 1 - 10) / 3

A wrong answer costs c, an abstention nothing: whoever guesses is punished the more, the larger c is.

Source: Lee et al., Overview of the EHRSQL 2024 Shared Task, NAACL Clinical NLP 2024; github.com/glee4810/ehrsql-2024.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from chartsight.errors import QuestionError

MOST_ROWS = 100  # compared of an answer, after sorting
DECIMALS = 3
PENALTIES = (0, 5, 10)  # besides the number of questions
ABSTAINED = "null"  # how the published files write it

Rows = tuple[tuple[str, ...], ...]


class Failure(Enum):
    """What a query that does not run gives instead of rows."""

    FAILED = "failed"
    TIMED_OUT = "timed_out"


FAILED: Final = Failure.FAILED
TIMED_OUT: Final = Failure.TIMED_OUT
Answer = Sequence[Sequence[Any]] | Failure | None


def comparable_rows(rows: Sequence[Sequence[Any]]) -> Rows:
    """Rows as they are compared: cells as text, sorted, the first 100.

    A number of floating point is rounded to 3 decimals first. Columns keep their order and repeated rows count.
    """
    return tuple(sorted(tuple(_cell(cell) for cell in row) for row in rows)[:MOST_ROWS])


def _cell(value: Any) -> str:
    return str(round(value, DECIMALS) if isinstance(value, float) else value)


def parse_published_rows(text: str) -> Rows | None:
    """The rows of an entry of `answer.json` such as `"[['iv'], ['po']]"`; None for `"null"`.

    Raises:
        QuestionError: It is neither.
    """
    if text == ABSTAINED:
        return None
    wrong = QuestionError("bad-answer", "answer", "is no list of rows of text", "\"[['iv'], ['po']]\" or \"null\"")
    try:
        rows = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise wrong from None
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and all(isinstance(cell, str) for cell in row) for row in rows
    ):
        raise wrong
    return comparable_rows(rows)


@dataclass(frozen=True)
class Reliability:
    """How a set of questions was answered; the first four counts sum to `questions`.

    Args:
        questions: All of them.
        right: Answerable, and answered with the gold rows.
        rightly_abstained: Unanswerable, and not answered.
        abstained: Answerable, and not answered.
        harmful: Answered wrongly, or answered though unanswerable.
        unanswerable: How many of the questions nobody could answer.
    """

    questions: int
    right: int
    rightly_abstained: int
    abstained: int
    harmful: int
    unanswerable: int

    def score(self, penalty: float) -> float:
        """RS(c), the mean over questions: right or rightly abstained +1, abstained 0, harmful -c; nan for none."""
        return _share(self.right + self.rightly_abstained - penalty * self.harmful, self.questions)

    @property
    def coverage(self) -> float:
        """Share of the questions that were answered."""
        return _share(self.right + self.harmful, self.questions)

    @property
    def risk(self) -> float:
        """Share of the answers that are harmful; nan when nothing was answered."""
        return _share(self.harmful, self.right + self.harmful)

    @property
    def execution_accuracy(self) -> float:
        """Share of the answerable questions with the gold rows."""
        return _share(self.right, self.questions - self.unanswerable)

    @property
    def break_even(self) -> float:
        """c* = (A - u) / e: the penalty at which answering is worth no more than always abstaining.

        A is the share right or rightly abstained, e the harmful share, u the unanswerable share. `nan` without harm.
        """
        return _share(self.right + self.rightly_abstained - self.unanswerable, self.harmful)

    def as_dict(self) -> dict[str, float]:
        """All figures: RS(0), RS(5), RS(10), RS(N), coverage, risk, execution accuracy, break-even and the counts."""
        scores = {f"rs_{penalty}": self.score(penalty) for penalty in PENALTIES}
        return {
            **scores, "rs_n": self.score(self.questions), "coverage": self.coverage, "risk": self.risk,
            "execution_accuracy": self.execution_accuracy, "break_even": self.break_even,
            "questions": self.questions, "right": self.right, "rightly_abstained": self.rightly_abstained,
            "abstained": self.abstained, "harmful": self.harmful, "unanswerable": self.unanswerable,
        }  # fmt: skip


def score_reliability(gold: Mapping[Hashable, Answer], answered: Mapping[Hashable, Answer]) -> Reliability:
    """The score of `answered` against `gold`, question by question.

    Args:
        gold: Question → rows; None when it cannot be answered, FAILED when its own query does not run (then any answer
            is wrong).
        answered: Question → rows; None for an abstention, FAILED for a query that does not run.

    Raises:
        QuestionError: They do not hold the same questions.
    """
    if missing := set(gold) ^ set(answered):
        raise QuestionError(
            "other-questions", "answers", f"{len(missing)} questions have no partner", "the same questions"
        )
    right = rightly_abstained = abstained = harmful = 0
    for question, truth in gold.items():
        said = answered[question]
        if truth is None:
            rightly_abstained += said is None
            harmful += said is not None
        elif said is None:
            abstained += 1
        else:
            is_right = _same(truth, said)
            right += is_right
            harmful += not is_right
    unanswerable = sum(truth is None for truth in gold.values())
    return Reliability(len(gold), right, rightly_abstained, abstained, harmful, unanswerable)


def _same(truth: Answer, said: Answer) -> bool:
    if truth is None or said is None or isinstance(truth, Failure) or isinstance(said, Failure):
        return False
    return comparable_rows(truth) == comparable_rows(said)


def _share(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
