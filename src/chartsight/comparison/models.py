"""One row of the main table: how good a model is, by answer type, and under every condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import ComparedModel, CompareRecipe
from chartsight.evaluation import (
    Answer,
    BooleanCounts,
    ChoiceScores,
    ClusterBootstrap,
    DesignEffect,
    ErrorScores,
    Interval,
    PairedDifference,
    SetScores,
    TextScores,
    count_booleans,
    design_effect,
    gold_answer,
    paired_difference,
    score_choices,
    score_errors,
    score_sets,
    score_texts,
    wilson_clustered,
)
from chartsight.schema import AnswerType, Condition, Outcome, Question

# Other films for the same question: what they cost is a paired difference. The other conditions are the audits'.
COMPARED_FILMS: tuple[Condition, ...] = ("shuffled", "blank", "noise", "question_only")


@dataclass(frozen=True)
class UnderCondition:
    """A model's answers with another film: its accuracy, what that costs, and how many answers changed."""

    condition: Condition
    accuracy: Interval
    drop: PairedDifference
    changed: Interval


@dataclass(frozen=True)
class ModelResult:
    """One row of the main table; `gain` is None without training questions to take a prior from.

    `wilson` is the accuracy's interval at the effective number of questions of `design`.
    """

    model: ComparedModel
    fingerprint: str
    accuracy: Interval
    verify: Interval
    choose: Interval
    query_exact: Interval
    query_f1: Interval
    gain: Interval | None
    conditions: tuple[UnderCondition, ...]
    outcomes: Mapping[Outcome, int]
    booleans: BooleanCounts
    sets: SetScores
    design: DesignEffect
    wilson: Interval
    choices: ChoiceScores
    counts: ErrorScores
    numbers: ErrorScores
    dates: ErrorScores
    texts: TextScores

    def under(self, condition: Condition) -> UnderCondition | None:
        """The result under a condition; None when it was not asked."""
        return next((each for each in self.conditions if each.condition == condition), None)


def model_result(
    model: ComparedModel,
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    prior_is_right: NDArray[np.bool_] | None,
) -> ModelResult:
    """The row of one model; `prior_is_right` [N] is None without training questions to take a prior from."""
    full = answers[model.name, "full"]
    types = np.array([question.answer_type for question in asked])
    gold = [gold_answer(question) for question in asked]
    is_boolean, is_choice, is_set = types == "boolean", types == "choice", types == "set"
    is_yes = np.array([answer is True for answer in gold])
    booleans = [index for index, is_one in enumerate(is_boolean) if is_one]
    sets = [index for index, is_one in enumerate(is_set) if is_one]
    return ModelResult(
        model=model,
        fingerprint=full.fingerprint,
        accuracy=bootstrap.proportion(full.is_correct),
        verify=bootstrap.balanced_accuracy(is_yes, full.is_correct, is_boolean),
        choose=bootstrap.proportion(full.is_correct, is_choice),
        query_exact=bootstrap.proportion(full.is_correct, is_set),
        query_f1=bootstrap.mean(full.f1, is_set),
        gain=None if prior_is_right is None else bootstrap.gain_over_prior(full.is_correct, prior_is_right),
        conditions=tuple(
            UnderCondition(
                condition=condition,
                accuracy=bootstrap.proportion(answers[model.name, condition].is_correct),
                drop=paired_difference(bootstrap, full.is_correct, answers[model.name, condition].is_correct),
                changed=bootstrap.proportion(has_changed(full, answers[model.name, condition])),
            )
            for condition in recipe.asked_of(model)
            if condition in COMPARED_FILMS and (model.name, condition) in answers
        ),
        outcomes=dict(sorted(Counter(full.outcomes).items())),
        booleans=count_booleans(
            [bool(gold[index]) for index in booleans],
            [value if isinstance(value := full.values[index], bool) else None for index in booleans],
        ),
        sets=score_sets(
            [_as_set(gold[index]) or () for index in sets],
            [_as_set(full.values[index]) for index in sets],
        ),
        design=design_effect(full.is_correct, bootstrap.cluster_of),
        wilson=wilson_clustered(full.is_correct, bootstrap.cluster_of),
        choices=score_choices(*_of_type("choice", asked, gold, full, str)),
        counts=score_errors("count", *_of_type("count", asked, gold, full, (int, float))),
        numbers=score_errors("number", *_of_type("number", asked, gold, full, (int, float))),
        dates=score_errors("date", *_of_type("date", asked, gold, full, str)),
        texts=score_texts(*_of_type("text", asked, gold, full, str)),
    )


def _of_type(
    answer_type: AnswerType, asked: Sequence[Question], gold: Sequence[Answer], full: Answers, kinds: Any
) -> tuple[list[Any], list[Any]]:
    """Gold and said answers of one type; None where what was said is of another kind."""
    places = [index for index, question in enumerate(asked) if question.answer_type == answer_type]
    said = [full.values[index] for index in places]
    return [gold[index] for index in places], [value if isinstance(value, kinds) else None for value in said]


def has_changed(first: Answers, second: Answers) -> NDArray[np.bool_]:
    """Whether the answer is another one; two answers that could not be read are the same."""
    return np.array([one != other for one, other in zip(first.values, second.values, strict=True)], dtype=bool)


def _as_set(answer: object) -> tuple[str, ...] | None:
    return answer if isinstance(answer, tuple) else None
