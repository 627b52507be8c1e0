"""Subcutaneous air: dark streaks between the fibres of the pectoral muscle, along the flank and into the neck."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, Extent, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import Plane, add_lines, along, as_plane, smooth_curve
from chartsight.hospital.tissue import Layers

FEWEST_STREAKS, MOST_STREAKS = 8, 110


def draw_subcutaneous_air(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """A few streaks on the flank (severity near 0) to a fan over the whole muscle and up the neck (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    lung = anatomy.lung(side)
    count = round(FEWEST_STREAKS + (MOST_STREAKS - FEWEST_STREAKS) * severity**1.3)
    xs: list[Plane] = []
    ys: list[Plane] = []
    inks: list[Plane] = []
    for number in range(MOST_STREAKS):
        kind, a, b, size, wave = rng.random(), rng.random(), rng.random(), rng.uniform(0.4, 1.4), rng.normal(0, 0.006)
        if number >= count:
            continue
        if kind < 0.34 or number < 3:  # the flank, outside the ribs
            y1 = lung.apex_y + (0.30 + 0.45 * a) * lung.height
            y2 = y1 + (0.03 + 0.08 * b)
            out = 0.016 + 0.022 * size
            points = [(lung.lateral_at(y) + out + wave * k, y) for k, y in enumerate((y1, 0.5 * (y1 + y2), y2))]
        elif kind < 0.88:  # the pectoral fan: from the armpit to the breastbone
            from_d, from_y = lung.width + 0.025, anatomy.clavicle_y + 0.095 + 0.02 * b
            to_d, to_y = 0.24 * lung.width, anatomy.clavicle_y + 0.03 + 0.30 * a
            start, end = 0.02 + 0.50 * b, 0.20 + 0.55 * b + 0.15 * size
            points = [
                (from_d + t * (to_d - from_d) + wave * k, from_y + t * (to_y - from_y) + 0.012 * k * (1 - k))
                for k, t in enumerate((start, 0.5 * (start + end), end))
            ]
        else:  # the neck
            y1 = max(anatomy.clavicle_y - 0.02 - 0.04 * b, 0.05)
            points = [(anatomy.neck * (0.55 + 0.45 * a) + wave * k, y1 - 0.035 * k * size) for k in range(3)]
        x, y = smooth_curve([anatomy.x(side, d, y) for d, y in points], [y for _, y in points], 20)
        px, py, length = along(x, y)
        taper = np.sin(np.linspace(0.15, 3.0, len(px)))
        xs.append(px)
        ys.append(py)
        inks.append(as_plane(length * taper * size))
    streaks = grid.blank()
    add_lines(streaks, grid, np.concatenate(xs), np.concatenate(ys), np.concatenate(inks), 0.0017)
    streaks = np.minimum(streaks, np.float32(1.5))
    # No more can go than there is flesh, and what stays is thicker beside each streak.
    gone = np.minimum(np.float32(0.035 + 0.035 * severity) * streaks, np.float32(0.55) * layers.soft)
    layers.wall -= as_plane(gone)
    closed: Extent = ndimage.binary_dilation(streaks > 0.2, iterations=max(round(0.006 * grid.size_px), 1))
    return Drawn(closed | outline(grid, streaks, float(xs[0][0]), float(ys[0][0])))


SUBCUTANEOUS_AIR = FindingDrawing(on_either_side("chest wall"), draw_subcutaneous_air)
