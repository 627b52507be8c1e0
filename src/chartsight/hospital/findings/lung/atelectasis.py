"""Atelectasis: plate-like bands, and a lung base that has lost volume so that the diaphragm stands higher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import (
    Drawn,
    FindingDrawing,
    filled,
    joined,
    lung_box,
    on_either_side,
    side_of,
)
from chartsight.hospital.strokes import add_lines, along, as_plane, smooth_curve
from chartsight.hospital.tissue import Layers


def raise_diaphragm(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The dome of a collapsed base, up to 4% of the film higher."""
    if not planted.objects[0].endswith("lower lung zone"):
        return anatomy
    name = "left" if side_of(planted) > 0 else "right"
    lung = anatomy.lung(side_of(planted))
    lung = replace(lung, dome_y=lung.dome_y - 0.045 * planted.severity)
    return replace(anatomy, left=lung) if name == "left" else replace(anatomy, right=lung)


def draw_atelectasis(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One to three bands; at the base also haze above the raised dome."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    lung = anatomy.lung(side)
    basal = planted.objects[0].endswith("lower lung zone")
    level = lung.dome_y - 0.050 if basal else anatomy.hilum_y + 0.03
    share = grid.blank()
    count = 2 + int(rng.random() < 0.5)
    half = 0.0045 + 0.0060 * severity
    tops, lows = [], []
    for number in range(count):
        start, end = rng.uniform(0.32, 0.45), rng.uniform(0.80, 0.95)
        y0 = level - 0.042 * number + rng.normal(0, 0.006)
        slope = rng.normal(-0.015, 0.022)
        xs, ys = smooth_curve(
            [anatomy.x(side, lung.width * (start + (end - start) * k), y0) for k in (0.0, 0.35, 0.7, 1.0)],
            [y0 + slope * k + rng.normal(0, 0.004) for k in (0.0, 0.35, 0.7, 1.0)],
        )
        x, y, length = along(xs, ys)
        taper = np.sin(np.linspace(0.15, 2.8, len(x)))  # thickest near the hilum side, fading towards the pleura
        add_lines(share, grid, x, y, as_plane(length * taper * rng.uniform(0.8, 1.0)), half)
        tops.append(float(ys.min()))
        lows.append(float(ys.max()))
    share = as_plane(np.clip(share, 0, 1) * np.float32(0.12 + 0.84 * severity))
    if basal:
        d = layers.d * side
        haze = np.clip((grid.y - np.float32(lung.dome_y - 0.085)) * np.float32(9), 0, 1) * (d > 0)
        share = np.maximum(share, as_plane(haze * np.float32(0.45 * severity)))
    layers.replace_air(share)
    bands = lung_box(anatomy, side, min(tops) - 4 * half, max(lows) + 4 * half, 0.0)
    if not basal:
        return Drawn(filled(layers.grid, bands))
    return Drawn(
        filled(layers.grid, joined(bands, lung_box(anatomy, side, lung.dome_y - 0.09, lung.angle_y + 0.01, 0.012)))
    )


ATELECTASIS = FindingDrawing(
    on_either_side("lower lung zone", "lung") | on_either_side("mid lung zone", "lung"),
    draw_atelectasis, raise_diaphragm,
)  # fmt: skip
