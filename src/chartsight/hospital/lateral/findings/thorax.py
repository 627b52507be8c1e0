"""Findings of heart, great vessels, diaphragm and spine from the side."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.lateral.anatomy import LateralAnatomy, arch_course
from chartsight.hospital.lateral.skeleton import spine_coordinates, spine_window
from chartsight.hospital.strokes import add_blob, add_lines, add_tube, along, as_plane, rise, smooth_curve
from chartsight.hospital.tissue import Layers


def outline_heart(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The enlarged heart, which the anatomy has brought nearer to the spine."""
    grid, heart = layers.grid, anatomy.frontal.heart
    front, back = anatomy.heart_front.at(grid.y), anatomy.heart_back.at(grid.y)
    top = heart_level(heart, 0.25)
    floor = np.minimum(anatomy.diaphragm(1, grid.x), anatomy.diaphragm(-1, grid.x))
    inside = (grid.x > front) & (grid.x < back) & (grid.y > top) & (grid.y < floor + np.float32(0.01))
    middle_y = heart_level(heart, 0.6)
    middle_x = 0.5 * (anatomy.heart_front.at_height(middle_y) + anatomy.heart_back.at_height(middle_y))
    return Drawn(outline(grid, as_plane(inside), middle_x, middle_y))


def draw_tortuous_aorta(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A large arch, and a descending aorta that shows over the spine as a broad bow."""
    severity, grid, heart = planted.severity, layers.grid, anatomy.frontal.heart
    arch_x, arch_y = arch_course(anatomy)
    low = heart_level(heart, 0.98)
    bow, second = 0.012 + 0.050 * severity, rng.uniform(-0.3, 0.3)
    down = np.linspace(arch_y[-1], low, 8)[1:]
    t = np.linspace(0, 1, 8)[1:]
    swing = bow * (np.sin(math.pi * t) + second * np.sin(2 * math.pi * t))
    behind = anatomy.spine_front.at(as_plane(down)) + np.float32(0.006) + as_plane(swing)
    x, y = smooth_curve([*arch_x, *behind.tolist()], [*arch_y, *down.tolist()], 40)
    vessel = grid.blank()
    add_tube(vessel, grid, x[8:], y[8:], (0.033 + 0.008 * severity) * anatomy.frontal.scale, 0.25, 0.75)
    shown = as_plane(np.minimum(vessel, 1))
    layers.replace_air(as_plane(np.float32(0.06 + 0.30 * severity) * shown))
    layers.wall += np.float32(0.01 + 0.03 * severity) * shown
    return Drawn(outline(grid, shown, float(x[16]), float(y[16]), 0.4))


def draw_vascular_calcification(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Chalk in the upper wall of the arch: a broken line, longer with severity."""
    severity, grid = planted.severity, layers.grid
    x, y = smooth_curve(*arch_course(anatomy), points=80)
    start = int(rng.integers(14, 26))
    part = slice(start, start + int(12 + 36 * severity))
    wall = as_plane(y[part] - np.float32(0.031 * anatomy.frontal.scale))
    px, py, length = along(x[part], wall)
    phase = rng.uniform(0, 2 * math.pi, 3)
    t = np.linspace(0, 6, len(px))
    thick = np.clip(0.7 + 0.5 * np.sin(2 * t + phase[0]) + 0.5 * np.sin(5 * t + phase[1]), 0, 1.6)
    chalk = grid.blank()
    add_lines(chalk, grid, px, py, as_plane(length * thick), 0.0024 + 0.0012 * severity)
    layers.bone += np.float32(0.07 + 0.50 * severity) * chalk
    return Drawn(outline(grid, chalk, float(px[0]), float(py[0]), 0.15))


def draw_enlarged_hilum(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Lumps about the bronchi: before them on the right, behind them on the left."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    hilum_x, hilum_y = anatomy.hilum
    middle_x, middle_y = hilum_x + (0.030 if side > 0 else -0.032), hilum_y - 0.010 * side
    lumps = grid.blank()
    for number in range(int(rng.integers(4, 8))):
        angle, away, size = rng.uniform(-math.pi, math.pi), rng.uniform(0.0, 1.0), rng.uniform(0.7, 1.25)
        radius = size * (0.018 + 0.024 * severity) * (1.3 if number == 0 else 0.85)
        reach = (0.2 if number == 0 else 1.0) * away * (0.022 + 0.022 * severity)
        lump = grid.blank()
        add_blob(lump, grid, middle_x + reach * math.cos(angle), middle_y + 1.3 * reach * math.sin(angle), radius,
                 radius * rng.uniform(0.9, 1.3), 1.0, power=0.7)  # fmt: skip
        np.maximum(lumps, lump, out=lumps)
    layers.vessels += np.float32(0.03 + 0.30 * severity) * lumps
    return Drawn(outline(grid, lumps, middle_x, middle_y, 0.3))


def draw_hernia(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A pouch behind the heart, above the diaphragm, with air over fluid."""
    severity, grid = planted.severity, layers.grid
    radius_x = (0.032 + 0.055 * severity) * rng.uniform(0.9, 1.15)
    radius_y = (0.030 + 0.060 * severity) * rng.uniform(0.9, 1.1)
    lean, level, gas = rng.uniform(-0.3, 0.3), rng.uniform(-0.25, 0.25), rng.uniform(0.75, 1.0)
    dome_y = anatomy.frontal.left.dome_y
    x0 = anatomy.spine_front.at_height(dome_y) - 0.35 * radius_x - 0.020
    y0 = anatomy.diaphragm_at(1, x0) - 0.70 * radius_y
    u, v = (grid.x - np.float32(x0)) / np.float32(radius_x), (grid.y - np.float32(y0)) / np.float32(radius_y)
    round_it = as_plane(1 - (u + np.float32(lean) * v) ** 2 - v * v)
    inside = rise(round_it, 0.10)
    layers.replace_air(as_plane(np.float32(0.15 + 0.55 * severity) * inside))
    layers.wall += as_plane(np.float32(0.01 + 0.02 * severity) * inside)
    pocket = rise(as_plane(round_it - np.float32(0.06)), 0.10) * (v < level)
    layers.fill *= 1 - pocket
    layers.vessels *= 1 - pocket
    free = layers.air + np.float32(gas * (0.04 + 0.26 * severity)) * pocket
    np.maximum(layers.air, np.minimum(free, np.float32(0.80)), out=layers.air)
    return Drawn(outline(grid, inside, x0, y0, 0.4))


def outline_dome(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """What lies between the lifted dome and the other one, or in a band below it."""
    side, grid = side_of(planted), layers.grid
    line, other = anatomy.diaphragm(side, grid.x), anatomy.diaphragm(-side, grid.x)
    front, back = anatomy.lung_front.at(grid.y), anatomy.lung_back.at(grid.y)
    below = np.maximum(other, line + np.float32(0.03))
    inside = (grid.y > line - np.float32(0.004)) & (grid.y < below) & (grid.x > front) & (grid.x < back)
    x = anatomy.inside(0.4, anatomy.frontal.lung(side).dome_y)
    return Drawn(outline(grid, as_plane(inside), x, anatomy.diaphragm_at(side, x) + 0.01))


def draw_subdiaphragmatic_air(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A dark sickle under the top of a dome."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    line = anatomy.diaphragm(side, grid.x)
    dome_y = anatomy.frontal.lung(side).dome_y
    middle = anatomy.inside(0.38, dome_y) + 0.02 * float(rng.uniform(-1, 1))
    half = (0.07 + 0.075 * severity) * rng.uniform(0.85, 1.1)
    thick = (0.008 + 0.042 * severity) * rng.uniform(0.85, 1.2)
    bulge = np.clip(1 - ((grid.x - np.float32(middle)) / np.float32(half)) ** 2, 0, 1)
    muscle = np.float32(0.007)
    depth = as_plane(grid.y - line)
    free = rise(depth - muscle, 0.003) * rise(muscle + np.float32(thick) * bulge - depth, 0.003) * (bulge > 0)
    layers.air = np.maximum(layers.air, np.float32(0.14 + 0.40 * severity) * as_plane(free))
    layers.fill *= 1 - free
    layers.vessels *= 1 - free
    return Drawn(outline(grid, as_plane(free), middle, anatomy.diaphragm_at(side, middle) + 0.007 + 0.5 * thick, 0.3))


def draw_spinal_degenerative_changes(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Beaks that reach forward from the end plates, dense plates, and from the middle grade on a wedged body."""
    severity, grid = planted.severity, layers.grid
    left, right = spine_window(anatomy)
    low = anatomy.frontal.left.apex_y + 0.20
    at, xs, ys = grid.window(left, low, right, 0.95)
    across, level = spine_coordinates(anatomy, xs, ys)
    middle = anatomy.spine_front.at_height(0.6)
    first, last = (float(level[row].mean()) for row in (0, -1))
    discs = list(range(math.ceil(first), math.floor(last) + 1))
    wanted = min(2 + round(6 * severity), len(discs))
    start = discs[0] + round(rng.random() * (len(discs) - wanted))
    ink = np.zeros_like(across)
    for number in range(start, start + wanted):
        size, reach = rng.uniform(0.4, 1.3), (0.08 + 0.26 * severity) * rng.uniform(0.3, 1.3)
        away = np.abs(level - np.float32(number))
        # A beak narrows towards its tip, which bends to the disc.
        beak = rise(np.float32(0.34) - away - np.float32(0.9) * np.clip(-across, 0, 1), 0.08) * rise(
            as_plane(across + np.float32(reach)), 0.05) * rise(np.float32(0.06) - across, 0.10)  # fmt: skip
        plate = np.exp(-(((away - np.float32(0.135)) / np.float32(0.05)) ** 2)) * rise(
            np.minimum(across, 1 - across), 0.08)  # fmt: skip
        ink = np.maximum(ink, np.float32(size) * np.maximum(beak, np.float32(0.75) * plate))
    if severity > 0.55:
        # A body that has given way in front: its upper plate sinks, the film shows a denser wedge.
        body = start + min(int(rng.integers(0, wanted)), wanted - 1) + 0.5
        wedge = rise(np.float32(0.36) - np.abs(level - np.float32(body)), 0.06) * rise(
            np.minimum(across, np.float32(0.75) - across), 0.15)  # fmt: skip
        ink = np.maximum(ink, np.float32(0.8) * wedge)
    layers.bone[at] += as_plane(ink * np.float32((0.03 + 0.15 * severity) * anatomy.frontal.bone))
    whole = grid.blank()
    whole[at] = ink
    return Drawn(outline(grid, whole, middle + 0.01, 0.6, 0.30))


def outline_low_mediastinum(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn | None:
    """A widened mediastinum fills the clear space behind the breastbone; a mild one does not show from the side."""
    severity, grid = planted.severity, layers.grid
    if severity < 0.35:
        return None
    arch_y = anatomy.frontal.heart.arch_y
    front, back = anatomy.lung_front.at(grid.y), anatomy.trachea.at(grid.y)
    t = (grid.x - front) / np.maximum(back - front, np.float32(0.02))
    edge = rise(np.minimum(t - np.float32(0.10), np.float32(0.95) - t), 0.14)
    share = as_plane(edge * rise(np.float32(0.11) - np.abs(grid.y - np.float32(arch_y)), 0.06))
    layers.replace_air(as_plane(share * np.float32(0.10 + 0.55 * severity)))
    return Drawn(outline(grid, share, anatomy.trachea.at_height(arch_y) - 0.05, arch_y, 0.4))
