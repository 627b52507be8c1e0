"""Swan-Ganz catheter: from the right side of the neck through atrium and ventricle, looping into a pulmonary artery."""

from __future__ import annotations

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.devices.ij_line import jugular_course
from chartsight.hospital.findings.devices.pen import CATHETER, SWAN_CATHETER, DevicePen
from chartsight.hospital.findings.devices.veins import curve_through, pulmonary_course, to_the_svc
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.strokes import stretch_of
from chartsight.hospital.tissue import Layers


def draw_swan_ganz(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The catheter inside its wider sheath; severity is how far it stands out."""
    side = -1 if rng.random() < 0.85 else 1
    sheath = rng.uniform(0.16, 0.22)
    neck = jugular_course(anatomy, side, rng) + to_the_svc(anatomy, side)
    x, y = curve_through(neck + pulmonary_course(anatomy, planted.objects[0], rng), 120)
    pen = DevicePen(layers, planted.severity, rng)
    pen.line(x, y, SWAN_CATHETER, 0.185)
    pen.line(*stretch_of(x, y, 0.05, sheath), 1.5 * CATHETER, 0.07)
    return pen.drawn((float(x[-1]), float(y[-1])))


SWAN_GANZ_CATHETER = FindingDrawing(
    {
        "left hilar structures": ("left hilar structures", "mediastinum", "right atrium", "svc"),
        "right hilar structures": ("right hilar structures", "mediastinum", "right atrium", "svc"),
        "mediastinum": ("mediastinum", "right atrium", "svc"),
    },
    draw_swan_ganz,
)
