"""Rib fracture: a step and a gap in the cortex; callus when it is old; several neighbours when severe."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.findings.thorax.skeleton import Break, break_bone
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers

MOST_RIBS = 4


def draw_rib_fracture(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One rib with a hairline (severity near 0) to four with displaced ends (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    old = rng.random() < 0.35
    first = int(rng.integers(2, 6))
    q0, line = rng.uniform(0.60, 0.86), rng.uniform(-0.03, 0.03)
    shares, x, y = grid.blank(), 0.5, 0.5
    for number in range(MOST_RIBS):
        down, size, slant, jitter = rng.random(), rng.uniform(0.75, 1.25), rng.normal(0, 0.4), rng.normal(0, 0.03)
        if number >= 1 + 3.4 * (severity - 0.15):
            break
        rib = anatomy.ribs[first + number]
        q = min(max(q0 + number * line + jitter, 0.5), 0.92)
        here, there = (float(rib.back_y(as_plane(np.array([value])))[0]) for value in (q, q + 0.02))
        run = 0.02 * rib.reach(side)
        length = math.hypot(run, there - here)
        at_x, at_y = anatomy.midline_at(rib.spine_y) + side * q * rib.reach(side), here
        step = (1 if down < 0.7 else -1) * size * rib.half_width * (0.35 + 3.2 * severity) * (0.5 if old else 1.0)
        share = break_bone(layers.bone, grid, Break(
            at_x, at_y, (side * run / length, (there - here) / length), rib.half_width, step,
            gap=size * (0.006 + 0.034 * severity), slant=slant,
            openness=0.25 + 0.3 * severity if old else 0.6 + 0.4 * severity,
            rim=anatomy.bone * (0.01 + 0.10 * severity) * (0.3 if old else 1.0),
            callus=size * anatomy.bone * (0.03 + 0.27 * severity) if old else 0.0,
        ))  # fmt: skip
        np.maximum(shares, share, out=shares)
        if number == 0:
            x, y = at_x, at_y
    return Drawn(outline(grid, shares, x, y, 0.3))


RIB_FRACTURE = FindingDrawing(on_either_side("chest wall"), draw_rib_fracture)
