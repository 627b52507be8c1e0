"""Rotated: a patient who was not square to the detector, so that one clavicle's head lies over the spine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chartsight.hospital.anatomy import MOST_ROTATION, Anatomy, Hemithorax
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn, FindingDrawing
from chartsight.hospital.findings.thorax.outline import shape_generator, silhouette
from chartsight.hospital.findings.thorax.skeleton import fit_ribs
from chartsight.hospital.tissue import Layers

MARGIN = 0.001


def turn_patient(anatomy: Anatomy, planted: PlantedFinding) -> Anatomy:
    """Just beyond what passes as straight (severity near 0) to a strongly turned chest (1), to either side."""
    rng = shape_generator(anatomy, planted)
    rotation = (1 if rng.random() < 0.5 else -1) * (MOST_ROTATION + MARGIN + 0.052 * planted.severity)

    def turned(lung: Hemithorax) -> Hemithorax:
        before, after = (1 - 0.8 * lung.side * value for value in (anatomy.rotation, rotation))
        medial = lung.medial + 0.1 * lung.side * (rotation - anatomy.rotation)
        return replace(lung, width=lung.width * after / before, medial=medial)

    return fit_ribs(replace(anatomy, rotation=rotation, left=turned(anatomy.left), right=turned(anatomy.right)))


def outline_turned(layers: Layers, anatomy: Anatomy, planted: PlantedFinding, rng: np.random.Generator) -> Drawn:
    """The mediastinum that has swung to one side, which is already drawn."""
    top = min(anatomy.left.apex_y, anatomy.right.apex_y)
    return Drawn(silhouette(layers, anatomy, top, anatomy.heart.bottom_y + 0.02))


ROTATED = FindingDrawing({"mediastinum": ("mediastinum",)}, outline_turned, turn_patient)
