"""Hydropneumothorax: air above fluid in the pleural space, so that the fluid has a straight horizontal level."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import Airspace, clear_of_heart, fill, outline, whole_lung
from chartsight.hospital.findings.lung.pneumothorax import pleural_line, release_air
from chartsight.hospital.strokes import as_plane, rise
from chartsight.hospital.tissue import Layers


def fluid_level(space: Airspace, severity: float) -> float:
    """Height of the level on the film."""
    lung = space.lung
    return lung.dome_y + 0.4 * (lung.angle_y - lung.dome_y) - (0.01 + 0.26 * severity)


def draw_hydropneumothorax(
    layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator
) -> Drawn:
    """From a short level in the angle under a rim of air (severity near 0) to half a chest of fluid (1)."""
    space, severity = whole_lung(layers, anatomy, side_of(planted)), planted.severity
    level = fluid_level(space, severity) + rng.uniform(-0.06, 0.06) * (0.3 + severity)
    pleura = pleural_line(space, 0.06 + 0.69 * severity, whole=True, tilt=rng.uniform(-0.25, 0.25))
    air = rise(as_plane(space.d - pleura), 0.004) * (space.depth > 0) * (space.y < np.float32(level))
    clear = clear_of_heart(layers, space)
    release_air(layers, anatomy, space, as_plane(air), pleura, 0.06 + 0.69 * severity, floor=level)
    fluid = as_plane(rise(as_plane(space.y - np.float32(level)), 0.0025) * (space.depth > 0))
    fill(layers, space, as_plane(fluid * np.float32(0.06 + 0.92 * min(1.0, 1.5 * severity) ** 1.5)))
    return Drawn(outline(layers, [(space, as_plane(np.maximum(air, fluid) * clear))], at_least=0.45))


def implied_by_hydropneumothorax(planted: PlantedFinding) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The fluid fills the costophrenic angle."""
    side = planted.objects[0].split()[0]
    return (("costophrenic angle blunting", (f"{side} costophrenic angle",)),)


HYDROPNEUMOTHORAX = FindingDrawing(
    on_either_side("lung", "costophrenic angle"), draw_hydropneumothorax, implies=implied_by_hydropneumothorax
)
