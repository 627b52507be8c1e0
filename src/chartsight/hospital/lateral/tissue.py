"""The healthy chest from the side, as planes of depth: both lungs, heart, windpipe, vessels, abdomen, skin."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import SIDES
from chartsight.hospital.lateral.anatomy import LateralAnatomy, arch_course
from chartsight.hospital.lateral.skeleton import paint_ribs, paint_scapulae, paint_spine, paint_sternum
from chartsight.hospital.strokes import (
    Grid,
    Plane,
    add_blob,
    add_lines,
    add_tube,
    along,
    as_plane,
    dome,
    rise,
    smooth_curve,
)
from chartsight.hospital.tissue import Layers

VESSEL_STREAM = 63

TRUNK = 1.06  # depth of soft tissue from side to side, against 1 from front to back


def paint_lateral_chest(anatomy: LateralAnatomy, grid: Grid) -> Layers:
    """The healthy chest of `anatomy`, before findings. `Layers.d` counts backwards from the spine's front edge."""
    d = as_plane(grid.x - anatomy.spine_front.at(grid.y))
    lungs = paint_lungs(anatomy, grid)
    layers = Layers(
        grid=grid, d=d, soft=paint_trunk(anatomy, grid), air=paint_air(anatomy, grid, lungs), fill=grid.blank(),
        vessels=grid.blank(), wall=grid.blank(), bone=grid.blank(), metal=grid.blank(), lungs=lungs,
    )  # fmt: skip
    paint_vessels(anatomy, layers)
    paint_fissures(anatomy, layers)
    paint_ribs(anatomy, layers)
    paint_spine(anatomy, layers)
    paint_sternum(anatomy, layers)
    paint_scapulae(anatomy, layers)
    paint_abdomen(anatomy, layers)
    paint_breasts(anatomy, layers)
    paint_arms(anatomy, layers)
    return layers


def lungs_window(anatomy: LateralAnatomy, grid: Grid) -> tuple[tuple[slice, slice], Plane, Plane]:
    """The pixels that both lungs cover: their slices, x [1, w] and y [h, 1]."""
    a, both = anatomy, (anatomy.frontal.left, anatomy.frontal.right)
    top = min(lung.apex_y for lung in both) - 0.02
    low = max(a.posterior_angle_y(lung.side) for lung in both) + 0.02
    y = np.linspace(top, low, 32, dtype=np.float32)
    front, back = float(a.lung_front.at(y).min()), float(a.lung_back.at(y).max())
    return grid.window(front - 0.01, top, back + a.magnified + 0.01, low)


def paint_lungs(anatomy: LateralAnatomy, grid: Grid) -> dict[int, Plane]:
    """Depth of each lung, [N, N]: 0 outside to 1, heart not yet taken out."""
    at, x, y = lungs_window(anatomy, grid)
    # Beside and behind the vertebrae only the gutters hold lung.
    gutters = 1 - np.float32(0.14) * rise(x - anatomy.spine_front.at(y) - np.float32(0.01), 0.03)
    lungs = {}
    for side in SIDES.values():
        lungs[side] = grid.blank()
        lungs[side][at] = lung_depth(anatomy, side, x, y) * gutters
    return lungs


def lung_depth(anatomy: LateralAnatomy, side: int, x: Plane, y: Plane) -> Plane:
    """Depth of one lung from the side at pixels `x` [1, w] and `y` [h, 1], gutters as deep as the rest."""
    a, lung = anatomy, anatomy.frontal.lung(side)
    front, back = a.lung_front.at(y), a.lung_back.at(y) + np.float32(a.magnified if side < 0 else 0.0)
    span = np.maximum(back - front, np.float32(0.01))
    across = (back - x) * (x - front) * (np.float32(4) / (span * span))
    # Narrow at the top, wide at the base.
    down = np.clip((y - np.float32(lung.apex_y)) * np.float32(3.6), 0, 1) ** np.float32(0.8)
    wide = (np.float32(0.46) + np.float32(0.54) * down) * rise(y - np.float32(lung.apex_y), 0.012) * (back > front)
    above = rise(as_plane(a.diaphragm(side, x) - y), 0.004 + 0.005 * (1 - a.frontal.sharpness))
    return as_plane(np.sqrt(np.sqrt(np.clip(across, 0, 1))) * wide * above)


