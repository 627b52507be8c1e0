"""Enlarged cardiac silhouette: a heart wider than half the thorax, more on a film from the front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import HEART_LIMITS, Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import shape_generator, silhouette
from chartsight.hospital.tissue import Layers


def widen_heart(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The heart from just above its view's limit (severity near 0) to 0.165 above it (1), in one of three shapes."""
    rng = shape_generator(anatomy, planted)
    heart, severity = anatomy.heart, planted.severity
    ratio = HEART_LIMITS[anatomy.view] + 0.002 + 0.16 * severity
    extra = max(ratio * anatomy.thorax_width - heart.left - heart.right, 0.0)
    shape, wobble = rng.choice(["left ventricle", "globular", "right atrium"], p=[0.5, 0.3, 0.2]), rng.normal(0, 0.04)
    leftwards = {"left ventricle": 0.85, "globular": 0.64, "right atrium": 0.45}[str(shape)] + wobble
    heart = replace(heart, left=heart.left + leftwards * extra, right=heart.right + (1 - leftwards) * extra)
    if shape == "globular":  # fluid around the heart, or all of its chambers: the waist is filled
        heart = replace(heart, waist=heart.waist + 0.30 * extra)
    elif shape == "left ventricle":  # the apex dips below the dome
        heart = replace(heart, bottom_y=heart.bottom_y + 0.02 * severity)
    return replace(anatomy, heart=heart)


def outline_heart(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The widened heart, which is already drawn."""
    heart = anatomy.heart
    return Drawn(silhouette(layers, anatomy, heart.arch_y + 0.07, heart.bottom_y + 0.025))


CARDIOMEGALY = FindingDrawing({"cardiac silhouette": ("cardiac silhouette",)}, outline_heart, widen_heart)
