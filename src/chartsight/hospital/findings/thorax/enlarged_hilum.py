"""Enlarged hilum: round lumps where vessels leave the heart (nodes), or the vessels themselves grown (pressure)."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.thorax.outline import outline
from chartsight.hospital.strokes import add_blob
from chartsight.hospital.tissue import Layers


def draw_enlarged_hilum(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Four to seven lumps, faint and small (severity near 0) to a lobulated mass (1)."""
    side, severity, grid = side_of(planted), planted.severity, layers.grid
    middle_y = anatomy.hilum_y - 0.012 * side
    lumps = grid.blank()
    for number in range(int(rng.integers(4, 8))):
        angle, away, size = rng.uniform(-1.6, 1.7), rng.uniform(0.0, 1.0), rng.uniform(0.7, 1.25)
        radius = size * (0.018 + 0.024 * severity) * (1.3 if number == 0 else 0.85)
        reach = (0.2 if number == 0 else 1.0) * away * (0.022 + 0.022 * severity)
        d = 0.078 + 0.012 * severity + reach * float(np.cos(angle))
        y = middle_y + 1.35 * reach * float(np.sin(angle))
        lump = grid.blank()
        add_blob(lump, grid, anatomy.x(side, d, y), y, radius, radius * rng.uniform(0.9, 1.3), 1.0, power=0.95)
        np.maximum(lumps, lump, out=lumps)
    layers.vessels += np.float32(0.02 + 0.29 * severity) * lumps
    return Drawn(outline(grid, lumps, anatomy.x(side, 0.08, middle_y), middle_y, 0.3))


ENLARGED_HILUM = FindingDrawing(on_either_side("hilar structures"), draw_enlarged_hilum)
