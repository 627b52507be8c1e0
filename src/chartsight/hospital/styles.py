"""How a hospital's films look: exposure curve, grain, sharpness, side marker, collimation. A new style is one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chartsight.errors import ChartsightError


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


def find_style(name: str) -> Style:
    """The style called `name`.

    Raises:
        StyleError: There is none.
    """
    if name not in STYLES:
        raise StyleError("unknown-style", "style", "no such style", "one of " + ", ".join(sorted(STYLES)))
    return STYLES[name]
