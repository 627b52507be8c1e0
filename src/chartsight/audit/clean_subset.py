"""A14: accuracy on what none of a named pool of models answers without the film."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.audit.columns import Columns, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Interval


@dataclass(frozen=True)
class CleanSubset:
    """A14: accuracy on the questions that none of `pool` gets right without the film, and their share."""

    pool: tuple[str, ...]
    kept: Interval
    accuracy: Interval


def measure_clean_subset(columns: Columns, model: AuditedModel) -> CleanSubset | None:
    """A14; None when no model of the pool answered without the film."""
    wanted = columns.given.pool or tuple(each.name for each in columns.given.models)
    pool = [each for each in columns.given.models if each.name in wanted]
    blind = {each.name: answered for each in pool if (answered := columns.under(each, "question_only")) is not None}
    if not blind:
        return None
    clean = columns.everything.copy()
    for answered in blind.values():
        clean &= ~answered.is_correct & answered.is_asked
    return CleanSubset(
        tuple(blind), columns.bootstrap.proportion(clean), share(columns, columns.full(model).is_correct, clean)
    )
