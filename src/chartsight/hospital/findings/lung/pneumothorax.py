"""Pneumothorax: a thin pleural line, and beyond it air without vessels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, filled, lung_box, on_either_side, side_of
from chartsight.hospital.strokes import Plane, add_lines, along, as_plane, rise
from chartsight.hospital.tissue import Layers


def draw_pneumothorax(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a rim at the apex (severity near 0) to a lung that has come away from the whole wall (1)."""
    side, severity = side_of(planted), planted.severity
    lung, grid = anatomy.lung(side), layers.grid
    whole = planted.objects[0].endswith(" lung")
    gap = 0.016 + (0.125 + 0.015 * rng.normal()) * severity
    low = lung.apex_y + lung.height * (0.95 if whole else 0.40 + 0.25 * severity)
    shrunken = replace(lung, apex_y=lung.apex_y + 1.25 * gap, width=lung.width - 0.15 * gap)

    def pleura(y: Plane) -> Plane:
        down = np.clip((y - np.float32(lung.apex_y)) / np.float32(low - lung.apex_y), 0, 1)
        return as_plane(shrunken.lateral(y) - np.float32(gap) * (1 - down**2))

    d = layers.d * side
    beyond = rise(as_plane(d - pleura(grid.y)), 0.004) * (grid.y < low) * (d > 0)
    beyond *= layers.lungs[side] > 0
    layers.vessels *= 1 - beyond
    layers.air += as_plane(np.float32(0.05 + 0.06 * severity) * beyond * (layers.air > 0.2))
    np.clip(layers.air, 0, 0.95, out=layers.air)
    collapsed = np.float32(0.10 + 0.16 * severity) * (d > 0) * (1 - beyond) * (grid.y < low)
    fade = np.clip((np.float32(low) - grid.y) * 6, 0, 1) * (layers.lungs[side] > 0)
    layers.replace_air(as_plane(collapsed * fade * np.exp(-np.clip(pleura(grid.y) - d, 0, 1) * 9)))
    ys = np.linspace(shrunken.apex_y + 0.004, low, 60).astype(np.float32)
    ds = pleura(ys)
    shown = ds > lung.medial + 0.01
    x, y, length = along(as_plane(anatomy.midline(ys[shown]) + side * ds[shown]), ys[shown])
    add_lines(layers.bone, grid, x, y, length * np.float32(0.055 + 0.055 * severity), 0.0026)
    return Drawn(filled(layers.grid, lung_box(anatomy, side, lung.apex_y, low, 0.02)))


PNEUMOTHORAX = FindingDrawing(
    on_either_side("apical zone", "lung") | on_either_side("lung", "apical zone"), draw_pneumothorax
)
