"""What a beam meets on its way: air, soft tissue, vessels, bone, metal. The healthy chest, as planes of depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.hospital.anatomy import SIDES, Anatomy, Hemithorax, heart_level, spine_phase
from chartsight.hospital.strokes import (
    Grid,
    Plane,
    add_bands,
    add_blob,
    add_lines,
    add_tube,
    along,
    as_plane,
    dome,
    rise,
    smooth_curve,
)  # fmt: skip

VESSEL_STREAM = 3


@dataclass
class Layers:
    """Planes float32 [N, N] that the drawing adds to; `render` turns them into grey.

    Args:
        grid: Of all planes.
        d: Signed distance from the midline, positive towards the patient's left.
        soft: Thickness of soft tissue if the lungs held no air; 1 is the middle of an average trunk.
        air: Share of that thickness that is air, 0 to 1.
        fill: Share of the air that something has replaced (fluid, pus, collapse), 0 to 1.
        vessels: Depth of vessels and markings; seen only where there is air.
        wall: Depth of soft tissue outside the ribs: breasts, nipples, folds of skin.
        bone: Depth of bone.
        metal: Depth of metal, plastic and contrast: on top of everything.
        lungs: Where each lung is, +1 left and -1 right, 0 to 1, not cut by the heart.
    """

    grid: Grid
    d: Plane
    soft: Plane
    air: Plane
    fill: Plane
    vessels: Plane
    wall: Plane
    bone: Plane
    metal: Plane
    lungs: dict[int, Plane]

    def replace_air(self, share: Plane) -> None:
        """Let `share` (0 to 1) of the air that is left in the lungs give way; windpipe and stomach keep theirs."""
        in_lung = np.maximum(self.lungs[1], self.lungs[-1]) > 0
        self.fill += (1 - self.fill) * np.clip(share, 0, 1) * in_lung


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
    lateral = lung.lateral(grid.y)
    medial = lung.inner(grid.y)
    span = np.maximum(lateral - medial, np.float32(0.01))
    across = (lateral - d) * (d - medial) * (np.float32(4) / (span * span))
    # A trunk is an ellipse in cross-section: full depth soon behind a steep edge.
    depth = np.sqrt(np.sqrt(np.clip(across, 0, 1))) * (lateral > medial)
    floor = lung.diaphragm(as_plane((grid.x - np.float32(anatomy.midline_at(lung.angle_y))) * lung.side))
    depth *= rise(as_plane(floor - grid.y), 0.004 + 0.006 * (1 - anatomy.sharpness))
    # The posterior recess lies behind the dome: the air thins out towards it.
    depth *= np.float32(0.80) + np.float32(0.20) * np.clip((floor - grid.y) * 12, 0, 1)
    depth *= np.float32(0.72) + np.float32(0.28) * np.clip((grid.y - np.float32(lung.apex_y)) * 7, 0, 1)
    return as_plane(depth)


def heart_edges(anatomy: Anatomy, y: Plane) -> tuple[Plane, Plane]:
    """Reach of heart and great vessels to the patient's right and left at each `y`, from the shifted midline."""
    heart = anatomy.heart
    # The left border: subclavian artery, knob, waist, appendage, ventricle, apex.
    levels = [-0.9, -0.30, 0.0, 0.17, 0.36, 0.56, 0.74, 0.88, 1.0, 1.2]
    left = [
        heart.upper * 0.85, heart.upper * 0.95, heart.knob, heart.waist * 0.95, heart.waist * 1.15,
        0.60 * heart.left + 0.40 * heart.waist, 0.88 * heart.left, heart.left, 0.93 * heart.left, 0.5 * heart.left,
    ]  # fmt: skip
    right = [
        heart.upper * 0.95, heart.upper * 0.90, heart.upper * 0.85, heart.upper * 0.8, heart.upper * 0.82 + 0.008,
        0.87 * heart.right, heart.right, 0.98 * heart.right, 0.80 * heart.right, 0.4 * heart.right,
    ]  # fmt: skip
    ys = [heart_level(heart, level) for level in levels]
    curve_y, curve_left = smooth_curve(ys, left, 96)
    _, curve_right = smooth_curve(ys, right, 96)
    return as_plane(np.interp(y, curve_y, curve_right)), as_plane(np.interp(y, curve_y, curve_left))


