"""What the patients ask of the renderer, and what it gives back. Everything that a film shows is decided here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]
View = Literal["PA", "AP", "LATERAL"]
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
class Technique:
    """How a film was taken and printed, apart from what it shows. `None` leaves a choice to the style and the seed.

    Args:
        marker: Look of the side marker.
        padding: Share of the film's width that is unexposed border, 0 to 0.3.
        padding_grey: Grey of that border, 0 black to 1 white.
        exposure: Departure from the right exposure in the style's own spread, negative darker; about -3 to 3.
        monitored: ECG leads and tubing lie over the patient.
        annotated: Words burnt in beside the marker, such as PORTABLE.
    """

    marker: Literal["plain", "ringed", "arrow"] | None = None
    padding: float | None = None
    padding_grey: float | None = None
    exposure: float | None = None
    monitored: bool | None = None
    annotated: str | None = None


@dataclass(frozen=True)
class FilmRequest:
    """One film.

    Args:
        body: Whose.
        view: PA and AP are frontal. A lateral film shows the patient from the left, the front on the left of the film.
        findings: What to draw, in order.
        style: One of `styles.STYLE_NAMES`.
        size_px: Width and height.
        seed: Of the exposure: position, inspiration, rotation, noise, marker.
        technique: What the ordering world has decided about the film's look.
        bits: 8, or 16 for the detector's full range.
        distraction: Factor on how often things that resemble findings are on the film: 0 never, 1 as in life.
    """

    body: Body
    view: View
    findings: tuple[PlantedFinding, ...]
    style: str
    size_px: int
    seed: int
    technique: Technique = field(default_factory=Technique)
    bits: Literal[8, 16] = 8
    distraction: float = 1.0


@dataclass(frozen=True)
class FindingMark:
    """Where a planted finding is on a film.

    Args:
        box: Around the mask.
        mask: bool [size_px, size_px], the pixels that a reader would outline; none lies under the film's border.
        tip: Where a tube or line ends, in pixels; None for everything else.
    """

    box: Box
    mask: NDArray[np.bool_]
    tip: tuple[float, float] | None = None


@dataclass(frozen=True)
class Film:
    """A rendered film and everything that is true of it.

    Args:
        pixels: uint8 or uint16 [size_px, size_px]; bone bright, air dark (MONOCHROME2). On a frontal film the patient's
            right is on the left side.
        boxes: For every one of the 36 `schema.OBJECTS` that the view shows, its box; all of them on a frontal film.
        marks: One a planted finding, in the order of the request; None where the view does not show it
            or the border hides most of it.
        ct_ratio: Heart width over thorax width; 0 on a lateral film.
        mt_ratio: Upper mediastinum width over thorax width; 0 on a lateral film.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    boxes: dict[str, Box]
    marks: tuple[FindingMark | None, ...] = ()
    ct_ratio: float = 0.0
    mt_ratio: float = 0.0

    @property
    def finding_boxes(self) -> tuple[Box | None, ...]:
        """The boxes of the marks."""
        return tuple(None if mark is None else mark.box for mark in self.marks)
