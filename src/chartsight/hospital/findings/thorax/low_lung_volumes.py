"""Low lung volumes: a shallow breath. High domes, fewer than eight ribs above them, crowded vessels, a broad heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import HEART_LIMITS, Anatomy, Hemithorax
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, Extent, FindingDrawing, on_both_sides
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers

FEWEST_RIBS = 8  # posterior ribs above the right dome of a film that was taken in full breath


def posterior_ribs(anatomy: Anatomy) -> int:
    """How many back arcs cross the middle of the right lung above its dome."""
    return sum(height < anatomy.right.dome_y for height in arc_heights(anatomy))


def arc_heights(anatomy: Anatomy) -> list[float]:
    """Heights of the back arcs half way to the flank, from above."""
    half_way = as_plane(np.array([0.5]))
    return [float(rib.back_y(half_way)[0]) for rib in anatomy.ribs]


def raise_domes(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """Seven ribs above the dome (severity near 0) to four and a half (1)."""
    severity = planted.severity
    heights = arc_heights(anatomy)
    wanted = float(np.interp(FEWEST_RIBS - 1.05 - 2.5 * severity, np.arange(len(heights)), heights))
    lift = max(anatomy.right.dome_y - wanted, 0.004)

    def shallow(lung: Hemithorax) -> Hemithorax:
        return replace(lung, dome_y=lung.dome_y - lift, angle_y=lung.angle_y - 0.9 * lift)

    heart, limit = anatomy.heart, HEART_LIMITS[anatomy.view] - 0.005
    # A shallow breath makes no heart enlarged, however broad it looks.
    most = max(limit / anatomy.ct_ratio, 1.0) if anatomy.ct_ratio <= limit else 1.0
    broad = min(1 + 0.09 * severity, most)
    heart = replace(
        heart, left=heart.left * broad, right=heart.right * broad, bottom_y=heart.bottom_y - lift,
        upper=heart.upper * (1 + 0.06 * severity), arch_y=heart.arch_y - 0.10 * lift,
    )  # fmt: skip
    depth, d, height = anatomy.stomach
    return replace(
        anatomy, left=shallow(anatomy.left), right=shallow(anatomy.right), heart=heart,
        liver_y=anatomy.liver_y - lift, stomach=(depth, d, height - lift),
        hilum_y=anatomy.hilum_y - 0.22 * lift, carina_y=anatomy.carina_y - 0.15 * lift,
        vascularity=anatomy.vascularity * (1 + 0.22 * severity), aeration=anatomy.aeration - 0.05 * severity,
    )  # fmt: skip


def outline_lungs(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Both short lungs, with their domes; a trace of collapse lies over them."""
    y = layers.grid.y
    inside: Extent = np.maximum(layers.lungs[1], layers.lungs[-1]) > 0
    over_dome = np.clip((y - np.float32(anatomy.right.dome_y - 0.10)) * 10, 0, 1)
    layers.replace_air(as_plane(np.float32(0.16 * planted.severity) * over_dome * inside))
    return Drawn(inside)


LOW_LUNG_VOLUMES = FindingDrawing(on_both_sides("lung"), outline_lungs, raise_domes)