def paint_air(anatomy: Anatomy, grid: Grid, d: Plane, lungs: dict[int, Plane]) -> Plane:
    """Share of the trunk that is air: both lungs without the heart, and the windpipe."""
    blur = 0.006 + 0.008 * (1 - anatomy.sharpness)
    right, left = heart_edges(anatomy, grid.y)
    middle = d - np.float32(anatomy.mediastinum_shift)
    # Depth of the heart falls off towards its border, so that the retrocardiac lung shows a little.
    span = np.maximum(left + right, np.float32(0.02))
    across = np.clip((left - middle) * (middle + right) * (np.float32(4) / (span * span)), 0, 1)
    heart = rise(np.minimum(left - middle, middle + right), blur) * (
        np.float32(0.50) + np.float32(0.46) * np.sqrt(across)
    )
    lung = np.where(d > 0, lungs[1], lungs[-1])
    bias = np.clip(d * 8, -1, 1) * np.float32(1.3 * anatomy.rotation)
    air = lung * (1 - heart) * (np.float32(anatomy.aeration) + bias)

    # The windpipe ends softly where it divides.
    above = np.clip((np.float32(anatomy.carina_y + 0.02) - grid.y) * 14, 0, 1)
    windpipe = rise(np.float32(0.0205) - np.abs(d - np.float32(0.5 * anatomy.mediastinum_shift + 0.004)), 0.010)
    np.maximum(air, np.float32(0.31) * windpipe * above, out=air)
    for side in (1, -1):
        x, y = smooth_curve(
            [anatomy.x(side, 0.004, anatomy.carina_y - 0.01), anatomy.x(side, 0.035, anatomy.carina_y + 0.03),
             anatomy.x(side, 0.075, anatomy.hilum_y - 0.005 * side)],
            [anatomy.carina_y - 0.01, anatomy.carina_y + (0.025 if side > 0 else 0.03), anatomy.hilum_y + 0.01], 8,
        )  # fmt: skip
        add_tube(air, grid, x, y, 0.014, 0.0, 0.09)
    return as_plane(np.clip(air, 0, 0.92))


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
        np.float32(0.66) + np.float32(0.40) * np.clip((grid.y - np.float32(a.shoulder_y)) * 2, 0, 1)
    )
    body = dome(ratio * ratio) ** np.float32(0.7) * thickness
    # The trapezius slopes from the neck, the deltoid rounds off.
    reach = np.clip((aside - np.float32(a.neck * 0.8)) / np.float32(0.40 * a.scale), 0, 2)
    slope = np.float32(a.shoulder_y - 0.085) + np.float32(0.075) * reach + np.float32(0.07) * reach**5
    below = np.clip((grid.y - slope) * np.float32(5.5), 0, 1)
    body = body * np.sqrt(below)
    arm_middle = np.float32(0.455 * a.scale + 0.03 + 0.06 * a.fat) + np.float32(0.16) * (grid.y - np.float32(0.2))
    arm_ratio = (aside - arm_middle) / np.float32(0.080 + 0.025 * a.fat)
    arm = np.sqrt(dome(arm_ratio * arm_ratio)) * np.float32(0.40 + 0.2 * a.fat)
    body = np.maximum(body, arm * rise(grid.y - np.float32(a.shoulder_y + 0.10), 0.08))
    flare = np.clip(grid.y / np.float32(a.shoulder_y + 0.06), 0, 1.3) ** 3
    ratio = as_plane(aside / (np.float32(a.neck) * (np.float32(0.88) + np.float32(0.55) * flare)))
    neck = np.sqrt(dome(ratio * ratio)) * np.float32(0.60) * rise(np.float32(a.shoulder_y + 0.08) - grid.y, 0.08)
    body = np.maximum(body, neck)
    # The mediastinum's own density: great vessels and spine muscles.
    core = np.exp(-((d - np.float32(a.mediastinum_shift)) ** 2) * np.float32(1 / (2 * 0.07**2)))
    return as_plane(body * (1 + np.float32(0.10) * core))


