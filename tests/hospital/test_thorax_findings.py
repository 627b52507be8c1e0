"""Findings of heart, mediastinum, diaphragm, skeleton and technique: masks, grades, sides, limits."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from chartsight import schema
from chartsight.hospital.anatomy import (
    HEART_LIMITS,
    MEDIASTINUM_LIMITS,
    MOST_BEND,
    MOST_ROTATION,
    Anatomy,
    build_anatomy,
)
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding, View
from chartsight.hospital.findings.thorax import THORAX_FINDINGS
from chartsight.hospital.findings.thorax.low_lung_volumes import FEWEST_RIBS, posterior_ribs
from chartsight.hospital.findings.thorax.skeleton import Break, break_bone
from chartsight.hospital.render import render_film
from chartsight.hospital.strokes import Grid

SIZE = 128
BODIES = (Body("M", 45, 0.3, 11), Body("F", 68, 0.7, 12), Body("M", 80, 0.5, 13))
PLACES = [(attribute, place) for attribute, drawing in THORAX_FINDINGS.items() for place in drawing.places]
# These move edges that run through the whole film; every other finding adds to what is there.
MOVING = {"rotated", "scoliosis", "low lung volumes", "elevated hemidiaphragm", "tortuous aorta"}
MOVING |= {"enlarged cardiac silhouette", "mediastinal widening"}


def planted(attribute: str, place: str, severity: float) -> PlantedFinding:
    return PlantedFinding(attribute, THORAX_FINDINGS[attribute].places[place], severity)


def request(body: Body, *findings: PlantedFinding, view: View = "PA") -> FilmRequest:
    return FilmRequest(body, view, findings, "harbour", SIZE, 5 + body.seed)


@cache
def film(body: Body, attribute: str = "", place: str = "", severity: float = 0.0, view: View = "PA") -> Film:
    findings = (planted(attribute, place, severity),) if attribute else ()
    return render_film(request(body, *findings, view=view))


def difference(body: Body, attribute: str, place: str, severity: float, view: View = "PA") -> NDArray[np.float32]:
    """How far a film with a finding lies from the same film without, grey levels [N, N]."""
    pixels = film(body, attribute, place, severity, view).pixels.astype(np.float32)
    return pixels - film(body, view=view).pixels


def mask_of(body: Body, attribute: str, place: str, severity: float, view: View = "PA") -> NDArray[np.bool_]:
    mark = film(body, attribute, place, severity, view).marks[0]
    assert mark is not None
    return mark.mask


def reshaped(body: Body, attribute: str, place: str, severity: float, view: View, seed: int) -> Anatomy:
    assert view != "LATERAL"
    anatomy = build_anatomy(body, view, seed)
    return THORAX_FINDINGS[attribute].reshape(anatomy, planted(attribute, place, severity))


def test_the_room_speaks_the_vocabulary() -> None:
    assert len(THORAX_FINDINGS) >= 17
    for attribute, place in PLACES:
        touched = THORAX_FINDINGS[attribute].places[place]
        assert attribute in schema.ATTRIBUTES
        assert touched[0] == place
        assert len(set(touched)) == len(touched)
        assert set(touched) <= set(schema.OBJECTS)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_what_changes_lies_in_the_mask_or_beside_it(attribute: str, place: str) -> None:
    for body in BODIES[:2]:
        for severity in (0.25, 1.0):
            mask = mask_of(body, attribute, place, severity)
            assert 0 < mask.sum() < 0.45 * mask.size
            if attribute in MOVING:
                continue
            change = np.abs(ndimage.gaussian_filter(difference(body, attribute, place, severity), 0.7))
            change = np.where(change > 3, change, 0)
            beside = ndimage.binary_dilation(mask, iterations=3)
            assert change[~beside].sum() <= 0.10 * change.sum() + 10


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_severity_grades_visibility(attribute: str, place: str) -> None:
    def shown(severity: float) -> float:
        return float(np.mean([np.abs(difference(body, attribute, place, severity)).mean() for body in BODIES]))

    assert shown(0.05) < shown(0.5) < shown(1.0)


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_limits_hold_with_and_without_the_finding(view: View) -> None:
    rng = np.random.default_rng(3)
    for number in range(150):
        body = Body("MF"[number % 2], int(rng.integers(20, 92)), float(rng.random()), number)
        assert view != "LATERAL"
        healthy = build_anatomy(body, view, number)
        assert healthy.ct_ratio < HEART_LIMITS[view]
        assert healthy.mt_ratio < MEDIASTINUM_LIMITS[view]
        assert abs(healthy.rotation) <= MOST_ROTATION
        assert abs(healthy.bend) <= MOST_BEND
        assert posterior_ribs(healthy) >= FEWEST_RIBS
        for severity in (0.02, 1.0):
            heart = reshaped(body, "enlarged cardiac silhouette", "cardiac silhouette", severity, view, number)
            assert HEART_LIMITS[view] < heart.ct_ratio < HEART_LIMITS[view] + 0.18
            wide = reshaped(body, "mediastinal widening", "upper mediastinum", severity, view, number)
            assert wide.mt_ratio > MEDIASTINUM_LIMITS[view]
            assert abs(reshaped(body, "scoliosis", "spine", severity, view, number).bend) > MOST_BEND
            turned = reshaped(body, "rotated", "mediastinum", severity, view, number)
            assert abs(turned.rotation) > MOST_ROTATION
            assert turned.thorax_width == pytest.approx(healthy.thorax_width, rel=0.03)
            shallow = reshaped(body, "low lung volumes", "left lung", severity, view, number)
            assert posterior_ribs(shallow) < FEWEST_RIBS
            assert shallow.ct_ratio < HEART_LIMITS[view]
            for side in (1, -1):
                place = "left hemidiaphragm" if side > 0 else "right hemidiaphragm"
                lifted = reshaped(body, "elevated hemidiaphragm", place, severity, view, number)
                gap = side * (lifted.right.dome_y - lifted.left.dome_y)
                assert gap > (0 if side > 0 else 0.06)


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_left_is_left(view: View) -> None:
    for attribute, place in PLACES:
        side = place.split()[0]
        if side not in ("left", "right") or attribute == "low lung volumes":
            continue
        for body in BODIES:
            _, columns = np.nonzero(mask_of(body, attribute, place, 0.5, view))
            assert (columns.mean() > SIZE / 2) == (side == "left"), (attribute, place, view)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_two_patients_differ_and_one_does_not(attribute: str, place: str) -> None:
    finding = planted(attribute, place, 0.7)
    first = render_film(request(BODIES[0], finding))
    assert np.array_equal(first.pixels, film(BODIES[0], attribute, place, 0.7).pixels)
    masks = [mask_of(body, attribute, place, 0.7) for body in BODIES]
    assert not np.array_equal(masks[0], masks[2])


def test_the_curve_of_a_scoliotic_spine_shows_on_the_film() -> None:
    def sway(anatomy: Anatomy) -> float:
        heights = np.linspace(0.2, 0.8, 61)
        middle = np.array([anatomy.midline_at(float(y)) for y in heights])
        straight = np.polyval(np.polyfit(heights, middle, 1), heights)
        return float(np.abs(middle - straight).max())

    rng = np.random.default_rng(9)
    bodies = [Body("F", int(rng.integers(20, 92)), 0.4, seed) for seed in range(60)]
    straight = [sway(build_anatomy(body, "PA", 100 + body.seed)) for body in bodies]
    curved = [sway(reshaped(body, "scoliosis", "spine", 0.6, "PA", 100 + body.seed)) for body in bodies]
    assert min(curved) > max(straight)
    assert math.isfinite(max(curved))


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_a_mask_lies_in_the_objects_that_the_finding_names(view: View) -> None:
    rng = np.random.default_rng(21)
    for attribute, place in PLACES:
        inside = []
        for _ in range(4):
            body = Body(
                "MF"[int(rng.integers(2))], int(rng.integers(20, 92)), float(rng.random()), int(rng.integers(999))
            )
            drawn = film(body, attribute, place, 0.6, view)
            rows, columns = np.nonzero(mask_of(body, attribute, place, 0.6, view))
            held = np.zeros(len(rows), np.bool_)
            for x1, y1, x2, y2 in (drawn.boxes[name] for name in THORAX_FINDINGS[attribute].places[place]):
                # Two pixels of grace: a mask ends with a pixel, a box within one.
                held |= (columns >= x1 - 2) & (columns <= x2 + 2) & (rows >= y1 - 2) & (rows <= y2 + 2)
            inside.append(held.mean())
        assert np.mean(inside) > 0.55, (attribute, place, inside)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_a_clear_finding_is_seen_and_a_trace_of_it_hardly(attribute: str, place: str) -> None:
    def seen(severity: float) -> float:
        """Strongest change in the mask or beside it, after smoothing, over the film's noise."""
        strengths = []
        for body in BODIES:
            smooth = np.abs(ndimage.gaussian_filter(difference(body, attribute, place, severity), 0.7))
            near = ndimage.binary_dilation(mask_of(body, attribute, place, severity), iterations=3)
            strengths.append(float(smooth[near].max()))
        return float(np.median(strengths))

    assert seen(0.6) > 7
    # What is defined by a limit begins with a step: healthy films stay on the other side of it.
    if attribute not in MOVING:
        assert seen(0.05) < 0.6 * seen(0.6)


