"""Chest port: a reservoir under the skin below the clavicle, its catheter in the superior vena cava.

Its first object is where the reservoir lies; the tip that is returned is the catheter's, in the vena cava.
"""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import PORT_CATHETER, DevicePen
from chartsight.hospital.findings.devices.veins import central_tip, curve_through, to_the_svc
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_chest_port(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Reservoir and catheter, over the clavicle into the jugular vein or straight below it."""
    a, side, grid = anatomy, side_of(planted), layers.grid
    x = a.x(side, 0.225 * a.scale + rng.uniform(-0.015, 0.02), a.clavicle_y)
    y = a.clavicle_y + rng.uniform(0.085, 0.125)
    radius, titanium = rng.uniform(0.028, 0.034), rng.random() < 0.5
    jugular, turn, slender = rng.random() < 0.55, rng.uniform(-0.5, 0.5), rng.uniform(0.8, 1.0)
    pen = DevicePen(layers, planted.severity, rng)
    at, xs, ys = grid.window(x - 1.3 * radius, y - 1.3 * radius, x + 1.3 * radius, y + 1.3 * radius)
    across = (xs - np.float32(x)) * np.float32(math.cos(turn)) + (ys - np.float32(y)) * np.float32(math.sin(turn))
    down = (ys - np.float32(y)) * np.float32(math.cos(turn)) - (xs - np.float32(x)) * np.float32(math.sin(turn))
    r = np.sqrt((across / np.float32(radius * slender)) ** 2 + (down / np.float32(radius)) ** 2)
    soft = 1.0 / (grid.size_px * radius)
    body, septum = rise(as_plane(1 - r), soft), rise(as_plane(np.float32(0.56) - r), soft)
    ring = body - rise(as_plane(np.float32(0.80) - r), soft)
    well = septum - rise(as_plane(np.float32(0.44) - r), soft)
    pen.plate(at, np.float32(0.26 if titanium else 0.07) * body + np.float32(0.10) * ring
              + np.float32(0.13) * well - np.float32(0.06 if titanium else 0.0) * septum)  # fmt: skip
    course = [(x - side * 0.4 * radius, y - 0.9 * radius), (x - side * 0.7 * radius, y - 1.6 * radius)]
    if jugular:
        top = a.clavicle_y - 0.055
        course += [(a.x(side, 0.125 * a.scale, a.clavicle_y), a.clavicle_y - 0.030),
                   (a.x(side, 0.092, top), top),
                   (a.x(side, 0.074, a.clavicle_y - 0.02), a.clavicle_y - 0.02)]  # fmt: skip
    else:
        course += [(a.x(side, 0.165 * a.scale, a.clavicle_y), a.clavicle_y + 0.005),
                   (a.x(side, 0.110 * a.scale, a.clavicle_y), a.clavicle_y - 0.014)]  # fmt: skip
    line_x, line_y = curve_through(course + to_the_svc(a, side) + central_tip(a, "svc", rng), 80)
    pen.line(line_x, line_y, PORT_CATHETER, 0.175)
    return pen.drawn((float(line_x[-1]), float(line_y[-1])))


CHEST_PORT = FindingDrawing(
    {place: (*touched, "svc") for place, touched in on_either_side("chest wall").items()}, draw_chest_port
)
