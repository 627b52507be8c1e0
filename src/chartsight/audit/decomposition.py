"""What fine-tuning bought: sight or prior, all terms from the same draws of patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.audit.blind import blind_controls, shared_items
from chartsight.audit.columns import Columns, Floats
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval, PairedDifference, paired_difference
from chartsight.evaluation.intervals import EMPTY


@dataclass(frozen=True)
class Decomposition:
    """The gain of a tuned model over a base model on the same questions.

    `gain = text_part + image_part` and `gain = aligned_term + opposed_term`, exactly.

    Args:
        base: Name of the base model.
        tuned: Name of the tuned model.
        gain: Accuracy of the tuned less that of the base model.
        text_part: What the best blind control of the tuned has over that of the base model.
        image_part: What accuracy beyond the best blind control has grown by.
        base_image_part: Accuracy of the base beyond its best blind control.
        tuned_image_part: Of the tuned.
        aligned_term: Share of questions whose answer is the prior, times the gain there.
        opposed_term: The same where it is another one.
        aligned_share: Aligned term over gain; None where the gain's interval holds 0.
        grounding: Gain in counterfactual grounding; `nan, n=0` without swaps of both.
    """

    base: str
    tuned: str
    gain: PairedDifference
    text_part: Interval
    image_part: Interval
    base_image_part: Interval
    tuned_image_part: Interval
    aligned_term: Interval
    opposed_term: Interval
    aligned_share: Interval | None
    grounding: Interval


def measure_decomposition(columns: Columns, base: AuditedModel, tuned: AuditedModel) -> Decomposition | None:
    """The gain of `tuned` over `base`; None when one of them has no blind control."""
    ours, theirs = list(blind_controls(columns, tuned).values()), list(blind_controls(columns, base).values())
    if not ours or not theirs:
        return None
    bootstrap, aligned = columns.bootstrap, columns.prior_is_right
    member = shared_items([*ours, *theirs], columns.everything)
    right, was_right = columns.full(tuned).is_correct, columns.full(base).is_correct
    gained = right.astype(np.float64) - was_right
    controls = [each.is_correct for each in (*ours, *theirs)]
    summed = np.column_stack([np.ones(columns.n), right, was_right, *controls])
    split = 3 + len(ours)

    def text(sums: Floats) -> Floats:
        part: Floats = (sums[..., 3:split].max(-1) - sums[..., split:].max(-1)) / sums[..., 0]
        return part

    def tuned_image(sums: Floats) -> Floats:
        part: Floats = (sums[..., 1] - sums[..., 3:split].max(-1)) / sums[..., 0]
        return part

    def base_image(sums: Floats) -> Floats:
        part: Floats = (sums[..., 2] - sums[..., split:].max(-1)) / sums[..., 0]
        return part

    def image(sums: Floats) -> Floats:
        return tuned_image(sums) - base_image(sums)

    gain = paired_difference(bootstrap, right, was_right, member)
    return Decomposition(
        base=base.name,
        tuned=tuned.name,
        gain=gain,
        text_part=bootstrap.interval(summed, text, member),
        image_part=bootstrap.interval(summed, image, member),
        base_image_part=bootstrap.interval(summed, base_image, member),
        tuned_image_part=bootstrap.interval(summed, tuned_image, member),
        aligned_term=bootstrap.mean(gained * aligned, member),
        opposed_term=bootstrap.mean(gained * ~aligned, member),
        aligned_share=bootstrap.ratio(gained * aligned, gained, member) if gain.excludes_zero else None,
        grounding=_grounding(columns, base, tuned),
    )


def _grounding(columns: Columns, base: AuditedModel, tuned: AuditedModel) -> Interval:
    """Gain in the share right with both films, where the donor's right answer is another one."""
    ours, theirs = columns.under(tuned, "swap"), columns.under(base, "swap")
    gold = columns.variant_gold.get("swap")
    if ours is None or theirs is None or gold is None:
        return EMPTY
    other = ours.is_asked & theirs.is_asked & (gold >= 0) & (gold != columns.gold_codes)
    if not other.any():
        return EMPTY
    return columns.bootstrap.difference(
        ours.is_correct & columns.full(tuned).is_correct, theirs.is_correct & columns.full(base).is_correct, other
    )
