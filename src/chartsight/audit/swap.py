"""A6 and A23: another film, or the mirrored one, whose right answer is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Bools, Codes, Columns, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY


@dataclass(frozen=True)
class SwapGroup:
    """What a model does when the film is exchanged for one whose right answer is known.

    Args:
        name: `all`, `matched` (the donor has the same confounders), `unmatched`, `mentioned`, or an answer type.
        stability: Where the donor has the same right answer: share answered with it.
        follow: Where the donor has another one: share answered with the donor's.
        stick: There: share whose answer does not change.
        grounding: There: share right with both films. Who does not look has none, a coin a quarter.
        gain: There: `follow` less the share that gives the donor's answer with its own film. 0 for who does not look,
            and for who reads only what both films share.
        same: Share of the items whose donor has the same right answer.
    """

    name: str
    stability: Interval
    follow: Interval
    stick: Interval
    grounding: Interval
    gain: Interval
    same: Interval


@dataclass(frozen=True)
class Swap:
    """A6: groups of items; the first is `all`."""

    groups: tuple[SwapGroup, ...]

    def group(self, name: str) -> SwapGroup | None:
        """The group of that name; None when there is none."""
        return next((each for each in self.groups if each.name == name), None)


@dataclass(frozen=True)
class Mirrored:
    """A23: left and right exchanged in the film, in questions whose answer names or depends on a side.

    Args:
        accuracy: By the right answer of the mirrored film.
        group: As in a swap: stability where the answer stays, follow and stick where it is exchanged.
    """

    accuracy: Interval
    group: SwapGroup


def measure_swap(columns: Columns, model: AuditedModel) -> Swap | None:
    """A6; None when the model was not shown other films with known answers."""
    swapped = columns.under(model, "swap")
    if swapped is None or "swap" not in columns.variant_gold:
        return None
    asked = swapped.is_asked & (columns.variant_gold["swap"] >= 0)
    matched = matched_donors(columns)
    members = {
        "all": asked,
        "matched": asked & matched,
        "unmatched": asked & ~matched,
        "mentioned": asked & _mentioned(columns),
        **{str(kind): asked & (columns.types == kind) for kind in sorted(set(columns.types.tolist()))},
    }
    theirs, gold = swapped.codes, columns.variant_gold["swap"]
    return Swap(
        tuple(
            measure_group(columns, model, name, theirs, gold, member)
            for name, member in members.items()
            if member.any() or name in ("all", "matched")
        )
    )


def measure_mirrored(columns: Columns, model: AuditedModel) -> Mirrored | None:
    """A23; None when the model was not shown mirrored films."""
    mirrored = columns.under(model, "mirrored")
    if mirrored is None or "mirrored" not in columns.variant_gold:
        return None
    gold = columns.variant_gold["mirrored"]
    member = mirrored.is_asked & (gold >= 0)
    return Mirrored(
        share(columns, mirrored.is_correct, member),
        measure_group(columns, model, "all", mirrored.codes, gold, member),
    )


def measure_group(
    columns: Columns, model: AuditedModel, name: str, shown: Codes, gold: Codes, member: Bools
) -> SwapGroup:
    """What becomes of the answers of a group.

    Args:
        columns: Of the audit.
        model: Whose answers.
        name: Of the group.
        shown: int [N]: its answers to the exchanged film.
        gold: int [N]: right answers there.
        member: bool [N]: items of the group, all with a known right answer.
    """
    own = columns.full(model)
    same = gold == columns.gold_codes
    alike, other = member & same, member & ~same
    follows, was_it = shown == gold, own.codes == gold
    return SwapGroup(
        name=name,
        stability=share(columns, follows, alike),
        follow=share(columns, follows, other),
        stick=share(columns, shown == own.codes, other),
        grounding=share(columns, follows & own.is_correct, other),
        gain=columns.bootstrap.difference(follows, was_it, other) if other.any() else EMPTY,
        same=share(columns, same, member),
    )


def matched_donors(columns: Columns) -> Bools:
    """bool [N]: the donor of the swap has the confounders of the question's own film."""
    variants = columns.given.variants.get("swap", {})
    found = (variants.get(question.question_id) for question in columns.questions)
    return np.array([each is not None and each.is_matched for each in found], bool)


def _mentioned(columns: Columns) -> Bools:
    """bool [N]: the report speaks of the finding that is asked about, for it or against it."""
    found = (columns.given.facts.get(question.question_id) for question in columns.questions)
    return np.array([each is not None and each.mention in ("mentioned", "negated") for each in found], bool)
