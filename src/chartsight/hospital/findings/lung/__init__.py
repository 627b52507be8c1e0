"""Findings of lung and pleura. A new one is a file beside this and a line in `LUNG_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.drawing import FindingDrawing
from chartsight.hospital.findings.lung.atelectasis import ATELECTASIS
from chartsight.hospital.findings.lung.consolidation import CONSOLIDATION
from chartsight.hospital.findings.lung.edema import EDEMA
from chartsight.hospital.findings.lung.effusion import EFFUSION
from chartsight.hospital.findings.lung.hyperaeration import HYPERAERATION
from chartsight.hospital.findings.lung.nodule import NODULE
from chartsight.hospital.findings.lung.pneumothorax import PNEUMOTHORAX

LUNG_FINDINGS: Mapping[str, FindingDrawing] = {
    "atelectasis": ATELECTASIS,
    "consolidation": CONSOLIDATION,
    "hyperaeration": HYPERAERATION,
    "mass/nodule (not otherwise specified)": NODULE,
    "pleural effusion": EFFUSION,
    "pneumothorax": PNEUMOTHORAX,
    "pulmonary edema/hazy opacity": EDEMA,
}
