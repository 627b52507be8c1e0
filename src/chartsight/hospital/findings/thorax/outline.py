"""Which pixels a reader would outline, and the random shapes of findings that move the anatomy itself."""

from __future__ import annotations

import zlib

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Extent
from chartsight.hospital.strokes import Grid, Plane, as_plane
from chartsight.hospital.tissue import Layers, heart_edges

SHAPE_STREAM = 41


def shape_generator(anatomy: Anatomy, planted: PlantedFinding) -> np.random.Generator:
    """A patient's own way of having a finding, before anything is drawn: the same on all films."""
    name = zlib.crc32(f"{planted.attribute}|{planted.objects[0]}".encode())
    return np.random.default_rng([SHAPE_STREAM, anatomy.body_seed, name])


def outline(grid: Grid, depth: Plane, x: float, y: float, share: float = 0.2) -> Extent:
    """Where `depth` [N, N] is more than a share of its greatest, and the pixel at `x`, `y` in any case."""
    extent: Extent = depth > share * max(float(depth.max()), 1e-6)
    last = grid.size_px - 1
    column, row = (min(max(int(value * grid.size_px), 0), last) for value in (x, y))
    extent[row, column] = True
    return extent


def silhouette(layers: Layers, anatomy: Anatomy, top: float, low: float, margin: float = 0.004) -> Extent:
    """Heart and great vessels between two heights, bool [N, N]."""
    y = layers.grid.y
    right, left = heart_edges(anatomy, y)
    middle = layers.d - np.float32(anatomy.mediastinum_shift)
    inside: Extent = (middle < left + margin) & (middle > -right - margin) & (y > top) & (y < low)
    return inside


def diaphragm_line(layers: Layers, anatomy: Anatomy, side: int) -> tuple[Plane, Plane]:
    """Distance from the midline towards a side, and height of the hemidiaphragm there: both [1, N]."""
    lung = anatomy.lung(side)
    d = as_plane((layers.grid.x - np.float32(anatomy.midline_at(lung.angle_y))) * side)
    return d, lung.diaphragm(d)
