"""What is on a film besides the patient: side marker, burnt-in words, the border that no beam has reached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from chartsight.hospital.film_request import Technique, View
from chartsight.hospital.strokes import Grid, Plane, as_plane
from chartsight.hospital.styles import Style

MarkerLook = Literal["plain", "ringed", "arrow"]
LEAD = 0.98  # grey of what is burnt in

# Five columns a letter, the lowest bit on top: the dot matrix of old line printers. "^" is an arrow upwards.
DOTS = {
    "A": "7E1111117E", "B": "7F49494936", "C": "3E41414122", "D": "7F4141221C", "E": "7F49494941", "F": "7F09090901",
    "G": "3E4149497A", "H": "7F0808087F", "I": "00417F4100", "J": "2040413F01", "K": "7F08142241", "L": "7F40404040",
    "M": "7F020C027F", "N": "7F0408107F", "O": "3E4141413E", "P": "7F09090906", "Q": "3E4151215E", "R": "7F09192946",
    "S": "4649494931", "T": "01017F0101", "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463",
    "Y": "0708700807", "Z": "6151494543", "0": "3E5149453E", "1": "00427F4000", "2": "4261514946", "3": "2141454B31",
    "4": "1814127F10", "5": "2745454539", "6": "3C4A494930", "7": "0171090503", "8": "3649494936", "9": "064949291E",
    "-": "0808080808", ".": "0060600000", "/": "2010080402", " ": "0000000000", "^": "04067F0604",
}  # fmt: skip


@dataclass(frozen=True)
class Stamp:
    """One burnt-in word: its middle and the height of its letters as fractions of the film, its turn in radians."""

    text: str
    x: float
    y: float
    height: float
    turn: float


@dataclass(frozen=True)
class Border:
    """Unexposed strips at the four edges.

    Args:
        left: Width at half height, a fraction of the film.
        right: The same on the other side.
        top: Height in the middle.
        bottom: The same below.
        slope: How far the strips are turned, radians.
        grey: 0 black to 1 white.
    """

    left: float
    right: float
    top: float
    bottom: float
    slope: float
    grey: float


@dataclass(frozen=True)
class Frame:
    """Everything around the patient; `ring` is the radius of the ring about the first stamp, 0 for none."""

    stamps: tuple[Stamp, ...]
    ring: float
    border: Border


def choose_frame(technique: Technique, style: Style, view: View, rng: np.random.Generator) -> Frame:
    """What the technique asks for, and the style's habits where it leaves the choice open."""
    border = choose_border(technique, style, view, rng)
    # Every draw is made on every film, so that one choice does not move the others.
    other_side, jitter, turn, size = (
        rng.random() < style.marker_strays,
        rng.normal(0, 1, 2),
        rng.normal(0, 1),
        rng.random(),
    )
    initials = "".join(str(each) for each in rng.choice(list("ABCDEGHJKLMNOPRSTVW"), 2))
    draws = rng.random(4)
    on_left = (style.marker_side == "left") != other_side
    look: MarkerLook = technique.marker or style.marker
    letter = "L" if on_left else "R"
    # The patient's left is on the right of a frontal film; a lateral film carries its letter anywhere.
    inset = 0.075 + 0.012 * abs(float(jitter[0]))
    x = 1 - border.right - inset if on_left else border.left + inset
    y = border.top + style.marker_height + 0.022 * abs(float(jitter[1]))
    height, turned = 0.046 + 0.014 * float(size), style.marker_turn * float(turn)
    stamps = [Stamp(letter, x, y, height, turned)]
    if look == "arrow":
        stamps.append(Stamp("^", x, y + 1.45 * height, 1.1 * height, 0.0))
    below = y + (2.75 if look == "arrow" else 1.35) * height
    if float(draws[0]) < style.initials and look != "ringed":
        stamps.append(Stamp(initials, x, below, 0.5 * height, turned))
        below += 0.7 * height
    words = technique.annotated
    if words is None:
        words = style.words if view == "AP" and float(draws[1]) < style.annotates else ""
    tall = 0.021
    for line, word in enumerate(words.upper().split()):
        half = 3 * len(word) * tall / 7
        edge = max(inset, half + 0.02)
        beside = draws[2] < 0.5
        at_x = 1 - border.right - edge if on_left == beside else border.left + edge
        at_y = (below if beside else border.top + 0.05) + 1.6 * tall * (line + 0.4)
        stamps.append(Stamp(word, at_x, at_y, tall, 0.0))
    return Frame(tuple(stamps), 0.95 * height if look == "ringed" else 0.0, border)


