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
from chartsight.evaluation import Answer, Score, score_prediction
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
        scores: The whole verdicts [N].
    """

    fingerprint: str
    outcomes: tuple[Outcome, ...]
    texts: tuple[str, ...]
    values: tuple[Answer | None, ...]
    is_correct: NDArray[np.bool_]
    f1: NDArray[np.float64]
    scores: tuple[Score, ...]


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
    asked = [rows[question.question_id] for question in questions]
    scores = tuple(
        score_prediction(question, row["raw_text"], row["outcome"], row["value"])
        for question, row in zip(questions, asked, strict=True)
    )
    return Answers(
        fingerprint=" + ".join(sorted({str(row["model_fingerprint"]) for row in asked})),
        outcomes=tuple(score.outcome for score in scores),
        texts=tuple(row["raw_text"] or "" for row in asked),
        values=tuple(score.value for score in scores),
        is_correct=np.array([score.is_correct for score in scores], dtype=bool),
        f1=np.array([score.credit for score in scores], dtype=np.float64),
        scores=scores,
    )


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
