"""Kinds, answer types and templates: each group's prior, every model in it, and how far they are apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe, subject_and_reference
from chartsight.evaluation import (
    ClusterBootstrap,
    Interval,
    PairedDifference,
    adjusted,
    benjamini_hochberg,
    paired_differences,
)
from chartsight.schema import Condition, Question

MIN_GROUP = 20  # a group's gain over its prior is shown from so many questions on ...
MAX_PRIOR = 0.98  # ... and where the prior leaves something to gain

ANSWER_TYPE_WORDS = {
    "boolean": "verify (yes or no)",
    "choice": "choose (one of a few)",
    "set": "query (a list)",
    "count": "count",
    "number": "number",
    "date": "date",
    "text": "open",
}


@dataclass(frozen=True)
class GroupResult:
    """One line of the forest plot: a group of questions, its prior and every model (accuracy, gain over the prior).

    `differences` are the compared model minus each other, p adjusted by Benjamini and Hochberg over all groups.
    """

    section: Literal["kind", "answer type", "template"]
    name: str
    n: int
    clusters: int
    prior: float
    accuracy: Mapping[str, Interval]
    gain: Mapping[str, float | None]
    differences: Mapping[str, PairedDifference]


def template_priors(asked: Sequence[Question], training: Sequence[Question]) -> tuple[str | None, ...]:
    """For each question the commonest answer of its template in training (JSON), None for a template unseen there.

    Of equally common answers the first in the alphabet is taken: any rule would do, but it must be one.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in training:
        counts[question.template_id][question.answer] += 1
    majority = {
        template: min(answers, key=lambda answer: (-answers[answer], answer)) for template, answers in counts.items()
    }
    return tuple(majority.get(question.template_id) for question in asked)


def find_groups(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    prior_is_right: NDArray[np.bool_],
    has_prior: bool,
) -> tuple[GroupResult, ...]:
    """Every kind, answer type and template; `has_prior` is False without training questions to take one from."""
    names: list[tuple[Literal["kind", "answer type", "template"], str, NDArray[np.bool_]]] = []
    columns: tuple[tuple[Literal["kind", "answer type", "template"], list[str]], ...] = (
        ("kind", [question.kind for question in asked]),
        ("answer type", [ANSWER_TYPE_WORDS[question.answer_type] for question in asked]),
        ("template", [question.template_id for question in asked]),
    )
    for section, values in columns:
        names += [(section, name, np.array(values) == name) for name in sorted(set(values))]
    models = [model.name for model in recipe.models]
    is_right = np.column_stack([answers[name, "full"].is_correct for _ in names for name in models])
    members = np.column_stack([member for _, _, member in names for _ in models])
    intervals = iter(bootstrap.proportions(is_right, members))
    differences = _group_differences(recipe, answers, bootstrap, [member for _, _, member in names])
    groups = []
    for place, (section, name, member) in enumerate(names):
        accuracy = {model: next(intervals) for model in models}
        first = accuracy[models[0]]
        prior = float(prior_is_right[member].mean()) if has_prior else float("nan")
        is_telling = has_prior and first.n >= MIN_GROUP and prior <= MAX_PRIOR
        gain = {
            model: (interval.estimate - prior) / (1 - prior) if is_telling else None
            for model, interval in accuracy.items()
        }
        apart = {model: found[place] for model, found in differences.items()}
        groups.append(GroupResult(section, name, first.n, first.clusters, prior, accuracy, gain, apart))
    return tuple(groups)


def _group_differences(
    recipe: CompareRecipe,
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    members: Sequence[NDArray[np.bool_]],
) -> dict[str, list[PairedDifference]]:
    """The compared model minus each other in every group; the groups of one pair of models are one family of tests."""
    subject, _ = subject_and_reference(recipe.models)
    ours = answers[subject.name, "full"].is_correct.astype(np.float64)
    found = {}
    for model in recipe.models:
        if model.name != subject.name:
            gained = ours - answers[model.name, "full"].is_correct
            columns = np.tile(gained[:, None], (1, len(members)))
            found[model.name] = adjusted(
                paired_differences(bootstrap, columns, np.column_stack(members)), benjamini_hochberg
            )
    return found
