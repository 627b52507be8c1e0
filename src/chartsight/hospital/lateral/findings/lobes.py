"""Places in the depth of the lungs, and air that gives way in one of two lungs that lie over each other."""

from __future__ import annotations

import zlib

import numpy as np

from chartsight.hospital.anatomy import SIDES
from chartsight.hospital.findings.lung.airspace import Airspace
from chartsight.hospital.findings.zones import point_in_zone
from chartsight.hospital.lateral.anatomy import LateralAnatomy
from chartsight.hospital.lateral.tissue import major_fissure
from chartsight.hospital.strokes import Plane, as_plane
from chartsight.hospital.tissue import Layers

DEPTH_STREAM = 64

# Where a frontal zone may lie in depth, 0 at the front of the lung and 1 at its back, with the share of each.
DEPTHS = {
    "upper": ((0.32, 0.6), (0.62, 0.4)),  # anterior segment, apical and posterior segments
    "mid": ((0.30, 0.5), (0.74, 0.5)),  # middle lobe and lingula, top of the lower lobe
    "lower": ((0.80, 0.7), (0.32, 0.3)),  # lower lobe over the spine, middle lobe and lingula over the heart
}


def point_in_depth(
    anatomy: LateralAnatomy, zone: str, rng: np.random.Generator, spread: float
) -> tuple[float, float, float]:
    """A place in a zone of the lung: x and y on the lateral film, and its depth from 0 front to 1 back.

    The height is that of the frontal film: `rng` gives the same numbers to `point_in_zone` and is left in the same
    state. The depth is the patient's own.
    """
    _, y = point_in_zone(anatomy.frontal, zone, rng, spread)
    own = np.random.default_rng([DEPTH_STREAM, anatomy.frontal.body_seed, zlib.crc32(f"{zone}|{y:.3f}".encode())])
    choices = DEPTHS.get(zone.split()[1], DEPTHS["mid"])
    lobe = np.random.default_rng([DEPTH_STREAM, anatomy.frontal.body_seed, zlib.crc32(zone.encode())]).random()
    middle = choices[0][0] if lobe < choices[0][1] else choices[1][0]
    depth = float(np.clip(middle + own.normal(0, 0.04 + 0.06 * spread), 0.12, 0.90))
    return anatomy.inside(depth, y), y, depth


def one_lung(layers: Layers, anatomy: LateralAnatomy, side: int) -> Airspace:
    """The airspace of a whole lung; its `d` counts from the spine's front edge towards the back."""
    lung = anatomy.frontal.lung(side)
    top, low = lung.apex_y - 0.01, anatomy.posterior_angle_y(side) + 0.02
    y = np.linspace(top, low, 16, dtype=np.float32)
    front, back = float(anatomy.lung_front.at(y).min()), float(anatomy.lung_back.at(y).max())
    return part_of_lung(layers, anatomy, side, (front - 0.01, top, back + anatomy.magnified + 0.01, low))


def part_of_lung(
    layers: Layers, anatomy: LateralAnatomy, side: int, box: tuple[float, float, float, float]
) -> Airspace:
    """The airspace of a lung in a box of fractions of the film; at least one pixel."""
    x1, y1 = (min(max(value, 0.0), 0.98) for value in box[:2])
    x2, y2 = (min(max(value, near + 0.01), 1.0) for value, near in zip(box[2:], (x1, y1), strict=True))
    at, x, y = layers.grid.window(x1, y1, x2, y2)
    return Airspace(anatomy.frontal.lung(side), at, x, y, layers.d[at], layers.lungs[side][at], layers.grid.size_px)


def both_lungs(layers: Layers, anatomy: LateralAnatomy) -> tuple[Airspace, Airspace]:
    """Left and right."""
    left, right = (one_lung(layers, anatomy, side) for side in SIDES.values())
    return left, right


def fill_one(layers: Layers, space: Airspace, share: Plane) -> None:
    """Let `share` [h, w] of the air of one lung give way; the other lung shines through.

    Less than half of the film's air would be lost in this way where both are equally deep, but what fills a lung also
    reaches out beside the heart and the spine, where the film shows no edge; so the lung counts for more.
    """
    other = layers.lungs[-space.side][space.at]
    own = space.depth / np.maximum(space.depth + np.float32(0.30) * other, np.float32(1e-3))
    left = layers.fill[space.at]
    left += (1 - left) * np.clip(share, 0, 1) * own


def depth_in(space: Airspace, anatomy: LateralAnatomy) -> Plane:
    """How far each point is from the front of the lung (0) to its back (1), float32 [h, w]."""
    front, back = anatomy.lung_front.at(space.y), anatomy.lung_back.at(space.y)
    return as_plane((space.x - front) / np.maximum(back - front, np.float32(0.02)))


def behind_fissure(space: Airspace, anatomy: LateralAnatomy) -> Plane:
    """Distance from the major fissure, [h, w]: positive in the lower lobe, below and behind it."""
    (x0, y0), (x1, y1) = major_fissure(anatomy, space.side)
    length = float(np.hypot(x1 - x0, y1 - y0))
    return as_plane(((space.x - x0) * (y0 - y1) - (space.y - y0) * (x0 - x1)) * np.float32(-1 / length))
