"""Pleural effusion: fluid with a meniscus that climbs the lateral wall, or a veil in a patient who lies flat."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    beyond,
    clear_of_heart,
    fill,
    is_supine,
    lumps,
    moved_mediastinum,
    outline,
    whole_lung,
)
from chartsight.hospital.strokes import Plane, as_plane, rise
from chartsight.hospital.tissue import Layers

PUSHES = 0.7  # severity from which the fluid displaces the mediastinum


def push_mediastinum(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """A large effusion moves heart and windpipe away, up to 5% of the film."""
    return moved_mediastinum(anatomy, -side_of(planted), 0.05 * beyond(PUSHES, planted.severity))


def draw_effusion(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Fluid from a blunted angle (severity near 0) to two thirds of the lung (1)."""
    space, tallness, steepness, wave = (
        whole_lung(layers, anatomy, side_of(planted)), rng.uniform(0.75, 1.25), rng.uniform(2.5, 5.5),
        rng.normal(0, 0.004),
    )  # fmt: skip
    if is_supine(anatomy):
        share = veil(space, planted.severity * tallness, rng)
        fill(layers, space, share)
        return Drawn(outline(layers, [(space, share * clear_of_heart(layers, space))], at_least=0.2))
    surface = meniscus(space, planted.severity, tallness, steepness) + np.float32(wave) * np.sin(9 * space.reach)
    below = as_plane(space.y - surface)
    # The fluid's edge is a wedge: thin above, thicker below, so that the film fades in.
    share = rise(below, 0.008 + 0.014 * planted.severity)
    share *= np.float32(0.15 + 0.82 * min(1.0, 1.7 * planted.severity))
    fill(layers, space, share)
    return Drawn(outline(layers, [(space, share * clear_of_heart(layers, space))], at_least=0.4))


def meniscus(space: Airspace, severity: float, tallness: float = 1.0, steepness: float = 4.0) -> Plane:
    """Height of the fluid's surface on the film at each point, [h, w]: concave, highest at the lateral wall."""
    lung = space.lung
    height = 0.022 + 0.40 * tallness * severity**1.25
    outwards = np.clip(space.reach, 0, 1.05)
    climb = (np.exp(np.float32(steepness) * outwards) - 1) / np.float32(np.exp(steepness) - 1)
    # It climbs the mediastinum a little too.
    climb += np.float32(0.12) * np.clip(1 - outwards * 3, 0, 1) ** 2
    level = 0.10 + 0.48 * severity + 0.025 * steepness
    return as_plane(np.float32(lung.angle_y) - np.float32(height) * (np.float32(level) + np.float32(1 - level) * climb))


def veil(space: Airspace, severity: float, rng: np.random.Generator) -> Plane:
    """Fluid spread behind the whole lung, denser downwards; vessels shine through."""
    lung = space.lung
    down = np.clip((space.y - np.float32(lung.apex_y)) / np.float32(lung.height), 0, 1)
    base = down ** np.float32(2.4 - 1.2 * severity)
    edge = np.clip((space.reach - np.float32(0.90)) * 8, 0, 1) * np.float32(0.3)
    share = (base + edge * down) * np.float32(0.10 + 0.55 * severity)
    return as_plane(np.clip(share * (1 + np.float32(0.12) * lumps(rng, space, 0.12)), 0, 0.8))


def implied_by_effusion(planted: PlantedFinding) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The angle of its side is blunt; a large one also displaces the mediastinum."""
    side = planted.objects[0].split()[0]
    angle = ("costophrenic angle blunting", (f"{side} costophrenic angle",))
    return (angle, ("mediastinal displacement", ("mediastinum",))) if planted.severity > PUSHES + 0.1 else (angle,)


EFFUSION = FindingDrawing(
    on_either_side("costophrenic angle", "lung") | on_either_side("lung", "costophrenic angle"),
    draw_effusion, push_mediastinum, implied_by_effusion,
)  # fmt: skip
