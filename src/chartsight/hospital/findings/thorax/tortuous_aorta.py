"""Tortuous aorta: the arch unfolds, the descending aorta bows away from the spine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import outline, shape_generator
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def unfold_arch(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """A knob that reaches further out and higher, and an ascending aorta that shows on the right."""
    rng, severity, heart = shape_generator(anatomy, planted), planted.severity, anatomy.heart
    heart = replace(
        heart, knob=heart.knob + (0.004 + 0.030 * severity) * rng.uniform(0.8, 1.2),
        upper=heart.upper + 0.010 * severity * rng.uniform(0.4, 1.2),
        arch_y=heart.arch_y - 0.018 * severity * rng.uniform(0.5, 1.2),
    )  # fmt: skip
    return replace(anatomy, heart=heart)


def draw_tortuous_aorta(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The descending aorta's left border, from the knob to the diaphragm, in one bow or two."""
    severity, heart, y = planted.severity, anatomy.heart, layers.grid.y
    top, low = heart.arch_y - 0.045, heart.bottom_y - 0.01
    t = np.clip((y - np.float32(heart.arch_y)) / np.float32(low - heart.arch_y), 0, 1)
    peak, second = rng.uniform(0.30, 0.55), rng.uniform(-0.25, 0.35)
    bow = np.sin(np.float32(math.pi) * t ** np.float32(math.log(0.5) / math.log(peak)))
    bow += np.float32(second) * np.sin(np.float32(2 * math.pi) * t)
    edge = np.float32(heart.knob - 0.006) * (1 - t) + np.float32(0.035) * t
    edge += np.float32((0.008 + 0.050 * severity) * rng.uniform(0.85, 1.15)) * bow
    # Above its middle the knob is round.
    over = np.clip((np.float32(heart.arch_y) - y) / np.float32(0.045), 0, 1)
    edge = as_plane(edge * np.sqrt(1 - over * over))
    middle = layers.d - np.float32(anatomy.mediastinum_shift)
    within = rise(as_plane(edge - middle), 0.005) * (middle > 0) * (y > top) * (y < low)
    width = np.float32(0.070 + 0.015 * severity)
    vessel = within * np.clip((middle - edge + width) / np.float32(0.02), 0, 1)
    layers.replace_air(as_plane(np.float32(0.12 + 0.55 * severity) * within))
    layers.wall += np.float32(0.02 + 0.035 * severity) * vessel
    return Drawn(
        outline(layers.grid, as_plane(vessel), anatomy.x(1, 0.6 * heart.knob, heart.arch_y), heart.arch_y, 0.4)
    )


TORTUOUS_AORTA = FindingDrawing({"aortic arch": ("aortic arch", "mediastinum")}, draw_tortuous_aorta, unfold_arch)
