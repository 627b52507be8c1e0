"""A11: whether answers are answers to the question at all, and whether they are spread as the right ones are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chartsight.audit.columns import Bools, Codes, Columns, Floats, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval, answer_from_json
from chartsight.evaluation.intervals import EMPTY

ROUNDING = 1e-12  # bits: below it right answers do not vary


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


def measure_distribution(columns: Columns, model: AuditedModel) -> Distribution:
    """A11."""
    full, given = columns.full(model), model.answers["full"]
    answered = full.codes >= 0
    allowed = np.array(
        [
            outcome == "answered" and _is_allowed(value, question.allowed_answers, question.answer_type)
            for question, outcome, value in zip(columns.questions, given.outcomes, given.values, strict=True)
        ],
        bool,
    )
    closed = answered & ((columns.types == "boolean") | (columns.types == "choice"))
    return Distribution(
        columns.bootstrap.proportion(allowed),
        share(columns, _seen_in_training(columns, full.codes), answered) if columns.given.training else EMPTY,
        *_spread(columns, full.codes, closed),
    )


def _is_allowed(value: object, allowed: tuple[str, ...], answer_type: str) -> bool:
    """Whether a value is one that the question may be answered with; any is where the question is open."""
    if answer_type not in ("choice", "set") or not allowed:
        return True
    said = value if isinstance(value, tuple) else (value,)
    return all(each in allowed for each in said)


def _seen_in_training(columns: Columns, codes: Codes) -> Bools:
    """bool [N]: the answer is the right one of some training question of the same template."""
    texts: dict[str, set[str]] = defaultdict(set)
    for question in columns.given.training:
        texts[question.template_id].add(question.answer)
    seen = {
        template: set(columns.encode([answer_from_json(answer) for answer in sorted(answers)]).tolist())
        for template, answers in texts.items()
    }
    return np.array(
        [code in seen.get(template, ()) for template, code in zip(columns.templates, codes.tolist(), strict=True)], bool
    )


def _spread(columns: Columns, codes: Codes, member: Bools) -> tuple[Interval, Interval, Interval, Interval]:
    """Divergence, ratio of entropies, and both top shares, of cells (template, answer)."""
    if not member.any():
        return EMPTY, EMPTY, EMPTY, EMPTY
    templates, template_of = np.unique(columns.templates[member].astype(str), return_inverse=True)
    said, right = codes[member], columns.gold_codes[member]
    pairs = np.concatenate([np.stack([template_of, said], 1), np.stack([template_of, right], 1)])
    cells, cell_of = np.unique(pairs, axis=0, return_inverse=True)
    cell_of = cell_of.ravel()
    width, n = len(cells), int(member.sum())
    counted = np.zeros((columns.n, 2 * width))
    rows = np.flatnonzero(member)
    counted[rows, cell_of[:n]] = 1.0
    counted[rows, width + cell_of[n:]] = 1.0
    starts = np.searchsorted(cells[:, 0], np.arange(len(templates)))
    estimate = _figures(counted.sum(axis=0)[None], width, starts)[0]
    sums = columns.bootstrap.draw_sums(counted)
    draws = np.concatenate([_figures(part, width, starts) for part in np.array_split(sums, 10)])
    clusters = columns.clusters(member)
    divergence, entropy, top, top_gold = (
        columns.recentred(float(estimate[place]), draws[:, place], n, clusters) for place in range(4)
    )
    return divergence, entropy, top, top_gold


def _figures(sums: Floats, width: int, starts: NDArray[np.int64]) -> Floats:
    """float [B, 4] from the counts of given and right answers in each cell, float [B, 2 x width]."""
    total = np.maximum(sums[:, :width].sum(axis=1), 1.0)
    said, right = sums[:, :width] / total[:, None], sums[:, width:] / total[:, None]
    of_said, of_right = -_xlogx(said).sum(axis=1), -_xlogx(right).sum(axis=1)
    # Given and right answers share their templates, so that these cancel out of the divergence and not of entropies.
    divergence = -_xlogx((said + right) / 2).sum(axis=1) - (of_said + of_right) / 2
    of_templates = -_xlogx(np.add.reduceat(right, starts, axis=1)).sum(axis=1)
    varied = of_right - of_templates
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(varied > ROUNDING, (of_said - of_templates) / varied, np.nan)
    tops = [np.maximum.reduceat(each, starts, axis=1).sum(axis=1) for each in (said, right)]
    return np.stack([np.maximum(divergence, 0.0), ratio, *tops], axis=1)


def _xlogx(shares: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        product: Floats = np.where(shares > 0, shares * np.log2(shares), 0.0)
    return product
