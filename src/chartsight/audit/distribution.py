"""A11: whether answers are answers to the question at all, and whether they are spread as the right ones are."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class Distribution:
    """A11.

    Args:
        valid: Share of answers that could be read as the type and, where it is closed, as one of the allowed answers.
        plausible: Of the answered, the share that is some training question's right answer of the template.
        divergence: Jensen and Shannon's, in bits, between given and right answers of yes/no and choice questions
            within templates: 0 when they are spread alike, 1 when they share none.
        entropy_ratio: Entropy of the given over that of the right answers there; 0 for one answer a template.
        top_share: Share of a template's commonest given answer, averaged over its questions.
        top_share_gold: The same of the right answers.
    """

    valid: Interval
    plausible: Interval
    divergence: Interval
    entropy_ratio: Interval
    top_share: Interval
    top_share_gold: Interval
