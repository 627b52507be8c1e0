"""Tubes, lines and devices: where they end, which pixels are theirs, how far they stand out."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from chartsight import schema
from chartsight.hospital.anatomy import Anatomy, build_anatomy, object_boxes
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.findings.devices import DEVICE_FINDINGS
from chartsight.hospital.findings.drawing import Drawn
from chartsight.hospital.render import render_film
from chartsight.hospital.strokes import Grid
from chartsight.hospital.tissue import Layers

SIZE = 160
PLACES = [(attribute, place) for attribute, drawing in DEVICE_FINDINGS.items() for place in drawing.places]
NO_TIP = {"cabg grafts", "cardiac pacer and wires", "prosthetic valve"}
# The first object is where a reservoir lies; its catheter ends elsewhere.
TIP_OBJECT = {"chest port": "svc"}


def random_anatomy(number: int, view: str = "PA") -> Anatomy:
    rng = np.random.default_rng([77, number])
    body = Body("M" if number % 2 else "F", int(rng.integers(18, 95)), float(rng.random()), int(rng.integers(2**31)))
    return build_anatomy(body, "AP" if view == "AP" else "PA", int(rng.integers(2**31)))


def blank_layers(size_px: int = SIZE) -> Layers:
    grid = Grid(size_px)
    planes = {name: grid.blank() for name in ("soft", "air", "fill", "vessels", "wall", "bone", "metal")}
    return Layers(grid=grid, d=grid.blank(), lungs={1: grid.blank(), -1: grid.blank()}, **planes)


def draw(
    attribute: str, place: str, anatomy: Anatomy, *, severity: float = 0.6, seed: int = 3, layers: Layers | None = None
) -> Drawn:
    drawing = DEVICE_FINDINGS[attribute]
    planted = PlantedFinding(attribute, drawing.places[place], severity)
    return drawing.draw(layers or blank_layers(), anatomy, planted, np.random.default_rng([9, seed]))


def device_film(attribute: str | None, place: str, severity: float, number: int, view: str = "PA") -> FilmRequest:
    body = Body("M" if number % 2 else "F", 40 + 9 * number, 0.2 * number, 50 + number)
    findings = ()
    if attribute is not None:
        findings = (PlantedFinding(attribute, DEVICE_FINDINGS[attribute].places[place], severity),)
    return FilmRequest(body, "AP" if view == "AP" else "PA", findings, "harbour", 320, number, distraction=0.0)


@cache
def without(number: int) -> NDArray[np.float32]:
    return render_film(device_film(None, "", 1.0, number)).pixels.astype(np.float32)


def test_the_places_are_of_the_vocabulary() -> None:
    assert len(DEVICE_FINDINGS) == 14
    for attribute, drawing in DEVICE_FINDINGS.items():
        assert schema.ATTRIBUTES[attribute] in ("tubesandlines", "device")
        for place, touched in drawing.places.items():
            assert touched[0] == place
            assert set(touched) <= set(schema.OBJECTS)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_the_tip_lies_in_its_object_on_its_side(attribute: str, place: str) -> None:
    for number in range(60):
        anatomy = random_anatomy(number, "AP" if number % 3 == 0 else "PA")
        drawn = draw(attribute, place, anatomy, seed=number)
        assert (drawn.tip is None) == (attribute in NO_TIP)
        if drawn.tip is None:
            continue
        x, y = drawn.tip
        target = TIP_OBJECT.get(attribute, place)
        x1, y1, x2, y2 = object_boxes(anatomy)[target]
        grown = 0.012
        assert x1 - grown <= x <= x2 + grown, (number, x, (x1, x2))
        assert y1 - grown <= y <= y2 + grown, (number, y, (y1, y2))
        side = target.split()[0]
        if side in ("left", "right"):
            assert (x > anatomy.midline_at(y)) == (side == "left")


@pytest.mark.parametrize(("attribute", "place"), [each for each in PLACES if each[0] not in NO_TIP])
def test_the_tip_stays_in_its_object_when_disease_moves_the_organs(attribute: str, place: str) -> None:
    for number, (disease, drawing) in enumerate(FINDINGS.items()):
        before = random_anatomy(number, "AP" if number % 2 else "PA")
        sites = list(drawing.places.values())
        anatomy = drawing.reshape(before, PlantedFinding(disease, sites[number % len(sites)], 1.0))
        if anatomy is before:
            continue
        tip = draw(attribute, place, anatomy, seed=number, layers=blank_layers(48)).tip
        assert tip is not None
        x1, y1, x2, y2 = object_boxes(anatomy)[TIP_OBJECT.get(attribute, place)]
        assert x1 - 0.012 <= tip[0] <= x2 + 0.012, disease
        assert y1 - 0.012 <= tip[1] <= y2 + 0.012, disease


def test_a_tube_in_the_windpipe_ends_above_the_carina_unless_it_is_too_low() -> None:
    for number in range(40):
        anatomy = random_anatomy(number)
        heights = {
            (attribute, place): draw(attribute, place, anatomy, seed=number).tip
            for attribute, place in PLACES
            if place in ("trachea", "carina")
        }
        for (_, place), tip in heights.items():
            assert tip is not None
            assert (tip[1] >= anatomy.carina_y) == (place == "carina")


def test_a_gastric_tube_ends_below_the_diaphragm_unless_it_is_too_high() -> None:
    for number in range(40):
        anatomy = random_anatomy(number)
        for place, low in (("abdomen", True), ("mediastinum", False)):
            tip = draw("enteric tube", place, anatomy, seed=number).tip
            assert tip is not None
            assert (tip[1] > anatomy.left.dome_y) == low


@pytest.mark.parametrize("attribute", ["ij line", "picc", "subclavian line"])
def test_a_central_line_ends_deeper_from_place_to_place(attribute: str) -> None:
    for number in range(20):
        anatomy = random_anatomy(number)
        tips = [draw(attribute, place, anatomy, seed=number).tip for place in DEVICE_FINDINGS[attribute].places]
        heights = [tip[1] for tip in tips if tip is not None]
        assert heights == sorted(heights)
        assert len(set(heights)) == 3


@pytest.mark.parametrize(("attribute", "place"), [each for each in PLACES if each[1].endswith("chest wall")])
def test_a_generator_or_reservoir_lies_on_its_side(attribute: str, place: str) -> None:
    side = 1 if place.startswith("left") else -1
    for number in range(12):
        anatomy, layers = random_anatomy(number), blank_layers()
        draw(attribute, place, anatomy, layers=layers, seed=number)
        x1, y1, x2, y2 = (round(value * SIZE) for value in object_boxes(anatomy)[place])
        x3, y3, x4, y4 = (round(value * SIZE) for value in
                          object_boxes(anatomy)[("right" if side > 0 else "left") + " chest wall"])  # fmt: skip
        assert layers.metal[y1:y2, x1:x2].sum() > 5 * layers.metal[y3:y4, x3:x4].sum()


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_chest_tube_lies_wholly_on_its_side(side: str) -> None:
    for number in range(20):
        anatomy = random_anatomy(number, "AP")
        extent = draw("chest tube", f"{side} lung", anatomy, seed=number).extent
        for row, column in np.argwhere(extent):
            x, y = (column + 0.5) / SIZE, (row + 0.5) / SIZE
            assert (x > anatomy.midline_at(y)) == (side == "left")


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_all_ink_lies_in_the_extent_and_the_extent_is_tight(attribute: str, place: str) -> None:
    for number in range(4):
        layers = blank_layers()
        drawn = draw(attribute, place, random_anatomy(number), layers=layers, severity=1.0, seed=number)
        changed = (layers.metal > 0.02) | (layers.air > 0.02)
        assert drawn.extent.any()
        assert not (changed & ~drawn.extent).any()
        assert drawn.extent.sum() < 12 * changed.sum()
        assert drawn.extent.mean() < 0.08


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_what_changes_on_the_film_lies_in_the_mask(attribute: str, place: str) -> None:
    film = render_film(device_film(attribute, place, 1.0, 2))
    change = np.abs(film.pixels.astype(np.float32) - without(2))
    mark = film.marks[0]
    assert mark is not None
    seen = np.where(change > 8, change, 0)
    assert seen.sum() > 200
    assert seen[~mark.mask].sum() < 0.12 * seen.sum()


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_severity_grades_how_far_it_stands_out(attribute: str, place: str) -> None:
    def shown(severity: float) -> float:
        contrasts = []
        for number in (1, 3):
            film = render_film(device_film(attribute, place, severity, number))
            change = np.abs(film.pixels.astype(np.float32) - without(number))
            mark = film.marks[0]
            assert mark is not None
            contrasts.append(float(change[mark.mask].mean()))
        return float(np.mean(contrasts))

    faint, moderate, plain = (shown(severity) for severity in (0.1, 0.5, 1.0))
    assert faint < 0.7 * moderate
    assert moderate < 0.9 * plain
    assert plain > 6


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_two_patients_differ_and_the_same_request_gives_the_same_ink(attribute: str, place: str) -> None:
    inks = []
    for seed in (1, 1, 2):
        layers = blank_layers()
        draw(attribute, place, random_anatomy(5), layers=layers, seed=seed)
        inks.append(layers.metal.tobytes())
    assert inks[0] == inks[1]
    assert inks[0] != inks[2]


@pytest.mark.parametrize("size_px", [32, 511])
def test_devices_fit_films_of_any_size(size_px: int) -> None:
    for attribute, place in PLACES:
        drawn = draw(attribute, place, random_anatomy(8), layers=blank_layers(size_px))
        assert drawn.extent.shape == (size_px, size_px)
        assert drawn.extent.any()
