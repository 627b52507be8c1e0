"""Nodules and masses: one, several, or one of chalk; round, lobulated or spiculated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_both_sides, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    drawn_curve,
    fill,
    ink,
    outline,
    part_of_lung,
    strength,
    texture,
)
from chartsight.hospital.findings.lung.consolidation import ZONES
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.strokes import Plane, as_plane, rise
from chartsight.hospital.tissue import Layers


@dataclass(frozen=True)
class Ball:
    """The shape of one nodule.

    Args:
        stretch: Short over long axis.
        turn: Of the long axis, radians.
        lobes: Depth of its lobulation.
        phase: Of the lobes, radians.
        softness: Of its border, as a share of the radius.
        spikes: Number of strands that leave it.
    """

    stretch: float
    turn: float
    lobes: float
    phase: float
    softness: float
    spikes: int


def some_ball(rng: np.random.Generator) -> Ball:
    """A nodule's shape by chance: a third smooth, a third lobulated, a third spiculated."""
    kind = int(rng.integers(3))
    return Ball(
        stretch=rng.uniform(0.75, 1.0), turn=rng.uniform(0, math.pi),
        lobes=(0.03, rng.uniform(0.06, 0.11), 0.06)[kind], phase=rng.uniform(0, 2 * math.pi),
        softness=rng.uniform(0.10, 0.24), spikes=(0, 0, int(rng.integers(9, 16)))[kind],
    )  # fmt: skip


def some_nodule(severity: float, rng: np.random.Generator) -> tuple[float, Ball]:
    """Radius (a fraction of the film) and shape of a nodule or mass, the same from the front and from the side."""
    return (0.016 + 0.044 * severity**1.3) * rng.uniform(0.85, 1.25), some_ball(rng)


def some_metastasis(severity: float, rng: np.random.Generator) -> tuple[float, Ball]:
    """Of one among several: many sizes, round, smooth."""
    radius = (0.010 + 0.020 * severity) * float(np.exp(rng.normal(0.1, 0.35)))
    return radius, Ball(rng.uniform(0.85, 1.0), rng.uniform(0, math.pi), 0.03, rng.uniform(0, 6), 0.2, 0)


def some_grain(severity: float, rng: np.random.Generator) -> tuple[float, Ball]:
    """Of a nodule of chalk."""
    radius = (0.0075 + 0.0135 * severity) * rng.uniform(0.85, 1.2)
    return radius, Ball(rng.uniform(0.75, 1.0), rng.uniform(0, math.pi), 0.10, rng.uniform(0, 6), 0.12, 0)


def some_zone(first: int, number: int, rng: np.random.Generator) -> tuple[int, str]:
    """Side and zone of the nodule `number` of several; more on the side `first`, more below."""
    side = first if number % 5 in (0, 2, 3) else -first
    zone = ("lower", "mid", "lower", "upper")[int(rng.integers(4))]
    return side, f"{'left' if side > 0 else 'right'} {zone} lung zone"


def ball_share(space: Airspace, ball: Ball, x: float, y: float, radius: float) -> Plane:
    """Depth of a nodule of unit density, 0 to 1, [h, w]."""
    u, v = space.x - np.float32(x), space.y - np.float32(y)
    cos, sin = np.float32(math.cos(ball.turn)), np.float32(math.sin(ball.turn))
    angle = np.arctan2(v, u)
    # Lobes of several sizes, none of them repeated around the border.
    wave = 1 + np.float32(ball.lobes) * (
        np.sin(2 * angle + np.float32(ball.phase))
        + np.float32(0.7) * np.sin(3 * angle - np.float32(2.3 * ball.phase))
        + np.float32(0.55) * np.sin(5 * angle + np.float32(4.1 * ball.phase))
    )
    r = np.hypot(u * cos + v * sin, (v * cos - u * sin) / np.float32(ball.stretch)) / (np.float32(radius) * wave)
    return as_plane(
        rise(as_plane(1 - r), ball.softness) * (np.float32(0.6) + np.float32(0.4) * np.sqrt(np.clip(1 - r * r, 0, 1)))
    )


