"""What lies on a patient who is seen from the side: stickers and cables of a monitor, a chain."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.film_request import FilmRequest
from chartsight.hospital.lateral.anatomy import LateralAnatomy
from chartsight.hospital.strokes import add_blob, add_lines, along, smooth_curve
from chartsight.hospital.tissue import Layers

ARTEFACT_STREAM = 66

MONITORED, CHAIN = 0.05, 0.04  # share of lateral films; who comes to the wall stand is rarely monitored


def paint_lateral_artefacts(anatomy: LateralAnatomy, layers: Layers, request: FilmRequest) -> None:
    """Draw what happens to be on this film; with a distraction of 0 only what the technique asks for."""
    rng = np.random.default_rng([ARTEFACT_STREAM, request.seed])
    by_chance = float(rng.random()) < MONITORED * request.distraction
    chain = float(rng.random()) < CHAIN * request.distraction
    if by_chance if request.technique.monitored is None else request.technique.monitored:
        paint_leads(anatomy, layers, rng)
    if chain:
        paint_chain(anatomy, layers, rng)


def paint_leads(anatomy: LateralAnatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Three to five stickers, at the front seen edge on, at the flanks from above; their cables run down together."""
    a, lung = anatomy, anatomy.frontal.left
    end_x, end_y = float(rng.uniform(0.05, 0.45)), 1.02
    bright = float(rng.uniform(0.08, 0.16))
    for depth, share in ((-0.10, 0.12), (0.10, 0.10), (0.35, 0.80), (0.45, 0.72), (-0.12, 0.62))[
        : int(rng.integers(3, 6))
    ]:
        y = lung.apex_y + (share + float(rng.normal(0, 0.05))) * lung.height
        x = a.inside(depth + float(rng.normal(0, 0.04)), y)
        flat = 0.35 if depth < 0 else 1.0
        add_blob(layers.metal, layers.grid, x, y, 0.016 * flat, 0.016, 0.03, power=0.3)
        add_blob(layers.metal, layers.grid, x, y, 0.0065 * flat, 0.0065, 2.2 * bright, power=0.4)
        bow = rng.normal(0, 0.04, 2)
        middle = (0.6 * x + 0.4 * end_x + float(bow[0]), 0.5 * (y + end_y) + float(bow[1]))
        px, py, length = along(*smooth_curve([x, middle[0], end_x], [y, middle[1], end_y]))
        add_lines(layers.metal, layers.grid, px, py, length * np.float32(bright), 0.0020)


def paint_chain(anatomy: LateralAnatomy, layers: Layers, rng: np.random.Generator) -> None:
    """A necklace: over the neck and down to the upper breastbone, beaded."""
    a = anatomy
    low = a.frontal.clavicle_y + float(rng.uniform(0.00, 0.08))
    x, y = smooth_curve(
        [a.skin_back.at_height(0.03) - 0.01, a.spine_front.at_height(0.06) - 0.05, a.skin_front.at_height(low) + 0.012],
        [0.03, 0.5 * low, low], 40,
    )  # fmt: skip
    px, py, length = along(x, y, 0.003)
    beads = np.float32(0.6) + np.float32(0.4) * np.sin(np.arange(len(px), dtype=np.float32) * np.float32(1.8))
    add_lines(layers.metal, layers.grid, px, py, length * np.float32(0.22) * beads, 0.0018)
