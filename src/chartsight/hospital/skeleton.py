"""The bones of a frontal film: ribs, spine, clavicles, scapulae, arms."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy, back_arc, spine_phase
from chartsight.hospital.layers import Layers
from chartsight.hospital.strokes import (
    Plane,
    Strokes,
    add_bands,
    add_blob,
    add_lines,
    add_tube,
    along,
    as_plane,
    rise,
    smooth_curve,
)

FRONT_ARCS = 8  # pairs whose front arc is bone; below they end in cartilage


def paint_ribs(anatomy: Anatomy, layers: Layers) -> None:
    """Eleven pairs: the back arcs bright, the front arcs fainter and steeper, the flank where they are seen end-on."""
    grid, ribs = layers.grid, anatomy.ribs
    spine_x, spine_y, drop, turn_y, front_drop, thick, strong = (
        each[:, None]
        for each in as_plane(
            np.array(
                [
                    [anatomy.midline_at(rib.spine_y) for rib in ribs],
                    [rib.spine_y for rib in ribs],
                    [rib.drop for rib in ribs],
                    [rib.spine_y + 1.15 * rib.drop + 0.030 for rib in ribs],
                    [rib.front_drop for rib in ribs],
                    [rib.half_width for rib in ribs],
                    [rib.weight * anatomy.bone for rib in ribs],
                ]
            )
        )
    )
    number = as_plane(np.arange(len(ribs)))[:, None]
    centres, halves, weights = [], [], []
    for side in (1, -1):
        d = (grid.x - spine_x) * side
        q = d / as_plane(np.array([[rib.reach(side)] for rib in ribs]))
        back = back_arc(spine_y, drop, q)
        fade = (np.float32(0.85) + np.float32(0.45) * np.clip(q, 0, 1) ** 3) * np.clip(
            (d - np.float32(0.028)) * 60, 0, 1
        )
        centres.append(back)
        halves.append(np.float32(1.12) * thick * (np.float32(0.82) + np.float32(0.24) * q) * slanted(back, q))
        weights.append(np.where(q < 1, np.float32(0.150) * strong * fade, 0))
        q, nth = q[:FRONT_ARCS], number[:FRONT_ARCS]
        front = turn_y[:FRONT_ARCS] + front_drop[:FRONT_ARCS] * np.sqrt(np.clip(1 - q * q, 0, 1))
        shown = (q > np.float32(0.30) - np.float32(0.015) * nth) & (q < 1)
        fade = np.clip((q - np.float32(0.30) + np.float32(0.01) * nth) * 3, 0, 1) * np.clip((1 - q) * 7, 0.25, 1)
        centres.append(front)
        halves.append(np.float32(1.15) * thick[:FRONT_ARCS] * slanted(front, q))
        depth = (np.float32(0.092) - np.float32(0.008) * nth) * strong[:FRONT_ARCS]
        weights.append(np.where(shown, depth * fade, 0))
    middle = np.concatenate(centres)
    # Over the liver the beam has little left to show them with.
    shown = 1 - np.float32(0.68) * np.clip((middle - np.float32(anatomy.liver_y)) * 14, 0, 1)
    add_bands(
        layers.bone,
        grid,
        as_plane(middle),
        as_plane(np.concatenate(halves)),
        as_plane(np.concatenate(weights) * shown),
        rim=0.38,
    )
    for side in (1, -1):
        lung = anatomy.lung(side)
        y = as_plane(np.linspace(lung.apex_y + 0.10, lung.angle_y + 0.06, 180))
        x = anatomy.midline(y) + side * (lung.lateral(np.minimum(y, np.float32(lung.angle_y))) + np.float32(0.009))
        beat = np.float32(0.6) + np.float32(0.4) * np.sin((y - np.float32(lung.apex_y)) * np.float32(76 / lung.height))
        step = np.float32((lung.height - 0.04) / 180)
        add_lines(layers.bone, grid, as_plane(x), y, as_plane(beat * step * np.float32(0.085 * anatomy.bone)), 0.0065)


def slanted(y: Plane, q: Plane) -> Plane:
    """How much taller than wide bands [R, N] stand in a column where their middles run steeply, at most 2.2."""
    slope = np.empty_like(y)
    # `q` runs evenly over the columns, a third of the film from the midline to its end.
    slope[:, 1:] = (y[:, 1:] - y[:, :-1]) / (np.float32(0.33) * np.abs(q[:, 1:2] - q[:, :1]))
    slope[:, 0] = slope[:, 1]
    return as_plane(np.minimum(np.sqrt(1 + np.minimum(slope * slope, 9)), 2.2))


def paint_spine(anatomy: Anatomy, layers: Layers) -> None:
    """Vertebral bodies with their discs, pedicles and processes, down the middle of the film."""
    grid, y = layers.grid, layers.grid.y
    ends = [anatomy.midline_at(k / 8) for k in range(9)]
    at, _, _ = grid.window(min(ends) - 0.09, 0, max(ends) + 0.09, 1)
    phase = spine_phase(anatomy.scale, y)
    d = layers.d[at]
    aside = np.abs(d)
    waves = np.sin(phase)
    # A body is waisted; its side is a line of denser bone.
    half = (np.float32(0.031) + np.float32(0.009) * y - np.float32(0.0025) * waves) * np.float32(
        0.9 * anatomy.scale + 0.1
    )
    body = rise(as_plane(half - aside), 0.007)
    side_line = np.exp(-(((aside - half + np.float32(0.003)) * np.float32(1 / 0.0045)) ** 2))
    plates = np.exp(-(((waves + np.float32(0.35)) * np.float32(2.8)) ** 2))
    bone = body * (np.float32(0.060) + np.float32(0.020) * waves + np.float32(0.030) * plates + np.float32(0.035) * y)
    bone += np.float32(0.022) * side_line * np.clip(waves + np.float32(0.8), 0, 1)
    process = np.exp(-((d * np.float32(1 / 0.0055)) ** 2)) * np.clip(np.sin(phase - np.float32(0.6)), 0, 1) ** 2
    pedicle = (
        np.exp(-(((aside - np.float32(0.62) * half) * np.float32(1 / 0.0065)) ** 2))
        * np.clip(np.sin(phase + 1), 0, 1) ** 3
    )
    wing = np.clip(1 - aside * np.float32(11), 0, 1) * np.clip(np.sin(phase + np.float32(0.7)), 0, 1) ** 4
    bone += np.float32(0.060) * process + np.float32(0.075) * pedicle + np.float32(0.055) * wing
    layers.bone[at] += bone * np.float32(0.82 * anatomy.bone)
    if anatomy.heart.calcified > 0.3:
        x, y_arc = smooth_curve(
            [anatomy.midline_at(anatomy.heart.arch_y) + anatomy.mediastinum_shift + anatomy.heart.knob * k
             for k in (0.55, 0.93, 0.95, 0.7)],
            [anatomy.heart.arch_y + k for k in (-0.026, -0.012, 0.010, 0.026)], 24,
        )  # fmt: skip
        px, py, length = along(x, y_arc)
        add_lines(layers.bone, grid, px, py, length * np.float32(0.12 * anatomy.heart.calcified), 0.0025)


def paint_shoulders(anatomy: Anatomy, layers: Layers) -> None:
    """Clavicles, scapulae and humeri."""
    a, grid = anatomy, layers.grid
    centres, halves, weights = [], [], []
    borders = Strokes()

    def border(points: list[tuple[float, float]], depth: float, side: int) -> None:
        x, y = smooth_curve([a.x(side, d, y) for d, y in points], [y for _, y in points], 24)
        borders.add(x, y, depth * a.bone, step=0.0025)

    for side in (1, -1):
        d = (grid.x[0] - np.float32(a.midline_at(a.clavicle_y))) * side
        t = (d - np.float32(a.clavicle_start(side))) / np.float32(a.clavicle_span)
        centres.append(a.clavicle_height(side, t))
        # A thick head at the breastbone, a slim shaft, a flat end at the shoulder.
        flare = np.float32(0.50) * np.clip(1 - t * 5, 0, 1) + np.float32(0.25) * np.clip(t * 4 - 3, 0, 1)
        halves.append(np.float32(0.0125 * a.scale) * (1 + flare))
        weights.append(np.float32(0.27 * a.bone) * np.clip(t * 12, 0, 1) * np.clip((1 - t) * 8, 0, 1))
        # Scapula: blade beside the lung when the shoulders are rolled forward, over it otherwise.
        inner, outer = 0.325 * a.scale - 0.072 * a.scapula, 0.405 * a.scale - 0.01 * a.scapula
        top, tip = a.clavicle_y + 0.005, a.clavicle_y + 0.29 * a.scale
        middle = a.midline_at(0.5 * (top + tip))
        ends = (middle + side * (inner - 0.02), middle + side * (outer + 0.03))
        at, xs, ys = grid.window(min(ends), top - 0.01, max(ends), tip + 0.01)
        aside = (xs - np.float32(middle)) * side
        fall = np.maximum(ys - np.float32(top), 0) * np.float32(1 / (tip - top))
        medial = np.float32(inner) + np.float32(0.028) * fall**3 + np.float32(0.02) * np.clip(1 - fall * 4, 0, 1)
        lateral = np.float32(outer) - np.float32(outer - inner - 0.045) * fall ** np.float32(0.8)
        depth = np.minimum(np.minimum(aside - medial, lateral - aside), np.minimum(ys - top, tip - ys))
        layers.bone[at] += np.float32((0.035 + 0.018 * a.scapula) * a.bone) * rise(as_plane(depth), 0.008)
        border(
            [
                (inner + 0.018, top + 0.005),
                (inner + 0.001, top + 0.07),
                (inner + 0.004, top + 0.18),
                (inner + 0.03, tip),
            ],
            0.062,
            side,
        )
        border(
            [
                (outer - 0.004, top + 0.035),
                (outer - 0.018, top + 0.12),
                (inner + 0.045, tip - 0.03),
                (inner + 0.03, tip),
            ],
            0.10,
            side,
        )
        acromion = (0.425 * a.scale, float(a.clavicle_height(side, as_plane(np.ones(1)))[0]) + 0.008)
        for thick in (-0.006, 0.006):
            border(
                [
                    (inner + 0.006, top + 0.055 + thick),
                    (0.5 * inner + 0.2 * a.scale, top + 0.030 + thick),
                    (acromion[0], acromion[1] + thick),
                ],
                0.06,
                side,
            )
        glenoid = a.x(side, outer + 0.004, top + 0.03)
        add_blob(layers.bone, grid, glenoid, top + 0.035, 0.012, 0.036, 0.10 * a.bone, power=0.6)
        add_blob(layers.bone, grid, a.x(side, outer - 0.035, top), top + 0.002, 0.020, 0.014, 0.10 * a.bone, power=0.6)
        head_x, head_y = a.humeral_head(side)
        add_blob(layers.bone, grid, head_x, head_y, 0.050, 0.052, 0.15 * a.bone, power=0.55)
        lean = 0.5 if a.view == "AP" else 1.0
        shaft_x, shaft_y = smooth_curve(
            [head_x + side * k * lean for k in (0.006, 0.020, 0.045, 0.090)],
            [head_y + k for k in (0.025, 0.12, 0.32, 0.75)],
            8,
        )
        add_tube(layers.bone, grid, shaft_x, shaft_y, 0.024, 0.11 * a.bone, 0.055 * a.bone)
    add_bands(layers.bone, grid, as_plane(np.stack(centres)), as_plane(np.stack(halves)), as_plane(np.stack(weights)),
              rim=0.45)  # fmt: skip
    borders.draw(layers.bone, grid, 0.0032)
