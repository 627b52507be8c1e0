"""What fine-tuning bought: sight or prior, all terms from the same draws of patients."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval, PairedDifference


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
