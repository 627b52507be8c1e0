"""The healthy chest of a frontal film: air, soft tissue, vessels, and what resembles a finding."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import SIDES, Anatomy, Hemithorax, heart_level
from chartsight.hospital.layers import Layers
from chartsight.hospital.skeleton import paint_ribs, paint_shoulders, paint_spine
from chartsight.hospital.strokes import (
    Grid,
    Plane,
    Strokes,
    add_blob,
    add_lines,
    add_tube,
    along,
    as_plane,
    dome,
    rise,
    smooth_curve,
    stretch,
)

__all__ = ["Layers", "heart_edges", "lung_plane", "paint_chest"]

VESSEL_STREAM, BOWEL_STREAM, FISSURE_STREAM = 3, 11, 12
VESSEL_WIDTHS = (0.0046, 0.0031, 0.0020)  # of each generation of branches


def paint_chest(anatomy: Anatomy, grid: Grid) -> Layers:
    """The healthy chest of `anatomy`, before findings."""
    d = as_plane(grid.x - anatomy.midline(grid.y))
    lungs = {side: lung_plane(anatomy, anatomy.lung(side), d * side, grid) for side in (1, -1)}
    soft = paint_trunk(anatomy, grid, d)
    air = paint_air(anatomy, grid, d, lungs)
    layers = Layers(
        grid=grid, d=d, soft=soft, air=air, fill=grid.blank(), vessels=grid.blank(), wall=grid.blank(),
        bone=grid.blank(), metal=grid.blank(), lungs=lungs,
    )  # fmt: skip
    paint_vessels(anatomy, layers)
    paint_ribs(anatomy, layers)
    paint_spine(anatomy, layers)
    paint_shoulders(anatomy, layers)
    paint_abdomen(anatomy, layers)
    paint_breasts(anatomy, layers)
    paint_look_alikes(anatomy, layers)
    return layers


def lung_plane(anatomy: Anatomy, lung: Hemithorax, d: Plane, grid: Grid) -> Plane:
    """Depth of a lung, 0 outside to 1 in its middle, heart not yet taken out; `d` counts towards its side."""
    plane = grid.blank()
    ends = sorted((lung.side * min(lung.medial, 0.0), lung.side * lung.width))
    at, xs, ys = beside_midline(anatomy, grid, *ends)
    d = d[at]
    lateral = lung.lateral(ys)
    medial = lung.inner(ys)
    span = np.maximum(lateral - medial, np.float32(0.01))
    across = lateral - d
    across *= d - medial
    across *= np.float32(4) / (span * span)
    # A trunk is an ellipse in cross-section: full depth soon behind a steep edge.
    depth = np.sqrt(np.sqrt(np.clip(across, 0, 1))) * (lateral > medial)
    floor = lung.diaphragm(as_plane((xs - np.float32(anatomy.midline_at(lung.angle_y))) * lung.side))
    above_floor = as_plane(floor - ys)
    depth *= rise(above_floor, 0.004 + 0.006 * (1 - anatomy.sharpness))
    # The posterior recess lies behind the dome: the air thins out towards it.
    depth *= np.float32(0.80) + np.float32(0.20) * np.clip(above_floor * 12, 0, 1)
    depth *= np.float32(0.72) + np.float32(0.28) * np.clip((ys - np.float32(lung.apex_y)) * 7, 0, 1)
    plane[at] = depth
    return plane


def heart_edges(anatomy: Anatomy, y: Plane) -> tuple[Plane, Plane]:
    """Reach of heart and great vessels to the patient's right and left at each `y`, from the shifted midline."""
    heart = anatomy.heart
    # The left border: subclavian artery, knob, window, pulmonary trunk, appendage, ventricle, apex.
    levels = [-0.9, -0.35, -0.14, 0.0, 0.11, 0.20, 0.33, 0.48, 0.64, 0.80, 0.92, 1.02, 1.2]
    left = [
        heart.upper * 0.82, heart.upper * 0.86, heart.knob * 0.92, heart.knob, heart.knob * 0.92, heart.waist,
        heart.waist * 1.13, 0.50 * heart.left + 0.50 * heart.waist, 0.86 * heart.left, 0.98 * heart.left, heart.left,
        0.90 * heart.left, 0.5 * heart.left,
    ]  # fmt: skip
    right = [
        heart.upper * 0.92, heart.upper * 0.90, heart.upper * 0.87, heart.upper * 0.84, heart.upper * 0.80,
        heart.upper * 0.80, heart.upper * 0.85, 0.45 * heart.right + 0.55 * heart.upper, 0.90 * heart.right,
        heart.right, 0.96 * heart.right, 0.82 * heart.right, 0.4 * heart.right,
    ]  # fmt: skip
    ys = [heart_level(heart, level) for level in levels]
    curve_y, curve_left = smooth_curve(ys, left, 96)
    _, curve_right = smooth_curve(ys, right, 96)
    return as_plane(np.interp(y, curve_y, curve_right)), as_plane(np.interp(y, curve_y, curve_left))


