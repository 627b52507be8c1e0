"""Consolidation: a lobar or patchy whiteness with soft borders, in which airways may stay dark."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import (
    Drawn,
    FindingDrawing,
    box_around,
    clouds,
    filled,
    on_either_side,
    side_of,
)
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import add_lines, along, smooth_curve
from chartsight.hospital.tissue import Layers


def draw_consolidation(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a faint patch (severity near 0) to a white zone (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.35)
    wide = (0.066 + 0.060 * severity) * rng.uniform(0.9, 1.25)
    high = (0.052 + 0.050 * severity) * rng.uniform(0.85, 1.2)
    lobar = rng.random() < 0.5
    slant, patches = rng.normal(0, 0.4), clouds(rng, grid.size_px, 22)
    at, xs, ys = grid.window(x - 1.7 * wide, y - 1.7 * high, x + 1.7 * wide, y + 1.7 * high)
    u, v = (xs - np.float32(x)) / np.float32(wide), (ys - np.float32(y)) / np.float32(high)
    v = v + np.float32(slant) * u
    r = np.sqrt(u * u + v * v) + (np.float32(1.1 if not lobar else 0.6) * (patches[at] - np.float32(0.5)))
    body = np.clip((np.float32(1.25) - r) * np.float32(1.1 if not lobar else 1.4), 0, 1)
    if lobar:  # A fissure cuts it off sharply on one side.
        edge = np.float32(0.62) - (v if planted.objects[0].find("upper") >= 0 else -v)
        body = body * np.clip(edge * 3.5, 0, 1)
    share = layers.grid.blank()
    share[at] = body * (np.float32(0.75) + np.float32(0.4) * patches[at])
    if severity > 0.3:
        for _ in range(3):
            turn = rng.uniform(-0.7, 0.7)
            reach = np.linspace(-0.8, 0.5, 4)
            px, py = smooth_curve(
                [x + side * wide * float(k) for k in reach],
                [y + high * (float(k) * turn + rng.normal(0, 0.08)) for k in reach],
                16,
            )
            lx, ly, length = along(px, py)
            add_lines(share, grid, lx, ly, -length * np.float32(0.15), 0.0030)
    share *= np.float32(0.12 + 0.88 * severity) * (layers.lungs[side] > 0)
    layers.replace_air(share)
    return Drawn(
        filled(layers.grid, box_around(share, margin=0.012, otherwise=(x - wide, y - high, x + wide, y + high)))
    )


ZONES = ("upper lung zone", "mid lung zone", "lower lung zone")
CONSOLIDATION = FindingDrawing(
    {place: touched for zone in ZONES for place, touched in on_either_side(zone, "lung").items()}, draw_consolidation
)
