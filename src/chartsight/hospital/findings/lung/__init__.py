"""Findings of lung and pleura. A new one is a file beside this and a line in `LUNG_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.drawing import FindingDrawing
from chartsight.hospital.findings.lung.atelectasis import ATELECTASIS, PLATES
from chartsight.hospital.findings.lung.bullae import BULLAE
from chartsight.hospital.findings.lung.collapse import COLLAPSE
from chartsight.hospital.findings.lung.congestion import CONGESTION
from chartsight.hospital.findings.lung.consolidation import CONSOLIDATION
from chartsight.hospital.findings.lung.edema import EDEMA
from chartsight.hospital.findings.lung.effusion import EFFUSION
from chartsight.hospital.findings.lung.hydropneumothorax import HYDROPNEUMOTHORAX
from chartsight.hospital.findings.lung.hyperaeration import HYPERAERATION
from chartsight.hospital.findings.lung.nodule import CALCIFIED_NODULE, NODULE, NODULES
from chartsight.hospital.findings.lung.pneumothorax import PNEUMOTHORAX
from chartsight.hospital.findings.lung.reticulation import RETICULATION
from chartsight.hospital.findings.lung.scarring import SCARRING

LUNG_FINDINGS: Mapping[str, FindingDrawing] = {
    "atelectasis": ATELECTASIS,
    "calcified nodule": CALCIFIED_NODULE,
    "consolidation": CONSOLIDATION,
    "cyst/bullae": BULLAE,
    "hydropneumothorax": HYDROPNEUMOTHORAX,
    "hyperaeration": HYPERAERATION,
    "increased reticular markings/ild pattern": RETICULATION,
    "linear/patchy atelectasis": PLATES,
    "lobar/segmental collapse": COLLAPSE,
    "mass/nodule (not otherwise specified)": NODULE,
    "multiple masses/nodules": NODULES,
    "pleural effusion": EFFUSION,
    "pleural/parenchymal scarring": SCARRING,
    "pneumothorax": PNEUMOTHORAX,
    "pulmonary edema/hazy opacity": EDEMA,
    "vascular congestion": CONGESTION,
}
