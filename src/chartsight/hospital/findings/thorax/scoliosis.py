"""Scoliosis: the spine's curve to one side, beyond what healthy spines show."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import MOST_BEND, Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, Extent, FindingDrawing
from chartsight.hospital.findings.thorax.outline import shape_generator
from chartsight.hospital.tissue import Layers


def bend_spine(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The curve from just above the healthy (severity near 0) to 0.04 of the film (1), mostly to the right."""
    rng = shape_generator(anatomy, planted)
    convex = -1 if rng.random() < 0.8 else 1
    apex_y = rng.uniform(0.40, 0.56)
    bend = convex * (MOST_BEND + 0.002 + 0.026 * planted.severity)
    return replace(anatomy, bend=bend, bend_phase=math.pi / 2 - 2 * math.pi * apex_y)


def outline_spine(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The curved spine between neck and diaphragm, which is already drawn."""
    y = layers.grid.y
    top, low = anatomy.left.apex_y - 0.04, max(anatomy.left.angle_y, anatomy.right.angle_y)
    inside: Extent = (np.abs(layers.d) < np.float32(0.034) + np.float32(0.008) * y) & (y > top) & (y < low)
    return Drawn(inside)


SCOLIOSIS = FindingDrawing({"spine": ("spine",)}, outline_spine, bend_spine)
