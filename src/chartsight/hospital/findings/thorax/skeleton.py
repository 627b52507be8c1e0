"""What happens to bone: a break that parts and shifts the ends, and the callus that mends it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy, around_lungs
from chartsight.hospital.strokes import Grid, Plane, as_plane, rise


@dataclass(frozen=True)
class Break:
    """One break of a long bone; lengths are fractions of the film.

    Args:
        x: Of the break.
        y: Of the break.
        slope: Direction of the bone away from the spine, as (dx, dy) of unit length.
        half_width: Of the bone.
        step: How far the outer end has moved across the bone, positive downwards.
        gap: Width of the dark line between the ends.
        openness: Depth of that line, 0 to 1.
        slant: Of the line against the bone's cross-section, as a tangent.
        rim: Depth of the cortex that is seen on edge beside the line.
        callus: Depth of new bone around the ends.
    """

    x: float
    y: float
    slope: tuple[float, float]
    half_width: float
    step: float
    gap: float
    openness: float
    slant: float
    rim: float
    callus: float


def fit_ribs(anatomy: Anatomy) -> Anatomy:
    """The anatomy with its ribs around lungs whose width or height has changed."""
    return replace(anatomy, ribs=around_lungs(anatomy.ribs, anatomy.left, anatomy.right))


def break_bone(bone: Plane, grid: Grid, broken: Break) -> Plane:
    """Break a bone in place; float32 [N, N], how much of each pixel a reader would count to the break."""
    across_reach = 1.4 * broken.half_width + 1.2 * abs(broken.step)
    along_reach = max(3.2 * broken.half_width, 2.5 * abs(broken.step))
    reach = 2.2 * along_reach + across_reach
    at, xs, ys = grid.window(broken.x - reach, broken.y - reach, broken.x + reach, broken.y + reach)
    share = grid.blank()
    if at[0].start >= at[0].stop or at[1].start >= at[1].stop:
        return share
    ux, uy = broken.slope
    dx, dy = xs - np.float32(broken.x), ys - np.float32(broken.y)
    along, across = dx * np.float32(ux) + dy * np.float32(uy), dy * np.float32(ux) - dx * np.float32(uy)
    # The line of a break is never quite straight.
    beyond = (
        along
        - np.float32(broken.slant) * across
        - np.float32(0.2 * broken.gap) * np.sin(across * np.float32(2.5 / broken.half_width))
    )
    edge = max(0.5 / grid.size_px, 0.0012)
    near = rise(np.float32(across_reach) - np.abs(across), 0.35 * across_reach)
    outer = rise(as_plane(beyond), edge) * np.clip(1 - along / np.float32(2.0 * along_reach), 0, 1)
    moved = as_plane(np.float32(broken.step * math.copysign(1, ux)) * outer * near)
    size = np.float32(grid.size_px)
    rows, columns = np.mgrid[0 : ys.shape[0], 0 : xs.shape[1]].astype(np.float32)
    source = np.stack((rows - moved * np.float32(ux) * size, columns + moved * np.float32(uy) * size))
    window = ndimage.map_coordinates(bone[at], source, order=1, mode="nearest")
    half_gap = max(0.5 * broken.gap, 0.4 / grid.size_px)
    within = rise(np.float32(1.25 * broken.half_width + 0.6 * abs(broken.step)) - np.abs(across), 0.004)
    window *= 1 - np.float32(broken.openness) * np.exp(-((beyond / np.float32(half_gap)) ** 2)) * within
    # Where an end is driven into the other, its cortex is seen on edge.
    rims = np.exp(-(((np.abs(beyond) - np.float32(1.4 * half_gap + 0.0015)) / np.float32(0.0022)) ** 2))
    window += np.float32(broken.rim) * rims * within * rise(window - np.float32(0.03), 0.02)
    round_it = (along / np.float32(2.2 * broken.half_width)) ** 2 + (across / np.float32(1.7 * broken.half_width)) ** 2
    window += np.float32(broken.callus) * np.exp(-as_plane(round_it) * np.float32(1.5))
    bone[at] = window
    ellipse = ((along - np.float32(0.3 * along_reach)) / np.float32(1.2 * along_reach)) ** 2 + (
        across / np.float32(across_reach)
    ) ** 2
    share[at] = rise(as_plane(1 - ellipse), 0.3)
    return share
