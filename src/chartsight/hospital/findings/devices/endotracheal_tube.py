"""Endotracheal tube: two walls and a radio-opaque stripe in the windpipe, the tip above the carina."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled
from chartsight.hospital.strokes import add_lines, add_tube, along, smooth_curve
from chartsight.hospital.tissue import Layers


def draw_endotracheal_tube(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """From the upper border of the film to 2 to 6 cm above the carina; severity is how far it stands out."""
    severity, grid = planted.severity, layers.grid
    tip_y = anatomy.carina_y - rng.uniform(0.04, 0.10)
    half = 0.0125
    sway = rng.normal(0, 0.006, 2)
    ys = [-0.03, 0.08, 0.5 * (0.08 + tip_y), tip_y]
    shift = 0.5 * anatomy.mediastinum_shift + 0.004
    xs = [
        anatomy.midline_at(y) + shift + extra for y, extra in zip(ys, (2 * sway[0], sway[0], sway[1], 0.0), strict=True)
    ]
    x, y = smooth_curve(xs, ys, 14)
    add_tube(layers.metal, grid, x, y, half, 0.02 + 0.18 * severity, 0.06 * severity)
    lx, ly, length = along(x + np.float32(0.6 * half), y)
    add_lines(layers.metal, grid, lx, ly, length * np.float32(0.03 + 0.33 * severity), 0.0030)
    return Drawn(filled(layers.grid, (float(x.min()) - 0.035, 0.0, float(x.max()) + 0.035, tip_y + 0.025)))


ENDOTRACHEAL_TUBE = FindingDrawing({"trachea": ("trachea",)}, draw_endotracheal_tube)
