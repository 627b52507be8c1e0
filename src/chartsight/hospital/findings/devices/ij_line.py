"""Internal jugular line: from the side of the neck, or tunnelled from the chest wall for dialysis, to the heart."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.findings.devices.central_line import central_line
from chartsight.hospital.findings.devices.pen import CATHETER
from chartsight.hospital.findings.devices.veins import Course


def jugular_course(anatomy: Anatomy, side: int, rng: np.random.Generator) -> Course:
    """From the side of the neck down to where the brachiocephalic vein begins."""
    a = anatomy
    skin = rng.uniform(0.70, 0.92) * a.neck
    top = a.clavicle_y - rng.uniform(0.13, 0.17)
    sway = rng.normal(0, 0.006)
    hub = a.clavicle_y - rng.uniform(0.09, 0.12)
    return [
        (a.x(side, skin + 0.045, top - 0.07), top - 0.07),
        (a.x(side, skin + 0.008, top), top),
        (a.x(side, 0.078 + sway, hub), hub + 0.01),
        (a.x(side, 0.070 + 0.5 * sway, a.clavicle_y - 0.03), a.clavicle_y - 0.03),
    ]


def tunnelled_course(anatomy: Anatomy, side: int, rng: np.random.Generator) -> Course:
    """From the skin below the clavicle up over it, round into the jugular vein."""
    a = anatomy
    out, low = rng.uniform(0.19, 0.25) * a.scale, rng.uniform(0.12, 0.17)
    top = a.clavicle_y - rng.uniform(0.050, 0.070)
    return [
        (a.x(side, out + 0.05, a.clavicle_y + low + 0.07), a.clavicle_y + low + 0.07),
        (a.x(side, out, a.clavicle_y + low), a.clavicle_y + low),
        (a.x(side, 0.155 * a.scale, a.clavicle_y), a.clavicle_y + 0.01),
        (a.x(side, 0.112, top + 0.010), top + 0.010),
        (a.x(side, 0.085, top), top),
        (a.x(side, 0.072, a.clavicle_y - 0.02), a.clavicle_y - 0.02),
    ]


IJ_LINE = central_line(
    jugular_course, right_share=0.75, half_width=CATHETER, depth=0.18, wide_way=tunnelled_course, wide_share=0.2
)
