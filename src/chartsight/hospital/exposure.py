"""From layers to grey: the beam through the patient, scattered, noisy, on the maker's curve, framed and marked."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from chartsight.hospital.film_request import FilmRequest
from chartsight.hospital.frame import Frame, burn_in, choose_frame
from chartsight.hospital.strokes import Plane, as_plane, stretch
from chartsight.hospital.styles import Style
from chartsight.hospital.tissue import Layers

TEXTURE_STREAM, NOISE_STREAM, FRAME_STREAM, EXPOSURE_CONTROL_STREAM = 6, 7, 8, 10

WATER, BONE, METAL = 3.1, 3.0, 4.0  # attenuation per unit of depth; a trunk without air comes out at 3 to 4
WHITE = 215 / 255  # grey of the brightest attenuation of the style's range; metal goes beyond


class Patient(Protocol):
    """What the beam must know of the anatomy that it goes through."""

    @property
    def thickness(self) -> float:
        """Of the trunk, 1 on average."""

    @property
    def fat(self) -> float:
        """0 slender to 1 large."""

    @property
    def sharpness(self) -> float:
        """About 1 when the patient holds still near the detector."""

    @property
    def body_seed(self) -> int:
        """Of the patient's own texture."""


def expose(
    layers: Layers, anatomy: Patient, style: Style, request: FilmRequest
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels [N, N], uint8 or uint16 as the request asks; the 8-bit film is the upper half of the 16-bit one."""
    size, technique = request.size_px, request.technique
    signal = detected(layers, anatomy, style, request)
    # The exposure control looks at the body's thickness, not at what is in the lungs.
    control = np.random.default_rng([EXPOSURE_CONTROL_STREAM, request.seed])
    chance = float(np.clip(control.normal(0, 1), -2.5, 2.5))
    departure = chance if technique.exposure is None else technique.exposure
    darkening = 1.4 * (anatomy.thickness - 1.0) - departure * style.exposure_spread
    tone = np.clip((signal - np.float32(style.dark + darkening)) / np.float32(style.bright - style.dark), 0, 1.6)
    tone = tone ** np.float32(style.gamma)
    bend = np.float32(style.shoulder)
    tone = tone * (1 + bend) / (1 + bend * tone)
    if style.edge_enhancement:
        tone += np.float32(style.edge_enhancement) * (tone - ndimage.gaussian_filter(tone, 0.012 * size, truncate=2))
    if style.equalisation:
        tone += np.float32(style.equalisation) * (np.float32(0.55) - spread(tone, 3.0))
    grey = tone * np.float32(WHITE)
    burn_in(grey, frame_of(request, style))
    levels: NDArray[np.uint16] = (np.clip(grey, 0, 1) * np.float32(65535)).astype(np.uint16)
    return levels if request.bits == 16 else (levels >> 8).astype(np.uint8)


def frame_of(request: FilmRequest, style: Style) -> Frame:
    """What stands around the patient on this film."""
    rng = np.random.default_rng([FRAME_STREAM, request.seed])
    return choose_frame(request.technique, style, request.view, rng)


def detected(layers: Layers, anatomy: Patient, style: Style, request: FilmRequest) -> Plane:
    """Attenuation as the detector sees it, float32 [N, N]: unsharp, veiled by scatter, with quantum noise."""
    size = request.size_px
    texture = fine_texture(anatomy.body_seed, size)
    aired = layers.air * (1 - layers.fill)
    attenuation = layers.soft * (1 - aired)
    attenuation += layers.vessels * np.sqrt(aired)
    attenuation += np.float32(0.016) * texture * aired
    attenuation += layers.wall
    attenuation *= np.float32(WATER)
    attenuation += np.float32(BONE) * layers.bone
    attenuation += np.float32(METAL) * layers.metal
    unsharp = style.blur * (1.6 - anatomy.sharpness) * size
    if unsharp > 0.3:
        attenuation = ndimage.gaussian_filter(attenuation, unsharp, truncate=2.5)
    beam = np.exp(-attenuation)
    gridless = style.gridless if request.view == "AP" else 1.0
    beam += np.float32(style.scatter * gridless * (0.75 + 3.0 * anatomy.fat**2)) * spread(beam, 3.0)
    signal = -np.log(beam)
    grains = np.random.default_rng([NOISE_STREAM, request.seed]).standard_normal((size, size), np.float32)
    if style.grain * size > 0.3:
        sigma = style.grain * size
        grains = ndimage.gaussian_filter(grains, sigma, truncate=2.5) * np.float32(2 * math.sqrt(math.pi) * sigma)
    # Fewer photons reach the detector behind thick parts, so they are noisier.
    strength = style.noise * (1 + 0.8 * anatomy.fat**2)
    fewer = np.exp((signal - 3) * np.float32(0.5))
    np.clip(fewer, 0.1, 1.3, out=fewer)
    fewer *= grains
    fewer *= np.float32(strength)
    return as_plane(signal + fewer)


@lru_cache(maxsize=1)  # a patient's films are drawn one after the other
def fine_texture(body_seed: int, size: int) -> Plane:
    """The lung's own grain: smooth noise of unit deviation, [size, size], the same on every film of a patient."""
    rng = np.random.default_rng([TEXTURE_STREAM, body_seed])
    coarse = as_plane(rng.standard_normal((96, 96), np.float32))
    coarse = ndimage.gaussian_filter(coarse, 0.6, mode="wrap") * np.float32(2.1)
    return stretch(coarse, size)


def spread(plane: Plane, reach: float) -> Plane:
    """`plane`, smoothed over `reach` thirty-seconds of the film."""
    size = plane.shape[0]
    n = min(32, size)
    edges = np.linspace(0, size, n + 1).astype(int)[:-1]
    area = np.add.reduceat(np.add.reduceat(plane, edges, 0), edges, 1)
    counts = np.diff(np.append(edges, size)).astype(np.float32)
    mean = area / (counts[:, None] * counts)
    return stretch(ndimage.gaussian_filter(mean, reach, mode="nearest"), size)
