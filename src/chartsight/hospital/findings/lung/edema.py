"""Pulmonary edema or hazy opacity: both lungs grey outwards from the hila, vessels swollen and blurred."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import (
    Drawn,
    FindingDrawing,
    clouds,
    filled,
    joined,
    lung_box,
    on_both_sides,
    side_of,
)
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers


def draw_edema(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From full vessels (severity near 0) to white bat's wings (1); the first object's side is a little stronger."""
    severity, grid = planted.severity, layers.grid
    share: Plane = grid.blank()
    fluff = clouds(rng, grid.size_px, 26)
    for side in (1, -1):
        lung = anatomy.lung(side)
        d = layers.d * side
        u = (d - np.float32(0.12)) / np.float32(0.17)
        v = (grid.y - np.float32(anatomy.hilum_y + 0.05)) / np.float32(0.30 * lung.height + 0.04)
        wing = np.exp(-(u * u + v * v) * np.float32(0.8))
        base = np.clip((grid.y - np.float32(anatomy.hilum_y)) * np.float32(2.2), 0, 0.6)
        strength = 0.02 + 0.64 * severity * (1.0 if side == side_of(planted) else rng.uniform(0.75, 0.95))
        share += as_plane((wing + np.float32(0.35) * base) * np.float32(strength)) * (d > 0)
    share *= np.float32(0.55) + np.float32(0.75) * fluff
    swollen = ndimage.gaussian_filter(layers.vessels, 0.005 * grid.size_px, truncate=2.5)
    layers.vessels += np.float32(0.05 + 1.1 * severity) * swollen
    layers.replace_air(np.clip(share, 0, 0.85))
    return Drawn(
        filled(
            layers.grid,
            joined(
                *(
                    lung_box(anatomy, side, anatomy.lung(side).apex_y, anatomy.lung(side).angle_y, 0.012)
                    for side in (1, -1)
                )
            ),
        )
    )


EDEMA = FindingDrawing(on_both_sides("lung", "hilar structures"), draw_edema)
