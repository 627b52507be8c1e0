"""How a finding is drawn on a lateral film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings.drawing import Drawn
from chartsight.hospital.lateral.anatomy import LateralAnatomy
from chartsight.hospital.tissue import Layers


@dataclass(frozen=True)
class LateralDrawing:
    """How one attribute looks from the side.

    Its places and what it does to the anatomy are those of the frontal drawing: the patient is the same.

    Args:
        draw: Adds the finding to the layers and says which pixels are its own; None when this one cannot be seen from
            the side. The generator is in the state in which the frontal drawing of the same finding gets it, so the
            first numbers drawn are the same on both films.
    """

    draw: Callable[[Layers, LateralAnatomy, PlantedFinding, np.random.Generator], Drawn | None]
