"""The findings that the hospital can draw. A new one is a file beside this and a line in `FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.atelectasis import ATELECTASIS
from chartsight.hospital.findings.cardiomegaly import CARDIOMEGALY
from chartsight.hospital.findings.consolidation import CONSOLIDATION
from chartsight.hospital.findings.drawing import DrawingError, FindingDrawing
from chartsight.hospital.findings.edema import EDEMA
from chartsight.hospital.findings.effusion import EFFUSION
from chartsight.hospital.findings.endotracheal_tube import ENDOTRACHEAL_TUBE
from chartsight.hospital.findings.hyperaeration import HYPERAERATION
from chartsight.hospital.findings.nodule import NODULE
from chartsight.hospital.findings.pacer import PACER
from chartsight.hospital.findings.pneumothorax import PNEUMOTHORAX

# Attribute of `schema.ATTRIBUTES` -> how it is drawn.
FINDINGS: Mapping[str, FindingDrawing] = {
    "atelectasis": ATELECTASIS,
    "cardiac pacer and wires": PACER,
    "consolidation": CONSOLIDATION,
    "endotracheal tube": ENDOTRACHEAL_TUBE,
    "enlarged cardiac silhouette": CARDIOMEGALY,
    "hyperaeration": HYPERAERATION,
    "mass/nodule (not otherwise specified)": NODULE,
    "pleural effusion": EFFUSION,
    "pneumothorax": PNEUMOTHORAX,
    "pulmonary edema/hazy opacity": EDEMA,
}

__all__ = ["FINDINGS", "DrawingError", "FindingDrawing"]
