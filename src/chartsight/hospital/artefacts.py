"""What lies on or in front of a patient and is not the patient: leads, tubing, clothes, jewellery, hair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chartsight.hospital.anatomy import Anatomy
from chartsight.hospital.film_request import FilmRequest
from chartsight.hospital.strokes import Plane, add_blob, add_lines, add_tube, along, as_plane, rise, smooth_curve
from chartsight.hospital.tissue import Layers

ARTEFACT_STREAM = 9

Paint = Callable[[Anatomy, Layers, np.random.Generator], None]


@dataclass(frozen=True)
class Artefact:
    """One kind of thing and how often it is on a film.

    Args:
        on_pa: Share of PA films; the patient has undressed and stands.
        on_ap: Share of AP films; the patient lies in a gown among tubes.
        paint: Draws it.
        women: Factor for women, whose share it mostly is when above 1.
    """

    on_pa: float
    on_ap: float
    paint: Paint
    women: float = 1.0


def paint_artefacts(anatomy: Anatomy, layers: Layers, request: FilmRequest) -> None:
    """Draw what happens to be on this film; with a distraction of 0 only what the technique asks for."""
    rng = np.random.default_rng([ARTEFACT_STREAM, request.seed])
    for name, artefact in ARTEFACTS.items():
        draw, own_seed = float(rng.random()), rng.integers(2**63)
        share = (artefact.on_ap if request.view == "AP" else artefact.on_pa) * request.distraction
        if request.body.sex == "F":
            share *= artefact.women
        elif artefact.women > 1:
            share /= artefact.women
        wanted = draw < share
        if name in MONITORING and request.technique.monitored is not None:
            # Somebody who is monitored always has leads, and their usual share of everything else.
            wanted = request.technique.monitored and (wanted or name == "leads")
        if wanted:
            artefact.paint(anatomy, layers, np.random.default_rng(own_seed))


def draw_line(
    plane: Plane, layers: Layers, points: Sequence[tuple[float, float]], depth: float, half_width: float
) -> None:
    """A smooth thread through points (x, y) that are fractions of the film."""
    curve = smooth_curve([x for x, _ in points], [y for _, y in points])
    x, y, length = along(*curve)
    add_lines(plane, layers.grid, x, y, length * np.float32(depth), half_width)


def paint_leads(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Stickers with a snap, and their cables, which run together to one edge of the film."""
    side = 1 if rng.random() < 0.6 else -1
    exit_y = rng.uniform(0.15, 1.0)
    exit_x = 0.5 + side * 0.53
    spots = ((1, 0.27, 0.05), (-1, 0.27, 0.05), (1, 0.30, 0.75), (-1, 0.30, 0.78), (1, 0.05, 0.5))
    bright = rng.uniform(0.08, 0.16)
    for number in rng.permutation(5)[: int(rng.integers(3, 6))]:
        at, d, share = spots[number]
        y = a.left.apex_y + (share + rng.normal(0, 0.06)) * a.left.height
        x = a.x(at, d * a.scale + rng.normal(0, 0.03), y)
        add_blob(layers.metal, layers.grid, x, y, 0.016, 0.016, 0.03, power=0.3)
        add_blob(layers.metal, layers.grid, x, y, 0.0065, 0.0065, 2.2 * bright, power=0.4)
        sag = rng.normal(0.05, 0.08)
        middle_x, middle_y = 0.5 * (x + exit_x) + rng.normal(0, 0.03), 0.5 * (y + exit_y) + sag
        near = (x + 0.03 * side, y + 0.02 * float(rng.normal()))
        end = (exit_x, exit_y + rng.normal(0, 0.02))
        draw_line(layers.metal, layers, [(x, y), near, (middle_x, middle_y), end], bright, 0.0019)


