"""Cysts and bullae: black bubbles with a hair-thin wall and no vessels inside."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import open_air, outline, part_of_lung, thin_vessels
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_bullae(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One small bubble (severity near 0) to four that take the upper lung (1)."""
    severity, side = planted.severity, side_of(planted)
    drawn = []
    for number in range(1 + round(3 * severity)):
        x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.8)
        radius = (0.024 + 0.040 * severity) * rng.uniform(0.75, 1.2) * (1.0 if number == 0 else 0.7)
        flat, turn, phase = rng.uniform(0.75, 1.0), rng.uniform(0, math.pi), rng.uniform(0, 6)
        d = side * (x - anatomy.midline_at(y))
        reach = 1.25 * radius
        space = part_of_lung(layers, anatomy, side, y - reach, y + reach, d - reach, d + reach)
        u, v = space.x - np.float32(x), space.y - np.float32(y)
        cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
        r = np.hypot(u * cos + v * sin, (v * cos - u * sin) / np.float32(flat)) / np.float32(radius)
        r = r * (1 + np.float32(0.06) * np.sin(2 * np.arctan2(v, u) + np.float32(phase)))
        inside = as_plane(rise(as_plane(1 - r), 0.08) * (space.depth > 0))
        thin_vessels(layers, space, as_plane(inside * np.float32(min(1.0, 0.4 + severity))))
        open_air(layers, space, inside * np.float32(0.02 + 0.15 * severity), 0.93)
        # A sphere's thin wall is seen where the beam runs along it; it is never complete.
        wall = np.exp(-(((r - 1) * np.float32(radius / 0.0030)) ** 2))
        wall *= np.float32(0.65) + np.float32(0.35) * np.sin(np.arctan2(v, u) + np.float32(phase))
        layers.wall[space.at] += as_plane(wall * (space.depth > 0) * np.float32(0.018 + 0.065 * severity))
        drawn.append((space, inside))
    return Drawn(outline(layers, drawn, at_least=0.4))


BULLAE = FindingDrawing(on_either_side("upper lung zone", "lung"), draw_bullae)
