"""Tubes, lines and devices. A new one is a file beside this and a line in `DEVICE_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.devices.endotracheal_tube import ENDOTRACHEAL_TUBE
from chartsight.hospital.findings.devices.pacer import PACER
from chartsight.hospital.findings.drawing import FindingDrawing

DEVICE_FINDINGS: Mapping[str, FindingDrawing] = {
    "cardiac pacer and wires": PACER,
    "endotracheal tube": ENDOTRACHEAL_TUBE,
}
