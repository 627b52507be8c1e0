"""Hiatal hernia: a round shadow behind the heart, with air above fluid."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_hernia(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A small pouch (severity near 0) to most of the stomach above the diaphragm (1)."""
    severity, grid = planted.severity, layers.grid
    radius_x = (0.032 + 0.075 * severity) * rng.uniform(0.9, 1.15)
    radius_y = (0.030 + 0.060 * severity) * rng.uniform(0.9, 1.1)
    y0 = anatomy.heart.bottom_y - 0.025 - 0.75 * radius_y
    x0 = anatomy.x(1, rng.uniform(0.0, 0.035), y0) + anatomy.mediastinum_shift
    lean, level, gas = rng.uniform(-0.3, 0.3), rng.uniform(-0.25, 0.25), rng.uniform(0.75, 1.0)
    (dent_2, dent_3), (phase_2, phase_3) = rng.uniform(0.05, 0.25, 2), rng.uniform(0, 6.3, 2)
    u = (grid.x - np.float32(x0)) / np.float32(radius_x)
    v = (grid.y - np.float32(y0)) / np.float32(radius_y)
    leaning = u + np.float32(lean) * v
    turn = np.arctan2(v, leaning)
    # A stomach is no ball: folds and the neck of the hernia dent it.
    dents = 1 + np.float32(dent_2) * np.sin(2 * turn + np.float32(phase_2))
    dents += np.float32(dent_3) * np.sin(3 * turn + np.float32(phase_3))
    round_it = as_plane(1 - (leaning * leaning + v * v) * dents)
    inside = rise(round_it, 0.28)
    layers.replace_air(as_plane(np.float32(0.25 + 0.65 * severity) * inside))
    layers.wall += as_plane(np.float32(0.03 + 0.05 * severity) * inside)
    # The surface of the fluid is the one dead straight line in a chest.
    pocket = rise(as_plane(round_it - np.float32(0.22)), 0.18) * (v < level)
    free = as_plane(np.float32(gas * (0.05 + 0.24 * severity)) * pocket)
    layers.fill *= 1 - pocket
    layers.vessels *= 1 - pocket
    np.maximum(layers.air, np.minimum(layers.air + free, np.float32(0.62)), out=layers.air)
    return Drawn(outline(grid, inside, x0, y0, 0.4))


HERNIA = FindingDrawing({"mediastinum": ("mediastinum",)}, draw_hernia)
