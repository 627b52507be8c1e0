"""Spine, ribs, breastbone and shoulder blades from the side."""

from __future__ import annotations

import math

import numpy as np

from chartsight.hospital.anatomy import SIDES
from chartsight.hospital.lateral.anatomy import LateralAnatomy
from chartsight.hospital.strokes import Plane, add_lines, along, as_plane, rise, smooth_curve
from chartsight.hospital.tissue import Layers

DISCS = 2 * math.pi


def spine_coordinates(anatomy: LateralAnatomy, x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Where pixels lie in the spine: depth (0 at the front edge of the bodies, 1 at their back edge) and level.

    Args:
        anatomy: Of the film.
        x: float32 [1, w].
        y: float32 [h, 1].

    Returns:
        Both [h, w]. The level counts vertebrae from above: a disc at every whole number, a body's middle between two.
    """
    a = anatomy
    front = a.spine_front.at(y)
    slope = (a.spine_front.at(y + np.float32(0.02)) - a.spine_front.at(y - np.float32(0.02))) * np.float32(25)
    depth = a.vertebra * (np.float32(0.80) + np.float32(0.40) * y)
    across = (x - front) / depth
    # Discs stand at right angles to the bow of the spine.
    along_spine = y + np.clip(slope, -0.5, 0.5) * (x - front - np.float32(0.5) * depth)
    spacing = np.float32(0.0465 * a.frontal.scale)
    # Vertebrae grow downwards by a third over the film.
    level = along_spine / spacing * (np.float32(1.17) - np.float32(0.17) * along_spine)
    return as_plane(across), as_plane(level)


def spine_window(anatomy: LateralAnatomy) -> tuple[float, float]:
    """Left and right border of what the spine covers on the film."""
    x = anatomy.spine_front.at(np.linspace(0, 1, 24, dtype=np.float32))
    return float(x.min()) - 0.03, float(x.max()) + 2.2 * anatomy.vertebra


def paint_spine(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Vertebral bodies with bright end plates, dark discs, holes for the nerves, arches and processes behind."""
    a, grid, bone = anatomy, layers.grid, anatomy.frontal.bone
    low, high = spine_window(a)
    at, xs, ys = grid.window(low, 0.0, high, 1.0)
    across, level = spine_coordinates(a, xs, ys)
    from_disc = np.abs(level - np.round(level))  # 0 in a disc, 0.5 in a body's middle
    # Bodies are waisted: a little narrower in their middle than at their plates.
    waist = np.float32(0.05) * np.clip(from_disc * 2, 0, 1)
    inside = rise(np.minimum(across - waist, 1 - waist - across), 0.07)
    body = rise(from_disc - np.float32(0.115), 0.05)
    plate = np.exp(-(((from_disc - np.float32(0.135)) / np.float32(0.045)) ** 2))
    wall = np.exp(-((np.minimum(across - waist, 1 - waist - across) / np.float32(0.07)) ** 2))
    ink = inside * (np.float32(0.040) + np.float32(0.072) * body + np.float32(0.052) * plate)
    ink += np.float32(0.030) * wall * body
    if a.spondylosis > 0:
        spur = np.exp(-(((across + np.float32(0.05)) / np.float32(0.10)) ** 2) - (from_disc / np.float32(0.16)) ** 2)
        ink += np.float32(0.16 * a.spondylosis) * spur
    # Pedicles and joints, with the nerves' holes between them at the height of the lower half of each body.
    fraction = level - np.floor(level)
    pedicle = np.exp(-(((fraction - np.float32(0.32)) / np.float32(0.17)) ** 2))
    arch = rise(np.minimum(across - np.float32(0.98), np.float32(1.45) - across), 0.12)
    joint = rise(np.minimum(across - np.float32(1.30), np.float32(1.62) - across), 0.12)
    process = rise(np.minimum(across - np.float32(1.55), np.float32(2.0) - across), 0.15)
    ink += arch * np.float32(0.080) * pedicle + joint * np.float32(0.055)
    ink += process * np.float32(0.030) * (np.float32(0.5) + np.float32(0.5) * np.sin(level * np.float32(DISCS)))
    growing = np.float32(0.85) + np.float32(0.35) * ys
    layers.bone[at] += as_plane(ink * growing * np.float32(bone))


def paint_ribs(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Eleven pairs, seen twice: bright where they turn at the back, fading as they run down and forward."""
    a, grid = anatomy, layers.grid
    edges: list[Plane] = []
    cores: list[Plane] = []
    for side in SIDES.values():
        thrown = a.magnified if side < 0 else 0.0
        for number, rib in enumerate(a.frontal.ribs):
            y = rib.spine_y + 0.012 * (side < 0)
            if y > 0.93:
                continue
            spine = a.spine_front.at_height(y) + 1.15 * a.vertebra
            back = a.lung_back.at_height(y + 0.035) + thrown + 0.004
            slant = (0.095 + 0.011 * number) * (1.10 if side < 0 else 1.0)
            # Upper ribs reach the breastbone, the last ones end in the flank.
            end = 0.12 + 0.045 * max(number - 5, 0)
            front_y = y + 0.055 + slant * 1.15
            front = a.lung_front.at_height(front_y) + end
            # The back arc rises over the gutter, turns at the angle of the rib and runs forward.
            x, course = smooth_curve(
                [spine, back - 0.012, back, back - 0.030, 0.45 * back + 0.55 * front, front],
                [y, y + 0.006, y + 0.030, y + 0.055, y + 0.055 + 0.62 * slant, front_y], 40,
            )  # fmt: skip
            px, py, length = along(x, course, 0.004)
            t = np.linspace(0, 1, len(px), dtype=np.float32)
            strength = np.float32(rib.weight) * (
                np.float32(0.45) + np.float32(0.55) * np.exp(-((t - np.float32(0.17)) / np.float32(0.17)) ** 2)
            ) * np.clip((1 - t) * 6, 0, 1)  # fmt: skip
            half = rib.half_width * (0.82 if side > 0 else 0.95)
            for shift in (-half, half):
                edges.append(np.stack((px, py + np.float32(shift), length * strength)))
            cores.append(np.stack((px, py, length * strength)))
    bone = a.frontal.bone
    x, y_all, ink = np.concatenate(edges, 1)
    add_lines(layers.bone, grid, as_plane(x), as_plane(y_all), as_plane(ink * np.float32(0.085 * bone)), 0.0024)
    x, y_all, ink = np.concatenate(cores, 1)
    add_lines(layers.bone, grid, as_plane(x), as_plane(y_all), as_plane(ink * np.float32(0.075 * bone)), 0.0066)


def paint_sternum(anatomy: LateralAnatomy, layers: Layers) -> None:
    """The breastbone in profile: two bright plates with a joint between handle and body."""
    a, grid, bone = anatomy, layers.grid, anatomy.frontal.bone
    top, low = a.sternum.y[0], a.sternum.y[-1]
    at, xs, ys = grid.window(min(a.sternum.x) - 0.04, top - 0.01, max(a.sternum.x) + 0.04, low + 0.02)
    t = np.clip((ys - np.float32(top)) / np.float32(low - top), 0, 1)
    half = np.float32(0.0135 * a.frontal.scale) * (np.float32(1.25) - np.float32(0.5) * t)
    r = np.abs(xs - a.sternum.at(ys)) / half
    joint = a.sternum.y[1]
    gap = 1 - np.float32(0.7) * np.exp(-(((ys - np.float32(joint)) / np.float32(0.005)) ** 2))
    segments = 1 - np.float32(0.18) * (np.cos(t * np.float32(2 * math.pi * 5)) > np.float32(0.85))
    ends = rise(np.minimum(ys - np.float32(top), np.float32(low) - ys), 0.006)
    plate = np.exp(-(((r - np.float32(0.85)) / np.float32(0.22)) ** 2))
    layers.bone[at] += (rise(1 - r, 0.18) * np.float32(0.075) + plate * np.float32(0.075)) * gap * ends * segments \
        * np.float32(bone)  # fmt: skip


def paint_scapulae(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Edges of both shoulder blades, steep lines over the upper spine and the gutters behind it."""
    a, grid = anatomy, layers.grid
    strokes = []
    for side in SIDES.values():
        top = a.frontal.clavicle_y - 0.03 + 0.012 * side
        tip = top + 0.30 * a.frontal.scale
        x0 = a.spine_front.at_height(top) + 0.02 + 0.012 * side
        x1 = a.spine_front.at_height(tip) + (0.085 if side > 0 else 0.125)
        for shift, weight in ((0.0, 1.0), (0.024, 0.55)):
            x, y = smooth_curve([x0 + shift, 0.55 * x0 + 0.45 * x1 + shift - 0.012, x1 + 0.2 * shift],
                                [top, 0.5 * (top + tip), tip - shift], 20)  # fmt: skip
            px, py, length = along(x, y, 0.004)
            strokes.append(np.stack((px, py, length * np.float32(weight))))
    x, y, ink = np.concatenate(strokes, 1)
    add_lines(layers.bone, grid, as_plane(x), as_plane(y), as_plane(ink * np.float32(0.085 * a.frontal.bone)), 0.0038)
