"""Every model against every other on the same questions; the pairs are one family of tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe, subject_and_reference
from chartsight.evaluation import ClusterBootstrap, PairedDifference, adjusted, holm, paired_difference
from chartsight.schema import Condition


@dataclass(frozen=True)
class Difference:
    """Accuracy of one model minus that of another on the same questions; p adjusted by Holm over all model pairs."""

    first: str
    second: str
    interval: PairedDifference
    wins: int
    losses: int


def compare_pairs(
    recipe: CompareRecipe, answers: Mapping[tuple[str, Condition], Answers], bootstrap: ClusterBootstrap
) -> tuple[Difference, ...]:
    """Every model against every later one, the compared model first of all; the pairs are one family of tests."""
    subject, _ = subject_and_reference(recipe.models)
    ordered = [subject.name, *(model.name for model in recipe.models if model.name != subject.name)]
    pairs = []
    for first, second in combinations(ordered, 2):
        ours, theirs = answers[first, "full"].is_correct, answers[second, "full"].is_correct
        pairs.append((first, second, paired_difference(bootstrap, ours, theirs)))
    intervals = adjusted([interval for _, _, interval in pairs], holm)
    return tuple(
        Difference(first, second, interval, interval.wins, interval.losses)
        for (first, second, _), interval in zip(pairs, intervals, strict=True)
    )
