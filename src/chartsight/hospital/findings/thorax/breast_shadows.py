"""Breast and nipple shadows: so plain that a reader names them, lest someone take them for a nodule or fluid."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import add_blob, as_plane, dome
from chartsight.hospital.tissue import Layers


def draw_breast_shadows(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A nipple, rimmed by air; in a body with breasts sometimes the fold below instead."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    shadow = grid.blank()
    heavy, size, dx, dy = rng.random(), rng.uniform(0.8, 1.25), rng.normal(0, 0.008), rng.normal(0, 0.01)
    if anatomy.breast > 0.3 and heavy < 0.5:
        radius = 0.115 + 0.045 * anatomy.breast * size
        y = anatomy.breast_y - 0.035 + 0.004 * side
        x = anatomy.x(side, 0.205 * anatomy.scale, y)
        at, xs, ys = grid.window(x - radius, y - radius, x + radius, y + radius)
        u, v = (xs - np.float32(x)) / np.float32(radius), (ys - np.float32(y)) / np.float32(radius)
        crescent = np.clip((v + np.float32(0.5)) * np.float32(0.8), 0, 1) ** 2
        shadow[at] = as_plane(dome(u * u + v * v) ** np.float32(0.4) * crescent)
        layers.wall += np.float32(0.03 + 0.32 * severity) * shadow
        return Drawn(outline(grid, shadow, x, y + 0.5 * radius, 0.3))
    y = anatomy.breast_y + 0.01 + dy
    x = anatomy.x(side, 0.215 * anatomy.scale + dx, y)
    radius = 0.0175 * size
    add_blob(shadow, grid, x, y, radius, radius * rng.uniform(0.85, 1.1), 1.0, power=0.5)
    layers.wall += np.float32(0.05 + 0.34 * severity) * shadow
    return Drawn(outline(grid, shadow, x, y, 0.2))


BREAST_SHADOWS = FindingDrawing(on_either_side("breast"), draw_breast_shadows)
