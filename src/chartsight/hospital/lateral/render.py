"""One lateral film from one request. The same request gives the same bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chartsight.hospital.anatomy import build_anatomy
from chartsight.hospital.exposure import expose, frame_of
from chartsight.hospital.film_request import Film, FilmRequest, FindingMark, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.frame import hidden
from chartsight.hospital.lateral.anatomy import LateralAnatomy, build_lateral_anatomy, lateral_boxes
from chartsight.hospital.lateral.artefacts import paint_lateral_artefacts
from chartsight.hospital.lateral.findings import LATERAL_FINDINGS
from chartsight.hospital.lateral.tissue import paint_lateral_chest
from chartsight.hospital.render import check_request, finding_generator, in_pixels, mark_of
from chartsight.hospital.strokes import Grid
from chartsight.hospital.styles import find_style
from chartsight.hospital.tissue import Layers


def render_lateral(request: FilmRequest) -> Film:
    """The lateral film that is asked for; its ratios are 0, and what it cannot show has no box and the mark None.

    Raises:
        DrawingError: An unknown finding, a place where it cannot stand, a severity outside (0, 1], an impossible size.
        StyleError: An unknown style.
    """
    style = find_style(request.style, request.seed)
    check_request(request)
    frontal = build_anatomy(
        request.body, "PA", request.seed, padding=request.technique.padding or 0.0, distraction=request.distraction
    )
    for planted in request.findings:
        frontal = FINDINGS[planted.attribute].reshape(frontal, planted)
    anatomy = build_lateral_anatomy(frontal, request.body, request.seed)
    layers = paint_lateral_chest(anatomy, Grid(request.size_px))
    under = hidden(layers.grid, frame_of(request, style).border)
    marks = [draw_finding(layers, anatomy, planted, request, under) for planted in request.findings]
    paint_lateral_artefacts(anatomy, layers, request)
    pixels = expose(layers, frontal, style, request)
    boxes = {name: in_pixels(box, request.size_px) for name, box in lateral_boxes(anatomy).items()}
    return Film(pixels=pixels, boxes=boxes, marks=tuple(marks))


def draw_finding(
    layers: Layers,
    anatomy: LateralAnatomy,
    planted: PlantedFinding,
    request: FilmRequest,
    under: NDArray[np.bool_],
) -> FindingMark | None:
    """Add a finding to the layers; None when it is not seen from the side, or lies `under` the border."""
    drawing = LATERAL_FINDINGS[planted.attribute]
    drawn = None if drawing is None else drawing.draw(layers, anatomy, planted, finding_generator(request, planted))
    return None if drawn is None else mark_of(drawn, under)