def paint_air(anatomy: Anatomy, grid: Grid, d: Plane, lungs: dict[int, Plane]) -> Plane:
    """Share of the trunk that is air: both lungs without the heart, and the windpipe."""
    blur = 0.006 + 0.008 * (1 - anatomy.sharpness)
    right, left = heart_edges(anatomy, grid.y)
    shift = anatomy.mediastinum_shift
    # A large patient's thickness is fat around the ribs, not more lung: the air's share of it is smaller.
    share = anatomy.aeration * min(1.0, anatomy.thickness**-0.75)
    air = np.clip(d * 8, -1, 1)
    air *= np.float32(1.3 * anatomy.rotation)
    air += np.float32(share)
    air *= np.where(d > 0, lungs[1], lungs[-1])
    # Depth of the heart falls off towards its border, so that the retrocardiac lung shows a little.
    at, _, _ = beside_midline(anatomy, grid, shift - float(right.max()) - blur, shift + float(left.max()) + blur)
    middle = d[at] - np.float32(shift)
    span = np.maximum(left + right, np.float32(0.02))
    across = np.clip((left - middle) * (middle + right) * (np.float32(4) / (span * span)), 0, 1)
    heart = rise(np.minimum(left - middle, middle + right), blur) * (
        np.float32(0.50) + np.float32(0.46) * np.sqrt(across)
    )
    air[at] *= 1 - heart

    # The descending aorta: its left edge runs down beside the spine, behind the heart.
    edge = 0.044 + 0.2 * max(anatomy.heart.knob - 0.07, 0)
    at, _, ys = beside_midline(anatomy, grid, -0.001, edge + 0.006 + shift)
    aorta = rise(np.float32(edge + shift) - d[at], 0.006) * (d[at] > 0)
    air[at] *= 1 - np.float32(0.40) * aorta * np.clip((ys - np.float32(anatomy.heart.arch_y)) * 12, 0, 1)
    # The recess behind the dome: a little air is seen through the liver.
    for side in (1, -1):
        lung_edge = anatomy.lung(side)
        at, xs, ys = grid.window(0, lung_edge.dome_y - 0.01, 1, lung_edge.angle_y + 0.02)
        aside = (xs - np.float32(anatomy.midline_at(lung_edge.angle_y))) * side
        below = ys - lung_edge.diaphragm(aside)
        inside = rise(lung_edge.lateral(ys) - np.float32(0.012) - aside, 0.012) * (aside > 0.06) * (below > 0)
        air[at] = np.maximum(air[at], np.float32(0.075) * inside * np.clip(1 - below * 14, 0, 1))

    # The windpipe, a cylinder of air that ends softly where it divides.
    centre, radius = 0.5 * shift + 0.004, 0.0215
    at, _, ys = beside_midline(anatomy, grid, centre - radius, centre + radius)
    above = np.clip((np.float32(anatomy.carina_y + 0.02) - ys) * 14, 0, 1)
    off = (d[at] - np.float32(centre)) * np.float32(1 / radius)
    air[at] = np.maximum(air[at], np.float32(0.235) * np.sqrt(dome(off * off)) * above)
    for side in (1, -1):
        x, y = smooth_curve(
            [anatomy.x(side, 0.004, anatomy.carina_y - 0.01), anatomy.x(side, 0.035, anatomy.carina_y + 0.03),
             anatomy.x(side, 0.075, anatomy.hilum_y - 0.005 * side)],
            [anatomy.carina_y - 0.01, anatomy.carina_y + (0.025 if side > 0 else 0.03), anatomy.hilum_y + 0.01], 8,
        )  # fmt: skip
        add_tube(air, grid, x, y, 0.014, 0.0, 0.09)
    return as_plane(np.clip(air, 0, 0.92))


