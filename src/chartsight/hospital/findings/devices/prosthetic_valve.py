"""Prosthetic heart valve, aortic or mitral: a ring with two leaflets, a ring with struts, or a cage of wire."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import DevicePen
from chartsight.hospital.findings.devices.veins import heart_x
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers


def draw_prosthetic_valve(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The valve as it is seen from the front, half on edge; severity is how far it stands out."""
    a, heart = anatomy, anatomy.heart
    mitral, kind, lie = rng.random() < 0.4, rng.random(), rng.normal(0, 1, 3)
    radius = rng.uniform(0.030, 0.036) if mitral else rng.uniform(0.025, 0.030)
    level, d = (0.66, 0.34 * heart.left) if mitral else (0.46, 0.06 * heart.left)
    y = heart_level(heart, level + 0.02 * lie[0])
    x = heart_x(a, d + 0.008 * lie[1], y)
    axis = (1.05 if mitral else -0.55) + 0.2 * lie[2]  # of the ring's long diameter, from the horizontal
    squash = rng.uniform(0.30, 0.75) if mitral else rng.uniform(0.20, 0.55)
    pen = DevicePen(layers, planted.severity, rng)

    def stroke(u: list[float], v: list[float], half_width: float, depth: float) -> None:
        across, along = np.array(u) * radius, np.array(v) * radius
        pen.line(
            as_plane(x + across * math.cos(axis) - along * math.sin(axis)),
            as_plane(y + across * math.sin(axis) + along * math.cos(axis)), half_width, depth,
        )  # fmt: skip

    turn = np.linspace(0, 2 * math.pi, 30)
    ring = (np.cos(turn).tolist(), (squash * np.sin(turn)).tolist())
    if kind < 0.4:  # mechanical, two leaflets
        stroke(*ring, 0.0042, 0.42)
        for k in (-0.22, 0.22):
            stroke([k - 0.12, k + 0.12], [-0.75 * squash, 0.75 * squash], 0.0026, 0.40)
    elif kind < 0.75 or mitral:  # tissue on three struts
        stroke(*ring, 0.0024, 0.36)
        for k in (-0.92, 0.05, 0.92):
            edge = squash * math.sqrt(1 - k * k)
            stroke([k, 0.86 * k], [-edge, -edge - 0.75], 0.0024, 0.30)
    else:  # a stent put in through the artery
        for k in (-0.75, 0.0, 0.75):
            stroke((0.85 * np.cos(turn)).tolist(), (k + 0.22 * np.sin(turn)).tolist(), 0.0016, 0.26)
        zigzag = np.linspace(-0.85, 0.85, 9)
        stroke(zigzag.tolist(), (0.75 * (-1.0) ** np.arange(9)).tolist(), 0.0016, 0.26)
    return pen.drawn()


PROSTHETIC_VALVE = FindingDrawing({"cardiac silhouette": ("cardiac silhouette", "mediastinum")}, draw_prosthetic_valve)
