"""Audits: is it looking, for whom does it work, and is the difference real?

Pure functions over arrays: answers under conditions in, figures with intervals over patients out. Nothing here runs a
model or reads a record; `docs/audit.md` says what each audit does and does not show.
"""

from chartsight.audit.inputs import (
    AuditedModel,
    AuditInput,
    Exposure,
    Given,
    HeldOut,
    LeakCounts,
    read_given,
)
from chartsight.audit.report import AuditReport, ModelAudit
from chartsight.audit.run import run_audits
from chartsight.audit.verdict import ModelVerdict, VerdictKind
from chartsight.schema import Entailment

__all__ = [
    "AuditInput",
    "AuditReport",
    "AuditedModel",
    "Entailment",
    "Exposure",
    "Given",
    "HeldOut",
    "LeakCounts",
    "ModelAudit",
    "ModelVerdict",
    "VerdictKind",
    "read_given",
    "run_audits",
]
