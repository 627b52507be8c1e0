"""Pleural effusion: fluid that fills the costophrenic angle and climbs the lateral wall (the meniscus)."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled, lung_box, on_either_side, side_of
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_effusion(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Fluid from a blunted angle (severity near 0) to two thirds of the lung (1)."""
    side, severity = side_of(planted), planted.severity
    lung = anatomy.lung(side)
    height = 0.012 + (0.33 + 0.04 * rng.normal()) * severity**1.1
    flatness = 0.25 + 0.35 * severity
    d = layers.d * side
    q = np.clip((d - np.float32(lung.medial)) / np.float32(lung.width - lung.medial), 0, 1)
    surface = np.float32(lung.angle_y) - np.float32(height) * (
        np.float32(flatness) + np.float32(1.05 - flatness) * q ** np.float32(3)
    )
    share = rise(as_plane(layers.grid.y - surface), 0.010 + 0.015 * severity) * (d > 0)
    # The last layer behind the dome whitens first, so the sharp outline of the diaphragm goes.
    layers.replace_air(as_plane(share * np.float32(0.55 + 0.43 * min(1.0, 2.5 * severity))))
    return Drawn(
        filled(layers.grid, lung_box(anatomy, side, lung.angle_y - 1.05 * height - 0.03, lung.angle_y + 0.01, 0.012))
    )


EFFUSION = FindingDrawing(on_either_side("costophrenic angle", "lung"), draw_effusion)
