"""Every model's answers under every condition: predicted where they are missing, checked, and scored.

Predictions outlive a failed report: each stands in its own file, `predictions/<model>.<condition>.parquet`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from chartsight.audit.inputs import chance_of_yes
from chartsight.comparison.recipe import CompareRecipe
from chartsight.errors import QuestionError
from chartsight.evaluation import Answer, Score, patients_of, score_prediction, scorer_stamp
from chartsight.questions.variants import read_variants
from chartsight.runs import read_manifest, sha256_file
from chartsight.schema import Condition, Outcome, Question, Split, Variant

READ_COLUMNS = (
    "question_id", "model_fingerprint", "condition", "donor_image_ids", "raw_text", "value", "outcome", "scores",
)  # fmt: skip

VARIANTS = "variants.parquet"
# Elsewhere the question's own right answer counts: it is what a guess without the film is measured by.
OWN_GOLD_FAILS: tuple[Condition, ...] = ("swap", "mirrored", "negated")
NOT_ASKED = Score("failed", None, False, 0.0)


class Predict(Protocol):
    """Writes the answers of one model under several conditions, and what each question became (`variants.parquet`).

    It resumes, leaves files that hold just these answers as they are, and makes those anew that hold answers of another
    model or of other questions. Conditions under which no question can be put are left out.
    """

    def __call__(
        self, model: str | Path, questions: Path, folder: Path, conditions: Sequence[Condition], *, name: str = ...,
        split: Split = ..., seed: int = ..., limit: int | None = ..., sets: Literal["generate", "itemwise"] = ...,
        scoring: Literal["free", "allowed"] = ..., shots: int = ..., quiet: bool = ...,
    ) -> Mapping[Condition, Path]:  # fmt: skip
        """`folder/NAME.CONDITION.parquet` of each condition."""
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
        is_asked: bool [N]: False where the condition does not apply to the question; such an answer is `failed`.
        donors: image_ids that stood in for the question's own [N].
        chance_yes: float [N]: of yes among yes and no; nan where it is not known.
    """

    fingerprint: str
    outcomes: tuple[Outcome, ...]
    texts: tuple[str, ...]
    values: tuple[Answer | None, ...]
    is_correct: NDArray[np.bool_]
    f1: NDArray[np.float64]
    scores: tuple[Score, ...]
    is_asked: NDArray[np.bool_]
    donors: tuple[tuple[str, ...], ...]
    chance_yes: NDArray[np.float64]


@dataclass(frozen=True)
class Collected:
    """What a comparison is made from.

    Args:
        asked: Questions that every model answered [N].
        answers: By model and condition [N].
        variants: What each of them became; empty where no predictor said so.
    """

    asked: list[Question]
    answers: dict[tuple[str, Condition], Answers]
    variants: dict[Condition, dict[str, Variant]]


def collect_answers(
    recipe: CompareRecipe, questions: Sequence[Question], folder: Path, predict: Predict, *, quiet: bool = False
) -> Collected:
    """The questions that were answered, and every model's answers to them.

    Args:
        recipe: Which models and conditions.
        questions: The answerable questions about films of the recipe's split.
        folder: Where predictions stay.
        predict: See `Predict`.
        quiet: Handed on to `predict`.

    Raises:
        QuestionError: A file of predictions lacks questions, repeats them, answers strange ones, was made from another
            question set, under another condition, or scored by another version.
    """
    known = frozenset(question.question_id for question in questions)
    questions_sha256 = sha256_file(recipe.questions) if recipe.questions.is_file() else None
    rows_of: dict[tuple[str, Condition], dict[str, dict[str, Any]]] = {}
    # One patient alone has nobody whose films could stand in.
    impossible = {"shuffled"} if len(set(patients_of(questions))) < 2 else set()
    for model in recipe.models:
        conditions = [each for each in recipe.asked_of(model) if each not in impossible]
        written = predict(
            model.source, recipe.questions, folder, conditions, name=model.name, split=recipe.split,
            seed=recipe.seed, limit=recipe.limit, sets=recipe.sets, scoring=model.scoring, shots=model.shots,
            quiet=quiet,
        )  # fmt: skip
        for condition, path in written.items():
            rows = read_rows(path, condition, questions_sha256)
            if strange := sorted(rows.keys() - known):
                # Answers to questions that are not scored here (several films, unanswerable) are no mistake.
                check_known(strange, recipe, path)
            rows_of[model.name, condition] = rows
    variants_path = folder / VARIANTS
    variants = read_variants(variants_path) if variants_path.is_file() else {}
    asked = _same_questions(rows_of, questions, recipe, variants)
    ids = {question.question_id for question in asked}
    variants = {
        condition: {key: variant for key, variant in of_condition.items() if key in ids}
        for condition, of_condition in variants.items()
    }
    answers = {
        (name, condition): score_answers(asked, rows, variants.get(condition))
        for (name, condition), rows in rows_of.items()
    }
    return Collected(asked, answers, variants)


def prediction_path(folder: Path, model: str, condition: Condition) -> Path:
    """Where a model's answers under a condition stand."""
    return folder / f"{model}.{condition}.parquet"


