"""One film from one request: anatomy, findings, beam, exposure. The same request gives the same bytes."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from chartsight.hospital.anatomy import build_anatomy, object_boxes
from chartsight.hospital.artefacts import paint_artefacts
from chartsight.hospital.exposure import expose, frame_of
from chartsight.hospital.film_request import Box, Film, FilmRequest, FindingMark, PlantedFinding, Technique
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.findings.drawing import DrawingError, Drawn
from chartsight.hospital.frame import DOTS, hidden
from chartsight.hospital.strokes import Grid
from chartsight.hospital.styles import find_style
from chartsight.hospital.tissue import paint_chest

SMALLEST_PX, LARGEST_PX = 32, 4096
FINDING_STREAM = 5
MOST_PADDING, MOST_EXPOSURE, MOST_DISTRACTION = 0.3, 4, 10
MARKERS = ("plain", "ringed", "arrow")


def render_film(request: FilmRequest) -> Film:
    """The film that is asked for, with every box and ratio.

    Raises:
        DrawingError: An unknown finding, a place where it cannot stand, a severity outside (0, 1], an impossible size.
        StyleError: An unknown style.
    """
    style = find_style(request.style, request.seed)
    check_request(request)
    if request.view == "LATERAL":
        from chartsight.hospital.lateral.render import render_lateral  # which exposes its film with this module

        return render_lateral(request)
    anatomy = build_anatomy(
        request.body,
        request.view,
        request.seed,
        padding=request.technique.padding or 0.0,
        distraction=request.distraction,
    )
    for planted in request.findings:
        anatomy = FINDINGS[planted.attribute].reshape(anatomy, planted)
    layers = paint_chest(anatomy, Grid(request.size_px))
    under = hidden(layers.grid, frame_of(request, style).border)
    marks = [
        mark_of(FINDINGS[planted.attribute].draw(layers, anatomy, planted, finding_generator(request, planted)), under)
        for planted in request.findings
    ]
    paint_artefacts(anatomy, layers, request)
    pixels = expose(layers, anatomy, style, request)
    return Film(
        pixels=pixels,
        boxes={name: in_pixels(box, request.size_px) for name, box in object_boxes(anatomy).items()},
        marks=tuple(marks),
        ct_ratio=anatomy.ct_ratio,
        mt_ratio=anatomy.mt_ratio,
    )


def check_request(request: FilmRequest) -> None:
    """Refuse what cannot be drawn, before anything is."""
    if not SMALLEST_PX <= request.size_px <= LARGEST_PX:
        raise DrawingError("film-size", "size_px", str(request.size_px), f"{SMALLEST_PX} to {LARGEST_PX}")
    if request.view not in ("PA", "AP", "LATERAL"):
        raise DrawingError("unknown-view", "view", str(request.view), "PA, AP or LATERAL")
    if not 0 <= request.body.habitus <= 1:
        raise DrawingError("habitus", "body.habitus", str(request.body.habitus), "0 to 1")
    if request.bits not in (8, 16):
        raise DrawingError("film-bits", "bits", str(request.bits), "8 or 16")
    if not 0 <= request.distraction <= MOST_DISTRACTION:
        raise DrawingError("distraction", "distraction", str(request.distraction), f"0 to {MOST_DISTRACTION}")
    check_technique(request.technique)
    for planted in request.findings:
        if planted.attribute not in FINDINGS:
            raise DrawingError(
                "unknown-finding", "findings", planted.attribute, "one of " + ", ".join(sorted(FINDINGS))
            )
        places = FINDINGS[planted.attribute].places
        if not planted.objects or planted.objects[0] not in places:
            found = planted.objects[0] if planted.objects else "no object"
            raise DrawingError("impossible-place", planted.attribute, found, "one of " + ", ".join(sorted(places)))
        if not 0 < planted.severity <= 1:
            raise DrawingError("severity", planted.attribute, str(planted.severity), "above 0, at most 1")


def check_technique(technique: Technique) -> None:
    """Refuse a technique that no film can have."""
    for name, value, low, high in (
        ("padding", technique.padding, 0, MOST_PADDING),
        ("padding_grey", technique.padding_grey, 0, 1),
        ("exposure", technique.exposure, -MOST_EXPOSURE, MOST_EXPOSURE),
    ):
        if value is not None and not low <= value <= high:
            raise DrawingError("technique", f"technique.{name}", str(value), f"{low} to {high}")
    if technique.marker is not None and technique.marker not in MARKERS:
        raise DrawingError("technique", "technique.marker", technique.marker, "one of " + ", ".join(MARKERS))
    strange = sorted(set((technique.annotated or "").upper()) - set(DOTS))
    if strange:
        raise DrawingError("technique", "technique.annotated", f"the sign {strange[0]!r}", "letters, digits, - . /")


def finding_generator(request: FilmRequest, planted: PlantedFinding) -> np.random.Generator:
    """The finding's own stream: a patient's nodule has one shape and place on all films, whatever else is on them."""
    name = zlib.crc32(f"{planted.attribute}|{planted.objects[0]}".encode())
    return np.random.default_rng([FINDING_STREAM, request.body.seed, name])


def mark_of(drawn: Drawn, under: NDArray[np.bool_]) -> FindingMark | None:
    """The finding's pixels that the film shows, the box around them, and its tip in pixels.

    None when more of the finding lies `under` the film's border (bool [N, N]) than beside it: nobody can see it there.
    """
    mask = drawn.extent & ~under
    if 2 * np.count_nonzero(mask) < np.count_nonzero(drawn.extent):
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    size = mask.shape[0]
    return FindingMark(box, mask, None if drawn.tip is None else (drawn.tip[0] * size, drawn.tip[1] * size))


def in_pixels(box: Box, size_px: int) -> Box:
    """A box of fractions as pixels."""
    x1, y1, x2, y2 = (float(value) * size_px for value in box)
    return (x1, y1, x2, y2)
