"""Enlarged cardiac silhouette: a heart wider than half the thorax."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled
from chartsight.hospital.tissue import Layers

LIMIT = 0.5  # Danzer: a cardiothoracic ratio above one half is enlarged


def widen_heart(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The heart at a ratio from just above the limit (severity near 0) to 0.67 (1)."""
    heart = anatomy.heart
    ratio = LIMIT + 0.005 + 0.165 * planted.severity
    growth = ratio / anatomy.ct_ratio
    return replace(anatomy, heart=replace(heart, left=heart.left * growth, right=heart.right * growth))


def heart_box(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The box of the widened heart, which is already drawn."""
    heart = anatomy.heart
    top, low = heart.arch_y + 0.06, heart.bottom_y + 0.04
    middles = [anatomy.midline_at(y) + anatomy.mediastinum_shift for y in (top, low)]
    return Drawn(filled(layers.grid, (min(middles) - heart.right - 0.012, top, max(middles) + heart.left + 0.012, low)))


CARDIOMEGALY = FindingDrawing({"cardiac silhouette": ("cardiac silhouette",)}, heart_box, widen_heart)
