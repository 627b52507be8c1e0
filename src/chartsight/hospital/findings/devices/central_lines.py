"""Central venous lines from neck, shoulder or arm; the tip lies in the superior vena cava, at its mouth or too deep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import CATHETER, PICC_LINE, DevicePen
from chartsight.hospital.findings.devices.veins import (
    CENTRAL_PLACES,
    Course,
    arm_course,
    central_tip,
    curve_through,
    jugular_course,
    subclavian_course,
    to_the_svc,
)
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import stretch_of
from chartsight.hospital.tissue import Layers

Way = Callable[[Anatomy, int, np.random.Generator], Course]


def central_line(way: Way, right_share: float, half_width: float, depth: float) -> FindingDrawing:
    """A kind of central line.

    Args:
        way: Its course up to the great veins.
        right_share: How often it comes from the patient's right.
        half_width: A fraction of the film.
        depth: How dense it is.
    """

    def draw_line(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
        """The line from the skin to its tip; severity is how far it stands out."""
        side = -1 if rng.random() < right_share else 1
        thickness, has_hub = rng.uniform(0.9, 1.15), rng.random() < 0.6
        course = way(anatomy, side, rng) + to_the_svc(anatomy, side)
        x, y = curve_through(course + central_tip(anatomy, planted.objects[0], rng), 80)
        pen = DevicePen(layers, planted.severity, rng)
        pen.line(x, y, half_width * thickness, depth)
        if has_hub:
            pen.line(*stretch_of(x, y, 0.035, 0.06), 2.2 * half_width, 0.7 * depth)
        return pen.drawn((float(x[-1]), float(y[-1])))

    return FindingDrawing(CENTRAL_PLACES, draw_line)


IJ_LINE = central_line(jugular_course, 0.75, CATHETER, 0.145)
SUBCLAVIAN_LINE = central_line(subclavian_course, 0.55, CATHETER, 0.145)
PICC = central_line(arm_course, 0.65, PICC_LINE, 0.135)