def beside_midline(anatomy: Anatomy, grid: Grid, start: float, end: float) -> tuple[tuple[slice, slice], Plane, Plane]:
    """The window of all pixels whose distance from the midline, positive to the left, is between two values."""
    middle = anatomy.midline(grid.y)
    return grid.window(float(middle.min()) + start, 0, float(middle.max()) + end, 1)


def paint_trunk(anatomy: Anatomy, grid: Grid, d: Plane) -> Plane:
    """Thickness of the body without bone, lungs taken as full of water."""
    a = anatomy
    aside = np.abs(as_plane(grid.x - a.axis(grid.y)))
    armpit = a.shoulder_y + 0.25 * a.scale
    flank = np.float32(a.trunk) + np.float32(0.03 + 0.06 * a.fat) * np.clip((grid.y - np.float32(0.7)) * 2, 0, 1) ** 2
    width = flank + (np.float32(0.60 * a.scale) - flank) * rise(np.float32(armpit) - grid.y, 0.11)
    ratio = aside / width
    # Thin over the shoulders, deepest over the liver.
    thickness = np.float32(a.thickness) * (
        np.float32(0.58) + np.float32(0.48) * np.clip((grid.y - np.float32(a.shoulder_y)) * 2, 0, 1)
    )
    body = dome(ratio * ratio) ** np.float32(0.7) * thickness
    # The trapezius slopes from the neck to the shoulder, which rounds off into the arm.
    s = a.scale
    n = a.neck
    reach = [
        0.0,
        0.70 * n,
        0.92 * n,
        1.10 * n,
        n + 0.06,
        0.24 * s,
        0.29 * s,
        0.36 * s,
        0.44 * s,
        0.51 * s,
        0.57 * s,
        0.75 * s,
    ]
    rises = [-0.9, -0.60, -0.30, -0.18, -0.115, -0.075, -0.048, -0.022, 0.005, 0.055, 0.16, 0.6]
    outline = np.interp(aside[min(int(a.shoulder_y * grid.size_px), grid.size_px - 1)], reach, rises)
    below = np.clip((grid.y - as_plane(outline + a.shoulder_y)) * np.float32(5.0), 0, 1)
    body = body * np.sqrt(below)
    arm_middle = np.float32(0.455 * a.scale + 0.03 + 0.06 * a.fat) + np.float32(0.16) * (grid.y - np.float32(0.2))
    arm_ratio = (aside - arm_middle) / np.float32(0.080 + 0.025 * a.fat)
    arm = np.sqrt(dome(arm_ratio * arm_ratio)) * np.float32(0.36 + 0.2 * a.fat)
    body = np.maximum(body, arm * rise(grid.y - np.float32(a.shoulder_y + 0.10), 0.08))
    if a.chin > 0:
        # The chin of a patient who cannot lift the head hangs into the field.
        u, v = aside * np.float32(1 / 0.125), grid.y * np.float32(1 / (0.02 + 0.085 * a.chin))
        body += np.float32(0.34) * np.sqrt(dome(u * u + v * v))
    # Folds in the armpits: the muscles that run from the arm to the chest overlap its wall.
    at, _, ys = grid.window(0, a.shoulder_y, 1, armpit + 0.09)
    fold = np.float32(0.385 * a.scale + 0.02) - np.float32(0.38) * (ys - np.float32(a.shoulder_y + 0.23))
    lower = np.clip((np.float32(armpit + 0.09) - ys) * 9, 0, 1) * np.clip((ys - np.float32(a.shoulder_y)) * 6, 0, 1)
    body[at] *= 1 + np.float32(0.16) * rise(aside[at] - fold, 0.02) * lower
    # The mediastinum's own density: great vessels and spine muscles.
    core = np.exp(-((d - np.float32(a.mediastinum_shift)) ** 2) * np.float32(1 / (2 * 0.07**2)))
    return as_plane(body * (1 + np.float32(0.10) * core))


