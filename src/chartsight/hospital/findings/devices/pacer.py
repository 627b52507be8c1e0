"""Cardiac pacer and wires: a generator below the clavicle, leads through the great veins into the right heart."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled, on_either_side, side_of
from chartsight.hospital.strokes import add_lines, along, as_plane, rise, smooth_curve
from chartsight.hospital.tissue import Layers


def draw_pacer(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Generator and one or two leads; severity is how far they stand out."""
    side, severity, grid, heart = side_of(planted), planted.severity, layers.grid, anatomy.heart
    x = anatomy.x(side, 0.245 * anatomy.scale + rng.normal(0, 0.012), 0.3)
    y = anatomy.clavicle_y + 0.085 + rng.normal(0, 0.012)
    wide, high, turn = 0.050 * rng.uniform(0.9, 1.15), 0.043 * rng.uniform(0.9, 1.15), side * rng.uniform(-0.1, 0.5)
    at, xs, ys = grid.window(x - 0.09, y - 0.09, x + 0.09, y + 0.09)
    u = (xs - np.float32(x)) * np.float32(math.cos(turn)) + (ys - np.float32(y)) * np.float32(math.sin(turn))
    v = (ys - np.float32(y)) * np.float32(math.cos(turn)) - (xs - np.float32(x)) * np.float32(math.sin(turn))
    shape = (np.abs(u) / np.float32(wide)) ** 3 + (np.abs(v) / np.float32(high)) ** 3
    case = rise(as_plane(1 - shape), 0.18)
    inner = rise(as_plane(np.float32(0.45) - shape), 0.2)
    header = rise(as_plane(np.float32(0.35) - np.abs(v + np.float32(0.75 * high)) / np.float32(high)), 0.15) * case
    depth = 0.04 + 0.54 * severity
    layers.metal[at] += np.float32(depth) * (case - np.float32(0.25) * inner - np.float32(0.35) * header)
    shift = anatomy.midline_at(heart.arch_y) + anatomy.mediastinum_shift
    svc = shift - 0.6 * heart.upper
    entry_y = anatomy.clavicle_y + 0.015
    vein = [
        (x - side * 0.2 * wide, y - high), (x - side * 0.05, entry_y + 0.02),
        (0.5 * (x + svc) - side * 0.02, entry_y), (svc + 0.015 * side, heart.arch_y - 0.035),
        (svc - 0.004, heart.arch_y + 0.04),
    ]  # fmt: skip
    atrium_y = heart_level(heart, 0.62)
    tips = [[
        (shift - 0.72 * heart.right, atrium_y), (shift - 0.5 * heart.right, heart_level(heart, 0.86)),
        (shift + 0.10 * heart.left, heart_level(heart, 0.95)), (shift + 0.62 * heart.left, heart_level(heart, 0.88)),
    ]]  # fmt: skip
    if rng.random() < 0.6:
        tips.append([(shift - 0.55 * heart.right, heart_level(heart, 0.52)),
                     (shift - 0.45 * heart.right, heart_level(heart, 0.70)),
                     (shift - 0.80 * heart.right, heart_level(heart, 0.60))])  # fmt: skip
    corners = [(x - 0.075, y - 0.075), (x + 0.075, y + 0.075)]
    for number, tip in enumerate(tips):
        path = [(px + 0.006 * number, py + 0.004 * number) for px, py in vein] + tip
        curve = smooth_curve([px for px, _ in path], [py for _, py in path], 90)
        px, py, length = along(*curve)
        add_lines(layers.metal, grid, px, py, length * np.float32(0.03 + 0.25 * severity), 0.0026)
        end_x, end_y, length = along(curve[0][-4:], curve[1][-4:])
        add_lines(layers.metal, grid, end_x, end_y, length * np.float32(0.03 + 0.32 * severity), 0.0042)
        corners += list(zip(curve[0].tolist(), curve[1].tolist(), strict=True))
    columns, rows = zip(*corners, strict=True)
    margin = 0.015
    return Drawn(
        filled(layers.grid, (min(columns) - margin, min(rows) - margin, max(columns) + margin, max(rows) + margin))
    )


PACER = FindingDrawing(
    {place: (*touched, "right atrium", "svc") for place, touched in on_either_side("chest wall").items()}, draw_pacer
)
