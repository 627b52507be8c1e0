"""What all central venous lines have in common; the tip lies in the vena cava, at its mouth, or too deep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import DevicePen
from chartsight.hospital.findings.devices.veins import CENTRAL_PLACES, Course, central_tip, curve_through, to_the_svc
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import stretch_of
from chartsight.hospital.tissue import Layers

Way = Callable[[Anatomy, int, np.random.Generator], Course]


def central_line(
    way: Way, *, right_share: float, half_width: float, depth: float, wide_way: Way | None = None, wide_share: float = 0
) -> FindingDrawing:
    """A kind of central line.

    Args:
        way: Its course up to the great veins, from the side of the patient that it is given.
        right_share: How often it comes from the patient's right.
        half_width: A fraction of the film.
        depth: How dense it is.
        wide_way: Course of the wide variant (dialysis).
        wide_share: How often it is that variant.
    """

    def draw_line(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
        """The line from the skin to its tip; severity is how far it stands out."""
        side = -1 if rng.random() < right_share else 1
        thickness, has_hub, wide = rng.uniform(0.9, 1.15), rng.random() < 0.6, rng.random() < wide_share
        course = (wide_way if wide and wide_way else way)(anatomy, side, rng) + to_the_svc(anatomy, side)
        x, y = curve_through(course + central_tip(anatomy, planted.objects[0], rng), 90)
        half = half_width * thickness * (1.7 if wide else 1.0)
        pen = DevicePen(layers, planted.severity, rng)
        pen.line(x, y, half, depth)
        if wide:  # two channels
            pen.line(*stretch_of(x, y, 0.0, -0.025), 0.45 * half, 0.35 * depth)
        elif has_hub:
            pen.line(*stretch_of(x, y, 0.035, 0.06), 2.2 * half, 0.6 * depth)
        return pen.drawn((float(x[-1]), float(y[-1])))

    return FindingDrawing(CENTRAL_PLACES, draw_line)
