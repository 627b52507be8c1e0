"""Enteric tube: down the gullet left of the midline into the stomach; too high when its tip is above the diaphragm."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import FEEDING_TUBE, GASTRIC_TUBE, DevicePen
from chartsight.hospital.findings.devices.veins import curve_through
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import stretch_of
from chartsight.hospital.tissue import Layers


def draw_enteric_tube(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A gastric tube with stripe and side hole, or a thin feeding tube with a dense tip."""
    a = anatomy
    feeding, depth, bend, crosses = rng.random() < 0.35, rng.random(), rng.normal(0, 0.006, 3), rng.random() < 0.25
    floor = a.left.dome_y

    def gullet(y: float, bow: float = 0.0) -> tuple[float, float]:
        # It lies behind the windpipe, gives way to the aortic arch and turns left above the diaphragm.
        low = max(y - a.heart.arch_y, 0.0) / max(floor - a.heart.arch_y, 0.1)
        return (a.midline_at(y) + 0.6 * a.mediastinum_shift + 0.004 + 0.016 * low**2 + bow, y)

    course = [gullet(-0.03, 2 * bend[0]), gullet(0.10, bend[0]), gullet(a.heart.arch_y, -0.004)]
    if planted.objects[0] == "mediastinum":
        tip_y = a.carina_y + 0.05 + depth * (floor - 0.10 - a.carina_y)
        course += [gullet(0.5 * (a.carina_y + tip_y), 0.5 * bend[1]), gullet(tip_y)]
    else:
        middle, junction = 0.5 * (a.carina_y + floor), floor + 0.015
        course += [gullet(middle, bend[1]), gullet(junction, 0.006)]
        last = min(floor + 0.11 + 0.05 * depth, 0.965)
        fundus = (a.x(1, 0.085 + bend[2], floor + 0.06), junction + 0.5 * (last - junction))
        if crosses:
            course += [fundus, (a.x(1, 0.075, last), last), (a.x(-1, 0.02 + 0.05 * depth, last), last - 0.012)]
        else:
            course += [fundus, (a.x(1, 0.12 + 0.05 * depth, last), last)]
    x, y = curve_through(course, 90)
    pen = DevicePen(layers, planted.severity, rng)
    if feeding:
        pen.line(x, y, FEEDING_TUBE, 0.11)
        pen.line(*stretch_of(x, y, -0.03), FEEDING_TUBE, 0.20)
    else:
        # The stripe is broken at the side hole.
        pen.tube(x, y, GASTRIC_TUBE, wall=0.055, core=0.026, stripe=0.0)
        for start, end in ((0.0, -0.085), (-0.072, None)):
            pen.line(*stretch_of(x, y, start, end), 0.0021, 0.22)
    return pen.drawn((float(x[-1]), float(y[-1])))


ENTERIC_TUBE = FindingDrawing(
    {"abdomen": ("abdomen", "mediastinum"), "mediastinum": ("mediastinum",)}, draw_enteric_tube
)
