"""What the patients ask of the renderer, and what it gives back. Everything that a film shows is decided here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]
Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the film, x to the right, y downwards


@dataclass(frozen=True)
class PlantedFinding:
    """One finding to draw.

    Args:
        attribute: One of `schema.ATTRIBUTES`.
        objects: Where it is, of `schema.OBJECTS`; the renderer draws it in the first, the others are what it touches.
        severity: (0, 1]; near 0 it is hardly visible, at 1 nobody misses it.
    """

    attribute: str
    objects: tuple[str, ...]
    severity: float


@dataclass(frozen=True)
class Body:
    """One patient's anatomy: the same seed gives the same skeleton on every film of that patient.

    Args:
        sex: M or F.
        age: Years.
        habitus: 0 slender to 1 large.
        seed: Of the anatomy's own variation (rib spacing, heart axis, spine curve, ...).
    """

    sex: Literal["M", "F"]
    age: int
    habitus: float
    seed: int


@dataclass(frozen=True)
class FilmRequest:
    """One film. `seed` is that of the exposure: position, inspiration, rotation, noise, marker."""

    body: Body
    view: Literal["PA", "AP"]
    findings: tuple[PlantedFinding, ...]
    style: str
    size_px: int
    seed: int


@dataclass(frozen=True)
class Film:
    """A rendered film and everything that is true of it.

    Args:
        pixels: uint8 [size_px, size_px]; bone bright, air dark (MONOCHROME2). The patient's right is on the left side.
        boxes: For every one of the 36 `schema.OBJECTS`, its box.
        finding_boxes: One box a planted finding, in the order of the request.
        ct_ratio: Heart width over thorax width.
        mt_ratio: Upper mediastinum width over thorax width.
    """

    pixels: NDArray[np.uint8]
    boxes: dict[str, Box]
    finding_boxes: tuple[Box, ...] = field(default=())
    ct_ratio: float = 0.0
    mt_ratio: float = 0.0
