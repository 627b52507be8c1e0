"""Every model's answers under every condition: predicted where they are missing, checked, and scored.

Predictions outlive a failed report: each stands in its own file, `predictions/<model>.<condition>.parquet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from chartsight.comparison.recipe import CompareRecipe
from chartsight.errors import QuestionError
from chartsight.evaluation import Answer, answer_from_json, correct, gold_answer, parse_answer, set_f1, token_f1
from chartsight.schema import Condition, Outcome, Question, Split

READ_COLUMNS = ("question_id", "model_fingerprint", "condition", "raw_text", "value", "outcome")


class Predict(Protocol):
    """Writes the answers of one model under one condition.

    It resumes, returns at once when `out` holds just these answers, and makes them anew when it holds those of another
    model or of other questions.
    """

    def __call__(
        self, model: str | Path, questions: Path, out: Path, *, condition: Condition = ..., split: Split = ...,
        seed: int = ..., limit: int | None = ..., sets: Literal["generate", "itemwise"] = ..., quiet: bool = ...,
    ) -> Path:  # fmt: skip
        """The path of a predictions.parquet."""
        ...


@dataclass(frozen=True)
class Answers:
    """One model's answers under one condition, in the order of the questions.

    Args:
        fingerprint: Of the model's weights.
        outcomes: answered, unparsed, refused, abstained or failed [N].
        texts: What the model wrote [N].
        values: Typed answers [N]; None where there is none.
        is_correct: bool [N], strict.
        f1: float [N]: F1 of a set or an open answer, 0 or 1 for the rest.
    """

    fingerprint: str
    outcomes: tuple[Outcome, ...]
    texts: tuple[str, ...]
    values: tuple[Answer | None, ...]
    is_correct: NDArray[np.bool_]
    f1: NDArray[np.float64]


def collect_answers(
    recipe: CompareRecipe, questions: Sequence[Question], folder: Path, predict: Predict, *, quiet: bool = False
) -> tuple[list[Question], dict[tuple[str, Condition], Answers]]:
    """The questions that were answered, and every model's answers to them.

    Args:
        recipe: Which models and conditions.
        questions: The answerable questions about films of the recipe's split.
        folder: Where predictions stay.
        predict: See `Predict`.
        quiet: Handed on to `predict`.

    Raises:
        QuestionError: A file of predictions lacks questions or repeats them.
    """
    rows_of: dict[tuple[str, Condition], dict[str, dict[str, Any]]] = {}
    for model in recipe.models:
        for condition in model.asked_under(recipe.conditions):
            written = predict(
                model.source, recipe.questions, prediction_path(folder, model.name, condition),
                condition=condition, split=recipe.split, seed=recipe.seed, limit=recipe.limit, sets=recipe.sets,
                quiet=quiet,
            )  # fmt: skip
            rows_of[model.name, condition] = _read_rows(written)
    asked = _same_questions(rows_of, questions, recipe)
    return asked, {key: score_answers(asked, rows) for key, rows in rows_of.items()}


def prediction_path(folder: Path, model: str, condition: Condition) -> Path:
    """Where a model's answers under a condition stand."""
    return folder / f"{model}.{condition}.parquet"


def score_answers(questions: Sequence[Question], rows: Mapping[str, Mapping[str, Any]]) -> Answers:
    """Predictions (rows by question_id) parsed and scored by the rules of this version, whatever the file says."""
    outcomes, values = zip(*(read_answer(question, rows[question.question_id]) for question in questions), strict=True)
    fingerprints = {str(rows[question.question_id]["model_fingerprint"]) for question in questions}
    is_correct = np.array([correct(question, value) for question, value in zip(questions, values, strict=True)])
    return Answers(
        fingerprint=" + ".join(sorted(fingerprints)),
        outcomes=outcomes,
        texts=tuple(rows[question.question_id]["raw_text"] or "" for question in questions),
        values=values,
        is_correct=is_correct,
        f1=np.array([_f1(question, value) for question, value in zip(questions, values, strict=True)]),
    )


def read_answer(question: Question, row: Mapping[str, Any]) -> tuple[Outcome, Answer | None]:
    """The outcome and typed value of one prediction.

    The text is parsed anew, so that all files are scored by one set of rules. A predictor's own value counts only
    where there is no text (it chose among closed answers), its `abstained` and `failed` always.
    """
    outcome: Outcome = row["outcome"]
    if outcome in ("abstained", "failed"):
        return outcome, None
    if row["raw_text"]:
        parsed = parse_answer(row["raw_text"], question.answer_type, tuple(question.allowed_answers))
        return parsed.outcome, parsed.value
    if outcome == "answered" and row["value"] not in (None, "", "null"):
        return outcome, answer_from_json(row["value"])
    return ("refused" if outcome == "refused" else "unparsed"), None


def _f1(question: Question, value: Answer | None) -> float:
    gold = gold_answer(question)
    if question.answer_type == "set" and isinstance(gold, tuple):
        return set_f1(gold, value if isinstance(value, tuple) else None)
    if question.answer_type == "text":
        return token_f1(str(gold), None if value is None else str(value))
    return float(correct(question, value))


def _read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Predictions by question_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path, columns=list(READ_COLUMNS)).to_pylist()
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise QuestionError("no-predictions", path, "is no file of predictions", "a predictions.parquet") from error
    by_question = {row["question_id"]: row for row in rows}
    if len(by_question) < len(rows):
        raise QuestionError(
            "repeated-predictions", path, f"{len(rows) - len(by_question)} questions are answered twice", "each once"
        )
    return by_question


def _same_questions(
    rows_of: Mapping[tuple[str, Condition], Mapping[str, Any]], questions: Sequence[Question], recipe: CompareRecipe
) -> list[Question]:
    """The questions that every file answers: all of the split, or the same `limit` of them.

    Raises:
        QuestionError: A file answers others than the first one, or fewer than all without a limit.
    """
    (first, first_rows), *others = rows_of.items()
    asked = [question for question in questions if question.question_id in first_rows]
    if recipe.limit is None and len(asked) < len(questions):
        raise _missing(first, len(questions) - len(asked))
    for name, rows in others:
        missing = sum(question.question_id not in rows for question in asked)
        if missing:
            raise _missing(name, missing)
    if not asked:
        raise QuestionError("no-questions", recipe.questions, f"no answerable question in split {recipe.split}")
    return asked


def _missing(key: tuple[str, Condition], count: int) -> QuestionError:
    return QuestionError(
        "missing-predictions", f"predictions/{key[0]}.{key[1]}.parquet", f"{count} questions have no prediction",
        "one for each", "remove the file and compare again",
    )  # fmt: skip
