"""A1 and A2: what one knows before looking, and how far a model gets beyond it."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval


@dataclass(frozen=True)
class TemplatePrior:
    """A1: who always gives the commonest answer of a template.

    Args:
        accuracy: With the commonest answers of the training questions; `nan, n=0` without any.
        oracle: With the commonest answers of the asked questions themselves: no constant can do better.
    """

    accuracy: Interval
    oracle: Interval


@dataclass(frozen=True)
class TemplateGain:
    """One template of A2; `gain` is None where it would say nothing (fewer than 20 questions, prior above 0.98)."""

    template: str
    accuracy: Interval
    prior: float
    gain: Interval | None


@dataclass(frozen=True)
class GainOverPrior:
    """A2: `(accuracy - prior) / (1 - prior)`, pooled; 0 for who answers the prior, 1 for who is always right.

    Args:
        pooled: Over all questions.
        skill_bits: Log loss of the template's share of yes less that of the model's chance of yes, in bits a yes/no
            question: how much the film tells. Below 0 for who is surely wrong.
        templates: Each template, sorted by name.
    """

    pooled: Interval
    skill_bits: Interval
    templates: tuple[TemplateGain, ...]
