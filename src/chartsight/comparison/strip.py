"""The scorer strip: one file of answers by every rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe
from chartsight.evaluation import PUBLISHED, scorer_stamp
from chartsight.evaluation.published import RELIABILITY_LABELS, RuleScore, reliability_of, score_by
from chartsight.schema import Condition, Question


@dataclass(frozen=True)
class ScoredBy:
    """One line of the scorer strip: the same answers of every model by one rule.

    Args:
        label: The rule in words, and whose it is.
        fault: What to know before comparing with it.
        stamp: Its version.
        figures: By model.
    """

    label: str
    fault: str
    stamp: str
    figures: Mapping[str, RuleScore]


def scorer_strip(
    recipe: CompareRecipe, asked: Sequence[Question], answers: Mapping[tuple[str, Condition], Answers]
) -> tuple[ScoredBy, ...]:
    """The same answers under every rule: what changes from line to line is the scorer alone."""
    full = {model.name: answers[model.name, "full"] for model in recipe.models}
    n = len(asked)

    def share(right: int, of: int) -> RuleScore:
        return RuleScore(of, n, right / of if of else float("nan"))

    ours = {name: int(each.is_correct.sum()) for name, each in full.items()}
    parsed = {name: sum(outcome == "answered" for outcome in each.outcomes) for name, each in full.items()}
    lines = [
        ScoredBy(
            "chartsight: strict", "what cannot be read or declines is wrong; the figure of this page", scorer_stamp(),
            {name: share(right, n) for name, right in ours.items()},
        ),
        ScoredBy(
            "chartsight: parsed only", "flatters whoever is seldom readable", scorer_stamp(),
            {name: share(ours[name], parsed[name]) for name in full},
        ),
    ]  # fmt: skip
    lines += [
        ScoredBy(
            rule.label, rule.fault, rule.stamp,
            {name: score_by(rule, asked, each.texts, each.values) for name, each in full.items()},
        )
        for rule in PUBLISHED.values()
    ]  # fmt: skip
    reliability = {name: reliability_of(asked, each.scores).as_dict() for name, each in full.items()}
    stamp = PUBLISHED["ehrxqa-exact"].stamp.partition(" ")[2]
    lines += [
        ScoredBy(
            label, "no answer costs nothing, a wrong one as much as it says", f"ehrsql-{key} {stamp}",
            {name: RuleScore(n, n, figures[key]) for name, figures in reliability.items()},
        )
        for key, label in RELIABILITY_LABELS.items()
    ]  # fmt: skip
    return tuple(lines)
