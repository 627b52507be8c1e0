"""Like with like: each model by how it was prepared (zero-shot, few-shot, fine-tuned) and how its answers were taken.

An answer in the wrong form is another failure than a wrong one: with the allowed answers given, a model cannot fail in
form, with free generation it can. Several trainings of one thing, which differ in their seed alone, say how much of a
difference is luck of training.

Source: reference on evaluation, sections 2 and 9; the spread of trainings enters as in a random-effects mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import ComparedModel
from chartsight.evaluation import ClusterBootstrap, Interval
from chartsight.schema import Condition

TAUGHT = ("tuned", "twin")


@dataclass(frozen=True)
class RegimeRow:
    """One model in its regime.

    Args:
        name: Of the model.
        regime: zero-shot, so many examples, or fine-tuned.
        scoring: allowed answers, or free generation.
        accuracy: Strict: what cannot be read is wrong.
        right_of_read: Accuracy among the answers that could be read.
        wrong: Share read and wrong.
        unread: Share that could not be read, or declined: failures of form.
    """

    name: str
    regime: str
    scoring: str
    accuracy: Interval
    right_of_read: Interval
    wrong: Interval
    unread: Interval


@dataclass(frozen=True)
class SeedSpread:
    """Several trainings of one thing.

    Args:
        name: What they are trainings of.
        models: Their names.
        accuracy: The mean over trainings, its interval over patients alone.
        spread: Standard deviation between trainings; nan for one.
        total: The same mean, with an interval over patients and trainings.
    """

    name: str
    models: tuple[str, ...]
    accuracy: Interval
    spread: float
    total: Interval


def regime_rows(
    models: Sequence[ComparedModel],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
) -> tuple[RegimeRow, ...]:
    """A row a model, in the order of the recipe."""
    rows = []
    for model in models:
        full = answers[model.name, "full"]
        is_read = np.array([outcome == "answered" for outcome in full.outcomes], dtype=bool)
        rows.append(
            RegimeRow(
                name=model.name,
                regime=regime_of(model),
                scoring="allowed answers" if model.scoring == "allowed" else "free generation",
                accuracy=bootstrap.proportion(full.is_correct),
                right_of_read=bootstrap.proportion(full.is_correct, is_read),
                wrong=bootstrap.proportion(is_read & ~full.is_correct),
                unread=bootstrap.proportion(~is_read),
            )
        )
    return tuple(rows)


def regime_of(model: ComparedModel) -> str:
    """`fine-tuned`, `zero-shot`, `5 examples`, `fine-tuned, 5 examples`."""
    parts = ["fine-tuned"] if model.role in TAUGHT or model.seed_of is not None else []
    if model.shots:
        parts.append(f"{model.shots} example{'s' if model.shots > 1 else ''}")
    return ", ".join(parts) or "zero-shot"


def seed_spreads(
    models: Sequence[ComparedModel],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
) -> tuple[SeedSpread, ...]:
    """Every group of models with the same `seed_of`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for model in models:
        if model.seed_of is not None:
            groups[model.seed_of].append(model.name)
    spreads = []
    for name, members in groups.items():
        right = np.column_stack([answers[member, "full"].is_correct for member in members]).astype(np.float64)
        accuracy = bootstrap.mean(right.mean(axis=1))
        of_training = right.mean(axis=0)
        spread = float(of_training.std(ddof=1)) if len(members) > 1 else math.nan
        spreads.append(
            SeedSpread(name, tuple(members), accuracy, spread, with_trainings(accuracy, spread, len(members)))
        )
    return tuple(spreads)


def with_trainings(accuracy: Interval, spread: float, trainings: int) -> Interval:
    """The interval of a mean over trainings, widened by their spread: Student's with one degree of freedom less.

    `nan` bounds for one training: nothing is known of the others that could have been.
    """
    if trainings < 2 or math.isnan(spread) or math.isnan(accuracy.low):
        return Interval(accuracy.estimate, math.nan, math.nan, accuracy.n, accuracy.clusters)
    of_trainings = -float(stdtrit(trainings - 1, 0.025)) * spread / math.sqrt(trainings)
    low = accuracy.estimate - math.hypot(accuracy.estimate - accuracy.low, of_trainings)
    high = accuracy.estimate + math.hypot(accuracy.high - accuracy.estimate, of_trainings)
    return Interval(accuracy.estimate, max(0.0, low), min(1.0, high), accuracy.n, accuracy.clusters)
