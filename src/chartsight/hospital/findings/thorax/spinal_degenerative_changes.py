"""Degenerative changes of the spine: osteophytes, narrowed discs, dense end plates."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, Extent, FindingDrawing
from chartsight.hospital.strokes import Strokes, add_blob, as_plane, smooth_curve
from chartsight.hospital.tissue import Layers


def draw_spinal_degenerative_changes(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """Beaks at two discs (severity near 0) to bridges along the whole lower thoracic spine (1)."""
    severity, grid = planted.severity, layers.grid
    discs = [y for y in anatomy.disc_heights() if anatomy.left.apex_y + 0.16 < y < 0.93]
    wanted = min(2 + round(6 * severity), len(discs))
    offset = rng.random()
    start = round(offset * (len(discs) - wanted))
    # The pulse of the aorta keeps the left side of the thoracic spine free.
    favoured = -1 if rng.random() < 0.75 else 1
    spurs, plates = grid.blank(), grid.blank()
    edges, bridges = Strokes(), Strokes()
    for number, y in enumerate(discs):
        size, tilt, other, dense = rng.uniform(0.4, 1.4), rng.normal(0, 0.002), rng.uniform(0.0, 0.8), rng.random(4)
        if not start <= number < start + wanted:
            continue
        half = 0.031 + 0.008 * y
        for above in (-1, 1):
            edges.add(
                as_plane(np.array([anatomy.x(1, d, y) for d in (-half * dense[above], half * dense[above + 1])])),
                as_plane(np.array([y + above * 0.0055 - tilt, y + above * 0.0055 + tilt])),
                size,
            )
        for side in (1, -1):
            reach = (0.006 + 0.016 * severity) * size * (1.0 if side == favoured else other)
            for above in (-1, 1):  # a beak at the rim of each vertebra, bent towards the other
                x, beak_y = anatomy.x(side, half + 0.25 * reach, y), y + above * (0.0085 - 0.12 * reach)
                add_blob(spurs, grid, x, beak_y, 0.75 * reach + 0.002, 0.0045 + 0.12 * reach, 1.0, power=0.8)
            if size * severity > 0.75 and side == favoured:  # a bridge
                bridges.add(*smooth_curve(
                    [anatomy.x(side, half + k * reach, y) for k in (0.5, 0.9, 0.5)], [y - 0.010, y, y + 0.010], 10
                ))  # fmt: skip
    edges.draw(plates, grid, 0.0025)
    bridges.draw(spurs, grid, 0.0028)
    layers.bone += np.float32((0.04 + 0.16 * severity) * anatomy.bone) * np.minimum(spurs, 1.2)
    layers.bone += np.float32((0.02 + 0.12 * severity) * anatomy.bone) * np.minimum(plates, 1.3)
    top, low = discs[start] - 0.02, discs[start + wanted - 1] + 0.02
    reach_out = np.float32(0.036 + 0.014 * severity) + np.float32(0.008) * grid.y
    segment: Extent = (np.abs(layers.d) < reach_out) & (grid.y > top) & (grid.y < low)
    return Drawn(segment)


SPINAL_DEGENERATIVE_CHANGES = FindingDrawing({"spine": ("spine",)}, draw_spinal_degenerative_changes)
