"""Whether the fine-tuned model looks, by its twin and shuffled films alone; where audits ran, theirs stands first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import ROLE_WORDS, CompareRecipe, Role
from chartsight.comparison.wording import bounds, enumerate_parts, points
from chartsight.evaluation import ClusterBootstrap, Interval
from chartsight.schema import Condition

VerdictKind = Literal["looks", "guesses", "cannot be told", "reads a shortcut", "sees the finding"]
NO_LOSS_POINTS = 2.0  # a shuffled film that costs surely less than this shows a model that does not look
FEWEST_PATIENTS = 10  # below it no verdict is given


@dataclass(frozen=True)
class Verdict:
    """What the page says first, and why."""

    kind: VerdictKind
    sentence: str
    reasons: tuple[str, ...]


def reach_verdict(
    recipe: CompareRecipe, answers: Mapping[tuple[str, Condition], Answers], bootstrap: ClusterBootstrap
) -> Verdict:
    """Looks: every check surely above 0. Guesses: the film surely does not matter. Else it cannot be told.

    The checks are the paired difference to the text-only twin and the loss under shuffled films. "Surely does not
    matter": shuffling costs less than `NO_LOSS_POINTS` with the whole interval; without a shuffled run, the twin is
    ahead or level within as much.
    """
    subject = next((model for model in recipe.models if model.role == "tuned"), None)
    if subject is None:
        return Verdict(
            "cannot be told", "Whether a model looks at the film cannot be told: no model here has the role tuned.", ()
        )
    ours = answers[subject.name, "full"].is_correct

    def over(role: Role) -> Interval | None:
        other = next((model for model in recipe.models if model.role == role), None)
        return None if other is None else bootstrap.difference(ours, answers[other.name, "full"].is_correct)

    twin, baseline = over("twin"), over("baseline")
    shuffled = None
    if (subject.name, "shuffled") in answers:
        shuffled = bootstrap.difference(ours, answers[subject.name, "shuffled"].is_correct)
    checks = [check for check in (twin, shuffled) if check is not None]
    parts = []
    if twin is not None:
        parts.append(f"{points(twin.estimate)} points {bounds(twin)} against its {ROLE_WORDS['twin']}")
    if shuffled is not None:
        parts.append(f"{points(-shuffled.estimate)} points {bounds(shuffled, -1)} when films are shuffled")
    if baseline is not None:
        parts.append(f"{points(baseline.estimate)} points {bounds(baseline)} against the baseline")
    reasons = _reasons(twin, shuffled)
    patients = bootstrap.n_clusters
    if not checks:
        return Verdict(
            "cannot be told",
            "Whether the fine-tuned model looks at the film cannot be told: neither a text-only twin nor shuffled "
            "films are part of this comparison.",
            reasons,
        )
    facts = enumerate_parts(parts)
    if patients < FEWEST_PATIENTS:
        sentence = f"Whether the fine-tuned model looks at the film cannot be told from {patients} patients: {facts}."
        return Verdict("cannot be told", sentence, reasons)
    if all(check.low > 0 for check in checks):
        return Verdict("looks", f"The fine-tuned model looks at the film: {facts}.", reasons)
    margin = NO_LOSS_POINTS / 100
    deciding = shuffled if shuffled is not None else twin
    if deciding is not None and deciding.high < margin:
        return Verdict("guesses", f"The fine-tuned model guesses without looking at the film: {facts}.", reasons)
    sentence = f"Whether the fine-tuned model looks at the film cannot be told: {facts}."
    return Verdict("cannot be told", sentence, reasons)


def _reasons(twin: Interval | None, shuffled: Interval | None) -> tuple[str, ...]:
    """Each check in words."""
    reasons = []
    for interval, better, none in (
        (
            twin,
            "Trained without films, the same recipe does worse.",
            "Trained without films, the same recipe does not surely do worse.",
        ),
        (
            shuffled,
            "With another patient's film the answers get worse.",
            "With another patient's film the answers do not surely get worse.",
        ),
    ):
        if interval is not None:
            reasons.append(better if interval.low > 0 else none)
    if twin is None:
        reasons.append("No text-only twin was compared: what the questions alone give away is not known.")
    if shuffled is None:
        reasons.append("No shuffled films were tried.")
    return tuple(reasons)