def paint_vessels(anatomy: Anatomy, layers: Layers) -> None:
    """The hila and the tree of arteries and veins: it tapers, and is hardly seen in the outer third of a lung."""
    paint_hila(anatomy, layers)
    rng = np.random.default_rng([VESSEL_STREAM, anatomy.body_seed])
    grid, strength = layers.grid, anatomy.vascularity
    strokes: dict[float, list[tuple[Plane, Plane, Plane]]] = {width: [] for width in VESSEL_WIDTHS}
    t = np.linspace(0, 1, 16)[:, None]
    taper = as_plane((1 - 0.28 * t) ** 1.15)
    for side in (1, -1):
        lung = anatomy.lung(side)
        size = lung.height / 0.55
        hilum_y = anatomy.hilum_of(side)
        # Heads down to the base, fewer and thinner up: a standing patient's blood is in the lower zones.
        angle = np.concatenate((rng.normal(-1.15, 0.18, 4), rng.normal(-0.45, 0.25, 4), rng.normal(0.15, 0.25, 4),
                                rng.normal(0.75, 0.2, 5), rng.normal(1.2, 0.2, 5)))  # fmt: skip
        x = 0.066 + 0.022 * np.clip(np.sin(angle), 0, 1) + rng.normal(0, 0.005, len(angle))
        y = hilum_y + 0.055 * np.sin(angle) * size + rng.normal(0, 0.008, len(angle))
        width = rng.uniform(0.45, 1.05, len(angle)) * (0.90 + 0.22 * np.sin(angle))
        for generation in range(5):
            length = (0.075, 0.060, 0.050, 0.042, 0.034)[generation] * rng.uniform(0.7, 1.35, len(x)) * size
            heading = angle + rng.normal(0, 0.5, len(x)) * t
            step = as_plane(length / 16)
            px = as_plane(x) + np.cumsum(np.cos(as_plane(heading)) * step, 0)
            py = as_plane(y) + np.cumsum(np.sin(as_plane(heading)) * step, 0)
            away = np.sqrt((px - np.float32(0.07)) ** 2 + (py - np.float32(hilum_y)) ** 2) * np.float32(1 / size)
            ink = np.exp(np.clip(away - np.float32(0.04), 0, 1) * np.float32(-1 / 0.26)) * taper
            ink *= as_plane(width**1.15) * step
            level = VESSEL_WIDTHS[min(generation, len(VESSEL_WIDTHS) - 1)]
            strokes[level].append(((anatomy.midline(py) + side * px).ravel(), py.ravel(), ink.ravel()))
            split = rng.uniform(0.12, 0.42, len(x))
            x, y = np.tile(px[-1], 2), np.tile(py[-1], 2)
            angle = np.concatenate((heading[-1] - split, heading[-1] + split * rng.uniform(0.5, 1.2, len(split))))
            width = np.tile(width, 2) * rng.uniform(0.62, 0.86, 2 * len(split))
    draws = np.random.default_rng([FISSURE_STREAM, anatomy.body_seed]).random(4)
    if draws[0] < 0.55:  # the minor fissure, where the beam happens to run along it
        y0, slope = anatomy.hilum_y + 0.05 * float(draws[1]) - 0.01, 0.12 * (float(draws[2]) - 0.35)
        far = anatomy.right.lateral_at(y0) - 0.008
        ds = (0.55 * far - 0.05 * float(draws[3]), 0.75 * far, far)
        ys = [y0, y0 + 0.4 * slope * (far - ds[0]), y0 + slope * (far - ds[0])]
        line_x, line_y, step = along(*smooth_curve([anatomy.x(-1, d, y) for d, y in zip(ds, ys, strict=True)], ys))
        add_lines(layers.vessels, grid, line_x, line_y, step * np.float32(0.055), 0.0016)
    azygos_y = anatomy.carina_y - 0.018
    add_blob(layers.vessels, grid, anatomy.x(-1, 0.052, azygos_y), azygos_y, 0.016, 0.020, 0.12, power=0.6)
    for half_width, parts in strokes.items():
        tree_x, tree_y, depths = (as_plane(np.concatenate(each)) for each in zip(*parts, strict=True))
        add_lines(layers.vessels, grid, tree_x, tree_y, depths * np.float32(0.105 * strength), half_width)


# Distances from the midline and heights about the hilum, each followed from the heart outwards: on the right a comma
# that descends, on the left a cap over the bronchus.
PULMONARY_TRUNKS = {
    -1: [(0.050, -0.035), (0.068, -0.010), (0.083, 0.035), (0.088, 0.085), (0.094, 0.125)],
    1: [(0.048, -0.015), (0.070, -0.018), (0.083, 0.010), (0.088, 0.055), (0.096, 0.10)],
}
UPPER_ARTERIES = {
    -1: [(0.060, -0.015), (0.074, -0.055), (0.084, -0.10)],
    1: [(0.066, -0.02), (0.080, -0.058), (0.094, -0.10)],
}


