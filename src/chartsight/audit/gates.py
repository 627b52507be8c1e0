"""What stops a figure from being used: leaks, unreadable answers, a model that needs no film."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from chartsight.audit.blind import QuestionOnly
from chartsight.audit.columns import Columns
from chartsight.audit.inputs import AuditedModel
from chartsight.audit.yes_bias import YesBias

MOST_UNPARSED = 0.05
MOST_FLIPS = 0.01  # more answers that change with the size of the batch, and no figure is the model's own
MOST_BLIND = 0.90  # of a model's accuracy that needs no film
MOST_YES_BIAS = 0.10


@dataclass(frozen=True)
class Gate:
    """One gate.

    Args:
        name: patient leak, unparsed, batch flips, question only, yes-bias.
        model: Its name; empty for a gate of the questions.
        level: `red` fails the run (exit code 3), `amber` warns.
        value: What was found; nan where it could not be.
        limit: What is allowed.
        passed: Whether it holds.
    """

    name: str
    model: str
    level: Literal["red", "amber"]
    value: float
    limit: float
    passed: bool


def leak_gates(columns: Columns) -> tuple[Gate, ...]:
    """The gate of the questions: no patient in two splits. None where nobody looked."""
    if columns.given.leaks is None:
        return ()
    patients = sum(columns.given.leaks.counts.get("patient", {}).values())
    return (Gate("patient leak", "", "red", float(patients), 0.0, patients == 0),)


def model_gates(model: AuditedModel, blind: QuestionOnly, yes_bias: YesBias) -> tuple[Gate, ...]:
    """The gates of one model. What could not be measured (nan) stops nothing."""
    outcomes = model.answers["full"].outcomes
    unparsed = sum(each == "unparsed" for each in outcomes) / len(outcomes) if outcomes else math.nan
    gates = [_gate("unparsed", model, "red", unparsed, MOST_UNPARSED)]
    if model.batch_flips is not None:
        gates.append(_gate("batch flips", model, "red", model.batch_flips, MOST_FLIPS))
    own = next((each for each in blind.controls if each.kind == "no film"), None)
    if own is not None and model.role != "twin":  # a twin never sees a film: nothing to find out
        ratio = own.ratio.estimate
        gates.append(Gate("question only", model.name, "red", ratio, MOST_BLIND, not ratio >= MOST_BLIND))
    gates.append(_gate("yes-bias", model, "amber", abs(yes_bias.bias.estimate), MOST_YES_BIAS))
    return tuple(gates)


def _gate(name: str, model: AuditedModel, level: Literal["red", "amber"], value: float, limit: float) -> Gate:
    return Gate(name, model.name, level, value, limit, not value > limit)
