"""The part of a lung that a finding works in, and the pens of this room: filling it, drawing lines and textures in it.

Everything happens in a rectangle of the film around the finding, so that a small one costs little. Distances `d` count
from the midline towards the finding's side, so that a drawing is written once for left and right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy, Hemithorax
from chartsight.hospital.findings.drawing import Extent
from chartsight.hospital.strokes import Plane, along, as_plane, smooth_curve, spread_points
from chartsight.hospital.tissue import Layers

LATTICE = 64  # points of a texture's lattice on each axis; it repeats beyond them


@dataclass(frozen=True)
class Airspace:
    """A rectangle of the film over one lung.

    Args:
        lung: Whose.
        at: Its rows and columns on the film.
        x: float32 [1, w], fractions of the film.
        y: float32 [h, 1].
        d: float32 [h, w], distance from the midline towards the lung's side.
        depth: float32 [h, w], the lung's depth before the heart is taken out; 0 outside.
        size_px: Of the whole film.
    """

    lung: Hemithorax
    at: tuple[slice, slice]
    x: Plane
    y: Plane
    d: Plane
    depth: Plane
    size_px: int

    @property
    def side(self) -> int:
        """+1 for the left lung, -1 for the right."""
        return self.lung.side

    @property
    def reach(self) -> Plane:
        """How far each point is from the medial edge (0) to the lateral edge (1), float32 [h, w]."""
        inner, outer = self.lung.inner(self.y), self.lung.lateral(self.y)
        return as_plane((self.d - inner) / np.maximum(outer - inner, np.float32(0.02)))

    def within(self, edge: float = 0.0) -> Plane:
        """1 inside the lung and 0 outside, over `edge` of depth."""
        return as_plane(np.clip(self.depth / np.float32(max(edge, 1e-6)), 0, 1))


def whole_lung(layers: Layers, anatomy: Anatomy, side: int) -> Airspace:
    """The airspace of a whole lung."""
    lung = anatomy.lung(side)
    return part_of_lung(layers, anatomy, side, lung.apex_y - 0.01, lung.angle_y + 0.03)


def part_of_lung(
    layers: Layers, anatomy: Anatomy, side: int, y1: float, y2: float, d1: float = -0.03, d2: float | None = None
) -> Airspace:
    """The airspace between two heights and two distances from the midline; at least one pixel of the film."""
    outer = anatomy.lung(side).width + 0.02 if d2 is None else d2
    y1, y2 = min(max(y1, 0.0), 0.98), min(max(y2, y1 + 0.01), 1.0)
    ends = [anatomy.x(side, d, y) for d in (d1, outer) for y in (y1, 0.5 * (y1 + y2), y2)]
    left, right = min(max(min(ends), 0.0), 0.98), min(max(ends), 1.0)
    at, x, y = layers.grid.window(left, y1, max(right, left + 0.01), y2)
    return Airspace(
        anatomy.lung(side), at, x, y, as_plane(layers.d[at] * side), layers.lungs[side][at], layers.grid.size_px
    )


def fill(layers: Layers, space: Airspace, share: Plane) -> None:
    """Let `share` [h, w] of the air that is left give way."""
    left = layers.fill[space.at]
    left += (1 - left) * np.clip(share, 0, 1) * (space.depth > 0)


def thin_vessels(layers: Layers, space: Airspace, share: Plane) -> None:
    """Take `share` [h, w] of the vessels away."""
    layers.vessels[space.at] *= 1 - np.clip(share, 0, 1)


def open_air(layers: Layers, space: Airspace, amount: Plane, most: float = 0.95) -> None:
    """Add `amount` [h, w] of air where there is lung, never beyond `most`; the heart stays."""
    air = layers.air[space.at]
    lung = air > np.float32(0.25)
    np.maximum(air, np.minimum(air + amount * lung, np.float32(most)), out=air)


def outline(layers: Layers, shares: Iterable[tuple[Airspace, Plane]], at_least: float = 0.3) -> Extent:
    """What a reader would outline: lung where a share [h, w] is at least a part of its greatest value.

    Never empty: without any share it is the pixel in the middle of the first airspace.
    """
    extent = np.zeros_like(layers.fill, np.bool_)
    middle = None
    for space, share in shares:
        rows, columns = space.at
        middle = middle or ((rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2)
        shown = np.where(space.depth > np.float32(0.02), share, 0)
        most = float(shown.max(initial=0.0))
        if most > 0:
            extent[space.at] |= shown >= np.float32(at_least * most)
    if not extent.any() and middle is not None:
        last = extent.shape[0] - 1
        extent[min(middle[0], last), min(middle[1], last)] = True
    return extent


def clear_of_heart(layers: Layers, space: Airspace) -> Plane:
    """1 where the lung is not covered by heart or great vessels, float32 [h, w]."""
    # The heart takes at least half of the air that the lung would hold there.
    return as_plane(layers.air[space.at] > np.maximum(np.float32(0.5) * space.depth, np.float32(0.12)))


def strength(severity: float, most: float, least: float = 0.02) -> float:
    """Density of a finding: steep, so that the lower third of severities is hardly visible."""
    return float(least + (most - least) * severity**1.7)


def texture(rng: np.random.Generator, space: Airspace, cell: float, *, flat: float = 1.0) -> Plane:
    """Smooth random patches of size `cell` (fraction of the film), float32 [h, w], about -1 to 1.

    The pattern is the same at every resolution. `flat` above 1 makes the patches wider than high.
    """
    lattice = as_plane(rng.random((LATTICE, LATTICE), np.float32) * np.float32(2) - np.float32(1))

    def between(at: Plane) -> tuple[np.ndarray, np.ndarray, Plane]:
        low = np.floor(at).astype(np.int32)
        t = as_plane(at - low)
        return low % LATTICE, (low + 1) % LATTICE, as_plane(t * t * (3 - 2 * t))

    low, high, t = between(as_plane(space.x[0] / np.float32(cell * flat)))
    wide = lattice[:, low] * (1 - t) + lattice[:, high] * t
    low, high, t = between(as_plane(space.y[:, 0] / np.float32(cell)))
    return as_plane(wide[low] * (1 - t[:, None]) + wide[high] * t[:, None])


def lumps(rng: np.random.Generator, space: Airspace, cell: float) -> Plane:
    """Patches with finer ones on them, float32 [h, w], about -1 to 1."""
    return as_plane(np.float32(0.65) * texture(rng, space, cell) + np.float32(0.35) * texture(rng, space, 0.45 * cell))


def net(rng: np.random.Generator, space: Airspace, cell: float, width: float) -> Plane:
    """Lines of a net with meshes of about `cell`, 0 to 1, float32 [h, w]: where two textures cross zero."""
    lines = np.zeros_like(space.depth)
    # Two lattices that lie askew, so that no line follows the pixels' rows.
    for turn in (0.5, 1.2):
        lattice = as_plane(rng.random((LATTICE, LATTICE), np.float32) * np.float32(2) - np.float32(1))
        cos, sin = np.float32(np.cos(turn) / cell), np.float32(np.sin(turn) / cell)
        u, v = space.x * cos + space.y * sin, space.y * cos - space.x * sin
        left, top = np.floor(u), np.floor(v)
        s, t = u - left, v - top
        s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
        left, top = left.astype(np.int32) % LATTICE, top.astype(np.int32) % LATTICE
        right, low = (left + 1) % LATTICE, (top + 1) % LATTICE
        upper = lattice[top, left] * (1 - s) + lattice[top, right] * s
        lower = lattice[low, left] * (1 - s) + lattice[low, right] * s
        value = (upper * (1 - t) + lower * t) / np.float32(width)
        np.maximum(lines, np.exp(-value * value), out=lines)
    return as_plane(lines)


def ink(space: Airspace, x: Plane, y: Plane, weight: Plane, half_width: float) -> Plane:
    """Points dense along lines, each spread to a Gaussian: depth float32 [h, w], like `strokes.add_lines`.

    Args:
        space: Where.
        x: float32 [P], fractions of the film; points outside the airspace are left out.
        y: float32 [P].
        weight: float32 [P], depth times length of line that the point stands for.
        half_width: Standard deviation of the stroke, a fraction of the film.
    """
    size = space.size_px
    high, wide = space.depth.shape
    column = x * size - np.float32(0.5 + space.at[1].start)
    row = y * size - np.float32(0.5 + space.at[0].start)
    inside = (column >= 0) & (column < wide - 1) & (row >= 0) & (row < high - 1)
    column, row, weight = column[inside], row[inside], weight[inside]
    return spread_points(column, row, weight, space.depth.shape, max(half_width * size, 0.45), size)


def drawn_curve(
    anatomy: Anatomy, side: int, d: list[float], y: list[float], points: int = 32
) -> tuple[Plane, Plane, Plane]:
    """A smooth curve through points given by their distance from the midline: x [P], y [P], length of each [P]."""
    return along(*smooth_curve([anatomy.x(side, far, high) for far, high in zip(d, y, strict=True)], y, points))


def is_supine(anatomy: Anatomy) -> bool:
    """Whether the patient lies flat: on bedside films that are also unsharp, where nobody could sit up."""
    return anatomy.view == "AP" and anatomy.sharpness < 0.5


def with_lung(anatomy: Anatomy, lung: Hemithorax) -> Anatomy:
    """The anatomy with the lung of that side changed."""
    return replace(anatomy, left=lung) if lung.side > 0 else replace(anatomy, right=lung)


def moved_dome(anatomy: Anatomy, side: int, up: float) -> Anatomy:
    """The hemidiaphragm of a side `up` higher (negative: lower), its angle by half of that."""
    lung = anatomy.lung(side)
    return with_lung(anatomy, replace(lung, dome_y=lung.dome_y - up, angle_y=lung.angle_y - 0.3 * up))


def moved_mediastinum(anatomy: Anatomy, towards: int, far: float) -> Anatomy:
    """Heart and great vessels `far` towards a side, and the medial edges of both lungs with them."""
    return replace(
        anatomy, shift=anatomy.shift + towards * far,
        left=replace(anatomy.left, medial=max(anatomy.left.medial + 0.6 * towards * far, -0.01)),
        right=replace(anatomy.right, medial=max(anatomy.right.medial - 0.6 * towards * far, -0.01)),
    )  # fmt: skip


def beyond(edge: float, severity: float) -> float:
    """0 up to a severity, then rising to 1."""
    return max(severity - edge, 0.0) / (1 - edge)