def paint_oxygen(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Soft tubing that hangs from the face to both sides and meets on the chest."""
    join_y, drift = a.clavicle_y + rng.uniform(0.05, 0.35), rng.normal(0, 0.12)
    join = (a.x(1, drift, join_y), join_y)
    for side in (1, -1):
        start = (a.x(side, a.neck * rng.uniform(0.6, 0.95), 0.0), -0.02)
        bow = (a.x(side, a.neck * 0.9 + rng.uniform(0.0, 0.05), a.clavicle_y), 0.6 * a.clavicle_y)
        draw_line(layers.metal, layers, [start, bow, join], 0.045, 0.0026)
    end = (join[0] + rng.normal(0.1, 0.25), 1.02)
    draw_line(layers.metal, layers, [join, (join[0] + rng.normal(0, 0.05), 0.5 * (join_y + 1)), end], 0.05, 0.003)


def paint_tubing(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """An infusion line or a ventilator hose that crosses in front of the patient."""
    thick = rng.random() < 0.3
    side = 1 if rng.random() < 0.5 else -1
    heights = rng.uniform(0.05, 0.95, 2)
    x = [0.5 - side * 0.53, 0.5 - side * 0.2, 0.5 + side * 0.15, 0.5 + side * 0.53]
    if rng.random() < 0.6:  # over one corner only
        x = [0.5 + side * value for value in (0.53, 0.36, 0.30, 0.18)]
        heights = np.array([rng.uniform(0.2, 0.7), 1.03])
    bow = rng.normal(0, 0.07, 2)
    y = [
        heights[0],
        heights[0] * 0.7 + heights[1] * 0.3 + bow[0],
        heights[0] * 0.3 + heights[1] * 0.7 + bow[1],
        heights[1],
    ]
    curve_x, curve_y = smooth_curve(x, [float(value) for value in y], 20)
    if thick:
        add_tube(layers.metal, layers.grid, curve_x, curve_y, 0.017, 0.05, -0.002)
    else:
        for shift in (-0.0032, 0.0032):
            px, py, length = along(curve_x, curve_y + np.float32(shift))
            add_lines(layers.metal, layers.grid, px, py, length * np.float32(0.05), 0.0013)


def paint_snaps(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """The metal snaps of a gown along a shoulder."""
    side, count = (1 if rng.random() < 0.5 else -1), int(rng.integers(2, 5))
    start, turn = rng.uniform(0.12, 0.2), rng.normal(0.35, 0.15)
    for number in range(count):
        d, y = start + 0.055 * number, a.shoulder_y + 0.02 + turn * 0.055 * number + rng.normal(0, 0.006)
        add_blob(layers.metal, layers.grid, a.x(side, d, y), y, 0.0085, 0.0085, 0.20, power=0.3)
        add_blob(layers.metal, layers.grid, a.x(side, d, y), y, 0.004, 0.004, -0.09, power=0.3)


def paint_buttons(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """A row of shirt buttons near the midline, faint discs at even distances."""
    gap, d = rng.uniform(0.10, 0.15), rng.normal(0.0, 0.03)
    for y in np.arange(a.clavicle_y + rng.uniform(0, 0.1), 0.98, gap):
        add_blob(layers.metal, layers.grid, a.x(1, d, float(y)), float(y), 0.011, 0.011, 0.045, power=0.25)
        for dx, dy in ((-0.003, 0.0), (0.003, 0.0)):
            add_blob(layers.metal, layers.grid, a.x(1, d + dx, float(y)), float(y) + dy, 0.0022, 0.0022, -0.03)


def paint_necklace(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """A chain round the neck with or without a pendant."""
    low = a.clavicle_y + rng.uniform(0.0, 0.09)
    points = [(a.x(1, d, 0.1), y) for d, y in (
        (-a.neck, -0.02), (-0.75 * a.neck, 0.5 * low), (rng.normal(0, 0.008), low), (0.75 * a.neck, 0.5 * low),
        (a.neck, -0.02))]  # fmt: skip
    x, y, length = along(*smooth_curve([p[0] for p in points], [p[1] for p in points]))
    links = np.float32(0.6) + np.float32(0.4) * np.sign(np.sin(np.cumsum(length) * np.float32(900)))
    add_lines(layers.metal, layers.grid, x, y, as_plane(length * links) * np.float32(rng.uniform(0.15, 0.3)), 0.0016)
    if rng.random() < 0.5:
        add_blob(layers.metal, layers.grid, points[2][0], low + 0.012, 0.008, 0.012, 0.28, power=0.3)


def paint_bra(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """The rings of the straps, an underwire below each breast, the hooks at the back."""
    wired = rng.random() < 0.5
    for side in (1, -1):
        y = a.clavicle_y + 0.05 + rng.normal(0, 0.008)
        x = a.x(side, 0.19 * a.scale + rng.normal(0, 0.006), y)
        angle = np.linspace(0, 2 * np.pi, 20)
        px, py, length = along(as_plane(x + 0.008 * np.cos(angle)), as_plane(y + 0.011 * np.sin(angle)))
        add_lines(layers.metal, layers.grid, px, py, length * np.float32(0.28), 0.0015)
        if wired:
            points = [(a.x(side, d, a.breast_y), a.breast_y + rise_y) for d, rise_y in
                      ((0.06, -0.03), (0.11, 0.045), (0.20, 0.075), (0.28, 0.03), (0.31, -0.05))]  # fmt: skip
            draw_line(layers.metal, layers, points, 0.3, 0.0018)
    for number in range(int(rng.integers(0, 4))):
        y = a.breast_y - 0.02 + 0.014 * number
        add_blob(layers.metal, layers.grid, a.x(1, rng.normal(0, 0.004), y), y, 0.006, 0.003, 0.2, power=0.3)


def paint_braid(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Hair over a shoulder and lung apex: strands that resemble streaks in the lung."""
    side, low = (1 if rng.random() < 0.5 else -1), a.clavicle_y + rng.uniform(0.05, 0.2)
    d = rng.uniform(0.08, 0.16)
    for strand in range(5):
        phase = strand * 1.26
        ys = np.linspace(-0.02, low, 7)
        points = [(a.x(side, d + 0.016 * float(np.sin(55 * y + phase)), float(y)), float(y)) for y in ys]
        draw_line(layers.metal, layers, points, 0.022, 0.0045)


def paint_earrings(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Rings that hang beside the neck at the film's upper edge."""
    for side in (1, -1):
        x, y, r = a.x(side, a.neck + rng.uniform(0.0, 0.02), 0.0), rng.uniform(0.005, 0.03), rng.uniform(0.008, 0.018)
        angle = np.linspace(0, 2 * np.pi, 24)
        px, py, length = along(as_plane(x + r * np.cos(angle)), as_plane(y + r * np.sin(angle)))
        add_lines(layers.metal, layers.grid, px, py, length * np.float32(0.4), 0.0018)


def paint_folds(a: Anatomy, layers: Layers, rng: np.random.Generator) -> None:
    """Folds of a gown or a sheet: long faint edges that cross the lungs."""
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0.12, 0.88), rng.uniform(0.15, 0.9)
        turn, reach = rng.normal(0.9, 0.5), rng.uniform(0.12, 0.3)
        at, xs, ys = layers.grid.window(x - reach, y - reach, x + reach, y + reach)
        across = (xs - np.float32(x)) * np.float32(np.sin(turn)) - (ys - np.float32(y)) * np.float32(np.cos(turn))
        far = np.maximum(np.abs(xs - np.float32(x)), np.abs(ys - np.float32(y)))
        ramp = np.where(across > 0, np.exp(-np.maximum(across, 0) * 45), np.exp(np.minimum(across, 0) * 350))
        layers.wall[at] += (
            as_plane(ramp) * rise(np.float32(0.8 * reach) - far, 0.2 * reach) * np.float32(rng.uniform(0.012, 0.035))
        )


# In the order of the draws; a new kind goes to the end.
ARTEFACTS = {
    "leads": Artefact(0.06, 0.55, paint_leads),
    "oxygen": Artefact(0.0, 0.20, paint_oxygen),
    "tubing": Artefact(0.01, 0.22, paint_tubing),
    "snaps": Artefact(0.03, 0.14, paint_snaps),
    "buttons": Artefact(0.04, 0.02, paint_buttons),
    "necklace": Artefact(0.02, 0.04, paint_necklace, women=1.5),
    "bra": Artefact(0.06, 0.03, paint_bra, women=3),
    "braid": Artefact(0.02, 0.03, paint_braid, women=4),
    "earrings": Artefact(0.02, 0.03, paint_earrings, women=3),
    "folds": Artefact(0.06, 0.16, paint_folds),
}
MONITORING = ("leads", "oxygen", "tubing")