def heart_share(anatomy: LateralAnatomy, x: Plane, y: Plane) -> Plane:
    """Share of the thorax's width that the heart takes at pixels `x` [1, w] and `y` [h, 1]; 0 outside its outline."""
    a, heart = anatomy, anatomy.frontal.heart
    front, back = a.heart_front.at(y), a.heart_back.at(y)
    span = np.maximum(back - front, np.float32(0.02))
    across = np.clip((back - x) * (x - front) * (np.float32(4) / (span * span)), 0, 1)
    edge = rise(np.minimum(back - x, x - front), 0.008 + 0.006 * (1 - a.frontal.sharpness))
    # The base with its great vessels is slender, the ventricles are broad.
    level = (y - np.float32(heart.arch_y)) / np.float32(heart.bottom_y - heart.arch_y)
    broad = np.float32(0.35) + np.float32(0.65) * np.clip((level - np.float32(0.15)) * np.float32(1.9), 0, 1)
    broad = np.float32(a.heart_share) * broad * rise(level - np.float32(0.10), 0.16)
    return as_plane(broad * edge * (np.float32(0.58) + np.float32(0.42) * np.sqrt(across)))


def paint_trunk(anatomy: LateralAnatomy, grid: Grid) -> Plane:
    """Thickness of the body from side to side without arms, breasts and bone, lungs taken as full of water."""
    a = anatomy
    front, back = a.skin_front.at(grid.y), a.skin_back.at(grid.y)
    across = (back - grid.x) * (grid.x - front) * (np.float32(4) / ((back - front) ** 2))
    apex = np.float32(min(a.frontal.left.apex_y, a.frontal.right.apex_y))
    chest = np.clip((grid.y - apex + np.float32(0.08)) * 5, 0, 1)
    down = np.clip((grid.y - np.float32(0.2)) * np.float32(1.6), 0, 1)
    thickness = np.float32(a.frontal.thickness * TRUNK) * (
        np.float32(0.46) + np.float32(0.40) * chest + np.float32(0.14) * down
    )
    return as_plane(np.clip(across, 0, 1) ** np.float32(0.36) * thickness)


