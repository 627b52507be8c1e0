"""Elevated hemidiaphragm: one dome higher than the healthy difference between the two allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import diaphragm_line
from chartsight.hospital.tissue import Layers

# Healthy right domes stand up to 0.06 of the film above the left; the left never above the right.
HIGHEST_RIGHT, HIGHEST_LEFT = 0.06, 0.0


def lift_dome(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The dome from just above its place (severity near 0) to 0.15 of the film above it (1), the angle less."""
    side, severity = side_of(planted), planted.severity
    lung, other = anatomy.lung(side), anatomy.lung(-side)
    highest = HIGHEST_LEFT if side > 0 else HIGHEST_RIGHT
    dome_y = min(lung.dome_y, other.dome_y - highest) - 0.002 - 0.135 * severity
    dome_y = max(dome_y, lung.apex_y + 0.24)
    lift = lung.dome_y - dome_y
    lifted = replace(lung, dome_y=dome_y, angle_y=lung.angle_y - 0.7 * lift)
    if side < 0:
        return replace(anatomy, right=lifted, liver_y=dome_y)
    depth, d, height = anatomy.stomach
    return replace(anatomy, left=lifted, stomach=(depth, d, height - lift))


def outline_dome(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """What lies under the lifted dome, down to the angle."""
    side = side_of(planted)
    lung, y = anatomy.lung(side), layers.grid.y
    d, line = diaphragm_line(layers, anatomy, side)
    beyond = 0.004 + 1.0 / layers.grid.size_px
    inside = (y > line - beyond) & (y < max(lung.angle_y, lung.dome_y + 0.02) + beyond) & (d > lung.medial)
    return Drawn(inside & (d < lung.width + 0.005))


ELEVATED_HEMIDIAPHRAGM = FindingDrawing(on_either_side("hemidiaphragm"), outline_dome, lift_dome)