def test_all_at_once_on_the_smallest_film_and_on_a_large_body() -> None:
    everything = tuple(planted(attribute, place, 1.0) for attribute, place in PLACES)
    for size in (32, 75):
        for view in ("PA", "AP"):
            asked = FilmRequest(Body("F", 88, 1.0, 4), view, everything, "hillside", size, 8)
            assert all(mark is not None and mark.mask.any() for mark in render_film(asked).marks)


def test_an_old_rib_fracture_has_callus_and_a_fresh_one_a_gap() -> None:
    grid = Grid(256)
    bone = grid.blank()
    bone[120:136] = 0.2  # a straight rib
    fresh = Break(0.5, 0.5, (1.0, 0.0), 0.03, step=0.02, gap=0.02, openness=0.9, slant=0.0, rim=0.0, callus=0.0)
    broken = bone.copy()
    share = break_bone(broken, grid, fresh)
    assert broken[128, 128] < 0.5 * bone[128, 128]
    assert broken[138, 134] > 0.1 > bone[138, 134]  # the outer end stands lower
    assert np.array_equal(broken[:, :60], bone[:, :60])
    assert share[128, 128] > 0.9
    healed = bone.copy()
    break_bone(healed, grid, replace(fresh, step=0.0, openness=0.0, callus=0.1))
    assert healed[128, 128] > bone[128, 128] + 0.08
