"""Atelectasis: a base or segment that has lost volume, patchy and streaky; and plates, which are straight bands."""

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
    moved_dome,
    outline,
    strength,
    texture,
    whole_lung,
)
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers


def raise_diaphragm(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The dome of a collapsed base, up to 4% of the film higher."""
    if not planted.objects[0].endswith("lower lung zone"):
        return anatomy
    return moved_dome(anatomy, side_of(planted), 0.045 * planted.severity)


def draw_atelectasis(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a hazy, crowded corner (severity near 0) to a streaky, whitish base or segment (1)."""
    severity, space = planted.severity, whole_lung(layers, anatomy, side_of(planted))
    lung, basal = space.lung, planted.objects[0].endswith("lower lung zone")
    inner, outer = sorted(rng.uniform(0.10, 0.40, 1).tolist() + rng.uniform(0.75, 1.0, 1).tolist())
    height = (0.050 + 0.060 * severity) * rng.uniform(0.85, 1.25)
    level = rng.normal(0, 0.02)
    across = np.clip((space.reach - np.float32(inner)) * 6, 0, 1) * np.clip((np.float32(outer) - space.reach) * 6, 0, 1)
    if basal:
        # It lies on the diaphragm, whatever the dome's shape.
        floor = lung.diaphragm(space.d)
        v = (floor - space.y) / np.float32(height)
        body = np.clip(np.float32(1.15) - v, 0, 1) * across
    else:
        middle = np.float32(anatomy.hilum_y + 0.02 + level) + np.float32(0.06) * (space.reach - np.float32(0.5))
        # A wedge with its point at the hilum.
        half = np.float32(0.4 * height) * (np.float32(0.4) + np.clip(space.reach, 0, 1))
        body = np.clip(np.float32(1.3) - np.abs(space.y - middle) / half, 0, 1) * across
    streaks = texture(rng, space, 0.016, flat=5.0)
    share = as_plane(
        np.clip(body * (1 + np.float32(0.45) * streaks + np.float32(0.4) * lumps(rng, space, 0.05)), 0, 1.2)
    )
    fill(layers, space, as_plane(share * np.float32(strength(severity, 0.80, 0.06))))
    return Drawn(outline(layers, [(space, share)], at_least=0.3))


def draw_plates(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One thin line (severity near 0) to four thick bands (1), nearly level, some of them branching."""
    severity, space = planted.severity, whole_lung(layers, anatomy, side_of(planted))
    basal = planted.objects[0].endswith("lower lung zone")
    level = space.lung.dome_y - 0.035 if basal else anatomy.hilum_y + 0.035
    number, shifts = 1 + round(3 * severity), rng.normal(0, 1, (4, 6))
    share: Plane = np.zeros_like(space.depth)
    half = 0.0024 + 0.0040 * severity
    for band, shift in enumerate(shifts[:number]):
        y = level - 0.036 * band + 0.008 * shift[0]
        outer = space.lung.lateral_at(y)
        start, end = (0.42 + 0.08 * shift[1]) * outer, min(0.86 + 0.06 * shift[2], 0.97) * outer
        along, sag = (0.0, 0.35, 0.7, 1.0), (0.0, shift[4], shift[5], 0.0)
        x, down, length = drawn_curve(
            anatomy, space.side, [start + (end - start) * k for k in along],
            [y + 0.025 * shift[3] * k + 0.004 * bend for k, bend in zip(along, sag, strict=True)],
        )  # fmt: skip
        taper = np.sin(np.linspace(0.35, 2.7, len(x))) * (1.0 if band == 0 else 0.8)
        share = np.maximum(share, ink(space, x, down, as_plane(length * taper), half * (1 + 0.15 * float(shift[1]))))
    share = as_plane(np.clip(share, 0, 1))
    fill(layers, space, as_plane(share * np.float32(strength(severity, 0.75, 0.08))))
    return Drawn(outline(layers, [(space, share)], at_least=0.3))


LOWER_OR_MID = on_either_side("lower lung zone", "lung") | on_either_side("mid lung zone", "lung")
ATELECTASIS = FindingDrawing(LOWER_OR_MID, draw_atelectasis, raise_diaphragm)
PLATES = FindingDrawing(LOWER_OR_MID, draw_plates)
