"""PICC: a thin line from the arm along the axillary and subclavian vein to the heart."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.findings.devices.central_line import central_line
from chartsight.hospital.findings.devices.pen import PICC_LINE
from chartsight.hospital.findings.devices.veins import Course


def arm_course(anatomy: Anatomy, side: int, rng: np.random.Generator) -> Course:
    """From the inside of the upper arm through the armpit, below the clavicle and over its medial third."""
    a = anatomy
    arm = 0.435 * a.scale + 0.02 + 0.05 * a.fat
    enter = a.clavicle_y + rng.uniform(0.27, 0.34)
    wave = rng.normal(0, 0.008, 2)
    return [
        (a.x(side, arm + 0.015 + wave[0], enter), enter),
        (a.x(side, arm - 0.02, a.clavicle_y + 0.16), a.clavicle_y + 0.16),
        (a.x(side, 0.345 * a.scale, a.clavicle_y + 0.075), a.clavicle_y + 0.070),
        (a.x(side, 0.225 * a.scale, a.clavicle_y), a.clavicle_y + 0.020 + wave[1]),
        (a.x(side, 0.120 * a.scale, a.clavicle_y), a.clavicle_y - 0.008),
    ]


PICC = central_line(arm_course, right_share=0.65, half_width=PICC_LINE, depth=0.17)
