"""Tracheostomy tube: short, wide and curved, from its flange at the neck into the windpipe."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.endotracheal_tube import windpipe_x
from chartsight.hospital.findings.devices.pen import AIRWAY, DevicePen
from chartsight.hospital.findings.devices.veins import curve_through
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.tissue import Layers


def draw_tracheostomy(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Flange, connector and tube; the tip at least 3 cm above the carina. Severity is how far it stands out."""
    a = anatomy
    length, sway, wing = rng.uniform(0.12, 0.16), rng.normal(0, 0.004), rng.uniform(0.055, 0.075)
    tilt, half = rng.normal(0, 0.08), AIRWAY * rng.uniform(0.95, 1.1)
    tip_y = a.carina_y - rng.uniform(0.075, 0.10)
    stoma_y = max(tip_y - length, 0.03)
    pen = DevicePen(layers, planted.severity, rng)
    x, y = curve_through(
        [(windpipe_x(a, at) + sway * bow, at)
         for bow, at in ((0.0, stoma_y), (1.4, stoma_y + 0.35 * (tip_y - stoma_y)), (0.5, tip_y))], 24,
    )  # fmt: skip
    pen.tube(x, y, half, wall=0.13, core=0.055, stripe=0.15, stripe_at=0.0)
    # The flange is seen from the front and the connector end on: a short bar and a ring at the stoma.
    flange = [(float(x[0]) + wing * k, stoma_y + wing * (tilt * k - 0.10 * k * k)) for k in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    pen.line(*curve_through(flange, 24), 0.0075, 0.06)
    turn = np.linspace(0, 2 * np.pi, 24, dtype=np.float32)
    centre = (np.float32(x[0]), np.float32(stoma_y + 0.004))
    pen.line(centre[0] + np.float32(0.018) * np.cos(turn), centre[1] + np.float32(0.016) * np.sin(turn), 0.0030, 0.12)
    return pen.drawn((float(x[-1]), float(y[-1])))


TRACHEOSTOMY_TUBE = FindingDrawing({"trachea": ("trachea", "neck")}, draw_tracheostomy)
