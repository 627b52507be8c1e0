"""Tubes, lines and devices. A new one is a file beside this and a line in `DEVICE_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.devices.cabg_grafts import CABG_GRAFTS
from chartsight.hospital.findings.devices.chest_port import CHEST_PORT
from chartsight.hospital.findings.devices.chest_tube import CHEST_TUBE
from chartsight.hospital.findings.devices.endotracheal_tube import ENDOTRACHEAL_TUBE
from chartsight.hospital.findings.devices.enteric_tube import ENTERIC_TUBE
from chartsight.hospital.findings.devices.ij_line import IJ_LINE
from chartsight.hospital.findings.devices.intra_aortic_balloon_pump import INTRA_AORTIC_BALLOON_PUMP
from chartsight.hospital.findings.devices.mediastinal_drain import MEDIASTINAL_DRAIN
from chartsight.hospital.findings.devices.pacer import PACER
from chartsight.hospital.findings.devices.picc import PICC
from chartsight.hospital.findings.devices.prosthetic_valve import PROSTHETIC_VALVE
from chartsight.hospital.findings.devices.subclavian_line import SUBCLAVIAN_LINE
from chartsight.hospital.findings.devices.swan_ganz_catheter import SWAN_GANZ_CATHETER
from chartsight.hospital.findings.devices.tracheostomy_tube import TRACHEOSTOMY_TUBE
from chartsight.hospital.findings.drawing import FindingDrawing

DEVICE_FINDINGS: Mapping[str, FindingDrawing] = {
    "cabg grafts": CABG_GRAFTS,
    "cardiac pacer and wires": PACER,
    "chest port": CHEST_PORT,
    "chest tube": CHEST_TUBE,
    "endotracheal tube": ENDOTRACHEAL_TUBE,
    "enteric tube": ENTERIC_TUBE,
    "ij line": IJ_LINE,
    "intra-aortic balloon pump": INTRA_AORTIC_BALLOON_PUMP,
    "mediastinal drain": MEDIASTINAL_DRAIN,
    "picc": PICC,
    "prosthetic valve": PROSTHETIC_VALVE,
    "subclavian line": SUBCLAVIAN_LINE,
    "swan-ganz catheter": SWAN_GANZ_CATHETER,
    "tracheostomy tube": TRACHEOSTOMY_TUBE,
}
