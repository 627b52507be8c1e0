"""Chest tube: through the side of the chest into the pleural space, up to the apex or down to the base."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import DRAIN, DevicePen
from chartsight.hospital.findings.devices.veins import curve_through
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.strokes import beside, stretch_of
from chartsight.hospital.tissue import Layers


def draw_chest_tube(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A tube whose stripe is broken at the side hole, or a thin pigtail drain; severity is how far it shows."""
    a, side = anatomy, side_of(planted)
    lung = a.lung(side)
    apical, pigtail, depth, lean = rng.random() < 0.6, rng.random() < 0.25, rng.random(), rng.normal(0, 1)
    height = lung.dome_y - lung.apex_y
    entry_y = lung.apex_y + (0.62 + 0.16 * rng.random()) * height
    entry = (a.x(side, lung.lateral_at(entry_y) + 0.006, entry_y), entry_y)
    fall = rng.uniform(0.4, 1.3)
    outside = [
        (a.x(side, lung.lateral_at(entry_y) + k, entry_y), entry_y + fall * k**1.4) for k in (0.40, 0.26, 0.13, 0.05)
    ]
    if apical:
        tip_y = lung.apex_y + (0.10 + 0.16 * depth) * height
        tip_d = lung.lateral_at(tip_y) * (0.72 - 0.10 * depth)
        middle_y = 0.45 * entry_y + 0.55 * tip_y
        middle_d = 0.83 * lung.lateral_at(middle_y) + 0.012 * lean
    else:
        tip_y = lung.dome_y - 0.015 - 0.05 * depth
        tip_d = 0.30 * lung.width + 0.10 * depth * lung.width
        middle_y = 0.6 * entry_y + 0.4 * tip_y
        middle_d = 0.70 * lung.lateral_at(middle_y) + 0.012 * lean
    course = [*outside, entry, (a.x(side, middle_d, middle_y), middle_y), (a.x(side, tip_d, tip_y), tip_y)]
    pen = DevicePen(layers, planted.severity, rng)
    if pigtail:
        x, y = curve_through(course, 60)
        heading = np.arctan2(y[-1] - y[-3], x[-1] - x[-3])
        turn = np.linspace(0, 5.2, 28)
        curl = heading + side * (turn - np.pi / 2)
        radius = 0.022
        centre = (x[-1] - radius * np.cos(curl[0]), y[-1] - radius * np.sin(curl[0]))
        x = np.concatenate((x, centre[0] + radius * np.cos(curl))).astype(np.float32)
        y = np.concatenate((y, centre[1] + radius * np.sin(curl))).astype(np.float32)
        pen.line(x, y, 0.0042, 0.13)
    else:
        x, y = curve_through(course, 80)
        pen.tube(x, y, DRAIN, wall=0.070, core=0.035, stripe=0.0)
        stripe = beside(x, y, 0.45 * DRAIN)
        for start, end in ((0.0, -0.115), (-0.095, None)):
            pen.line(*stretch_of(*stripe, start, end), 0.0025, 0.25)
    return pen.drawn((float(x[-1]), float(y[-1])))


CHEST_TUBE = FindingDrawing(on_either_side("lung", "chest wall"), draw_chest_tube)
