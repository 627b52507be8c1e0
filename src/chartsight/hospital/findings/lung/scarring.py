"""Pleural or parenchymal scarring: a ragged cap over the apex and strands that run from it towards the hilum."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    drawn_curve,
    fill,
    ink,
    lumps,
    moved_mediastinum,
    outline,
    part_of_lung,
    strength,
    texture,
)
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers


def pull_windpipe(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """A severe scar draws the mediastinum a little towards it."""
    return moved_mediastinum(anatomy, side_of(planted), 0.015 * planted.severity**2)


def draw_scarring(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a thin cap (severity near 0) to a shrunken, streaky apex (1)."""
    severity, side = planted.severity, side_of(planted)
    lung = anatomy.lung(side)
    thick = (0.012 + 0.030 * severity) * rng.uniform(0.8, 1.25)
    strands = rng.normal(0, 1, (6, 4))
    space = part_of_lung(layers, anatomy, side, lung.apex_y - 0.01, anatomy.hilum_y)
    # Distance below the lung's own outline: the cap follows it.
    inside = space.depth > 0
    roof = np.where(inside.any(0), space.y[np.argmax(inside, axis=0), 0], np.float32(1))[None, :]
    below = (space.y - roof) / np.float32(thick) + np.float32(0.55) * lumps(rng, space, 0.03)
    apical = np.clip((np.float32(lung.apex_y + 0.19 * lung.height) - space.y) * 14, 0, 1)
    cap = as_plane(np.clip(np.float32(1.5) - below, 0, 1) * apical)
    lines: Plane = np.zeros_like(cap)
    for strand in strands[: 2 + round(4 * severity)]:
        y = lung.apex_y + 0.025 + 0.02 * float(strand[0] ** 2)
        d = lung.medial + (0.35 + 0.22 * float(np.tanh(strand[1]))) * (lung.lateral_at(y) - lung.medial) + 0.02
        # Scars run towards the hilum that they pull at.
        far, bow = 0.30 + 0.12 * float(np.tanh(strand[2])), 0.008 * float(strand[3])
        end_d, end_y = d + far * (0.075 - d), y + far * (anatomy.hilum_y - y)
        x, py, length = drawn_curve(
            anatomy, side, [d, 0.5 * (d + end_d) + bow, end_d], [y, 0.5 * (y + end_y), end_y], 12
        )
        lines += ink(space, x, py, length * np.linspace(1, 0.2, len(x), dtype=np.float32), 0.0020)
    share = as_plane(np.clip(cap + np.float32(0.6) * lines, 0, 1) * (1 + np.float32(0.2) * texture(rng, space, 0.012)))
    fill(layers, space, as_plane(share * np.float32(strength(severity, 0.88, 0.08))))
    return Drawn(outline(layers, [(space, share)], at_least=0.35))


SCARRING = FindingDrawing(on_either_side("apical zone", "lung"), draw_scarring, pull_windpipe)