def paint_air(anatomy: LateralAnatomy, grid: Grid, lungs: dict[int, Plane]) -> Plane:
    """Share of the trunk that is air: both lungs without heart and mediastinum, and the windpipe."""
    a, frontal = anatomy, anatomy.frontal
    air = grid.blank()
    at, x, y = lungs_window(a, grid)
    # Vessels about the windpipe above, the stem of the lungs at the hilum; before and behind the lungs nearly meet.
    stem = np.exp(-(((x - a.trachea.at(y) + np.float32(0.035)) / np.float32(0.085)) ** 2))
    between = np.float32(0.10) + stem * (np.float32(0.27) * rise(np.float32(frontal.hilum_y + 0.05) - y, 0.12))
    heart = heart_share(a, x, y)
    between = np.maximum(between, heart) * rise(a.spine_front.at(y) + np.float32(0.05) - x, 0.05)
    # The heart lies on the left hemidiaphragm, so there is no lung between them to draw its outline.
    lying = np.float32(1.2) * rise(y - np.float32(frontal.left.dome_y - 0.035), 0.05)
    left = lungs[1][at] * (1 - np.minimum(between + heart * lying, 1))
    air[at] = np.float32(0.5 * 0.98 * frontal.aeration) * (left + lungs[-1][at] * (1 - between))
    aorta_x, aorta_y = smooth_curve(*arch_course(a), points=24)
    add_tube(air, grid, aorta_x, aorta_y, 0.034 * frontal.scale, 0.0, -0.060)
    below = np.linspace(float(aorta_y[-1]), frontal.left.dome_y + 0.02, 12, dtype=np.float32)
    add_tube(air, grid, a.spine_front.at(below) + np.float32(0.008), below, 0.030 * frontal.scale, 0.0, -0.026)
    np.clip(air, 0, 1, out=air)

    pipe = a.trachea.at(np.linspace(0, frontal.carina_y + 0.05, 16, dtype=np.float32))
    at, x, y = grid.window(float(pipe.min()) - 0.04, 0.0, float(pipe.max()) + 0.04, frontal.carina_y + 0.05)
    above = rise(np.float32(frontal.carina_y + 0.012) - y, 0.03)
    windpipe = rise(np.float32(0.0215 * frontal.scale) - np.abs(x - a.trachea.at(y)), 0.009) * above
    air[at] = np.maximum(air[at], (np.float32(0.30) + np.float32(0.35) * air[at]) * windpipe)
    hilum_x, hilum_y = a.hilum
    # The upper lobe bronchi are seen end on, the right one above the left one.
    for side, up, wide in ((-1, 0.045, 0.0125), (1, -0.006, 0.0145)):
        at, xs, ys = grid.window(hilum_x - 0.04, hilum_y - up - 0.04, hilum_x + 0.04, hilum_y - up + 0.04)
        r = np.hypot(xs - np.float32(hilum_x + 0.004 * side), ys - np.float32(hilum_y - up))
        hole = rise(as_plane(np.float32(wide) - r), 0.006)
        air[at] = np.maximum(air[at], np.float32(0.62) * hole)
    stem_x, stem_y = smooth_curve(
        [hilum_x + 0.010, hilum_x + 0.012, hilum_x + 0.022], [frontal.carina_y, hilum_y, hilum_y + 0.07], 6
    )
    add_tube(air, grid, stem_x, stem_y, 0.014, 0.0, 0.06)
    return as_plane(np.clip(air, 0, 0.92))


def paint_vessels(anatomy: LateralAnatomy, layers: Layers) -> None:
    """The pulmonary arteries at the hilum and a tree into all directions, densest into the lower lobes behind."""
    a, grid = anatomy, layers.grid
    rng = np.random.default_rng([VESSEL_STREAM, a.frontal.body_seed])
    hilum_x, hilum_y = a.hilum
    strokes: tuple[list[Plane], ...] = ([], [], [])
    count = 26
    angle = np.linspace(-np.pi, np.pi, count, endpoint=False) + rng.normal(0, 0.14, count)
    # Fewer run straight back over the spine than down and up.
    angle += 0.35 * np.sin(2 * angle)
    x = hilum_x + 0.030 * np.cos(angle)
    y = hilum_y + 0.010 + 0.042 * np.sin(angle)
    width = rng.uniform(0.7, 1.1, count)
    reach = a.frontal.right.height / 0.6 * (0.062 + 0.030 * np.clip(np.sin(angle), 0, 1))
    for generation in range(4):
        length = (1.0, 0.9, 0.75, 0.6)[generation] * reach * rng.uniform(0.7, 1.3, len(x))
        t = np.linspace(0, 1, 24)[:, None]
        heading = angle + rng.normal(0, 0.40, len(x)) * t
        px = x + np.cumsum(np.cos(heading) * length / 24, 0)
        py = y + np.cumsum(np.sin(heading) * length / 24, 0)
        strokes[min(generation, 2)].append(
            as_plane(np.stack((px.ravel(), py.ravel(), (width * (1 - 0.25 * t) * length / 24).ravel())))
        )
        split = rng.uniform(0.18, 0.5, len(x))
        x, y, reach = np.tile(px[-1], 2), np.tile(py[-1], 2), np.tile(reach, 2)
        angle = np.concatenate((heading[-1] - split, heading[-1] + split * rng.uniform(0.5, 1.2, len(split))))
        width = np.tile(width, 2) * 0.74
    for level, (half_width, weight) in enumerate(((0.0058, 0.085), (0.0038, 0.075), (0.0024, 0.062))):
        vx, vy, ink = np.concatenate(strokes[level], 1)
        add_lines(layers.vessels, grid, vx, vy, ink * np.float32(weight * a.frontal.vascularity), half_width)
    # The right artery is an oval before the windpipe, the left one a comma that arches behind it.
    add_blob(layers.vessels, grid, hilum_x - 0.036, hilum_y + 0.004, 0.034, 0.038, 0.20)
    comma_x, comma_y = smooth_curve(
        [hilum_x - 0.006, hilum_x + 0.022, hilum_x + 0.040, hilum_x + 0.042],
        [hilum_y - 0.034, hilum_y - 0.040, hilum_y - 0.014, hilum_y + 0.045], 8,
    )  # fmt: skip
    add_tube(layers.vessels, grid, comma_x, comma_y, 0.017, 0.0, 0.13)
    add_blob(layers.vessels, grid, hilum_x + 0.012, hilum_y + 0.062, 0.040, 0.055, 0.10)


