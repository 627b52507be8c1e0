"""Cardiac pacer and wires: a generator below the clavicle, up to three leads through the great veins into the heart."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import LEAD, DevicePen
from chartsight.hospital.findings.devices.veins import Course, curve_through, heart_x, to_the_svc
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.strokes import as_plane, rise, stretch_of
from chartsight.hospital.tissue import Layers


def draw_pacer(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Generator and leads; a defibrillator is larger and its lead carries a coil. Severity is how far they show."""
    a, side = anatomy, side_of(planted)
    defibrillator, leads = rng.random() < 0.4, 1 + int(rng.random() < 0.7) + int(rng.random() < 0.25)
    x = a.x(side, 0.245 * a.scale + rng.normal(0, 0.012), 0.3)
    y = a.clavicle_y + 0.090 + rng.normal(0, 0.012)
    size = (0.052 if defibrillator else 0.043) * rng.uniform(0.9, 1.1)
    turn = side * rng.uniform(-0.1, 0.5)
    wave = rng.normal(0, 1, (3, 4))
    pen = DevicePen(layers, planted.severity, rng)
    draw_generator(pen, x, y, size, turn, battery=0.15 if defibrillator else 0.05)
    tips = lead_tips(a)[:leads]
    for number, tip in enumerate(tips):
        apart = 0.005 * (number - 0.5 * (leads - 1))
        pocket: Course = [
            (x - side * 0.35 * size, y - 0.72 * size), (x + side * (0.75 + 0.06 * number) * size, y - 1.05 * size),
            (x + side * (1.20 + 0.05 * number) * size, y + 0.10 * size), (x + side * 0.35 * size, y + 1.12 * size),
            (x - side * 1.10 * size, y + 0.55 * size), (x - side * 1.05 * size, y - 0.80 * size),
        ] if wave[number, 3] > 0.2 else [
            (x - side * 0.35 * size, y - 0.72 * size), (x - side * (0.95 + 0.1 * number) * size, y - 0.95 * size),
        ]  # fmt: skip
        vein = [
            (a.x(side, 0.165 * a.scale, a.clavicle_y), a.clavicle_y + 0.010),
            (a.x(side, 0.110 * a.scale, a.clavicle_y), a.clavicle_y - 0.008), *to_the_svc(a, side),
        ]  # fmt: skip
        course = pocket + [(px + apart, py + 0.6 * apart) for px, py in vein]
        course += [(px + 0.004 * wave[number, 0], py + 0.005 * wave[number, 1]) for px, py in tip]
        line_x, line_y = curve_through(course, 130)
        pen.line(line_x, line_y, LEAD, 0.20)
        pen.line(*stretch_of(line_x, line_y, -0.007), 0.0034, 0.40)
        pen.line(*stretch_of(line_x, line_y, -0.030, -0.024), 0.0034, 0.30)
        if defibrillator and number == 0:
            pen.line(*stretch_of(line_x, line_y, -0.150, -0.040), 0.0052, 0.30)
    return pen.drawn()


def draw_generator(pen: DevicePen, x: float, y: float, size: float, turn: float, *, battery: float) -> None:
    """The can: a rounded body, denser where the battery lies, with a pale header on top."""
    grid = pen.grid
    reach = 1.25 * size
    at, xs, ys = grid.window(x - reach, y - reach, x + reach, y + reach)
    u = ((xs - np.float32(x)) * np.float32(math.cos(turn)) + (ys - np.float32(y)) * np.float32(math.sin(turn))) \
        / np.float32(size)  # fmt: skip
    v = ((ys - np.float32(y)) * np.float32(math.cos(turn)) - (xs - np.float32(x)) * np.float32(math.sin(turn))) \
        / np.float32(0.88 * size)  # fmt: skip
    shape = np.abs(u) ** np.float32(2.8) + np.abs(v) ** np.float32(2.8)
    soft = 2.2 / (grid.size_px * size)
    case = rise(as_plane(1 - shape), soft)
    header = rise(as_plane(np.float32(-0.55) - v), soft)
    cell = rise(
        as_plane(np.float32(0.62) - np.maximum(np.abs(u), np.abs(v - np.float32(0.28)) * np.float32(1.6))), soft
    )
    pen.plate(at, case * (np.float32(0.42) - np.float32(0.30) * header + np.float32(battery + 0.08) * cell))


def lead_tips(anatomy: Anatomy) -> list[Course]:
    """From the vena cava to the apex of the right ventricle, to the right auricle, to the left ventricle's side."""
    a, heart = anatomy, anatomy.heart

    def course(*points: tuple[float, float]) -> Course:
        return [(heart_x(a, d, heart_level(heart, level)), heart_level(heart, level)) for d, level in points]

    return [
        course((-0.60 * heart.upper, 0.25), (-0.70 * heart.right, 0.60), (-0.38 * heart.right, 0.86),
               (0.15 * heart.left, 0.94), (0.60 * heart.left, 0.90)),
        course((-0.60 * heart.upper, 0.25), (-0.52 * heart.right, 0.52), (-0.45 * heart.right, 0.68),
               (-0.66 * heart.right, 0.66), (-0.74 * heart.right, 0.52)),
        course((-0.60 * heart.upper, 0.25), (-0.55 * heart.right, 0.55), (-0.10 * heart.right, 0.70),
               (0.42 * heart.left, 0.56), (0.80 * heart.left, 0.66)),
    ]  # fmt: skip


PACER = FindingDrawing(
    {place: (*touched, "right atrium", "svc") for place, touched in on_either_side("chest wall").items()}, draw_pacer
)
