"""Mass or nodule: a round or lobulated shadow in the lung."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled, on_either_side
from chartsight.hospital.findings.lung.consolidation import ZONES
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_nodule(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a faint nodule of half a rib space (severity near 0) to a mass (1)."""
    severity, grid = planted.severity, layers.grid
    x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.8)
    radius = (0.018 + 0.040 * severity) * rng.uniform(0.9, 1.2)
    stretch, turn = rng.uniform(0.8, 1.0), rng.uniform(0, math.pi)
    lobes, phase = rng.uniform(0.02, 0.12), rng.uniform(0, 2 * math.pi)
    reach = radius * 1.35
    at, xs, ys = grid.window(x - reach, y - reach, x + reach, y + reach)
    u, v = xs - np.float32(x), ys - np.float32(y)
    along_axis = u * np.float32(math.cos(turn)) + v * np.float32(math.sin(turn))
    across = (v * np.float32(math.cos(turn)) - u * np.float32(math.sin(turn))) / np.float32(stretch)
    wave = np.float32(1) + np.float32(lobes) * np.sin(3 * np.arctan2(v, u) + np.float32(phase))
    r = np.hypot(along_axis, across) / (np.float32(radius) * wave)
    share = grid.blank()
    share[at] = rise(as_plane(1 - r), 0.22) * (np.float32(0.65) + np.float32(0.35) * np.clip(1 - r * r, 0, 1))
    layers.replace_air(np.float32(0.15 + 0.80 * severity) * share)
    return Drawn(filled(layers.grid, (x - reach, y - reach, x + reach, y + reach)))


NODULE = FindingDrawing(
    {place: touched for zone in ZONES for place, touched in on_either_side(zone, "lung").items()}, draw_nodule
)