def paint_vessels(anatomy: Anatomy, layers: Layers) -> None:
    """Hila and a branching tree in each lung, thinner and fainter outwards."""
    rng = np.random.default_rng([VESSEL_STREAM, anatomy.body_seed])
    grid = layers.grid
    strokes: tuple[list[Plane], ...] = ([], [], [])
    for side in (1, -1):
        lung = anatomy.lung(side)
        hilum_y = anatomy.hilum_y - 0.012 * side
        count = 15
        angle = np.linspace(-1.35, 1.45, count) + rng.normal(0, 0.16, count)
        x = np.full(count, 0.070) + rng.normal(0, 0.006, count)
        y = hilum_y + 0.050 * np.sin(angle) + rng.normal(0, 0.008, count)
        width = rng.uniform(0.8, 1.15, count)
        for generation in range(4):
            length = (0.085, 0.075, 0.06, 0.05)[generation] * rng.uniform(0.7, 1.35, len(x)) * (
                1 + 0.35 * (np.sin(angle) > 0.4)
            ) * lung.height / 0.55  # fmt: skip
            t = np.linspace(0, 1, 26)[:, None]
            curl = rng.normal(0, 0.42, len(x))
            heading = angle + curl * t
            px = x + np.cumsum(np.cos(heading) * length / 26, 0)
            py = y + np.cumsum(np.sin(heading) * length / 26, 0)
            taper = width * (1 - 0.25 * t)
            level = min(generation, 2)
            strokes[level].append(as_plane(np.stack((
                (anatomy.midline_at(hilum_y) + side * px).ravel(), py.ravel(),
                (taper * length / 26).ravel(),
            ))))  # fmt: skip
            split = rng.uniform(0.18, 0.5, len(x))
            x, y = np.tile(px[-1], 2), np.tile(py[-1], 2)
            angle = np.concatenate((heading[-1] - split, heading[-1] + split * rng.uniform(0.5, 1.2, len(split))))
            width = np.tile(width, 2) * 0.74
        add_blob(layers.vessels, grid, anatomy.x(side, 0.078, hilum_y), hilum_y, 0.034, 0.060, 0.15)
        add_blob(layers.vessels, grid, anatomy.x(side, 0.092, hilum_y + 0.045), hilum_y + 0.045, 0.020, 0.060, 0.12)
    strength = anatomy.vascularity
    for level, (half_width, weight) in enumerate(((0.0056, 0.095), (0.0036, 0.080), (0.0023, 0.065))):
        x, y, ink = np.concatenate(strokes[level], 1)
        add_lines(layers.vessels, grid, x, y, ink * np.float32(weight * strength), half_width)