def score_answers(
    questions: Sequence[Question],
    rows: Mapping[str, Mapping[str, Any]],
    variants: Mapping[str, Variant] | None = None,
) -> Answers:
    """Predictions (rows by question_id) parsed and scored by the rules of this version, whatever the file says.

    Args:
        questions: In order.
        rows: As read.
        variants: What each question became under the condition; one without is not asked. Where a variant's right
            answer is known, it is what counts.
    """
    put = [each if variants is None else _as_put(each, variants.get(each.question_id)) for each in questions]
    asked = [None if each is None else rows[each.question_id] for each in put]
    scores = tuple(
        NOT_ASKED
        if each is None or row is None
        else score_prediction(each, row["raw_text"], row["outcome"], row["value"])
        for each, row in zip(put, asked, strict=True)
    )
    return Answers(
        fingerprint=" + ".join(sorted({str(row["model_fingerprint"]) for row in asked if row is not None})),
        outcomes=tuple(score.outcome for score in scores),
        texts=tuple("" if row is None else row["raw_text"] or "" for row in asked),
        values=tuple(score.value for score in scores),
        is_correct=np.array([score.is_correct for score in scores], dtype=bool),
        f1=np.array([score.credit for score in scores], dtype=np.float64),
        scores=scores,
        is_asked=np.array([row is not None for row in asked], dtype=bool),
        donors=tuple(() if row is None else tuple(row.get("donor_image_ids") or ()) for row in asked),
        chance_yes=np.array([math.nan if row is None else chance_of_yes(row.get("scores")) for row in asked]),
    )


def _as_put(question: Question, variant: Variant | None) -> Question | None:
    """The question as its variant has it; None without one."""
    if variant is None:
        return None
    gold = variant.gold if variant.condition in OWN_GOLD_FAILS and variant.gold is not None else question.answer
    changed = (variant.answer_type, variant.allowed_answers, gold)
    if changed == (question.answer_type, question.allowed_answers, question.answer):
        return question
    return replace(question, answer_type=changed[0], allowed_answers=changed[1], answer=gold)


def read_rows(path: Path, condition: Condition, questions_sha256: str | None) -> dict[str, dict[str, Any]]:
    """Predictions by question_id.

    Raises:
        QuestionError: No file of predictions; made from another question set (by its manifest), under another
            condition, scored by another version, or with a question twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(READ_COLUMNS))
        rows = table.to_pylist()
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise QuestionError("no-predictions", path, "is no file of predictions", "a predictions.parquet") from error
    stored = (table.schema.metadata or {}).get(b"chartsight.scorer", b"").decode()
    if stored and stored != scorer_stamp():
        raise QuestionError(
            "other-scorer", path, f"holds scores of {stored}", scorer_stamp(), "predict again with this version"
        )
    manifest = read_manifest(path)
    made_from = manifest["config"].get("questions") if manifest is not None else None
    if made_from is not None and questions_sha256 is not None and made_from != questions_sha256:
        raise QuestionError(
            "other-questions", path, f"answers the question set {str(made_from)[:12]}", questions_sha256[:12],
            "remove the file and compare again",
        )  # fmt: skip
    if wrong := sorted({str(row["condition"]) for row in rows} - {condition}):
        raise QuestionError("other-condition", path, f"was asked under {wrong[0]}", condition)
    by_question = {row["question_id"]: row for row in rows}
    if len(by_question) < len(rows):
        raise QuestionError(
            "repeated-predictions", path, f"{len(rows) - len(by_question)} questions are answered twice", "each once"
        )
    return by_question


def check_known(strange: Sequence[str], recipe: CompareRecipe, where: Path) -> None:
    """Nothing, when every id is some question of the set.

    Raises:
        QuestionError: Predictions to questions that the set does not hold.
    """
    from chartsight.questions.files import read_questions

    everything = {question.question_id for question in read_questions(recipe.questions)}
    if foreign := [each for each in strange if each not in everything]:
        raise QuestionError(
            "foreign-predictions", where, f"{len(foreign)} of its questions are not in {recipe.questions}",
            "answers to these questions", "remove the file and compare again",
        )  # fmt: skip


def _same_questions(
    rows_of: Mapping[tuple[str, Condition], Mapping[str, Any]],
    questions: Sequence[Question],
    recipe: CompareRecipe,
    variants: Mapping[Condition, Mapping[str, Variant]],
) -> list[Question]:
    """The questions that every file answers: all of the split, or the same `limit` of them.

    Raises:
        QuestionError: A file answers others than the first one, or fewer than all without a limit; questions without a
            variant under its condition are not missing.
    """
    (first, first_rows), *others = rows_of.items()
    asked = [question for question in questions if question.question_id in first_rows]
    if recipe.limit is None and len(asked) < len(questions):
        raise _missing(first, len(questions) - len(asked))
    for (name, condition), rows in others:
        put = variants.get(condition)
        missing = sum(
            question.question_id not in rows and (put is None or question.question_id in put) for question in asked
        )
        if missing:
            raise _missing((name, condition), missing)
    if not asked:
        raise QuestionError("no-questions", recipe.questions, f"no answerable question in split {recipe.split}")
    return asked


def _missing(key: tuple[str, Condition], count: int) -> QuestionError:
    return QuestionError(
        "missing-predictions", f"predictions/{key[0]}.{key[1]}.parquet", f"{count} questions have no prediction",
        "one for each", "remove the file and compare again",
    )  # fmt: skip
