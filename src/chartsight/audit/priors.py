"""A1 and A2: what one knows before looking, and how far a model gets beyond it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Columns, Floats
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY

FEWEST_ITEMS = 20  # a template's gain is shown from so many questions on ...
MOST_PRIOR = 0.98  # ... and where the prior leaves something to gain
LEAST_CHANCE = 1e-3  # a surely wrong chance costs ten bits and no more


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


def measure_prior(columns: Columns) -> TemplatePrior:
    """A1."""
    commonest: dict[str, Counter[int]] = defaultdict(Counter)
    for template, code in zip(columns.templates, columns.gold_codes.tolist(), strict=True):
        commonest[template][code] += 1
    best = {template: min(counts, key=lambda code: (-counts[code], code)) for template, counts in commonest.items()}
    oracle = np.array([best[template] for template in columns.templates], np.int64) == columns.gold_codes
    return TemplatePrior(
        columns.bootstrap.proportion(columns.prior_is_right) if columns.given.training else EMPTY,
        columns.bootstrap.proportion(oracle),
    )


def measure_gain(columns: Columns, model: AuditedModel) -> GainOverPrior:
    """A2."""
    right, prior = columns.full(model).is_correct, columns.prior_is_right
    if not columns.given.training:
        return GainOverPrior(EMPTY, EMPTY, ())
    return GainOverPrior(
        columns.bootstrap.gain_over_prior(right, prior), _skill(columns, model), _templates(columns, model)
    )


def _templates(columns: Columns, model: AuditedModel) -> tuple[TemplateGain, ...]:
    """Every template by the same draws."""
    right, bootstrap = columns.full(model).is_correct, columns.bootstrap
    names = sorted(set(columns.templates.tolist()))
    if not names:
        return ()
    members = np.column_stack([columns.templates == name for name in names])
    accuracies = bootstrap.proportions(np.tile(right[:, None], (1, len(names))), members)
    gained, left = (np.where(members, each[:, None], 0.0) for each in (
        right.astype(np.float64) - columns.prior_is_right, 1.0 - columns.prior_is_right
    ))  # fmt: skip
    sums = bootstrap.draw_sums(np.hstack([gained, left]))
    found = []
    for place, (name, accuracy) in enumerate(zip(names, accuracies, strict=True)):
        member = members[:, place]
        prior = float(columns.prior_is_right[member].mean())
        gain = None
        if accuracy.n >= FEWEST_ITEMS and prior <= MOST_PRIOR:
            with np.errstate(divide="ignore", invalid="ignore"):
                draws = sums[:, place] / sums[:, len(names) + place]
            gain = bootstrap.percentile((accuracy.estimate - prior) / (1 - prior), draws, accuracy.n, accuracy.clusters)
        found.append(TemplateGain(name, accuracy, prior, gain))
    return tuple(found)


def _skill(columns: Columns, model: AuditedModel) -> Interval:
    """Bits that the chances of yes save over the template's share of yes in training."""
    chance = columns.full(model).chance_yes
    member = columns.is_boolean & np.isfinite(chance)
    counts: dict[str, list[int]] = defaultdict(lambda: [1, 2])  # Laplace: a template never seen is even
    for question in columns.given.training:
        if question.answer_type == "boolean":
            counts[question.template_id][0] += question.answer == "true"
            counts[question.template_id][1] += 1
    expected = np.array([counts[template][0] / counts[template][1] for template in columns.templates])
    saved = _bits(expected, columns) - _bits(np.where(member, chance, 0.5), columns)
    return columns.bootstrap.mean(saved, member)


def _bits(chance: Floats, columns: Columns) -> Floats:
    given = np.clip(np.where(columns.is_yes, chance, 1 - chance), LEAST_CHANCE, 1.0)
    bits: Floats = -np.log2(given)
    return bits
