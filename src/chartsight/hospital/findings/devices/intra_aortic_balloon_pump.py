"""Intra-aortic balloon pump: a small metal marker below the aortic knob, a sausage of gas in the descending aorta."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import DevicePen
from chartsight.hospital.findings.devices.veins import curve_through, heart_x
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import near_curves, stretch_of
from chartsight.hospital.tissue import Layers


def draw_balloon_pump(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Marker, balloon and the catheter that comes up from below; severity is how far they stand out."""
    a, heart = anatomy, anatomy.heart
    drop, sway, inflated = rng.random(), rng.normal(0, 0.003, 2), rng.random() < 0.55
    tip_y = heart.arch_y + 0.004 + 0.036 * drop
    middle_y, low_y = heart_level(heart, 0.5), heart_level(heart, 1.0)
    x, y = curve_through(
        [(heart_x(a, 0.62 * heart.knob + sway[0], tip_y), tip_y),
         (heart_x(a, 0.50 * heart.knob + sway[1], middle_y), middle_y),
         (heart_x(a, 0.018, low_y), low_y), (heart_x(a, 0.012, 1.03), 1.03)], 60,
    )  # fmt: skip
    pen = DevicePen(layers, planted.severity, rng)
    pen.line(x, y, 0.0020, 0.050)
    if inflated:
        balloon = stretch_of(x, y, 0.022, 0.022 + 0.42 * a.scale)
        index, distance = near_curves(layers.grid, [balloon], 0.017)
        gas = np.sqrt(np.clip(1 - (distance / np.float32(0.017)) ** 2, 0, 1)) * np.float32(0.13 * pen.contrast)
        air = layers.air.reshape(-1)
        air[index] += gas * (1 - air[index])
        pen.extent.reshape(-1)[index] = True
    pen.line(*stretch_of(x, y, 0.0, 0.011), 0.0042, 0.55)
    return pen.drawn((float(x[0]), float(y[0])))


INTRA_AORTIC_BALLOON_PUMP = FindingDrawing({"aortic arch": ("aortic arch", "mediastinum")}, draw_balloon_pump)
