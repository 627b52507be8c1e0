"""The findings that the hospital can draw. A new one is a file in a room below and a line in that room's registry."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.devices import DEVICE_FINDINGS
from chartsight.hospital.findings.drawing import DrawingError, Drawn, FindingDrawing
from chartsight.hospital.findings.lung import LUNG_FINDINGS
from chartsight.hospital.findings.thorax import THORAX_FINDINGS

# Attribute of `schema.ATTRIBUTES` -> how it is drawn on a frontal film.
FINDINGS: Mapping[str, FindingDrawing] = dict(sorted({**DEVICE_FINDINGS, **LUNG_FINDINGS, **THORAX_FINDINGS}.items()))

__all__ = ["FINDINGS", "DrawingError", "Drawn", "FindingDrawing"]
