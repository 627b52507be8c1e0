"""Consolidation: whiteness with air bronchograms, patchy or up to a fissure, that hides the border of what it meets."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    drawn_curve,
    fill,
    ink,
    lumps,
    outline,
    part_of_lung,
    strength,
    texture,
    thin_vessels,
)
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers

ZONES = ("upper lung zone", "mid lung zone", "lower lung zone")


def draw_consolidation(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a faint patch (severity near 0) to a white lobe (1)."""
    side, severity = side_of(planted), planted.severity
    x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.45)
    lobar, slant, ragged = rng.random() < 0.45, rng.normal(0, 0.3), rng.uniform(0.5, 1.0)
    wide = (0.060 + 0.055 * severity) * rng.uniform(0.85, 1.25)
    high = (0.050 + 0.045 * severity) * rng.uniform(0.85, 1.25)
    turns = as_plane(rng.normal(0, 1, (3, 3)))
    d = side * (x - anatomy.midline_at(y))
    space = part_of_lung(layers, anatomy, side, y - 1.9 * high, y + 1.9 * high, d - 1.9 * wide, d + 1.9 * wide)
    u = (space.d - np.float32(d)) / np.float32(wide)
    v = (space.y - np.float32(y)) / np.float32(high) + np.float32(slant) * u
    r = np.sqrt(u * u + v * v) + np.float32(ragged) * lumps(rng, space, 0.055)
    share = as_plane(np.clip((np.float32(1.25) - r) * np.float32(1.4 + severity), 0, 1))
    if lobar:
        share *= up_to_fissure(anatomy, space, planted.objects[0], y, high)
    whole = share
    share = share * (np.float32(0.86) + np.float32(0.14) * texture(rng, space, 0.018))
    if severity > 0.25:
        open_share = np.float32(min(1.1 * (severity - 0.25), 0.45))
        share *= 1 - open_share * airways(anatomy, space, d, y, 0.5 * (wide + high), turns)
    dense = as_plane(share * np.float32(strength(severity, 0.92, 0.05)))
    fill(layers, space, dense)
    thin_vessels(layers, space, dense)
    return Drawn(outline(layers, [(space, whole)], at_least=0.35))


def up_to_fissure(anatomy: Anatomy, space: Airspace, zone: str, y: float, high: float) -> Plane:
    """1 within the lobe and 0 past its fissure, [h, w]: below an upper lobe, above a middle or lower one."""
    upper = "upper" in zone
    edge = min(y + 0.75 * high, anatomy.hilum_y + 0.01) if upper else y - 0.75 * high
    # The fissure is a gentle arch.
    arch = np.float32(edge) + np.float32(0.10) * (space.reach - np.float32(0.45)) ** 2
    away = arch - space.y if upper else space.y - arch
    return as_plane(np.clip(away / np.float32(0.006) + np.float32(0.5), 0, 1))


def airways(anatomy: Anatomy, space: Airspace, d: float, y: float, reach: float, turns: Plane) -> Plane:
    """Air-filled bronchi that fan out from the hilum through a patch about (d, y), 0 to 1, [h, w]."""
    heading = math.atan2(y - anatomy.hilum_y, max(d - 0.06, 0.02))
    lines = []
    for number, turn in enumerate(turns):
        fan = heading + 0.45 * (number - 1) + 0.15 * float(turn[0])
        far = [k * reach for k in (-0.75, -0.2, 0.3, 0.8 + 0.1 * float(turn[1]))]
        bow = [0.0, 0.06 * reach, 0.12 * float(turn[2]) * reach, 0.2 * float(turn[2]) * reach]
        # They start together, on the hilum's side of the patch.
        root_d, root_y = d - 0.75 * reach * math.cos(heading), y - 0.75 * reach * math.sin(heading)
        ds = [root_d + (k + 0.75 * reach) * math.cos(fan) - b * math.sin(fan) for k, b in zip(far, bow, strict=True)]
        ys = [root_y + (k + 0.75 * reach) * math.sin(fan) + b * math.cos(fan) for k, b in zip(far, bow, strict=True)]
        x, down, length = drawn_curve(anatomy, space.side, ds, ys, 20)
        lines.append((x, down, length * np.linspace(1.0, 0.4, len(x), dtype=np.float32)))
    x, down, length = (np.concatenate(part) for part in zip(*lines, strict=True))
    return as_plane(np.clip(ink(space, x, down, length, 0.0026), 0, 1))


CONSOLIDATION = FindingDrawing(
    {place: touched for zone in ZONES for place, touched in on_either_side(zone, "lung").items()}, draw_consolidation
)
