"""Pulmonary edema or hazy opacity: bat's wings about the hila, blurred vessels, thick septa, cuffs about airways."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_both_sides, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    beyond,
    clear_of_heart,
    drawn_curve,
    fill,
    ink,
    lumps,
    outline,
    strength,
    whole_lung,
)
from chartsight.hospital.findings.lung.congestion import cephalise
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers


def draw_edema(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From full vessels (severity near 0) to white bat's wings (1); the first object's side is a little stronger."""
    severity, shares = planted.severity, []
    diffuse, weaker = rng.uniform(0.0, 1.0), rng.uniform(0.70, 0.95)
    for side in (side_of(planted), -side_of(planted)):
        space = whole_lung(layers, anatomy, side)
        cephalise(layers, space, anatomy, 0.25 + 0.6 * severity)
        blur_hilum(layers, anatomy, space, severity)
        share = bat_wing(anatomy, space, diffuse) * (1 + np.float32(0.42) * lumps(rng, space, 0.034))
        share = as_plane(np.clip(share, 0, 1.2) * np.float32(1.0 if side == side_of(planted) else weaker))
        fill(layers, space, as_plane(share * np.float32(strength(severity, 0.82, 0.015))))
        lines = septa_and_cuffs(anatomy, space, severity, rng)
        layers.vessels[space.at] += lines * (layers.air[space.at] > 0.2)
        shares.append((space, as_plane(share * clear_of_heart(layers, space))))
    return Drawn(outline(layers, shares, at_least=0.35))


def bat_wing(anatomy: Anatomy, space: Airspace, diffuse: float) -> Plane:
    """Where the fluid is, 0 to 1, [h, w]: about the hilum and downwards, the periphery and apex spared."""
    lung = space.lung
    u = (space.d - np.float32(0.12)) / np.float32(0.11 + 0.09 * diffuse)
    v = (space.y - np.float32(anatomy.hilum_y + 0.05)) / np.float32((0.22 + 0.14 * diffuse) * lung.height + 0.03)
    wing = np.exp(-((u * u + v * v) ** np.float32(1.4)) * np.float32(0.7))
    base = np.clip((space.y - np.float32(anatomy.hilum_y)) * np.float32(2.4), 0, 0.7)
    return as_plane(np.maximum(wing, base * np.float32(0.25 + 0.45 * diffuse)))


def blur_hilum(layers: Layers, anatomy: Anatomy, space: Airspace, severity: float) -> None:
    """Vessels near the hilum lose their edges."""
    own = layers.vessels[space.at]
    soft = ndimage.gaussian_filter(own, 0.006 * space.size_px, truncate=2.5)
    near = np.exp(-(((space.d - np.float32(0.1)) / 0.13) ** 2) - ((space.y - np.float32(anatomy.hilum_y)) / 0.17) ** 2)
    own += as_plane(near * np.float32(min(1.0, 1.3 * severity)) * (np.float32(1.25) * soft - own))


def septa_and_cuffs(anatomy: Anatomy, space: Airspace, severity: float, rng: np.random.Generator) -> Plane:
    """Kerley B lines at the lateral base and rings about airways seen end-on, depth [h, w]."""
    lung, lines = space.lung, []
    for number in range(9):
        y = lung.dome_y - 0.005 - 0.017 * number + rng.normal(0, 0.003)
        outer = lung.lateral_at(y) - 0.004
        long, slope, shown = rng.uniform(0.022, 0.042), rng.normal(0.10, 0.10), rng.uniform(0.5, 1.0)
        x, py, length = drawn_curve(
            anatomy,
            space.side,
            [outer, outer - 0.5 * long, outer - long],
            [y, y + 0.5 * slope * long, y + slope * long],
            8,
        )
        lines.append((x, py, length * np.float32(shown)))
    for _ in range(3):
        d, y, r = rng.uniform(0.08, 0.14), anatomy.hilum_y + rng.uniform(-0.07, 0.07), rng.uniform(0.007, 0.011)
        angles = np.linspace(0, 2 * math.pi, 12)
        x, py, length = drawn_curve(
            anatomy, space.side, (d + r * np.cos(angles)).tolist(), (y + r * np.sin(angles)).tolist(), 24
        )
        lines.append((x, py, length * np.float32(1.3)))
    x, y_all, weight = (np.concatenate(part) for part in zip(*lines, strict=True))
    shown = 0.11 * beyond(0.08, severity) ** 0.8 * (1.3 - 0.6 * severity)
    return ink(space, x, y_all, as_plane(weight * np.float32(shown)), 0.0016)


EDEMA = FindingDrawing(on_both_sides("lung", "hilar structures"), draw_edema)
