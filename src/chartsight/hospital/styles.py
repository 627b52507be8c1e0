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
        scatter: Share of scattered beam, which flattens contrast where the body is thick.
        noise: Quantum noise, standard deviation in attenuation at the mediastinum.
        grain: Size of the noise in film widths; 0 is one pixel.
        blur: Unsharpness of an AP film, in film widths.
        edge_enhancement: Strength of the detail filter of a digital unit.
        marker: Look of the side marker.
        marker_side: On whose side the marker stands.
        collimation: Greatest width of the unexposed border.
        border: Grey of that border, 0 black to 255 white.
    """

    dark: float
    bright: float
    gamma: float
    shoulder: float
    exposure_spread: float
    scatter: float
    noise: float
    grain: float
    blur: float
    edge_enhancement: float
    marker: Literal["plain", "ringed"]
    marker_side: Literal["left", "right"]
    collimation: float
    border: int


STYLES: Mapping[str, Style] = {
    "harbour": Style(
        dark=0.32, bright=3.45, gamma=0.92, shoulder=0.60, exposure_spread=0.10, scatter=0.022, noise=0.032, grain=0.0,
        blur=0.0018, edge_enhancement=0.35, marker="plain", marker_side="left", collimation=0.02, border=0,
    ),
    "hillside": Style(
        dark=0.25, bright=2.95, gamma=0.72, shoulder=0.75, exposure_spread=0.16, scatter=0.045, noise=0.065,
        grain=0.0035, blur=0.0028, edge_enhancement=0.0, marker="ringed", marker_side="right", collimation=0.06,
        border=245,
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