def choose_border(technique: Technique, style: Style, view: View, rng: np.random.Generator) -> Border:
    """The strips: exactly the padding that is asked for, on the two sides together, or the style's collimation."""
    widths = np.maximum(rng.uniform(-0.6, 1.0, 4), 0) * style.collimation
    share, slope = rng.uniform(0.35, 0.65), rng.normal(0, 0.006 if view == "PA" else 0.014)
    left, right, top, bottom = (float(width) for width in widths)
    if technique.padding is not None:
        left, right, top, bottom = technique.padding * share, technique.padding * (1 - share), 0.0, 0.0
    grey = style.border / 255 if technique.padding_grey is None else technique.padding_grey
    turned = slope if technique.padding is None and rng.random() < 0.4 else 0.0
    return Border(left, right, top, bottom, float(turned), grey)


def burn_in(grey: Plane, frame: Frame) -> None:
    """Put the frame on a film: float32 [N, N] from 0 to 1, changed in place."""
    grid = Grid(grey.shape[0])
    cover(grey, grid, frame.border)
    for stamp in frame.stamps:
        burn_stamp(grey, grid, stamp)
    if frame.ring:
        middle = frame.stamps[0]
        reach = frame.ring + 0.01
        at, xs, ys = grid.window(middle.x - reach, middle.y - reach, middle.x + reach, middle.y + reach)
        away = np.abs(np.hypot(xs - np.float32(middle.x), ys - np.float32(middle.y)) - np.float32(frame.ring))
        ring = np.clip((np.float32(0.0035) - away) * grid.size_px + np.float32(0.5), 0, 1)
        grey[at] = np.maximum(grey[at], as_plane(ring) * np.float32(LEAD))


def cover(grey: Plane, grid: Grid, border: Border) -> None:
    """Lay the strips over the film; where a pixel is half covered it is half as grey."""
    for at, share in strips(grid, border):
        grey[at] += share * (np.float32(border.grey) - grey[at])


def hidden(grid: Grid, border: Border) -> NDArray[np.bool_]:
    """bool [N, N], the pixels that the strips cover by half or more: what lies there is not on the film."""
    under = np.zeros((grid.size_px, grid.size_px), np.bool_)
    for at, share in strips(grid, border):
        under[at] |= share >= 0.5
    return under


def strips(grid: Grid, border: Border) -> Iterator[tuple[tuple[slice, slice], Plane]]:
    """Each strip that there is: the rectangle that it lies in, and how much of its pixels it covers, float32 [h, w]."""
    lean = 0.5 * abs(border.slope)
    for width, is_upright, is_far in (
        (border.left, True, False), (border.right, True, True), (border.top, False, False), (border.bottom, False, True)
    ):  # fmt: skip
        if width > 0:
            start, end = (1 - width - lean, 1.0) if is_far else (0.0, width + lean)
            at, xs, ys = grid.window(start, 0, end, 1) if is_upright else grid.window(0, start, 1, end)
            middle, slope = np.float32(0.5), np.float32(border.slope)
            place = xs - (ys - middle) * slope if is_upright else ys + (xs - middle) * slope
            distance = 1 - place if is_far else place
            yield at, np.clip((np.float32(width) - distance) * np.float32(grid.size_px) + np.float32(0.5), 0, 1)


def burn_stamp(grey: Plane, grid: Grid, stamp: Stamp) -> None:
    """Burn a word in: its dots, smoothly enlarged and turned."""
    dots = lettering(stamp.text)
    dot = stamp.height / 7
    reach = 0.5 * dot * math.hypot(*dots.shape)
    at, xs, ys = grid.window(stamp.x - reach, stamp.y - reach, stamp.x + reach, stamp.y + reach)
    from_x, from_y = (xs - np.float32(stamp.x)) / np.float32(dot), (ys - np.float32(stamp.y)) / np.float32(dot)
    cos, sin = np.float32(math.cos(stamp.turn)), np.float32(math.sin(stamp.turn))
    column = from_x * cos + from_y * sin + np.float32(0.5 * (dots.shape[1] - 1))
    row = from_y * cos - from_x * sin + np.float32(0.5 * (dots.shape[0] - 1))
    ink = ndimage.map_coordinates(dots, [row, column], order=1, mode="constant", output=np.float32)
    grey[at] = np.maximum(grey[at], np.clip(ink * np.float32(1.6), 0, 1) * np.float32(LEAD))


def lettering(text: str) -> Plane:
    """A word's dots with an empty rim, float32 [9, 6 * letters + 1]."""
    dots = np.zeros((9, 6 * len(text) + 1), np.float32)
    for number, letter in enumerate(text):
        for column, bits in enumerate(bytes.fromhex(DOTS[letter])):
            dots[1:8, 6 * number + column + 1] = [(bits >> row) & 1 for row in range(7)]
    return dots
