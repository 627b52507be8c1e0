"""Mediastinal drains: one or two wide tubes that enter below the breastbone after heart surgery."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import DRAIN, DevicePen
from chartsight.hospital.findings.devices.veins import Course, curve_through, heart_x
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import beside, stretch_of
from chartsight.hospital.tissue import Layers


def draw_mediastinal_drain(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A drain up behind the breastbone, often a second one along the diaphragm; severity is how far they show."""
    a, heart = anatomy, anatomy.heart
    depth, lean, second, half = rng.random(), rng.normal(0, 1, 3), rng.random() < 0.55, DRAIN * rng.uniform(0.75, 1.0)
    below, aside = heart.bottom_y + 0.12, 0.05 * rng.normal()
    level = 0.08 + 0.35 * depth
    # Through the skin below the breastbone, then over the belly and off the film.
    outside = [(heart_x(a, aside + 0.02, 1.04), 1.04)] if below < 0.98 else []
    upward = [
        *outside,
        (heart_x(a, -0.050 + 0.02 * lean[0], below), below),
        (heart_x(a, -0.012 + 0.01 * lean[0], heart.bottom_y), heart.bottom_y),
        (heart_x(a, 0.010 + 0.014 * lean[1], heart_level(heart, 0.6)), heart_level(heart, 0.6)),
        (heart_x(a, 0.012 + 0.010 * lean[2], heart_level(heart, level)), heart_level(heart, level)),
    ]
    pen = DevicePen(layers, planted.severity, rng)
    x, y = draw_drain(pen, upward, half)
    if second:
        along_diaphragm = [
            *((x + 0.035, y) for x, y in outside),
            (heart_x(a, 0.010 + 0.02 * lean[0], below), below),
            (heart_x(a, 0.030, heart.bottom_y + 0.01), heart.bottom_y + 0.01),
            (heart_x(a, 0.40 * heart.left, heart_level(heart, 0.93)), heart_level(heart, 0.93)),
            (heart_x(a, 0.82 * heart.left, heart_level(heart, 0.90)), heart_level(heart, 0.90)),
        ]
        draw_drain(pen, along_diaphragm, half)
    return pen.drawn((x, y))


def draw_drain(pen: DevicePen, course: Course, half_width: float) -> tuple[float, float]:
    """One drain with a stripe that is broken at the side hole; where it ends."""
    x, y = curve_through(course, 60)
    pen.tube(x, y, half_width, wall=0.065, core=0.030, stripe=0.0)
    stripe = beside(x, y, 0.4 * half_width)
    for start, end in ((0.0, -0.09), (-0.072, None)):
        pen.line(*stretch_of(*stripe, start, end), 0.0023, 0.23)
    return float(x[-1]), float(y[-1])


MEDIASTINAL_DRAIN = FindingDrawing({"mediastinum": ("mediastinum",)}, draw_mediastinal_drain)
