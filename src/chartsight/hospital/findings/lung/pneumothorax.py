"""Pneumothorax: a thin pleural line, and beyond it air without vessels; in a patient who lies flat a deep sulcus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing, on_either_side, side_of
from chartsight.hospital.findings.lung.airspace import (
    Airspace,
    beyond,
    clear_of_heart,
    drawn_curve,
    fill,
    ink,
    is_supine,
    moved_dome,
    moved_mediastinum,
    open_air,
    outline,
    thin_vessels,
    whole_lung,
    with_lung,
)
from chartsight.hospital.strokes import Plane, as_plane, rise
from chartsight.hospital.tissue import Layers

TENSION = 0.75  # severity from which the air displaces the mediastinum


def push_aside(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """Under tension heart and windpipe move away and the dome goes down; lying flat, the angle deepens."""
    if not planted.objects[0].endswith(" lung"):
        return anatomy
    side, tension = side_of(planted), beyond(TENSION, planted.severity)
    anatomy = moved_dome(moved_mediastinum(anatomy, -side, 0.06 * tension), side, -0.03 * tension)
    if is_supine(anatomy):
        lung = anatomy.lung(side)
        anatomy = with_lung(anatomy, replace(lung, angle_y=lung.angle_y + 0.07 * planted.severity))
    return anatomy


def draw_pneumothorax(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """From a rim at the apex (severity near 0) to a lung that has fallen together (1)."""
    space, tilt = whole_lung(layers, anatomy, side_of(planted)), rng.uniform(-0.25, 0.25)
    whole = planted.objects[0].endswith(" lung")
    pleura = pleural_line(space, planted.severity, whole=whole, tilt=tilt)
    empty = rise(as_plane(space.d - pleura), 0.004) * (space.depth > 0)
    if whole and is_supine(anatomy):
        # The air rises to the front and the base: the line is seen little, the angle is deep and black.
        empty *= np.float32(0.5)
        empty = np.maximum(empty, basal_air(space, planted.severity))
    empty = as_plane(empty)
    release_air(layers, anatomy, space, empty, pleura, planted.severity)
    return Drawn(outline(layers, [(space, empty * clear_of_heart(layers, space))], at_least=0.45))


def pleural_line(space: Airspace, severity: float, *, whole: bool, tilt: float = 0.0) -> Plane:
    """Distance of the lung's edge from the midline at each height, [h, 1]; beyond it there is no lung.

    Args:
        space: Of the whole lung.
        severity: Of the finding.
        whole: Reaches down to the diaphragm; otherwise it stays in the upper third.
        tilt: How the collapse is spread from apex to base.
    """
    lung = space.lung
    down = np.clip((space.y - np.float32(lung.apex_y)) / np.float32(lung.height), 0, 1)
    if whole:
        apex, base = 0.07 + 0.55 * severity**1.2, max(0.42 * max(severity - 0.15, 0.0) + 0.7 * tilt * severity, 0.0)
        fallen = np.float32(base) + np.float32(apex - base) * (1 - down) ** np.float32(1.5)
        top = (0.020 + 0.10 * severity) * (1 + 1.2 * tilt)
    else:
        reach = (0.26 + 0.12 * severity) * (1 - 0.5 * tilt)
        fallen = np.float32((0.09 + 0.34 * severity) * (1 + tilt)) * np.clip(
            1 - down / np.float32(reach), 0, 1
        ) ** np.float32(0.8)
        top = (0.014 + 0.075 * severity) * (1 + 0.8 * tilt)
    shrunken = replace(lung, apex_y=lung.apex_y + top)
    outer, inner = lung.lateral(space.y), lung.inner(space.y)
    # The lung stays round at its own, lower apex.
    rounding = np.clip(1 - (space.y - np.float32(shrunken.apex_y)) / np.float32(0.13), 0, 1)
    edge = inner + (outer - inner) * (1 - np.clip(fallen, 0, 0.9))
    edge = inner + (edge - inner) * np.sqrt(1 - rounding * rounding) ** np.float32(0.8)
    edge = np.where(space.y < np.float32(shrunken.apex_y), np.float32(-1), edge)
    return as_plane(np.where(fallen <= 0.002, outer + np.float32(0.05), edge))


def basal_air(space: Airspace, severity: float) -> Plane:
    """Share of free air over the lower lateral lung of a patient who lies flat, [h, w]."""
    lung = space.lung
    low = rise(as_plane(space.y - np.float32(lung.dome_y - 0.08 - 0.12 * severity)), 0.05)
    return as_plane(low * rise(as_plane(space.reach - np.float32(0.55 - 0.25 * severity)), 0.12) * (space.depth > 0))


def release_air(
    layers: Layers, anatomy: Anatomy, space: Airspace, empty: Plane, pleura: Plane, severity: float, floor: float = 1.0
) -> None:
    """Draw free air where `empty` [h, w] says, the pleural line [h, 1] down to `floor`, the denser lung inside it."""
    thin_vessels(layers, space, empty)
    open_air(layers, space, empty * np.float32(0.03 + 0.09 * severity), 0.93)
    retracted = np.clip((space.lung.lateral(space.y) - pleura) * 20, 0, 1)
    inside = rise(as_plane(pleura - space.d), 0.01) * retracted
    fill(layers, space, as_plane(inside * np.float32(0.26 * severity**1.6)))
    ys = np.linspace(float(space.y[0, 0]), float(space.y[-1, 0]), 160).astype(np.float32)
    ds = np.interp(ys, space.y[:, 0], pleura[:, 0])
    inner, outer = space.lung.inner(ys), space.lung.lateral(ys)
    shown = (ds > inner + 0.002) & (ds < outer - 0.001) & (ys < floor)
    if shown.sum() < 2:
        return
    x, y, length = drawn_curve(anatomy, space.side, ds[shown].tolist(), ys[shown].tolist(), 160)
    line = ink(space, x, y, length * np.float32(0.028 + 0.062 * severity), 0.0018)
    layers.wall[space.at] += line * (layers.air[space.at] > 0.2)


def implied_by_pneumothorax(planted: PlantedFinding) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A tension pneumothorax displaces the mediastinum."""
    if planted.objects[0].endswith(" lung") and planted.severity > TENSION + 0.1:
        return (("mediastinal displacement", ("mediastinum",)),)
    return ()


PNEUMOTHORAX = FindingDrawing(
    on_either_side("apical zone", "lung") | on_either_side("lung", "apical zone"),
    draw_pneumothorax, push_aside, implied_by_pneumothorax,
)  # fmt: skip
