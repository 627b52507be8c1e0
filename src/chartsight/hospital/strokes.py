"""The pens of the renderer: soft edges, bands, lines and blobs on a square film, in float32.

Coordinates are fractions of the film: x to the right, y downwards, both 0 to 1, so that a drawing has no resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Pixel centres of a film: `x` float32 [1, N] and `y` float32 [N, 1], which broadcast to [N, N]."""

    size_px: int
    x: Plane = field(init=False, repr=False)
    y: Plane = field(init=False, repr=False)

    def __post_init__(self) -> None:
        centres = ((np.arange(self.size_px) + 0.5) / self.size_px).astype(np.float32)
        object.__setattr__(self, "x", centres[None, :])
        object.__setattr__(self, "y", centres[:, None])

    def blank(self) -> Plane:
        """A plane of zeros, float32 [N, N]."""
        return np.zeros((self.size_px, self.size_px), np.float32)

    def window(self, x1: float, y1: float, x2: float, y2: float) -> tuple[tuple[slice, slice], Plane, Plane]:
        """The pixels of a rectangle: their slices, x [1, w] and y [h, 1]; empty when it lies outside the film."""
        low_x, high_x = (min(max(int(value * self.size_px) + extra, 0), self.size_px) for value, extra in
                         ((x1, 0), (x2, 2)))  # fmt: skip
        low_y, high_y = (min(max(int(value * self.size_px) + extra, 0), self.size_px) for value, extra in
                         ((y1, 0), (y2, 2)))  # fmt: skip
        rows, columns = slice(low_y, high_y), slice(low_x, high_x)
        return (rows, columns), self.x[:, columns], self.y[rows]


def as_plane(values: NDArray[Any]) -> Plane:
    """`values` in float32 without a copy when they are already."""
    return np.asarray(values, np.float32)


def rise(distance: Plane, softness: float) -> Plane:
    """0 to 1 as `distance` goes from -softness to +softness, with a smooth shoulder at both ends."""
    t = distance * np.float32(0.5 / softness)
    t += np.float32(0.5)
    np.clip(t, 0, 1, out=t)
    shoulder = 3 - 2 * t
    t *= t
    t *= shoulder
    return as_plane(t)


def dome(distance_squared: NDArray[Any]) -> Plane:
    """Depth of a unit sphere: sqrt(1 - r^2) inside, 0 outside."""
    return as_plane(np.sqrt(np.clip(1 - distance_squared, 0, 1)))


def add_blob(
    plane: Plane, grid: Grid, x: float, y: float, radius_x: float, radius_y: float, weight: float, *, power: float = 1.0
) -> None:
    """Add an ellipsoid's depth, `weight` at its centre; power < 1 flattens it to a disc with steep edges."""
    at, xs, ys = grid.window(x - radius_x, y - radius_y, x + radius_x, y + radius_y)
    squared = ((xs - np.float32(x)) / np.float32(radius_x)) ** 2 + ((ys - np.float32(y)) / np.float32(radius_y)) ** 2
    depth = dome(squared)
    plane[at] += np.float32(weight) * (depth if power == 1.0 else depth ** np.float32(power))


def add_lines(plane: Plane, grid: Grid, x: Plane, y: Plane, weight: Plane, half_width: float) -> None:
    """Add points that are dense along lines, each spread to a Gaussian of `half_width`.

    Args:
        plane: float32 [N, N], changed in place.
        grid: Of the plane.
        x: float32 [P]; points outside the film are left out.
        y: float32 [P].
        weight: float32 [P], depth times length of line that the point stands for.
        half_width: Standard deviation of the stroke, a fraction of the film.
    """
    size = grid.size_px
    sigma_px = max(half_width * size, 0.45)
    column, row = x * size - 0.5, y * size - 0.5
    inside = (column >= 0) & (column < size - 1) & (row >= 0) & (row < size - 1)
    if not inside.any():
        return
    column, row, weight = column[inside], row[inside], weight[inside]
    # Only the part of the film that the lines cross is smoothed.
    margin = int(2.5 * sigma_px + 0.5) + 1
    first_column, last_column = max(int(column.min()) - margin, 0), min(int(column.max()) + margin + 2, size)
    first_row, last_row = max(int(row.min()) - margin, 0), min(int(row.max()) + margin + 2, size)
    shape = (last_row - first_row, last_column - first_column)
    plane[first_row:last_row, first_column:last_column] += spread_points(
        column - first_column, row - first_row, weight, shape, sigma_px, size
    )


