"""A8: consistent or not under another wording, and whether the film mattered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chartsight.audit.columns import Columns, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval

Quadrant = Literal["ideal", "fragile", "dangerous", "worst"]
QUADRANTS: tuple[Quadrant, ...] = ("ideal", "fragile", "dangerous", "worst")


@dataclass(frozen=True)
class QuadrantShare:
    """One quadrant: its share of the questions, and the accuracy in it."""

    quadrant: Quadrant
    share: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Quadrants:
    """A8: ideal (consistent, film mattered), fragile (only mattered), dangerous (only consistent), worst (neither).

    A prior answer that is right anyhow counts as dangerous: read it beside the swap.
    """

    shares: tuple[QuadrantShare, ...]


def measure_quadrants(columns: Columns, model: AuditedModel) -> Quadrants | None:
    """A8; None without other wordings or without answers that had no film."""
    full = columns.full(model)
    worded, without = columns.under(model, "paraphrase"), columns.under(model, "question_only")
    if worded is None or without is None:
        return None
    asked = worded.is_asked & without.is_asked
    consistent, relies = worded.codes == full.codes, without.codes != full.codes
    is_in = {
        "ideal": consistent & relies, "fragile": ~consistent & relies,
        "dangerous": consistent & ~relies, "worst": ~consistent & ~relies,
    }  # fmt: skip
    return Quadrants(
        tuple(
            QuadrantShare(
                name, share(columns, is_in[name], asked), share(columns, full.is_correct, asked & is_in[name])
            )
            for name in QUADRANTS
        )
    )
