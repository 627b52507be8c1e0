"""Hyperaeration: long dark lungs, flat low diaphragm, narrow heart, few vessels outwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import HEART_LIMITS, Anatomy, Hemithorax
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_both_sides
from chartsight.hospital.findings.lung.airspace import clear_of_heart, open_air, outline, thin_vessels, whole_lung
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers


def flatten_diaphragm(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The diaphragm lower and flatter, the heart longer and narrower."""
    severity = planted.severity

    def inflated(lung: Hemithorax) -> Hemithorax:
        fall = (lung.angle_y - lung.dome_y) * (1 - 0.62 * severity)
        angle_y = min(lung.angle_y + 0.055 * severity, 0.93)
        return replace(lung, dome_y=angle_y - fall, angle_y=angle_y)

    heart = anatomy.heart
    # An enlarged heart stays enlarged, whichever of the two findings comes first.
    narrow = 0.0 if anatomy.ct_ratio > HEART_LIMITS[anatomy.view] else severity
    heart = replace(
        heart, left=heart.left * (1 - 0.16 * narrow), right=heart.right * (1 - 0.12 * narrow),
        bottom_y=heart.bottom_y + 0.05 * severity,
    )  # fmt: skip
    return replace(anatomy, left=inflated(anatomy.left), right=inflated(anatomy.right), heart=heart)


def draw_hyperaeration(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """More air and thinner markings, outwards most, in lungs that are already long."""
    severity, shares = planted.severity, []
    for side in (1, -1):
        space = whole_lung(layers, anatomy, side)
        open_air(layers, space, as_plane(space.within(0.3) * np.float32(0.11 * severity)), 0.93)
        outwards = np.clip(space.reach, np.float32(0.3), 1)
        thin_vessels(layers, space, as_plane(outwards * np.float32(0.55 * severity)))
        shares.append((space, clear_of_heart(layers, space)))
    return Drawn(outline(layers, shares))


HYPERAERATION = FindingDrawing(on_both_sides("lung", "hemidiaphragm"), draw_hyperaeration, flatten_diaphragm)