def paint_hila(anatomy: Anatomy, layers: Layers) -> None:
    """The pulmonary arteries of both sides."""
    grid, strength = layers.grid, anatomy.vascularity
    for arteries, half_width, depth in ((PULMONARY_TRUNKS, 0.0125, 0.105), (UPPER_ARTERIES, 0.0065, 0.075)):
        strokes = Strokes()
        for side, points in arteries.items():
            ys = [anatomy.hilum_of(side) + y * anatomy.lung(side).height / 0.55 for _, y in points]
            xs = [anatomy.x(side, d, y) for (d, _), y in zip(points, ys, strict=True)]
            strokes.add(*smooth_curve(xs, ys, 40), depth * strength, fade=0.45)
        strokes.draw(layers.vessels, grid, half_width)
    for side in (1, -1):
        y = anatomy.hilum_of(side)
        add_blob(layers.vessels, grid, anatomy.x(side, 0.072, y), y, 0.036, 0.055, 0.085 * strength)


def paint_abdomen(anatomy: Anatomy, layers: Layers) -> None:
    """Gas in the stomach with its level when the patient stands, gas in the bowel; the liver is even and bright."""
    a, grid = anatomy, layers.grid
    rng = np.random.default_rng([BOWEL_STREAM, a.bowel_seed])
    amount, d, y = a.stomach
    gas = grid.blank()
    lung = a.left
    if amount > 0 and a.view == "PA":
        # Under the dome, cut off by a level.
        level = lung.dome_y + 0.040 + 0.035 * amount
        half = 0.05 + 0.035 * amount
        at, xs, ys = grid.window(a.x(1, d - half, level), lung.dome_y, a.x(1, d + half, level), level + 0.01)
        across = (xs - np.float32(a.midline_at(level) + d)) * np.float32(1 / half)
        roof = (
            lung.diaphragm(as_plane(xs - np.float32(a.midline_at(lung.dome_y))))
            + np.float32(0.012)
            + np.float32(0.03) * across**2
        )
        inside = rise(as_plane(ys - roof), 0.008) * rise(as_plane(np.float32(level) - ys), 0.003)
        gas[at] = np.float32(0.16 + 0.16 * amount) * inside * np.clip((1 - np.abs(across)) * 4, 0, 1)
    elif amount > 0:
        add_blob(gas, grid, a.x(1, d - 0.03, y), y + 0.02, 0.075, 0.035, 0.15 * amount, power=0.6)
    if rng.random() < 0.6:  # the colon's left bend
        x = a.x(1, 0.20 + 0.04 * rng.random(), y)
        add_bowel(gas, grid, rng, x, lung.dome_y + 0.075, int(rng.integers(3, 7)), (0.012, 0.036), 0.033)
    for _ in range(int(rng.integers(0, 5))):
        x, low = a.x(1, rng.uniform(-0.2, 0.25), 0.9), lung.dome_y + rng.uniform(0.14, 0.34)
        add_bowel(gas, grid, rng, x, low, int(rng.integers(2, 6)), (0.026, 0.006), 0.026)
    top = min(a.left.dome_y, a.right.dome_y)
    at, _, ys = grid.window(0, top, 1, 1)
    floor = np.where(layers.d[at] > 0, np.float32(a.left.dome_y + 0.012), np.float32(a.right.dome_y + 0.03))
    layers.air[at] = np.maximum(layers.air[at], gas[at] * rise(as_plane(ys - floor), 0.012))
    mottle = stretch(as_plane(rng.standard_normal((9, 9))), grid.size_px)[at]
    layers.soft[at] *= 1 + np.float32(0.022) * mottle * np.clip((ys - np.float32(top + 0.08)) * 8, 0, 1)


def add_bowel(
    gas: Plane,
    grid: Grid,
    rng: np.random.Generator,
    x: float,
    y: float,
    count: int,
    step: tuple[float, float],
    radius: float,
) -> None:
    """A loop that holds gas: pouches in a row, each flattened, none darker where two overlap."""
    depth = float(rng.uniform(0.05, 0.17))
    reach = 1.5 * radius
    for _ in range(count):
        wide, high = (float(value) for value in radius * rng.uniform(0.7, 1.4, 2))
        at, xs, ys = grid.window(x - reach, y - reach, x + reach, y + reach)
        u, v = (xs - np.float32(x)) / np.float32(wide), (ys - np.float32(y)) / np.float32(high)
        gas[at] = np.maximum(gas[at], np.float32(depth) * np.sqrt(dome(u * u + v * v)))
        x, y = x + float(rng.normal(step[0], 0.012)), y + float(rng.normal(step[1], 0.012))