def spread_points(
    column: Plane, row: Plane, weight: Plane, shape: tuple[int, int], sigma_px: float, size_px: int
) -> Plane:
    """Points dense along lines, each spread to a Gaussian: float32 of `shape`.

    Args:
        column: [P], in pixels of the result, 0 to its width less one.
        row: [P], likewise.
        weight: float32 [P], depth times length of line that the point stands for; lengths are fractions of the film.
        shape: Height and width of the result.
        sigma_px: Standard deviation of the stroke.
        size_px: Side of the film.
    """
    high, wide = shape
    left, top = column.astype(np.intp), row.astype(np.intp)
    low = weight * (row - top)
    upper = weight - low
    low_right, upper_right = (part * (column - left) for part in (low, upper))
    corner = top * wide + left
    index = np.concatenate((corner, corner + 1, corner + wide, corner + wide + 1))
    share = np.concatenate((upper - upper_right, upper_right, low - low_right, low_right))
    drops = as_plane(np.bincount(index, share, high * wide)).reshape(high, wide)
    # A line of unit weight a length has depth 1 in its middle after the blur.
    drops *= np.float32(size_px * sigma_px * np.sqrt(2 * np.pi))
    return as_plane(ndimage.gaussian_filter(drops, sigma_px, truncate=2.5, mode="constant"))


def along(x: Plane, y: Plane, step: float = 0.002) -> tuple[Plane, Plane, Plane]:
    """Points every `step` along a polyline [K]: x [P], y [P] and the length that each stands for [P]."""
    reached = np.zeros(len(x))
    np.cumsum(np.hypot(x[1:] - x[:-1], y[1:] - y[:-1]), out=reached[1:])
    whole = float(reached[-1])
    count = max(int(whole / step), 2)
    wanted = np.arange(count) * (whole / (count - 1))
    return (
        as_plane(np.interp(wanted, reached, x)),
        as_plane(np.interp(wanted, reached, y)),
        np.full(count, whole / count, np.float32),
    )


@dataclass
class Strokes:
    """Curves of one breadth, drawn together: many short ones at little more than the cost of one.

        borders = Strokes()
        borders.add(x, y, depth=0.06)
        borders.draw(layers.bone, grid, half_width=0.003)

    Args:
        parts: x [P], y [P] and weight [P] of the points of each curve, as `add_lines` takes them.
    """

    parts: list[tuple[Plane, Plane, Plane]] = field(default_factory=list)

    def add(self, x: Plane, y: Plane, depth: float = 1.0, *, fade: float = 1.0, step: float = 0.002) -> None:
        """A polyline x [K] and y [K] of that depth at its start, of `fade` times that at its end."""
        px, py, length = along(x, y, step)
        self.parts.append((px, py, length * np.linspace(depth, fade * depth, len(px), dtype=np.float32)))

    def draw(self, plane: Plane, grid: Grid, half_width: float) -> None:
        """Add them all to a plane float32 [N, N]; nothing when there are none."""
        if self.parts:
            x, y, weight = (np.concatenate(each) for each in zip(*self.parts, strict=True))
            add_lines(plane, grid, x, y, weight, half_width)


def smooth_curve(x: list[float], y: list[float], points: int = 48) -> tuple[Plane, Plane]:
    """A curve through a few control points (Catmull-Rom), x [points] and y [points]."""
    curve = np.array([x, y], np.float64) @ catmull_rom(len(x), points)
    return as_plane(curve[0]), as_plane(curve[1])


@lru_cache(maxsize=256)
def catmull_rom(controls: int, points: int) -> NDArray[np.float64]:
    """What each control point counts at each point of the curve through them, float64 [controls, points]."""
    control = np.eye(controls)
    control = np.concatenate(
        (2 * control[:, :1] - control[:, 1:2], control, 2 * control[:, -1:] - control[:, -2:-1]), 1
    )
    t = np.linspace(0, controls - 1 - 1e-9, points)
    first = t.astype(np.int32)
    u = t - first
    p0, p1, p2, p3 = (control[:, first + k] for k in range(4))
    share: NDArray[np.float64] = 0.5 * (
        2 * p1 + (p2 - p0) * u + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u**2 + (3 * p1 - p0 - 3 * p2 + p3) * u**3
    )
    return share


