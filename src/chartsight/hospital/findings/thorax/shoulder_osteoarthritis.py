"""Shoulder osteoarthritis: a narrow joint with dense margins, a spur below the head, cysts in the bone."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import add_blob, add_lines, along, as_plane
from chartsight.hospital.tissue import Layers

HEAD = 0.051  # radius of the humeral head


def draw_shoulder_osteoarthritis(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A dense margin (severity near 0) to a mushroom of new bone (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    middle_x, middle_y = anatomy.humeral_head(side)
    new, cysts = grid.blank(), grid.blank()
    inner = 0.0 if side < 0 else math.pi  # the angle that faces the spine
    turn = rng.normal(0, 0.12)
    for radius, spread, weight in ((HEAD * 0.95, 1.0, 1.0), (HEAD * (1.16 - 0.10 * severity), 0.7, 0.9)):
        angle = inner + turn + np.linspace(-spread, spread, 30)
        px, py, length = along(as_plane(middle_x + radius * np.cos(angle)), as_plane(middle_y + radius * np.sin(angle)))
        add_lines(new, grid, px, py, length * np.float32(weight), 0.003 + 0.002 * severity)
    spur, size = rng.uniform(0.9, 1.25), rng.uniform(0.8, 1.25)
    x, y = middle_x - side * HEAD * math.cos(spur), middle_y + HEAD * math.sin(spur)
    radius = size * (0.006 + 0.018 * severity)
    add_blob(new, grid, x, y + 0.3 * radius, radius, 0.8 * radius, 1.0, power=0.7)
    for _ in range(3):
        away, turned, width = rng.uniform(0.5, 0.85), rng.uniform(-0.9, 0.9), rng.uniform(0.004, 0.009)
        add_blob(cysts, grid, middle_x + HEAD * away * math.cos(inner + turned),
                 middle_y + HEAD * away * math.sin(inner + turned), width, width, 1.0)  # fmt: skip
    layers.bone += np.float32((0.03 + 0.17 * severity) * anatomy.bone) * np.minimum(new, 1.3)
    layers.bone *= 1 - np.float32(0.55 * severity) * np.clip(cysts, 0, 1)
    return Drawn(outline(grid, np.maximum(new, cysts), x, y, 0.25))


SHOULDER_OSTEOARTHRITIS = FindingDrawing(on_either_side("shoulder"), draw_shoulder_osteoarthritis)
