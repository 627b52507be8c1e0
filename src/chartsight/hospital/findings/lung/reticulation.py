"""Increased reticular markings: a net of fine lines at the bases and edges, honeycombs when severe."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_both_sides, side_of
from chartsight.hospital.findings.lung.airspace import (
    beyond,
    clear_of_heart,
    fill,
    lumps,
    moved_dome,
    net,
    open_air,
    outline,
    strength,
    whole_lung,
)
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers


def shrink_lungs(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """Stiff lungs are small: both domes up to 2.5% of the film higher."""
    for side in (1, -1):
        anatomy = moved_dome(anatomy, side, 0.025 * planted.severity)
    return anatomy


def draw_reticulation(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a busy base (severity near 0) to honeycombs up to the hila (1)."""
    severity, shares = planted.severity, []
    comb = beyond(0.55, severity)
    for side in (side_of(planted), -side_of(planted)):
        space, strong = whole_lung(layers, anatomy, side), 1.0 if side == side_of(planted) else rng.uniform(0.75, 1.0)
        down = (space.y - np.float32(space.lung.apex_y)) / np.float32(space.lung.height)
        basal = np.clip((down - np.float32(0.62 - 0.40 * severity)) * np.float32(2.2), 0, 1)
        edge = np.clip((space.reach - np.float32(0.55)) * 2, 0, 1) * np.clip(down * 3 - np.float32(0.6), 0, 1)
        where = np.clip(basal + np.float32(0.5) * edge, 0, 1) * (1 + np.float32(0.35) * lumps(rng, space, 0.07))
        where = as_plane(np.clip(where, 0, 1) * np.float32(strong))
        lines = np.maximum(net(rng, space, 0.019, 0.20), np.float32(0.8) * net(rng, space, 0.011, 0.25))
        fill(layers, space, as_plane(where * (
            np.float32(strength(severity, 0.40, 0.03)) * lines + np.float32(0.14 * severity**1.5)
        )))  # fmt: skip
        if comb:
            open_air(layers, space, as_plane(where * (1 - lines) * np.float32(0.06 * comb)), 0.88)
        shares.append((space, as_plane(where * clear_of_heart(layers, space))))
    return Drawn(outline(layers, shares, at_least=0.4))


RETICULATION = FindingDrawing(on_both_sides("lung"), draw_reticulation, shrink_lungs)