def spiculations(
    anatomy: Anatomy, space: Airspace, ball: Ball, x: float, y: float, radius: float, rng: np.random.Generator
) -> Plane:
    """Fine strands that radiate from a nodule into the lung, 0 to 1, [h, w]."""
    lines = []
    d = space.side * (x - anatomy.midline_at(y))
    for number in range(ball.spikes):
        angle = 2 * math.pi * (number + rng.uniform(-0.3, 0.3)) / ball.spikes
        far = radius * rng.uniform(1.3, 2.0)
        reach = (0.75 * radius, 0.5 * (radius + far), far)
        lines.append(drawn_curve(
            anatomy, space.side, [d + k * math.cos(angle) for k in reach], [y + k * math.sin(angle) for k in reach], 8
        ))  # fmt: skip
    if not lines:
        return np.zeros_like(space.depth)
    px, py, length = (np.concatenate(part) for part in zip(*lines, strict=True))
    return as_plane(np.clip(ink(space, px, py, length * np.float32(0.55), 0.0018), 0, 1))


def around(layers: Layers, anatomy: Anatomy, side: int, x: float, y: float, reach: float) -> Airspace:
    """The airspace within `reach` of a point."""
    d = side * (x - anatomy.midline_at(y))
    return part_of_lung(layers, anatomy, side, y - reach, y + reach, d - reach, d + reach)


def draw_nodule(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a faint nodule of half a rib space (severity near 0) to a mass (1)."""
    severity, side = planted.severity, side_of(planted)
    x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.9)
    radius, ball = some_nodule(severity, rng)
    space = around(layers, anatomy, side, x, y, 2.1 * radius)
    body = ball_share(space, ball, x, y, radius)
    share = np.maximum(body, np.float32(0.6) * spiculations(anatomy, space, ball, x, y, radius, rng))
    share *= 1 + np.float32(0.10) * texture(rng, space, 0.012)
    fill(layers, space, as_plane(share * np.float32(strength(severity, 0.85, 0.10))))
    return Drawn(outline(layers, [(space, body)], at_least=0.3))


def draw_nodules(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Three small ones (severity near 0) to a dozen of different sizes in both lungs (1)."""
    severity, first = planted.severity, side_of(planted)
    drawn = []
    for number in range(3 + round(10 * severity)):
        side, zone = some_zone(first, number, rng)
        x, y = point_in_zone(anatomy, zone, rng, spread=1.0)
        radius, ball = some_metastasis(severity, rng)
        space = around(layers, anatomy, side, x, y, 1.3 * radius)
        share = ball_share(space, ball, x, y, radius)
        fill(layers, space, as_plane(share * np.float32(strength(severity, 0.75, 0.12) * rng.uniform(0.8, 1.1))))
        drawn.append((space, share))
    return Drawn(outline(layers, drawn, at_least=0.3))


def draw_calcified_nodule(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A small sharp nodule of chalk, denser than the rib beside it; from a grain (severity near 0) to a marble (1)."""
    severity, side = planted.severity, side_of(planted)
    x, y = point_in_zone(anatomy, planted.objects[0], rng, spread=0.9)
    radius, ball = some_grain(severity, rng)
    speckle = rng.uniform(0.0, 0.35)
    space = around(layers, anatomy, side, x, y, 1.5 * radius)
    share = ball_share(space, ball, x, y, radius) * (space.depth > 0)
    share *= 1 + np.float32(speckle) * texture(rng, space, 0.005)
    layers.bone[space.at] += as_plane(share * np.float32(0.05 + 0.44 * severity**1.3))
    return Drawn(outline(layers, [(space, as_plane(share))], at_least=0.3))


IN_A_ZONE = {place: touched for zone in ZONES for place, touched in on_either_side(zone, "lung").items()}
NODULE = FindingDrawing(IN_A_ZONE, draw_nodule)
NODULES = FindingDrawing(on_both_sides("lung"), draw_nodules)
CALCIFIED_NODULE = FindingDrawing(IN_A_ZONE, draw_calcified_nodule)