def major_fissure(anatomy: LateralAnatomy, side: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Upper end of the major fissure at the spine and lower end at the diaphragm, as points."""
    a, lung = anatomy, anatomy.frontal.lung(side)
    top_y = lung.apex_y + 0.21 * lung.height
    low_x = a.inside(0.30 if side > 0 else 0.26, lung.dome_y - 0.01)
    return (a.inside(0.90, top_y), top_y), (low_x, a.diaphragm_at(side, low_x))


def paint_fissures(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Hair lines between the lobes, seen where the beam happens to run along them."""
    a, grid = anatomy, layers.grid
    rng = np.random.default_rng([VESSEL_STREAM, a.frontal.body_seed, 1])
    for side in SIDES.values():
        (x0, y0), (x1, y1) = major_fissure(a, side)
        bow = 0.02 + 0.01 * rng.random()
        x, y = smooth_curve([x0, 0.55 * x0 + 0.45 * x1 + bow, x1], [y0, 0.5 * (y0 + y1) + bow, y1], 24)
        px, py, length = along(x, y)
        start = rng.uniform(0.2, 0.6)
        t = np.linspace(0, 1, len(px), dtype=np.float32)
        shown = rise(np.float32(0.3) - np.abs(t - np.float32(start)), 0.1) * np.float32(rng.uniform(0.0, 0.035))
        add_lines(layers.vessels, grid, px, py, length * shown, 0.0018)


def paint_abdomen(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Gas in the stomach below the left hemidiaphragm, over the level of what it holds, and some in the bowel."""
    a, (depth, _, y) = anatomy, anatomy.frontal.stomach
    if depth <= 0:
        return
    grid, rng = layers.grid, np.random.default_rng([VESSEL_STREAM, a.frontal.body_seed, 2])
    x = a.inside(rng.uniform(0.44, 0.60), a.frontal.left.dome_y)
    wide, high = rng.uniform(0.055, 0.080) + 0.02 * depth, rng.uniform(0.026, 0.048)
    level = max(y - 0.015, a.diaphragm_at(1, x) + 0.010) + high
    at, xs, ys = grid.window(x - wide, a.frontal.left.dome_y, x + wide, level + 0.01)
    r = (xs - np.float32(x)) / np.float32(wide)
    # Under the dome it is round; below it ends at the level of the fluid.
    top = np.maximum(a.diaphragm(1, xs) + np.float32(0.010), np.float32(level - high)) + np.float32(high) * r**4
    inside = rise(as_plane(np.minimum(ys - top, np.float32(level) - ys)), 0.005)
    layers.air[at] = np.maximum(layers.air[at], np.float32(0.30 * depth) * inside)
    gas = grid.blank()
    for _ in range(int(rng.integers(0, 4))):
        bowel_x = x + float(np.clip(rng.normal(-0.08, 0.05), -0.15, 0.05))
        bowel_y = level + 0.05 + abs(float(rng.normal(0, 0.05)))
        wide, high = rng.uniform(0.018, 0.045), rng.uniform(0.014, 0.026)
        add_blob(gas, grid, bowel_x, bowel_y, wide, high, 0.15 * depth, power=0.8)
    np.maximum(layers.air, gas, out=layers.air)


def paint_breasts(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Both breasts over each other before the lower chest."""
    a, frontal = anatomy, anatomy.frontal
    size = frontal.breast if frontal.breast > 0 else max(frontal.fat - 0.7, 0.0)
    if size <= 0:
        return
    for number, shift in enumerate((0.0, 0.016)):
        y = frontal.breast_y + 0.005 + shift
        # Its root lies on the chest wall, so that a part of it is seen before the chest and a part over the heart.
        x = a.skin_front.at_height(y) + 0.045
        wide, high = 0.070 + 0.060 * size + 0.004 * number, 0.058 + 0.026 * size
        at, xs, ys = layers.grid.window(x - wide, y - 2.1 * high, x + 0.8 * wide, y + high)
        u, v = (xs - np.float32(x)) / np.float32(wide), (ys - np.float32(y)) / np.float32(high)
        # It hangs: a long slope above, a full curve below.
        v = np.where(v < 0, v * np.float32(0.48), v)
        u = np.where(u > 0, u * np.float32(1.3), u * (1 + np.float32(0.25) * np.clip(-v, 0, 1)))
        layers.wall[at] += np.float32(0.06 + 0.13 * size) * dome(u * u + v * v) ** np.float32(0.7)


def paint_arms(anatomy: LateralAnatomy, layers: Layers) -> None:
    """Shoulders and raised upper arms over the apices, and the muscles that whiten the upper spine."""
    a, grid, frontal = anatomy, layers.grid, anatomy.frontal
    apex = min(frontal.left.apex_y, frontal.right.apex_y)
    x0, y0 = a.spine_front.at_height(apex + 0.04) - 0.005, apex + 0.015
    girth = 0.088 + 0.030 * frontal.fat
    for number in (0, 1):
        # Raised arms leave the film above; tired ones stay before the neck.
        rise_by = 0.13 + 0.30 * a.arms + 0.03 * number
        fore = 0.22 - 0.10 * a.arms + 0.02 * number
        x1, y1 = x0 - fore + 0.02 * number, y0 - rise_by
        at, xs, ys = grid.window(min(x0, x1) - girth, y1 - girth, max(x0, x1) + girth, y0 + girth)
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((xs - x0) * dx + (ys - y0) * dy) * np.float32(1 / (dx * dx + dy * dy)), 0, 1)
        squared = ((xs - x0 - t * dx) ** 2 + (ys - y0 - t * dy) ** 2) * np.float32(1 / girth**2)
        layers.wall[at] += np.float32(0.15 + 0.05 * frontal.fat) * as_plane(np.clip(1 - squared, 0, 1))
        bone_x, bone_y = as_plane(np.array([x0, x1])), as_plane(np.array([y0 - 0.02, y1]))
        add_tube(layers.bone, grid, bone_x, bone_y, 0.022, 0.030 * frontal.bone, 0.025 * frontal.bone)
        add_blob(layers.bone, grid, x0 + 0.014 * number, y0 - 0.02, 0.042, 0.040, 0.05 * frontal.bone)
    reach = 0.34
    at, xs, ys = grid.window(x0 - 0.25, 0.0, x0 + 0.35, y0 + reach)
    u = (xs - np.float32(x0 + 0.05)) / np.float32(0.26)
    v = np.clip((ys - np.float32(y0)) / np.float32(reach), 0, 1)
    layers.wall[at] += (
        np.float32(0.20 + 0.06 * frontal.fat) * np.clip(1 - u * u, 0, 1) ** 2 * (1 - v) ** np.float32(1.3)
    )
