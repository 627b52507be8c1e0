"""What every finding says about itself: where it may stand, how it changes the anatomy, what it adds to the film."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import ChartsightError
from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import Box, PlantedFinding
from chartsight.hospital.strokes import Grid, Plane, as_plane, stretch
from chartsight.hospital.tissue import Layers

Extent = NDArray[np.bool_]


class DrawingError(ChartsightError):
    """A finding that cannot be drawn as asked."""


def unchanged(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """The anatomy as it is: most findings add to a film without moving its edges."""
    return anatomy


def nothing(planted: PlantedFinding) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Most findings imply no other."""
    return ()


@dataclass(frozen=True)
class Drawn:
    """What a finding has become on the film.

    Args:
        extent: bool [N, N], the pixels that a reader would outline as the finding; never empty.
        tip: Where a tube or line ends, x and y as fractions of the film; None for everything else.
    """

    extent: Extent
    tip: tuple[float, float] | None = None


@dataclass(frozen=True)
class FindingDrawing:
    """How one attribute is drawn.

    Args:
        places: The object in which it is drawn -> all objects that it touches, itself first. These are the `objects`
            of a `PlantedFinding`. For a tube or line the first object is where its tip lies.
        draw: Adds the finding to the layers and says which pixels are its own.
        reshape: Changes the anatomy before the film is drawn.
        implies: What else is then true of the film by definition (a large effusion blunts the angle, a collapsed lobe
            displaces the mediastinum): attributes with their objects.
    """

    places: Mapping[str, tuple[str, ...]]
    draw: Callable[[Layers, Anatomy, PlantedFinding, np.random.Generator], Drawn]
    reshape: Callable[[Anatomy, PlantedFinding], Anatomy] = unchanged
    implies: Callable[[PlantedFinding], tuple[tuple[str, tuple[str, ...]], ...]] = nothing


def side_of(planted: PlantedFinding) -> int:
    """+1 when the finding stands in an object of the patient's left, -1 of the right."""
    return -1 if planted.objects[0].startswith("right ") else 1


def on_either_side(*parts: str) -> dict[str, tuple[str, ...]]:
    """Places on the left and on the right: the parts touched, the first being where the finding is drawn."""
    return {f"{side} {parts[0]}": tuple(f"{side} {part}" for part in parts) for side in ("left", "right")}


def on_both_sides(*parts: str) -> dict[str, tuple[str, ...]]:
    """Places of a finding that is always bilateral; it is strongest on the side of the first object."""
    return {
        f"{first} {parts[0]}": tuple(f"{side} {part}" for part in parts for side in (first, second))
        for first, second in (("left", "right"), ("right", "left"))
    }


def lung_box(anatomy: Anatomy, side: int, y1: float, y2: float, margin: float = 0.0) -> Box:
    """The box of a lung between two heights, as fractions of the film."""
    lung = anatomy.lung(side)
    ends = [anatomy.x(side, d, y) for d in (lung.medial - margin, lung.width + margin) for y in (y1, y2)]
    return (min(ends), y1 - margin, max(ends), y2 + margin)


def box_around(share: Plane, margin: float, otherwise: Box) -> Box:
    """The box of the pixels where `share` [N, N] is more than 2%, with a margin; `otherwise` when there are none."""
    rows, columns = np.flatnonzero((share > 0.02).any(1)), np.flatnonzero((share > 0.02).any(0))
    if not len(rows):
        return otherwise
    size = share.shape[0]
    x1, y1 = float(columns[0]) / size - margin, float(rows[0]) / size - margin
    return (x1, y1, float(columns[-1] + 1) / size + margin, float(rows[-1] + 1) / size + margin)


def filled(grid: Grid, box: Box) -> Extent:
    """The pixels inside a box of fractions, bool [N, N]; at least one, at the film's border if the box lies outside."""
    x1, y1, x2, y2 = box
    extent = np.zeros((grid.size_px, grid.size_px), np.bool_)
    last = grid.size_px - 1
    left, top = (min(max(int(value * grid.size_px), 0), last) for value in (x1, y1))
    right, low = (min(max(int(np.ceil(value * grid.size_px)), 0), last + 1) for value in (x2, y2))
    extent[top : max(low, top + 1), left : max(right, left + 1)] = True
    return extent


def joined(*boxes: Box) -> Box:
    """The smallest box around all."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return (min(x1), min(y1), max(x2), max(y2))


def clouds(rng: np.random.Generator, size_px: int, across: int) -> Plane:
    """Smooth patches between 0 and 1, `across` of them to a film, float32 [N, N]."""
    points = max(across, 4)
    coarse = as_plane(rng.random((points, points)))
    fine = as_plane(rng.random((2 * points, 2 * points)))
    return np.float32(0.65) * stretch(coarse, size_px) + np.float32(0.35) * stretch(fine, size_px)
