"""Sub-diaphragmatic air: a dark crescent between the dome and what lies below it."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, side_of
from chartsight.hospital.findings.thorax.outline import diaphragm_line, outline
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers

DIAPHRAGM = 0.007  # thickness of the muscle with its two linings, 2 to 3 mm


def draw_subdiaphragmatic_air(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A sliver at the top of the dome (severity near 0) to a sickle under all of it (1)."""
    side, severity, y = side_of(planted), planted.severity, layers.grid.y
    lung = anatomy.lung(side)
    d, line = diaphragm_line(layers, anatomy, side)
    middle = 0.5 * lung.width * rng.uniform(0.8, 1.2)
    half = (0.30 + 0.32 * severity) * 0.72 * lung.width * rng.uniform(0.85, 1.1)
    thick = (0.006 + 0.040 * severity) * rng.uniform(0.85, 1.2)
    bulge = np.clip(1 - ((d - np.float32(middle)) / np.float32(half)) ** 2, 0, 1)
    # Below the crescent lies the liver's own dome: flatter, so that the gap is a sickle.
    under = np.float32(DIAPHRAGM) + np.float32(thick) * bulge ** np.float32(0.8)
    depth = as_plane(y - line)
    free = rise(as_plane(depth - np.float32(DIAPHRAGM)), 0.003) * rise(as_plane(under - depth), 0.003)
    free = as_plane(free * (bulge > 0) * np.clip((d - np.float32(lung.medial)) * 22, 0, 1))
    layers.air = np.maximum(layers.air, np.float32(0.16 + 0.44 * severity) * free)
    layers.fill *= 1 - free
    layers.vessels *= 1 - free
    x = anatomy.midline_at(lung.angle_y) + side * middle
    return Drawn(outline(layers.grid, free, x, lung.dome_y + DIAPHRAGM + 0.5 * thick, 0.3))


SUBDIAPHRAGMATIC_AIR = FindingDrawing(
    {f"{side} hemidiaphragm": (f"{side} hemidiaphragm", "abdomen") for side in ("left", "right")},
    draw_subdiaphragmatic_air,
)
