"""Subclavian line: from below the clavicle over its middle third to the heart."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.findings.devices.central_line import central_line
from chartsight.hospital.findings.devices.pen import CATHETER
from chartsight.hospital.findings.devices.veins import Course


def subclavian_course(anatomy: Anatomy, side: int, rng: np.random.Generator) -> Course:
    """From the skin below the clavicle up over its middle third, towards the midline."""
    a = anatomy
    out, low = rng.uniform(0.22, 0.28) * a.scale, rng.uniform(0.055, 0.085)
    over = rng.uniform(0.012, 0.022)
    return [
        (a.x(side, out + 0.09, a.clavicle_y + low + 0.05), a.clavicle_y + low + 0.05),
        (a.x(side, out, a.clavicle_y + low), a.clavicle_y + low),
        (a.x(side, 0.175 * a.scale, a.clavicle_y), a.clavicle_y + 0.008),
        (a.x(side, 0.115 * a.scale, a.clavicle_y), a.clavicle_y - over),
    ]


SUBCLAVIAN_LINE = central_line(subclavian_course, right_share=0.55, half_width=CATHETER, depth=0.18)
