"""Bypass grafts: the wires that close the breastbone, and clips along the grafts at the heart's left border."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy, heart_level
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.pen import STERNAL_WIRE, DevicePen
from chartsight.hospital.findings.devices.veins import heart_x
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import as_plane
from chartsight.hospital.tissue import Layers


def sternum_x(anatomy: Anatomy, y: float) -> float:
    """x of the breastbone's middle: it lies in front, so that turning moves it further than the heart."""
    return anatomy.midline_at(y) + 0.8 * anatomy.rotation


def draw_cabg_grafts(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """Six or seven twisted loops over the midline and a row of clips; severity is how far they stand out."""
    a, heart = anatomy, anatomy.heart
    count, clips, broken = int(rng.integers(6, 8)), int(rng.integers(5, 12)), rng.random() < 0.15
    first, last = a.clavicle_y + 0.035, heart_level(heart, 0.86)
    jitter = rng.normal(0, 1, (count, 6))
    along_graft, off_graft, lie = (
        np.sort(rng.uniform(0.22, 0.82, clips)),
        rng.normal(0, 1, clips),
        rng.normal(0, 1, clips),
    )
    pen = DevicePen(layers, planted.severity, rng)
    turn = np.linspace(0, 2 * np.pi, 22)
    loops, knots, pieces = [], [], []
    for number in range(count):
        place, aside, wide, high, tilt, lean = jitter[number]
        y = first + (last - first) * number / (count - 1) + 0.004 * place
        x = sternum_x(a, y) + 0.003 * aside
        # Wider over the body of the bone than over its handle; seen more or less from below.
        wide, high = 0.017 + 0.005 * min(number, 2) / 2 + 0.0025 * wide, 0.0085 + 0.003 * abs(high)
        tilt *= 0.15
        loop = turn[: len(turn) // 4 * 3] if broken and number == 2 else turn
        u, v = wide * np.cos(loop + 1.4), high * np.sin(loop + 1.4)
        loops.append((as_plane(x + u - tilt * v), as_plane(y + v + tilt * u)))
        # The twisted ends lie on the front of the bone.
        knot = np.linspace(-0.5, 0.5, 4) * 0.011
        knots.append(
            (as_plane(x + knot * np.sin(lean)), as_plane(y + high - 0.006 * np.cos(lean) + knot * np.cos(lean)))
        )
    for t, off, angle in zip(along_graft, off_graft, lie, strict=True):
        y = heart_level(heart, float(t))
        x = heart_x(a, heart.waist * 0.55 + (0.62 * heart.left - 0.55 * heart.waist) * float(t) ** 1.4 + 0.004 * off, y)
        step = np.array([-0.005, 0.005])
        pieces.append((as_plane(x + step * np.sin(0.7 * angle)), as_plane(y + step * np.cos(0.7 * angle))))
    pen.lines(loops, STERNAL_WIRE, 0.55)
    pen.lines(knots, 0.0026, 0.42)
    pen.lines(pieces, 0.0018, 0.55)
    return pen.drawn()


CABG_GRAFTS = FindingDrawing({"mediastinum": ("mediastinum", "cardiac silhouette")}, draw_cabg_grafts)
