"""Cysts and bullae: black bubbles with a hair-thin wall and no vessels inside."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import open_air, outline, thin_vessels, whole_lung
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import Plane, as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_bullae(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One small bubble (severity near 0) to four that take the upper lung (1)."""
    severity, side = planted.severity, side_of(planted)
    space = whole_lung(layers, anatomy, side)
    bubbles: Plane = np.zeros_like(space.depth)
    walls: Plane = np.zeros_like(space.depth)
    for number in range(1 + round(3 * severity)):
        x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.9)
        radius = (0.026 + 0.046 * severity) * rng.uniform(0.75, 1.2) * (1.0 if number == 0 else 0.7)
        flat, turn, phase = rng.uniform(0.75, 1.0), rng.uniform(0, math.pi), rng.uniform(0, 2 * math.pi)
        u, v = space.x - np.float32(x), space.y - np.float32(y)
        cos, sin, angle = np.float32(math.cos(turn)), np.float32(math.sin(turn)), np.arctan2(v, u)
        r = np.hypot(u * cos + v * sin, (v * cos - u * sin) / np.float32(flat)) / np.float32(radius)
        r = r * (1 + np.float32(0.06) * np.sin(2 * angle + np.float32(phase)))
        np.maximum(bubbles, rise(as_plane(1 - r), 0.08), out=bubbles)
        # A sphere's thin wall is seen where the beam runs along it; it is never complete.
        wall = np.exp(-(((r - 1) * np.float32(radius / 0.0028)) ** 2))
        wall *= np.float32(0.65) + np.float32(0.35) * np.sin(angle + np.float32(phase))
        np.maximum(walls, as_plane(wall), out=walls)
    bubbles *= space.within()
    thin_vessels(layers, space, as_plane(bubbles * np.float32(min(1.0, 0.3 + severity))))
    open_air(layers, space, as_plane(bubbles * np.float32(0.01 + 0.09 * severity)), 0.93)
    layers.wall[space.at] += walls * space.within() * np.float32(0.014 + 0.060 * severity)
    return Drawn(outline(layers, [(space, bubbles)], at_least=0.4))


BULLAE = FindingDrawing(on_either_side("upper lung zone", "lung"), draw_bullae)
