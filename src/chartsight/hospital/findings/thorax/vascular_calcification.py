"""Vascular calcification: chalk in the wall of the aortic knob."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import add_lines, along, as_plane
from chartsight.hospital.tissue import Layers


def draw_vascular_calcification(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A broken ring of plaques: a short thin arc (severity near 0) to most of the knob's border (1)."""
    severity, heart, grid = planted.severity, anatomy.heart, layers.grid
    radius_x, radius_y = 0.36 * heart.knob, 0.033 + 0.004 * rng.normal()
    middle_x = anatomy.x(1, heart.knob - radius_x - 0.006, heart.arch_y) + anatomy.mediastinum_shift
    start = rng.uniform(-1.4, -0.9)
    angle = start + np.linspace(0, 0.9 + 3.0 * severity, 160)
    # Plaques: thick and thin stretches that differ from patient to patient.
    waves = sum(rng.uniform(0.3, 1.0) * np.sin(k * angle + rng.uniform(0, 2 * math.pi)) for k in (2, 5, 9))
    thick = np.clip(0.45 + 0.55 * np.asarray(waves), 0.04, 1.4)
    x = as_plane(middle_x + radius_x * np.cos(angle))
    y = as_plane(heart.arch_y + radius_y * np.sin(angle))
    px, py, length = along(x, y)
    chalk = grid.blank()
    weight = np.interp(np.linspace(0, 1, len(px)), np.linspace(0, 1, len(thick)), thick)
    add_lines(chalk, grid, px, py, as_plane(length * weight), 0.0019 + 0.0009 * severity)
    layers.bone += np.float32(0.08 + 0.48 * severity) * chalk
    return Drawn(outline(grid, chalk, float(px[0]), float(py[0]), 0.15))


VASCULAR_CALCIFICATION = FindingDrawing({"aortic arch": ("aortic arch",)}, draw_vascular_calcification)
