"""Mediastinal widening: the shadow above the heart broader than any healthy one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import MEDIASTINUM_LIMITS, Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import shape_generator, silhouette
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers, heart_edges


def widen_mediastinum(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """From just above the limit (severity near 0) to 0.13 of the thorax above it (1), more on one side or the other."""
    rng = shape_generator(anatomy, planted)
    heart = anatomy.heart
    ratio = MEDIASTINUM_LIMITS[anatomy.view] + 0.001 + 0.13 * planted.severity
    extra = max(ratio * anatomy.thorax_width - heart.upper - heart.knob, 0.0)
    share = rng.uniform(0.42, 0.75)
    heart = replace(
        heart, upper=heart.upper + share * extra, knob=heart.knob + (1 - share) * extra,
        waist=heart.waist + rng.uniform(0.2, 0.6) * (1 - share) * extra,
    )  # fmt: skip
    return replace(anatomy, heart=heart)


def outline_mediastinum(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The widened mediastinum, which is already drawn, denser than fat would be."""
    top = min(anatomy.left.apex_y, anatomy.right.apex_y) - 0.01
    low, y = anatomy.heart.arch_y + 0.085, layers.grid.y
    right, left = heart_edges(anatomy, y)
    middle = layers.d - np.float32(anatomy.mediastinum_shift)
    share = rise(as_plane(np.minimum(left - middle, middle + right)), 0.008) * np.clip((np.float32(low) - y) * 15, 0, 1)
    layers.replace_air(as_plane(np.float32(0.5 * planted.severity) * share))
    return Drawn(silhouette(layers, anatomy, top, low))


MEDIASTINAL_WIDENING = FindingDrawing(
    {"upper mediastinum": ("upper mediastinum", "mediastinum")}, outline_mediastinum, widen_mediastinum
)