def paint_ribs(anatomy: Anatomy, layers: Layers) -> None:
    """Eleven pairs: the back arcs bright, the front arcs fainter and steeper."""
    grid = layers.grid
    centres, halves, weights = [], [], []
    for side in (1, -1):
        for number, rib in enumerate(anatomy.ribs):
            d = (grid.x[0] - np.float32(anatomy.midline_at(rib.spine_y))) * side
            q = d / np.float32(rib.reach(side))
            back = rib.back_y(q)
            shown = (d > 0.03) & (q < 1)
            fade = np.float32(0.75) + np.float32(0.35) * np.clip(q, 0, 1)
            centres.append(back)
            halves.append(np.full_like(d, rib.half_width) * (np.float32(0.8) + np.float32(0.25) * q))
            weights.append(np.where(shown, np.float32(0.135 * rib.weight * anatomy.bone) * fade, 0))
            if number < 7:
                arc = np.sqrt(np.clip(1 - q * q, 0, 1))
                shown = (q > 0.34 - 0.015 * number) & (q < 1)
                fade = np.clip((q - np.float32(0.32)) * 2.4, 0, 1) * np.clip((1 - q) * 7, 0.15, 1)
                centres.append(rib.front_y(q))
                steep = 1 / np.maximum(arc, np.float32(0.45))
                halves.append(np.full_like(d, rib.half_width * 1.08) * np.minimum(steep, 1.8))
                weights.append(
                    np.where(shown, np.float32((0.088 - 0.009 * number) * rib.weight * anatomy.bone) * fade, 0)
                )
    middle = np.stack(centres)
    # Over the liver the beam has little left to show them with.
    shown = 1 - np.float32(0.6) * np.clip((middle - np.float32(anatomy.liver_y)) * 14, 0, 1)
    add_bands(
        layers.bone, grid, as_plane(middle), as_plane(np.stack(halves)), as_plane(np.stack(weights) * shown), rim=0.45
    )


def paint_spine(anatomy: Anatomy, layers: Layers) -> None:
    """Vertebral bodies with their discs and processes."""
    grid, y = layers.grid, layers.grid.y
    phase = spine_phase(anatomy.scale, y)
    body = rise(np.float32(0.030) + np.float32(0.008) * y - np.abs(layers.d), 0.006)
    layers.bone += (
        body * (np.float32(0.075) + np.float32(0.03) * np.sin(phase) + np.float32(0.05) * y) * np.float32(anatomy.bone)
    )
    process = np.exp(-((layers.d / np.float32(0.006)) ** 2)) * np.clip(np.sin(phase + 1), 0, 1)
    pedicle = np.exp(-(((np.abs(layers.d) - np.float32(0.021)) / np.float32(0.006)) ** 2)) * np.clip(
        np.sin(phase + 2), 0, 1
    )
    layers.bone += np.float32(0.07 * anatomy.bone) * (process + pedicle)
    if anatomy.heart.calcified > 0.3:
        x, y_arc = smooth_curve(
            [anatomy.midline_at(anatomy.heart.arch_y) + anatomy.mediastinum_shift + anatomy.heart.knob * k
             for k in (0.55, 0.93, 0.95, 0.7)],
            [anatomy.heart.arch_y + k for k in (-0.026, -0.012, 0.010, 0.026)], 24,
        )  # fmt: skip
        px, py, length = along(x, y_arc)
        add_lines(layers.bone, grid, px, py, length * np.float32(0.12 * anatomy.heart.calcified), 0.0025)


