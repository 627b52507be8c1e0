"""One film from one request: anatomy, findings, beam, exposure. The same request gives the same bytes."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from chartsight.hospital.anatomy import Anatomy, build_anatomy, object_boxes
from chartsight.hospital.film_request import Box, Film, FilmRequest, FindingMark, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.findings.drawing import DrawingError, Drawn
from chartsight.hospital.strokes import Grid, Plane, as_plane, stretch
from chartsight.hospital.styles import Style, find_style
from chartsight.hospital.tissue import Layers, paint_chest

SMALLEST_PX, LARGEST_PX = 32, 4096
FINDING_STREAM, TEXTURE_STREAM, NOISE_STREAM, FRAME_STREAM = 5, 6, 7, 8

WATER, BONE, METAL = 3.1, 3.0, 4.0  # attenuation per unit of depth; a trunk without air comes out at 3 to 4


def render_film(request: FilmRequest) -> Film:
    """The film that is asked for, with every box and ratio.

    Raises:
        DrawingError: An unknown finding, a place where it cannot stand, a severity outside (0, 1], an impossible size.
        StyleError: An unknown style.
    """
    style = find_style(request.style)
    check_request(request)
    if request.view == "LATERAL":
        raise DrawingError("unknown-view", "view", "LATERAL", "PA or AP")
    anatomy = build_anatomy(request.body, request.view, request.seed)
    for planted in request.findings:
        anatomy = FINDINGS[planted.attribute].reshape(anatomy, planted)
    layers = paint_chest(anatomy, Grid(request.size_px))
    marks = [
        mark_of(FINDINGS[planted.attribute].draw(layers, anatomy, planted, finding_generator(request, planted)))
        for planted in request.findings
    ]
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
    if request.view not in ("PA", "AP"):
        raise DrawingError("unknown-view", "view", str(request.view), "PA or AP")
    if not 0 <= request.body.habitus <= 1:
        raise DrawingError("habitus", "body.habitus", str(request.body.habitus), "0 to 1")
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


def finding_generator(request: FilmRequest, planted: PlantedFinding) -> np.random.Generator:
    """The finding's own stream: a patient's nodule has one shape and place on all films, whatever else is on them."""
    name = zlib.crc32(f"{planted.attribute}|{planted.objects[0]}".encode())
    return np.random.default_rng([FINDING_STREAM, request.body.seed, name])


def mark_of(drawn: Drawn) -> FindingMark:
    """The finding's pixels with the box around them, and its tip in pixels."""
    rows, columns = np.flatnonzero(drawn.extent.any(1)), np.flatnonzero(drawn.extent.any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    size = drawn.extent.shape[0]
    return FindingMark(box, drawn.extent, None if drawn.tip is None else (drawn.tip[0] * size, drawn.tip[1] * size))


def in_pixels(box: Box, size_px: int) -> Box:
    """A box of fractions as pixels."""
    x1, y1, x2, y2 = (float(value) * size_px for value in box)
    return (x1, y1, x2, y2)


def expose(layers: Layers, anatomy: Anatomy, style: Style, request: FilmRequest) -> NDArray[np.uint8]:
    """uint8 [N, N]: the beam through the layers, scattered, noisy, on the style's curve, framed and marked."""
    size = request.size_px
    noise_rng = np.random.default_rng([NOISE_STREAM, request.seed])
    frame_rng = np.random.default_rng([FRAME_STREAM, request.seed])
    texture = fine_texture(np.random.default_rng([TEXTURE_STREAM, anatomy.body_seed]), size)
    aired = layers.air * (1 - layers.fill)
    depth = layers.soft * (1 - aired) + layers.vessels * np.sqrt(aired) + np.float32(0.03) * texture * aired
    depth += layers.wall
    attenuation = np.float32(WATER) * depth + np.float32(BONE) * layers.bone + np.float32(METAL) * layers.metal
    unsharp = style.blur * (1.6 - anatomy.sharpness) * size
    if unsharp > 0.3:
        attenuation = ndimage.gaussian_filter(attenuation, unsharp, truncate=2.5)
    beam = np.exp(-attenuation)
    beam += np.float32(style.scatter) * (1 + np.float32(anatomy.fat)) * haze(beam)
    signal = -np.log(beam)
    grains = noise_rng.standard_normal((size, size), np.float32)
    if style.grain * size > 0.3:
        sigma = style.grain * size
        grains = ndimage.gaussian_filter(grains, sigma, truncate=2.5) * np.float32(2 * math.sqrt(math.pi) * sigma)
    # Fewer photons reach the detector behind thick parts, so they are noisier.
    signal += np.float32(style.noise) * grains * np.clip(np.exp((signal - 3) * np.float32(0.5)), 0.1, 1.3)
    # The exposure control looks at the body's thickness, not at what is in the lungs.
    shift = float(frame_rng.normal(0, style.exposure_spread)) + 1.2 * (anatomy.thickness - 1.0)
    tone = np.clip((signal - np.float32(style.dark + shift)) / np.float32(style.bright - style.dark), 0, 1.6)
    tone = tone ** np.float32(style.gamma)
    bend = np.float32(style.shoulder)
    tone = tone * (1 + bend) / (1 + bend * tone)
    if style.edge_enhancement:
        tone += np.float32(style.edge_enhancement) * (tone - ndimage.gaussian_filter(tone, 0.012 * size, truncate=2))
    grey = tone * np.float32(215)
    frame(grey, style, frame_rng)
    pixels: NDArray[np.uint8] = np.clip(grey + np.float32(0.5), 0, 255).astype(np.uint8)
    return pixels


def fine_texture(rng: np.random.Generator, size: int) -> Plane:
    """The lung's own grain: smooth noise of unit deviation, [size, size], the same on every film of a patient."""
    coarse = as_plane(rng.standard_normal((96, 96), np.float32))
    coarse = ndimage.gaussian_filter(coarse, 0.6, mode="wrap") * np.float32(2.1)
    return stretch(coarse, size)


def haze(beam: Plane) -> Plane:
    """Scattered radiation: the beam, spread over a tenth of the film."""
    size = beam.shape[0]
    n = 32
    edges = np.linspace(0, size, n + 1).astype(int)[:-1]
    area = np.add.reduceat(np.add.reduceat(beam, edges, 0), edges, 1)
    counts = np.diff(np.append(edges, size)).astype(np.float32)
    mean = area / (counts[:, None] * counts)
    return stretch(ndimage.gaussian_filter(mean, 3.0, mode="nearest"), size)


GLYPHS = {
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
}


def frame(grey: Plane, style: Style, rng: np.random.Generator) -> None:
    """Add the side marker and the unexposed border, in place."""
    size = grey.shape[0]
    letter = "L" if style.marker_side == "left" else "R"
    x = 0.915 + rng.normal(0, 0.012) if letter == "L" else 0.085 + rng.normal(0, 0.012)
    y = 0.07 + abs(rng.normal(0, 0.02))
    pixel = max(round(0.0085 * size), 1)
    glyph = np.kron(
        np.array([[int(bit) for bit in row] for row in GLYPHS[letter]], np.float32), np.ones((pixel, pixel))
    )
    top, left = int(y * size), int(x * size - glyph.shape[1] / 2)
    target = grey[top : top + glyph.shape[0], left : left + glyph.shape[1]]
    target[:] = np.maximum(target, 250 * glyph[: target.shape[0], : target.shape[1]])
    if style.marker == "ringed":
        middle_y, middle_x = top + glyph.shape[0] / 2, left + glyph.shape[1] / 2
        rows, columns = np.ogrid[:size, :size]
        distance = np.hypot(rows - middle_y, columns - middle_x) - 0.047 * size
        np.maximum(grey, 250 * (np.abs(distance) < max(0.004 * size, 0.6)), out=grey)
    widths = np.maximum(rng.uniform(-0.6, 1.0, 4), 0) * style.collimation * size
    up, down, left, right = (int(value) for value in widths)
    grey[:up], grey[size - down :] = style.border, style.border
    grey[:, :left], grey[:, size - right :] = style.border, style.border
