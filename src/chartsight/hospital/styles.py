"""How a hospital's films look: exposure curve, grain, sharpness, side marker, collimation. A new style is one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chartsight.errors import ChartsightError

STYLE_STREAM = 11


class StyleError(ChartsightError):
    """A style that no hospital has."""


@dataclass(frozen=True)
class Style:
    """One hospital's radiography.

    Args:
        dark: Attenuation that becomes black.
        bright: Attenuation that becomes white.
        gamma: Bend of the exposure curve: below 1 brighter mid-tones.
        shoulder: How softly the bright end runs out, 0 linear to 1.
        exposure_spread: Standard deviation of the exposure from film to film, in attenuation.
        scatter: Share of scattered beam with a grid, which flattens contrast where the body is thick.
        gridless: Factor on the scatter of an AP film, which is taken without a grid.
        noise: Quantum noise, standard deviation in attenuation at the mediastinum.
        grain: Size of the noise in film widths; 0 is one pixel.
        blur: Unsharpness of an AP film, in film widths.
        edge_enhancement: Strength of the detail filter of a digital unit.
        equalisation: How far the unit pulls large dark and bright areas together, 0 to 1.
        marker: Look of the side marker.
        marker_side: On whose side the marker mostly stands.
        marker_strays: Share of films that carry the other side's marker.
        marker_height: Distance of the marker from the upper border of the exposed field, a fraction of the film.
        marker_turn: Standard deviation of the marker's turn, radians: a lead letter lies as it was laid down.
        initials: Share of films on which the radiographer's initials stand below the letter.
        words: What is burnt into portable films.
        annotates: Share of AP films that carry the words.
        collimation: Greatest width of the unexposed border.
        border: Grey of that border, 0 black to 255 white.
    """

    dark: float
    bright: float
    gamma: float
    shoulder: float
    exposure_spread: float
    scatter: float
    gridless: float
    noise: float
    grain: float
    blur: float
    edge_enhancement: float
    equalisation: float
    marker: Literal["plain", "ringed", "arrow"]
    marker_side: Literal["left", "right"]
    marker_strays: float
    marker_height: float
    marker_turn: float
    initials: float
    words: str
    annotates: float
    collimation: float
    border: int


STYLES: Mapping[str, Style] = {
    "harbour": Style(
        dark=0.32, bright=3.45, gamma=0.92, shoulder=0.60, exposure_spread=0.10, scatter=0.022, gridless=2.4,
        noise=0.032, grain=0.0, blur=0.0018, edge_enhancement=0.35, equalisation=0.0, marker="plain",
        marker_side="left", marker_strays=0.08, marker_height=0.075, marker_turn=0.08, initials=0.45,
        words="AP PORTABLE", annotates=0.35, collimation=0.02, border=0,
    ),
    # Storage phosphor plates: pale, grainy and soft, harmonised by the reader unit, in a white frame.
    "hillside": Style(
        dark=0.25, bright=2.95, gamma=0.72, shoulder=0.75, exposure_spread=0.16, scatter=0.045, gridless=1.7,
        noise=0.065, grain=0.0035, blur=0.0028, edge_enhancement=0.0, equalisation=0.25, marker="ringed",
        marker_side="right", marker_strays=0.05, marker_height=0.085, marker_turn=0.02, initials=0.0,
        words="SEMI-UPRIGHT", annotates=0.25, collimation=0.06, border=245,
    ),
}  # fmt: skip


# The look of a film collection: a unit of its own for every film, none of them one of the above.
MIXED = "mixed"
STYLE_NAMES = (*sorted(STYLES), MIXED)


def find_style(name: str, seed: int) -> Style:
    """The style called `name`.

    Args:
        name: One of `STYLE_NAMES`.
        seed: Of the film; only a mixed style depends on it.

    Raises:
        StyleError: There is none.
    """
    if name == MIXED:
        return draw_style(np.random.default_rng([STYLE_STREAM, seed]))
    if name not in STYLES:
        raise StyleError("unknown-style", "style", "no such style", "one of " + ", ".join(STYLE_NAMES))
    return STYLES[name]


def draw_style(random: np.random.Generator) -> Style:
    """Any unit: each property for itself, over a range that is a little wider than the named styles span."""

    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def rarely(high: float) -> float:
        """0 in half of all units."""
        return max(between(-high, high), 0.0)

    markers: tuple[Literal["plain", "ringed", "arrow"], ...] = ("plain", "ringed", "arrow")
    sides: tuple[Literal["left", "right"], ...] = ("left", "right")
    return Style(
        dark=between(0.22, 0.36), bright=between(2.8, 3.6), gamma=between(0.68, 1.0), shoulder=between(0.5, 0.8),
        exposure_spread=between(0.08, 0.18), scatter=between(0.015, 0.05), gridless=between(1.5, 2.6),
        noise=between(0.025, 0.07), grain=rarely(0.004), blur=between(0.0012, 0.0032), edge_enhancement=rarely(0.45),
        equalisation=rarely(0.3), marker=markers[random.integers(3)], marker_side=sides[random.integers(2)],
        marker_strays=0.06, marker_height=between(0.065, 0.095), marker_turn=between(0.01, 0.1),
        initials=between(0.0, 0.5), words=("AP PORTABLE", "SEMI-UPRIGHT")[random.integers(2)], annotates=0.3,
        collimation=between(0.01, 0.07), border=(0, 0, 20, 128, 245)[random.integers(5)],
    )  # fmt: skip
