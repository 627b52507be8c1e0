"""A7: whether hiding what is asked about changes more answers than hiding as much elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.audit.columns import Columns
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval
from chartsight.evaluation.intervals import EMPTY


@dataclass(frozen=True)
class Occlusion:
    """A7, on questions whose place is known.

    Args:
        target: Share of answers that change when the place asked about is hidden.
        elsewhere: Share that change when a box of equal area is hidden elsewhere.
        excess: Target less elsewhere, on the same questions: above 0 for who looks there.
    """

    target: Interval
    elsewhere: Interval
    excess: Interval


def measure_occlusion(columns: Columns, model: AuditedModel) -> Occlusion | None:
    """A7; None when no place was hidden."""
    full = columns.full(model)
    target, elsewhere = columns.under(model, "occluded"), columns.under(model, "occluded_elsewhere")
    if target is None or elsewhere is None:
        return None
    member = target.is_asked & elsewhere.is_asked
    if not member.any():
        return Occlusion(EMPTY, EMPTY, EMPTY)
    there, not_there = target.codes != full.codes, elsewhere.codes != full.codes
    return Occlusion(
        columns.bootstrap.proportion(there, member),
        columns.bootstrap.proportion(not_there, member),
        columns.bootstrap.difference(there, not_there, member),
    )