def add_tube(plane: Plane, grid: Grid, x: Plane, y: Plane, half_width: float, wall: float, core: float) -> None:
    """Add a tube along a curve [K]: two walls of depth `wall` and what is between them, `core` (negative for air)."""
    margin = half_width * 1.6
    at, _, _ = grid.window(x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)
    if at[0].start >= at[0].stop or at[1].start >= at[1].stop:
        return
    soft = max(0.7 / (grid.size_px * half_width), 0.25)
    reach = half_width * (1 + soft)
    squared = np.full((grid.size_px, grid.size_px), np.float32(9))
    for start in range(0, len(x) - 1, 4):  # a few segments at a time, in the window around them
        px, py = (each[start : start + 5, None, None] for each in (x, y))
        near, xs, ys = grid.window(px.min() - reach, py.min() - reach, px.max() + reach, py.max() + reach)
        dx, dy = px[1:] - px[:-1], py[1:] - py[:-1]
        from_x, from_y = xs - px[:-1], ys - py[:-1]
        t = from_x * dx + from_y * dy
        t /= np.maximum(dx * dx + dy * dy, np.float32(1e-12))
        np.clip(t, 0, 1, out=t)
        away = ((from_x - t * dx) ** 2 + (from_y - t * dy) ** 2).min(0)
        squared[near] = np.minimum(squared[near], away)
    r = np.sqrt(squared[at]) * np.float32(1 / half_width)
    inside = rise(1 - r, soft)
    plane[at] += np.float32(wall) * inside * rise(r - 0.55, 0.3) + np.float32(core) * inside


def add_bands(plane: Plane, grid: Grid, centre_y: Plane, half_width: Plane, weight: Plane, *, rim: float = 0.0) -> None:
    """Add bands that run across the film, one row of the arguments each: ribs, clavicles.

    Args:
        plane: float32 [N, N], changed in place.
        grid: Of the plane.
        centre_y: float32 [R, N], the band's middle in each column.
        half_width: float32 [R, N].
        weight: float32 [R, N], depth in each column; 0 where there is no band.
        rim: Share of the depth that stands in the two borders (cortical bone).
    """
    size = grid.size_px
    piece = np.flatnonzero(weight > 0)
    middle, half, depth = (each.ravel()[piece] for each in (centre_y, half_width, weight))
    column = piece % size
    # The few columns in which a band is tall do not make the others' windows larger.
    tall = half > np.float32(1.3) * half.mean() if len(half) else np.zeros(0, np.bool_)
    for chosen in (tall, ~tall):
        if chosen.any():
            index, drawn = band_pixels(size, column[chosen], middle[chosen], half[chosen], depth[chosen], rim)
            ink = np.bincount(index, drawn, (size + 2) * size).reshape(size + 2, size)
            plane += as_plane(ink[1:-1])


def band_pixels(
    size: int, column: NDArray[np.intp], middle: Plane, half: Plane, depth: Plane, rim: float
) -> tuple[NDArray[np.intp], Plane]:
    """Flat indices [M] and depths [M] of pieces of band, one piece a column [P].

    The indices go into a plane with a row above the film's first and one below its last: what is not on the film is
    in these.
    """
    reach = int(np.ceil(float(half.max()) * size)) + 1
    rows = np.floor(middle * size)[:, None] + np.arange(-reach, reach + 1, dtype=np.float32)
    r = rows + np.float32(0.5)
    r *= np.float32(1 / size)
    r -= middle[:, None]
    np.abs(r, out=r)
    r /= half[:, None]
    fade = 1 - r
    fade *= (half * size)[:, None]
    fade += np.float32(0.5)
    np.clip(fade, 0, 1, out=fade)
    squared = np.minimum(r, 1, out=r)
    squared *= squared
    shaft = np.sqrt(1 - squared)
    shaft *= np.float32((1 - rim) * 0.45)
    shaft += np.float32((1 - rim) * 0.55)
    squared *= squared
    squared *= np.float32(rim)
    shaft += squared
    shaft *= fade
    shaft *= depth[:, None]
    index = np.clip(rows, -1, size, out=rows).astype(np.intp)
    index += 1
    index *= size
    index += column[:, None]
    return index.ravel(), shaft.ravel()


