"""Findings of lung and pleura from the side."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    ink,
    lumps,
    net,
    outline,
    strength,
    texture,
    thin_vessels,
)
from chartsight.hospital.findings.lung.nodule import (
    ball_share,
    some_grain,
    some_metastasis,
    some_nodule,
    some_zone,
)
from chartsight.hospital.lateral.anatomy import LateralAnatomy
from chartsight.hospital.lateral.findings.lobes import (
    behind_fissure,
    both_lungs,
    depth_in,
    fill_one,
    one_lung,
    part_of_lung,
    point_in_depth,
)
from chartsight.hospital.lateral.tissue import major_fissure
from chartsight.hospital.strokes import Plane, along, as_plane, rise, smooth_curve
from chartsight.hospital.tissue import Layers


def draw_nodule(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The same nodule as on the frontal film, at the same height."""
    severity, side = planted.severity, side_of(planted)
    x, y, _ = point_in_depth(anatomy, planted.objects[0], rng, spread=0.9)
    radius, ball = some_nodule(severity, rng)
    space = part_of_lung(
        layers, anatomy, side, (x - 1.6 * radius, y - 1.6 * radius, x + 1.6 * radius, y + 1.6 * radius)
    )
    body = ball_share(space, ball, x, y, radius)
    fill_one(layers, space, as_plane(body * np.float32(strength(severity, 0.95, 0.12))))
    return Drawn(outline(layers, [(space, body)], at_least=0.3))


