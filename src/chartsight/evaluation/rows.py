"""Execution accuracy: are the rows of two queries the same rows?

    same_rows([(3, "iv"), (2.0, None)], [(2, None), (3.0, "iv")])        # True: any order, 2.0 = 2, NULL = NULL
    same_rows([("a",), ("a",)], [("a",)])                                # False: repeated rows count
    score_execution(gold, answered, ordered={"q7"}).accuracy             # q7's SQL has ORDER BY

Rows are typed multisets: columns by position, whatever their names; numbers to six significant digits; a text is never
a number, nor is a truth value; no cap on rows. What does not run or takes too long is wrong, and counted apart.

Source: reference on evaluation, section 4. EHRSQL-2024's own comparison (text, first 100 rows) is in `ehrsql`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chartsight.errors import QuestionError
from chartsight.evaluation.ehrsql import FAILED, TIMED_OUT, Answer, Failure

SIGNIFICANT_DIGITS = 6

Cell = tuple[str, Any]


def same_rows(gold: Sequence[Sequence[Any]], said: Sequence[Sequence[Any]], *, ordered: bool = False) -> bool:
    """Whether two results are one.

    Args:
        gold: Rows of the gold query.
        said: Rows of the other.
        ordered: The gold query has an ORDER BY, so that the order is part of the answer.
    """
    first, second = ([tuple(typed_cell(cell) for cell in row) for row in rows] for rows in (gold, said))
    return first == second if ordered else Counter(first) == Counter(second)


def typed_cell(value: Any) -> Cell:
    """A cell as it is compared: its type, and a value that is equal when it counts as equal."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float | Decimal):
        return "number", _rounded(value)
    if isinstance(value, datetime | date):
        return "text", value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, bytes | bytearray):
        return "bytes", bytes(value)
    return "text", str(value)


def _rounded(value: int | float | Decimal) -> str:
    """Six significant digits; whole numbers keep all of theirs, for they may be identifiers."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(float(value))
    if value == int(value):
        return str(int(value))
    return f"{Decimal(f'{value:.{SIGNIFICANT_DIGITS - 1}e}').normalize():f}"


def is_ordered(sql: str) -> bool:
    """Whether the outermost query of a SQL text asks for an order; False for what cannot be parsed."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
    except SqlglotError:
        return False
    return tree.args.get("order") is not None


@dataclass(frozen=True)
class ExecutionScore:
    """How the answerable questions of a set fared; the five counts after `questions` sum to it.

    Args:
        questions: Whose gold query gives rows.
        right: The same rows.
        wrong: Other rows.
        failed: The query did not run.
        timed_out: It took too long.
        abstained: There was none.
    """

    questions: int
    right: int
    wrong: int
    failed: int
    timed_out: int
    abstained: int

    @property
    def accuracy(self) -> float:
        """Share with the same rows, everything else in the denominator; `nan` for no question."""
        return self.right / self.questions if self.questions else float("nan")


def score_execution(
    gold: Mapping[Hashable, Answer], answered: Mapping[Hashable, Answer], ordered: Collection[Hashable] = ()
) -> ExecutionScore:
    """Execution accuracy over the questions whose gold is rows; unanswerable ones belong to `score_reliability`.

    Args:
        gold: Question → rows, None when it cannot be answered.
        answered: Question → rows, FAILED, TIMED_OUT, or None for an abstention.
        ordered: Questions whose gold query has an ORDER BY (see `is_ordered`).

    Raises:
        QuestionError: They do not hold the same questions; a gold query failed.
    """
    if missing := set(gold) ^ set(answered):
        raise QuestionError(
            "other-questions", "answers", f"{len(missing)} questions have no partner", "the same questions"
        )
    counts: Counter[str] = Counter()
    for question, truth in gold.items():
        said = answered[question]
        if truth is None:
            continue
        if isinstance(truth, Failure):
            raise QuestionError("gold-failed", "gold", "a gold query does not run", "rows, or None for no answer")
        if said is None:
            counts["abstained"] += 1
        elif isinstance(said, Failure):
            counts[said.value] += 1
        else:
            counts["right" if same_rows(truth, said, ordered=question in ordered) else "wrong"] += 1
    return ExecutionScore(
        sum(counts.values()), counts["right"], counts["wrong"], counts[FAILED.value], counts[TIMED_OUT.value],
        counts["abstained"],
    )  # fmt: skip