def paint_breasts(anatomy: Anatomy, layers: Layers) -> None:
    """Two soft shadows over the bases, wider than the lung, dense along their lower edge."""
    if anatomy.breast <= 0 and anatomy.fat < 0.75:
        return
    weight = 0.035 + 0.150 * anatomy.breast + 0.06 * max(anatomy.fat - 0.6, 0)
    wide, high = 0.120 + 0.045 * anatomy.breast, 0.125 + 0.040 * anatomy.breast
    for side in (1, -1):
        y = anatomy.breast_y - 0.045 + 0.006 * side
        x = anatomy.x(side, (0.205 + 0.02 * anatomy.breast) * anatomy.scale, y)
        at, xs, ys = layers.grid.window(x - wide, y - high, x + wide, y + high)
        u, v = (xs - np.float32(x)) / np.float32(wide), (ys - np.float32(y)) / np.float32(high)
        # It hangs: nothing to see above, a crescent below.
        hanging = np.clip((v + np.float32(0.9)) * np.float32(0.72), 0, 1) ** 2
        layers.wall[at] += np.float32(weight) * np.sqrt(dome(u * u + v * v)) * hanging


def paint_look_alikes(anatomy: Anatomy, layers: Layers) -> None:
    """Nipples, skin folds, companion shadows: what a reader must not take for a finding."""
    a, grid, looks = anatomy, layers.grid, anatomy.look_alikes
    if looks.nipples > 0:
        for side in (1, -1):
            y = a.breast_y + 0.01
            add_blob(layers.wall, grid, a.x(side, 0.215 * a.scale, y), y, 0.014, 0.014, 0.10 * looks.nipples)
    if looks.skin_fold:
        side, d = looks.skin_fold
        lung = a.lung(side)
        top, low = lung.apex_y + 0.1 * lung.height, lung.apex_y + 0.75 * lung.height
        at, xs, ys = grid.window(0, top, 1, low)
        t = (ys - np.float32(top)) / np.float32(low - top)
        edge = np.float32(lung.width * d) + np.float32(0.05) * (t - np.float32(0.5))
        away = (xs - a.midline(ys)) * side - edge
        # A fold darkens towards its edge and ends in a step; a pleural line is a thin white line.
        ramp = np.where(away > 0, np.exp(-away * 25), np.exp(np.minimum(away, 0) * 500))
        layers.wall[at] += np.float32(0.035) * as_plane(ramp) * rise(np.minimum(t, 1 - t) - np.float32(0.12), 0.12)
    if looks.fat_pad > 0.15:
        # Fat at the apex and beside the right atrium: a grey slope in the angle between heart and diaphragm.
        for side, d, factor in ((1, a.heart.left, 1.0), (-1, a.heart.right, 0.7)):
            y = a.lung(side).dome_y + 0.012
            radius = factor * (0.030 + 0.040 * looks.fat_pad)
            x = a.x(side, d + a.mediastinum_shift * side, y)
            at, xs, ys = grid.window(x - 1.6 * radius, y - radius, x + 1.6 * radius, y + radius)
            u, v = (xs - np.float32(x)) / np.float32(1.6 * radius), (ys - np.float32(y)) / np.float32(radius)
            layers.fill[at] += (
                (1 - layers.fill[at]) * np.float32(0.38) * dome(u * u + v * v) ** 2 * (layers.lungs[side][at] > 0)
            )
    if looks.end_on > 0.2:
        side = 1 if a.body_seed % 2 else -1
        y = a.hilum_y - 0.07
        add_blob(layers.vessels, grid, a.x(side, 0.115, y), y, 0.0095, 0.0095, 0.16 * looks.end_on, power=0.6)
    for side in SIDES.values():
        if looks.companion > 0.4:
            y = a.ribs[0].spine_y + 0.075
            add_blob(layers.bone, grid, a.x(side, 0.105, y), y, 0.022, 0.013, 0.06 * looks.companion)