def paint_shoulders(anatomy: Anatomy, layers: Layers) -> None:
    """Clavicles, scapulae and humeral heads."""
    a, grid = anatomy, layers.grid
    centres, halves, weights = [], [], []
    for number, side in enumerate((1, -1)):
        d = (grid.x[0] - np.float32(a.midline_at(a.clavicle_y))) * side
        t = (d - np.float32(a.clavicle_start(side))) / np.float32(a.clavicle_span)
        centres.append(a.clavicle_height(side, t))
        halves.append(np.float32(0.0135 * a.scale) * (1 + np.float32(0.45) * (1 - np.clip(t * 5, 0, 1))))
        weights.append(np.float32(0.23 * a.bone) * np.clip(t * 12, 0, 1) * np.clip((1 - t) * 6, 0, 1))
        # Scapula: blade lateral of the lung when the shoulders are rolled forward, over it otherwise.
        inner = 0.30 * a.scale - 0.06 * a.scapula
        top, tip = a.clavicle_y + 0.01, a.clavicle_y + 0.27 * a.scale
        outer = 0.40 * a.scale
        at, xs, ys = grid.window(0, top - 0.01, 1, tip + 0.01)
        aside = (xs - np.float32(a.midline_at(0.5 * (top + tip)))) * side
        medial = np.float32(inner) + np.float32(0.035) * np.clip((ys - np.float32(top)) * 4, 0, 1.2)
        lateral = np.float32(outer) - np.float32(0.45) * (ys - np.float32(top)) * np.float32(outer - inner) * 5 * 0.5
        depth = np.minimum(np.minimum(aside - medial, lateral - aside), np.minimum(ys - top, tip - ys))
        edge = np.exp(-(((depth - np.float32(0.006)) / np.float32(0.006)) ** 2))
        strength = 0.075 * a.bone * (0.65 + 0.75 * a.scapula)
        layers.bone[at] += np.float32(strength) * (np.float32(0.6) * rise(depth, 0.010) + np.float32(0.35) * edge)
        spine_x, spine_y = along(*smooth_curve(
            [a.x(side, v, top) for v in (inner + 0.01, inner + 0.07, outer + 0.015)],
            [top + 0.065, top + 0.030, top - 0.02], 16))[:2]  # fmt: skip
        add_tube(layers.bone, grid, spine_x[::8], spine_y[::8], 0.009, 0.03, 0.055 * a.bone)
        head_x, head_y = a.x(side, 0.435 * a.scale + 0.01, a.clavicle_y), a.clavicle_y + 0.025 + 0.01 * number
        add_blob(layers.bone, grid, head_x, head_y, 0.055, 0.055, 0.13 * a.bone, power=0.6)
        shaft_x, shaft_y = smooth_curve(
            [head_x + side * k for k in (0.008, 0.028, 0.05, 0.075)], [head_y + k for k in (0.02, 0.12, 0.24, 0.36)], 8
        )
        add_tube(layers.bone, grid, shaft_x, shaft_y, 0.029, 0.07 * a.bone, 0.06 * a.bone)
    add_bands(layers.bone, grid, as_plane(np.stack(centres)), as_plane(np.stack(halves)), as_plane(np.stack(weights)),
              rim=0.5)  # fmt: skip


def paint_abdomen(anatomy: Anatomy, layers: Layers) -> None:
    """Gas in stomach and bowel; the liver is the even brightness on the right."""
    depth, d, y = anatomy.stomach
    if depth > 0:
        gas = layers.grid.blank()
        add_blob(gas, layers.grid, anatomy.x(1, d, y), y, 0.055, 0.028, 0.26 * depth, power=0.6)
        add_blob(gas, layers.grid, anatomy.x(1, d + 0.05, y + 0.06), y + 0.06, 0.04, 0.03, 0.14 * depth, power=0.7)
        np.maximum(layers.air, gas, out=layers.air)


def paint_breasts(anatomy: Anatomy, layers: Layers) -> None:
    """Two soft shadows with a lower crescent over the lung bases."""
    if anatomy.breast <= 0 and anatomy.fat < 0.75:
        return
    weight = 0.03 + 0.125 * anatomy.breast + 0.05 * max(anatomy.fat - 0.6, 0)
    radius = 0.115 + 0.035 * anatomy.breast
    for side in (1, -1):
        y = anatomy.breast_y - 0.035 + 0.004 * side
        x = anatomy.x(side, 0.205 * anatomy.scale, y)
        at, xs, ys = layers.grid.window(x - radius, y - radius, x + radius, y + radius)
        u, v = (xs - np.float32(x)) / np.float32(radius), (ys - np.float32(y)) / np.float32(radius)
        # It hangs: nothing to see above, a crescent below.
        hanging = np.clip((v + np.float32(0.9)) * np.float32(0.75), 0, 1) ** 2
        layers.wall[at] += np.float32(weight) * dome(u * u + v * v) ** np.float32(0.5) * hanging


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
    for side in SIDES.values():
        if looks.companion > 0.4:
            y = a.ribs[0].spine_y + 0.075
            add_blob(layers.bone, grid, a.x(side, 0.105, y), y, 0.022, 0.013, 0.06 * looks.companion)
