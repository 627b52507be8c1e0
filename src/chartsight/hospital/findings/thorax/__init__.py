"""Findings of heart, mediastinum, diaphragm and skeleton, and of how the film was taken. A new one is a file beside
this and a line in `THORAX_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.drawing import FindingDrawing
from chartsight.hospital.findings.thorax.cardiomegaly import CARDIOMEGALY

THORAX_FINDINGS: Mapping[str, FindingDrawing] = {
    "enlarged cardiac silhouette": CARDIOMEGALY,
}