def stretch(coarse: Plane, size: int) -> Plane:
    """A small plane [n, n] enlarged to [size, size] by straight lines between its points."""
    n = coarse.shape[0]
    at = np.linspace(0, n - 1.001, size)
    low = at.astype(np.int32)
    share = as_plane(at - low)
    wide = coarse[:, low] * (1 - share) + coarse[:, low + 1] * share
    fine = wide[low]  # whole rows are copied faster than columns
    fine *= 1 - share[:, None]
    below = wide[low + 1]
    below *= share[:, None]
    fine += below
    return as_plane(fine)


def near_curves(grid: Grid, curves: Sequence[tuple[Plane, Plane]], reach: float) -> tuple[NDArray[np.intp], Plane]:
    """The pixels near any of some curves and how far they lie from the nearest.

    The cost grows with the length of the curves, not with the film.

    Args:
        grid: Of the film.
        curves: x float32 [K] and y float32 [K] of each; what lies outside the film is left out.
        reach: Greatest distance, a fraction of the film.

    Returns:
        Flat indices [M] into a plane, each once and rising, and distances float32 [M], fractions of the film.
    """
    size = grid.size_px
    step = max(2 / size, reach)
    points = [along(x, y, step)[:2] for x, y in curves]
    x0, y0 = (np.concatenate([point[axis][:-1] for point in points])[:, None] for axis in (0, 1))
    dx, dy = (np.concatenate([np.diff(point[axis]) for point in points])[:, None] for axis in (0, 1))
    # A square of pixels around the middle of each piece holds all that is within reach of it.
    k = int((reach + 0.5 * step) * size + 0.5)
    offset = np.arange(-k, k + 1, dtype=np.int32)
    columns = np.floor((x0 + np.float32(0.5) * dx) * size).astype(np.int32) + np.tile(offset, len(offset))
    rows = np.floor((y0 + np.float32(0.5) * dy) * size).astype(np.int32) + np.repeat(offset, len(offset))
    from_x = (columns + np.float32(0.5)) * np.float32(1 / size) - x0
    from_y = (rows + np.float32(0.5)) * np.float32(1 / size) - y0
    t = np.clip((from_x * dx + from_y * dy) / np.maximum(dx * dx + dy * dy, np.float32(1e-12)), 0, 1)
    squared = (from_x - t * dx) ** 2 + (from_y - t * dy) ** 2
    near = (squared <= np.float32(reach * reach)) & (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    rows, columns, squared = rows[near], columns[near], squared[near]
    if not len(rows):
        return np.zeros(0, np.intp), np.zeros(0, np.float32)
    top, left = int(rows.min()), int(columns.min())
    wide = int(columns.max()) - left + 1
    field = np.full((int(rows.max()) - top + 1) * wide, np.inf, np.float32)
    np.minimum.at(field, (rows - top) * wide + (columns - left), squared)
    inside = np.flatnonzero(field < np.inf)
    row, column = np.divmod(inside, wide)
    return (row + top) * size + column + left, np.sqrt(field[inside])


def beside(x: Plane, y: Plane, distance: float) -> tuple[Plane, Plane]:
    """The curve [K] that runs `distance` to the right of a curve [K], seen in its direction on the film."""
    dx, dy = np.gradient(x), np.gradient(y)
    length = np.maximum(np.hypot(dx, dy), np.float32(1e-6))
    return as_plane(x - dy / length * np.float32(distance)), as_plane(y + dx / length * np.float32(distance))


def stretch_of(x: Plane, y: Plane, start: float, end: float | None = None) -> tuple[Plane, Plane]:
    """The part of a curve [K] between two lengths along it; a negative length counts back from the curve's end."""
    reached = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))))
    whole = float(reached[-1])
    first, last = (min(max(at + whole if at < 0 else at, 0.0), whole) for at in (start, whole if end is None else end))
    wanted = np.linspace(first, last, max(int((last - first) / 0.004), 2))
    return as_plane(np.interp(wanted, reached, x)), as_plane(np.interp(wanted, reached, y))
