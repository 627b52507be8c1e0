"""Clavicle fracture: the outer end has dropped with the weight of the arm."""

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


def draw_clavicle_fracture(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A hairline in the middle third (severity near 0) to ends that stand a bone's width apart (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    t = rng.uniform(0.42, 0.66)
    here, there = (float(anatomy.clavicle_height(side, as_plane(np.array([value])))[0]) for value in (t, t + 0.03))
    run = 0.03 * anatomy.clavicle_span
    length = math.hypot(run, there - here)
    x = anatomy.midline_at(anatomy.clavicle_y) + side * (anatomy.clavicle_start(side) + t * anatomy.clavicle_span)
    old = rng.random() < 0.25
    half_width = 0.0135 * anatomy.scale
    share = break_bone(layers.bone, grid, Break(
        x, here, (side * run / length, (there - here) / length), half_width,
        step=half_width * (0.15 + 4.4 * severity) * rng.uniform(0.8, 1.2) * (1 if rng.random() < 0.85 else -0.7),
        gap=(0.004 + 0.044 * severity) * rng.uniform(0.7, 1.3), openness=0.45 + 0.55 * severity,
        slant=rng.normal(0, 0.5), rim=anatomy.bone * (0.01 + 0.07 * severity),
        callus=anatomy.bone * (0.02 + 0.22 * severity) if old else 0.0,
    ))  # fmt: skip
    return Drawn(outline(grid, share, x, here, 0.3))


CLAVICLE_FRACTURE = FindingDrawing(on_either_side("clavicle"), draw_clavicle_fracture)
