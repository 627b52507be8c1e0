"""Vascular congestion: wide vessels, those to the upper lungs most of all, and full hila."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_both_sides, side_of
from chartsight.hospital.findings.lung.airspace import Airspace, fill, lumps, outline, whole_lung
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers


def cephalise(layers: Layers, space: Airspace, anatomy: Anatomy, amount: float) -> None:
    """Make the vessels of a lung wider, above the hilum more than below it."""
    own = layers.vessels[space.at]
    wide = ndimage.grey_dilation(own, size=(3, 3) if space.size_px < 600 else (5, 5))
    wide = ndimage.gaussian_filter(wide, 0.0018 * space.size_px, truncate=2.0)
    above = np.clip((np.float32(anatomy.hilum_y + 0.10) - space.y) * 5, np.float32(0.35), 1)
    own += as_plane(np.float32(amount) * above * (np.float32(1.25) * wide - np.float32(0.65) * own))


def hilum(anatomy: Anatomy, space: Airspace, wide: float, low: float) -> Plane:
    """Weight of the hilar region, `wide` times its usual width and `low` below its place, 0 to 1, [h, w]."""
    u = (space.d - np.float32(0.095)) / np.float32(0.060 * wide)
    v = (space.y - np.float32(anatomy.hilum_y + 0.005 + low)) / np.float32(0.090)
    return as_plane(np.exp(-((u * u + v * v) ** 2)))


def draw_congestion(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From vessels at the upper limit (severity near 0) to thick ones up to the apex, with soft borders (1)."""
    severity, shares = planted.severity, []
    for side in (side_of(planted), -side_of(planted)):
        space = whole_lung(layers, anatomy, side)
        strong = rng.uniform(0.85, 1.25) * (1.0 if side == side_of(planted) else 0.8)
        cephalise(layers, space, anatomy, 0.04 + 1.45 * severity**1.4 * strong)
        centre = hilum(anatomy, space, rng.uniform(0.8, 1.2), rng.normal(0, 0.008))
        fill(layers, space, as_plane(
            centre * np.float32(0.30 * severity**1.5 * strong) * (1 + np.float32(0.6) * lumps(rng, space, 0.03))
        ))  # fmt: skip
        shares.append((space, centre))
    return Drawn(outline(layers, shares, at_least=0.35))


CONGESTION = FindingDrawing(on_both_sides("hilar structures", "lung"), draw_congestion)