def draw_nodules(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Three small ones (severity near 0) to a dozen in both lungs (1)."""
    severity, first = planted.severity, side_of(planted)
    drawn = []
    for number in range(3 + round(10 * severity)):
        side, zone = some_zone(first, number, rng)
        x, y, _ = point_in_depth(anatomy, zone, rng, spread=1.0)
        x += float(rng.normal(0, 0.05))
        radius, ball = some_metastasis(severity, rng)
        reach = 1.3 * radius
        space = part_of_lung(layers, anatomy, side, (x - reach, y - reach, x + reach, y + reach))
        share = ball_share(space, ball, x, y, radius)
        fill_one(layers, space, as_plane(share * np.float32(strength(severity, 0.9, 0.14) * rng.uniform(0.8, 1.1))))
        drawn.append((space, share))
    return Drawn(outline(layers, drawn, at_least=0.3))


def draw_calcified_nodule(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A small sharp nodule of chalk."""
    severity, side = planted.severity, side_of(planted)
    x, y, _ = point_in_depth(anatomy, planted.objects[0], rng, spread=0.9)
    radius, ball = some_grain(severity, rng)
    reach = 1.5 * radius
    space = part_of_lung(layers, anatomy, side, (x - reach, y - reach, x + reach, y + reach))
    share = ball_share(space, ball, x, y, radius) * (space.depth > 0)
    layers.bone[space.at] += as_plane(share * np.float32(0.05 + 0.34 * severity**1.3))
    return Drawn(outline(layers, [(space, as_plane(share))], at_least=0.3))


def draw_consolidation(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """From a faint patch (severity near 0) to a white lobe (1), half of them up to the major fissure."""
    side, severity = side_of(planted), planted.severity
    x, y, depth = point_in_depth(anatomy, planted.objects[0], rng, spread=0.45)
    lobar, slant, ragged = rng.random() < 0.45, rng.normal(0, 0.3), rng.uniform(0.5, 1.0)
    wide = (0.058 + 0.055 * severity) * rng.uniform(0.85, 1.25)
    high = (0.050 + 0.050 * severity) * rng.uniform(0.85, 1.25)
    if "lower" in planted.objects[0]:
        # The posterior basal segments lie behind and below the dome that hides them on the frontal film.
        y += 0.05 if depth > 0.5 else 0.0
    space = part_of_lung(layers, anatomy, side, (x - 1.9 * wide, y - 1.9 * high, x + 1.9 * wide, y + 1.9 * high))
    u, v = (space.x - np.float32(x)) / np.float32(wide), (space.y - np.float32(y)) / np.float32(high)
    r = np.sqrt(u * u + (v + np.float32(slant) * u) ** 2) + np.float32(ragged) * lumps(rng, space, 0.055)
    share = as_plane(np.clip((np.float32(1.25) - r) * np.float32(1.5), 0, 1))
    if lobar:
        share *= rise(behind_fissure(space, anatomy) * (1 if depth > 0.5 else -1) + np.float32(0.01), 0.008)
    whole = share
    dense = as_plane(share * (np.float32(0.86) + np.float32(0.14) * texture(rng, space, 0.018)))
    dense *= np.float32(strength(severity, 0.98, 0.06))
    fill_one(layers, space, dense)
    thin_vessels(layers, space, as_plane(np.float32(0.6) * dense))
    return Drawn(outline(layers, [(space, whole)], at_least=0.35))


def draw_atelectasis(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Density that leans on the diaphragm behind, or a wedge over the heart for the mid zone."""
    side, severity = side_of(planted), planted.severity
    height, level = (0.050 + 0.060 * severity) * rng.uniform(0.85, 1.25), rng.normal(0, 0.02)
    space = one_lung(layers, anatomy, side)
    depth = depth_in(space, anatomy)
    if "mid" in planted.objects[0]:
        hilum_x, hilum_y = anatomy.hilum
        slope = np.float32(0.55) * (np.float32(hilum_x) - space.x)
        away = np.abs(space.y - np.float32(hilum_y + 0.03 + level) - slope) / np.float32(0.55 * height)
        share = np.clip(np.float32(1.2) - away, 0, 1) * rise(np.float32(hilum_x + 0.01) - space.x, 0.02)
    else:
        above = anatomy.diaphragm(side, space.x) - space.y
        share = np.clip(np.float32(1.15) - above / np.float32(height + level), 0, 1) * rise(
            depth - np.float32(0.50), 0.14
        )
    shown = as_plane(np.clip(share * (1 + np.float32(0.3) * lumps(rng, space, 0.05)), 0, 1) * space.within(0.1))
    fill_one(layers, space, as_plane(shown * np.float32(strength(severity, 0.92, 0.05))))
    return Drawn(outline(layers, [(space, shown)], at_least=0.35))


def draw_plates(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """One to four bands that run level across a lobe."""
    side, severity = side_of(planted), planted.severity
    space = one_lung(layers, anatomy, side)
    share = as_plane(np.zeros_like(space.depth))
    for _ in range(1 + round(3 * severity)):
        x, y, _ = point_in_depth(anatomy, planted.objects[0], rng, spread=0.9)
        long, tilt = rng.uniform(0.05, 0.09) * (0.6 + 0.5 * severity), rng.normal(0, 0.30)
        px, py, length = along(*smooth_curve(
            [x - long, x, x + long], [y - tilt * long, y + rng.normal(0, 0.004), y + tilt * long], 16))  # fmt: skip
        share = as_plane(np.maximum(share, ink(space, px, py, length, 0.0030 + 0.0022 * severity)))
    share = as_plane(np.clip(share, 0, 1) * space.within(0.1))
    fill_one(layers, space, as_plane(share * np.float32(strength(severity, 0.75, 0.10))))
    return Drawn(outline(layers, [(space, share)], at_least=0.3))


def draw_collapse(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A shrunken lobe behind a moved fissure: a band behind the breastbone, or a wedge over the lower spine."""
    severity, space = planted.severity, one_lung(layers, anatomy, side_of(planted))
    lean, soft = rng.normal(0, 0.10), rng.uniform(0.003, 0.008)
    depth = depth_in(space, anatomy)
    if "upper" in planted.objects[0]:
        # The fissure moves forward: the lobe lies flat against the front wall, broadest at the hilum.
        bulge = np.exp(-(((space.y - np.float32(anatomy.hilum[1] - 0.10)) / np.float32(0.16)) ** 2))
        body = rise(np.float32(0.20 + 0.3 * lean) + np.float32(0.22) * bulge - depth, 6 * soft)
        body = body * rise(np.float32(anatomy.hilum[1] + 0.09) - space.y, 0.06)
    else:
        down = np.clip((space.y - np.float32(anatomy.hilum[1] - 0.10)) * np.float32(3.2), 0, 1)
        body = rise(depth - np.float32(1.02 + 0.2 * lean) + np.float32(0.42) * down, 8 * soft)
    share = as_plane(np.clip(body * (1 + np.float32(0.15) * lumps(rng, space, 0.05)), 0, 1) * space.within(0.1))
    fill_one(layers, space, as_plane(share * np.float32(strength(severity, 0.97, 0.05))))
    return Drawn(outline(layers, [(space, share)], at_least=0.35))


def draw_effusion(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Fluid that fills the posterior angle first and climbs the back wall, and a little the front wall."""
    severity, space = planted.severity, one_lung(layers, anatomy, side_of(planted))
    tallness, steepness = rng.uniform(0.88, 1.12), rng.uniform(3.0, 5.0)
    height = 0.070 + 0.43 * tallness * severity**1.25
    depth = np.clip(depth_in(space, anatomy), 0, 1.05)
    climb = (np.exp(np.float32(steepness) * depth) - 1) / np.float32(math.exp(steepness) - 1)
    climb = climb + np.float32(0.45) * np.clip(1 - depth * 3.5, 0, 1) ** 2
    level = 0.20 + 0.42 * severity
    surface = np.float32(anatomy.posterior_angle_y(space.side)) - np.float32(height) * (
        np.float32(level) + np.float32(1 - level) * climb
    )
    share = rise(as_plane(space.y - surface), 0.008 + 0.014 * severity) * space.within(0.05)
    share *= np.float32(0.55 + 0.45 * min(1.0, 1.8 * severity))
    fill_one(layers, space, as_plane(share))
    return Drawn(outline(layers, [(space, as_plane(share))], at_least=0.4))


def draw_hydropneumothorax(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A dead straight level between air and fluid, from front to back."""
    severity, space = planted.severity, one_lung(layers, anatomy, side_of(planted))
    lung = anatomy.frontal.lung(space.side)
    level = lung.angle_y - 0.02 - 0.26 * severity + float(rng.normal(0, 0.012))
    share = rise(as_plane(space.y - np.float32(level)), 0.003) * space.within(0.05)
    fill_one(layers, space, as_plane(share * np.float32(0.45 + 0.53 * severity)))
    above = 1 - np.float32(0.35 * severity) * (space.y < level) * space.within(0.05)
    layers.vessels[space.at] *= above
    return Drawn(outline(layers, [(space, as_plane(share))], at_least=0.4))


def draw_hyperaeration(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """More air, most of it behind the breastbone; the flat domes and the deep chest are the anatomy's."""
    severity = planted.severity
    spaces = both_lungs(layers, anatomy)
    gain = np.float32(0.09 * severity)
    layers.air += gain * np.maximum(layers.lungs[1], layers.lungs[-1]) * (layers.air > 0.25)
    np.clip(layers.air, 0, 0.94, out=layers.air)
    layers.vessels *= np.float32(1 - 0.30 * severity)
    return Drawn(outline(layers, [(space, space.within(0.2)) for space in spaces]))


def low_volumes(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Both short lungs, which the anatomy has already made."""
    return Drawn(outline(layers, [(space, space.within(0.2)) for space in both_lungs(layers, anatomy)]))


def swell_vessels(layers: Layers, amount: float) -> None:
    """Vessels that are wider and less sharp."""
    swollen = ndimage.gaussian_filter(layers.vessels, 0.005 * layers.grid.size_px, truncate=2.5)
    layers.vessels += np.float32(amount) * swollen


def about_hila(space: Airspace, anatomy: LateralAnatomy, wide: float, high: float) -> Plane:
    """A cloud about the hila, 1 in its middle, [h, w]."""
    x, y = anatomy.hilum
    u, v = (space.x - np.float32(x)) / np.float32(wide), (space.y - np.float32(y + 0.03)) / np.float32(high)
    return as_plane(np.exp(-(u * u + v * v)))


def draw_edema(layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Haze outwards from the hila, thick fissures, swollen vessels."""
    severity, shown = planted.severity, []
    for space in both_lungs(layers, anatomy):
        strong = 1.0 if space.side == side_of(planted) else rng.uniform(0.7, 0.95)
        cloud = about_hila(space, anatomy, 0.15, 0.17) + np.float32(0.30)
        low = np.clip((space.y - np.float32(anatomy.hilum[1])) * np.float32(1.6), 0, 0.4)
        share = (cloud + low) * np.float32((0.03 + 0.55 * severity**1.3) * strong)
        share *= 1 + np.float32(0.35) * lumps(rng, space, 0.06)
        (x0, y0), (x1, y1) = major_fissure(anatomy, space.side)
        px, py, length = along(*smooth_curve([x0, 0.5 * (x0 + x1) + 0.012, x1], [y0, 0.5 * (y0 + y1) + 0.012, y1], 20))
        share += np.float32(0.35 * severity) * np.clip(ink(space, px, py, length, 0.0030), 0, 1)
        share = as_plane(np.clip(share, 0, 0.85) * space.within(0.1))
        fill_one(layers, space, share)
        shown.append((space, share))
    swell_vessels(layers, 0.05 + 0.9 * severity)
    return Drawn(outline(layers, shown, at_least=0.35))


def draw_congestion(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Large hila with wide, blurred vessels."""
    severity, shown = planted.severity, []
    swell_vessels(layers, 0.10 + 0.8 * severity)
    for space in both_lungs(layers, anatomy):
        share = as_plane(about_hila(space, anatomy, 0.085, 0.10) * space.within(0.1))
        fill_one(layers, space, as_plane(share * np.float32(0.03 + 0.30 * severity)))
        shown.append((space, share))
    return Drawn(outline(layers, shown, at_least=0.35))


def draw_reticulation(
    layers: Layers, anatomy: LateralAnatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """A net of fine lines, densest at the bases and towards the back."""
    severity, shown = planted.severity, []
    for space in both_lungs(layers, anatomy):
        strong = 1.0 if space.side == side_of(planted) else rng.uniform(0.75, 1.0)
        low = np.clip((space.y - np.float32(anatomy.hilum[1] - 0.12)) * np.float32(2.6), 0.10, 1)
        back = np.float32(0.55) + np.float32(0.45) * np.clip(depth_in(space, anatomy), 0, 1)
        where = as_plane(low * back * space.within(0.15))
        mesh = np.maximum(net(rng, space, 0.018, 0.20), np.float32(0.8) * net(rng, space, 0.011, 0.25)) * where
        fill_one(
            layers,
            space,
            as_plane((mesh + np.float32(0.25) * where) * np.float32(strength(severity, 0.60, 0.05) * strong)),
        )
        shown.append((space, where))
    return Drawn(outline(layers, shown, at_least=0.45))
