"""Drawn scenes of shapes, sizes, shades and places: what the general starter learns to look at.

a scene      one to five shapes, each in its own cell of a 3 x 3 grid
a caption    "a large bright circle in the upper left, a small dark cross in the centre."
questions    is there a circle? · how many squares are there? · what is in the upper left? · ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from chartsight.starters.asked import Asked

SHAPES = ("circle", "square", "triangle", "cross", "ring", "bar", "diamond", "star")
SIZES = ("small", "large")
SHADES = ("dark", "bright")
PLACES = (
    "upper left", "upper middle", "upper right", "middle left", "centre", "middle right",
    "lower left", "lower middle", "lower right",
)  # fmt: skip
SIZE_PX = 128
OVERSAMPLING = 2  # drawn larger and reduced, so that edges are soft as on a film


@dataclass(frozen=True)
class Drawn:
    """One shape of a scene, all fields of the tuples above."""

    shape: str
    size: str
    shade: str
    place: str

    def phrase(self) -> str:
        """In words, with its article."""
        return f"a {self.size} {self.shade} {self.shape} in the {self.place}"


@dataclass(frozen=True)
class Scene:
    """A drawing and everything in it, in reading order; pixels are uint8 [128, 128]."""

    pixels: NDArray[np.uint8]
    drawn: tuple[Drawn, ...]

    def caption(self) -> str:
        """Every shape, in reading order."""
        return ", ".join(each.phrase() for each in self.drawn)


def draw_scene(seed: int, index: int) -> Scene:
    """The scene number `index` of a seed; the same numbers give the same bytes."""
    random = np.random.default_rng([seed, index])
    count = int(random.integers(1, 6))
    cells = sorted(random.choice(len(PLACES), size=count, replace=False).tolist())
    drawn = tuple(
        Drawn(SHAPES[random.integers(len(SHAPES))], SIZES[random.integers(2)], SHADES[random.integers(2)], PLACES[cell])
        for cell in cells
    )
    ground = float(random.uniform(95, 150))
    image = Image.new("L", (SIZE_PX * OVERSAMPLING,) * 2, int(ground))
    pen = ImageDraw.Draw(image)
    for each in drawn:
        _draw(pen, each, ground, random)
    pixels = np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.BOX), dtype=np.float32)
    ramp = np.linspace(-1, 1, SIZE_PX, dtype=np.float32)
    slope = random.uniform(-18, 18, size=2)
    noise = random.normal(0, float(random.uniform(2, 9)), size=pixels.shape).astype(np.float32)
    lit = pixels + slope[0] * ramp[None, :] + slope[1] * ramp[:, None] + noise
    return Scene(np.clip(lit, 0, 255).astype(np.uint8), drawn)


def _draw(pen: ImageDraw.ImageDraw, drawn: Drawn, ground: float, random: np.random.Generator) -> None:
    cell = SIZE_PX * OVERSAMPLING / 3
    row, column = divmod(PLACES.index(drawn.place), 3)
    radius = cell * float(random.uniform(0.16, 0.22) if drawn.size == "small" else random.uniform(0.34, 0.44))
    slack = cell / 2 - radius
    x = (column + 0.5) * cell + float(random.uniform(-slack, slack)) * 0.8
    y = (row + 0.5) * cell + float(random.uniform(-slack, slack)) * 0.8
    contrast = float(random.uniform(45, 85))
    grey = int(np.clip(ground + (contrast if drawn.shade == "bright" else -contrast), 5, 250))
    box = (x - radius, y - radius, x + radius, y + radius)
    width = max(2, round(radius * 0.42))
    match drawn.shape:
        case "circle":
            pen.ellipse(box, fill=grey)
        case "ring":
            pen.ellipse(box, outline=grey, width=width)
        case "square":
            pen.rectangle(box, fill=grey)
        case "triangle":
            pen.polygon([(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill=grey)
        case "diamond":
            pen.polygon([(x, y - radius), (x + radius * 0.7, y), (x, y + radius), (x - radius * 0.7, y)], fill=grey)
        case "bar":
            pen.rectangle((x - radius, y - radius * 0.28, x + radius, y + radius * 0.28), fill=grey)
        case "cross":
            pen.line((x - radius, y - radius, x + radius, y + radius), fill=grey, width=width)
            pen.line((x - radius, y + radius, x + radius, y - radius), fill=grey, width=width)
        case "star":
            angles = np.arange(10) * np.pi / 5 - np.pi / 2
            lengths = np.where(np.arange(10) % 2 == 0, radius, radius * 0.42)
            pen.polygon(
                [(x + r * np.cos(a), y + r * np.sin(a)) for r, a in zip(lengths, angles, strict=True)], fill=grey
            )


def scene_labels() -> tuple[str, ...]:
    """What the tower is taught of a scene: shapes, shapes by place, sizes and shades by shape."""
    return (
        *SHAPES,
        *(f"{shape} @ {place}" for shape in SHAPES for place in PLACES),
        *(f"{size} {shape}" for size in SIZES for shape in SHAPES),
        *(f"{shade} {shape}" for shade in SHADES for shape in SHAPES),
    )


def present_labels(drawn: Sequence[Drawn]) -> set[str]:
    """Which of `scene_labels` hold."""
    return {
        label
        for each in drawn
        for label in (
            each.shape, f"{each.shape} @ {each.place}", f"{each.size} {each.shape}", f"{each.shade} {each.shape}",
        )
    }  # fmt: skip


def ask_scene(scene: Scene, seed: int, index: int) -> Iterator[Asked]:
    """About twelve questions of a scene, yes and no in equal parts."""
    random = np.random.default_rng([seed, index, 1])

    def pick(options: Sequence[str]) -> str:
        return options[int(random.integers(len(options)))]

    there = [each.shape for each in scene.drawn]
    absent = [shape for shape in SHAPES if shape not in there]
    for _ in range(2):
        for shape, answer in ((pick(there), True), (pick(absent), False)):
            text = pick((f"is there a {shape}?", f"does the picture show a {shape}?", f"any {shape} here?"))
            yield Asked("scene-shape", text, "boolean", json.dumps(answer))
    one = scene.drawn[random.integers(len(scene.drawn))]
    elsewhere = pick([place for place in PLACES if place != one.place])
    at = {each.place: each for each in scene.drawn}
    yield Asked("scene-shape-place", f"is there a {one.shape} in the {one.place}?", "boolean", "true")
    holds = elsewhere in at and at[elsewhere].shape == one.shape
    yield Asked("scene-shape-place", f"is there a {one.shape} in the {elsewhere}?", "boolean", json.dumps(holds))
    place = pick([*at, *PLACES])
    found = json.dumps([at[place].shape] if place in at else [])
    yield Asked("scene-what", f"what is in the {place}?", "set", found, SHAPES)
    yield Asked("scene-list", "which shapes are there?", "set", json.dumps(sorted(set(there))), SHAPES)
    counted = pick(SHAPES if random.random() < 0.3 else there)
    yield Asked("scene-count", f"how many {counted}s are there?", "count", json.dumps(there.count(counted)))
    if there.count(one.shape) == 1:
        text = f"where is the {one.shape}?"
        yield Asked("scene-where", text, "choice", json.dumps(one.place), PLACES)
        text = f"is the {one.shape} small or large?"
        yield Asked("scene-size", text, "choice", json.dumps(one.size), SIZES)
        text = f"is the {one.shape} dark or bright?"
        yield Asked("scene-shade", text, "choice", json.dumps(one.shade), SHADES)
        if one.place.endswith(("left", "right")):
            text = f"is the {one.shape} on the left or on the right?"
            side = json.dumps(one.place.split()[-1])
            yield Asked("scene-side", text, "choice", side, ("left", "right"))
