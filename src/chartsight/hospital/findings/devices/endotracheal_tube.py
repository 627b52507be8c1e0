"""Endotracheal tube: wide and faint with a stripe, in the windpipe; the tip above the carina, or at it and too low."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import AIRWAY, DevicePen
from chartsight.hospital.findings.devices.veins import curve_through
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.tissue import Layers


def windpipe_x(anatomy: Anatomy, y: float) -> float:
    """x of the middle of the windpipe."""
    return anatomy.midline_at(y) + 0.5 * anatomy.mediastinum_shift + 0.004


def draw_endotracheal_tube(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """From the mouth to 2 to 6 cm above the carina, or into the right main bronchus; severity is how far it shows."""
    a, low = anatomy, planted.objects[0] == "carina"
    depth, sway, stripe_at = rng.random(), rng.normal(0, 0.006, 2), rng.choice([-0.55, 0.55])
    tip_y = a.carina_y + 0.004 + 0.018 * depth if low else a.carina_y - 0.045 - 0.085 * depth
    tip_x = windpipe_x(a, tip_y) - 0.15 * sway[1]
    if low:
        # The right main bronchus is the steeper one: what goes too far goes there. The carina moves with the heart.
        tip_x += 0.3 * a.mediastinum_shift - 0.006 - 0.010 * depth
    neck_y = min(0.08, tip_y - 0.08)
    course = [
        (windpipe_x(a, -0.03) + 3 * sway[0], -0.03),
        (windpipe_x(a, neck_y) + sway[0], neck_y),
        (windpipe_x(a, 0.5 * (neck_y + tip_y)) + 0.5 * sway[1], 0.5 * (neck_y + tip_y)),
        (tip_x, tip_y),
    ]
    x, y = curve_through(course, 32)
    pen = DevicePen(layers, planted.severity, rng)
    pen.tube(x, y, AIRWAY * rng.uniform(0.85, 1.0), wall=0.075, core=0.030, stripe=0.22, stripe_at=stripe_at)
    return pen.drawn((float(x[-1]), float(y[-1])))


ENDOTRACHEAL_TUBE = FindingDrawing({"trachea": ("trachea",), "carina": ("carina", "trachea")}, draw_endotracheal_tube)
