"""Findings: where they stand, that their boxes hold what was drawn, that severity grades how well they are seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from chartsight import schema
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.styles import STYLES

SIZE = 128
BODIES = (Body("M", 45, 0.3, 11), Body("F", 68, 0.7, 12), Body("M", 80, 0.5, 13))
PLACES = [(attribute, place) for attribute, drawing in FINDINGS.items() for place in drawing.places]


def request(body: Body, *findings: PlantedFinding, style: str = "harbour", seed: int = 5) -> FilmRequest:
    return FilmRequest(body, "PA", findings, style, SIZE, seed + body.seed)


def planted(attribute: str, place: str, severity: float) -> PlantedFinding:
    return PlantedFinding(attribute, FINDINGS[attribute].places[place], severity)


@cache
def healthy(body: Body, style: str = "harbour") -> Film:
    return render_film(request(body, style=style))


def change(body: Body, finding: PlantedFinding, style: str = "harbour") -> tuple[Film, NDArray[np.float32]]:
    """The film with the finding, and how far it lies from the same film without, grey levels [N, N]."""
    film = render_film(request(body, finding, style=style))
    return film, film.pixels.astype(np.float32) - healthy(body, style).pixels.astype(np.float32)


def seen(difference: NDArray[np.float32]) -> float:
    """The strongest change after smoothing the size of a small lesion, in grey levels."""
    return float(np.abs(ndimage.gaussian_filter(difference, 1.0)).max())


def test_ten_findings_of_the_vocabulary_stand_in_objects_of_the_vocabulary() -> None:
    assert len(FINDINGS) >= 10
    for attribute, drawing in FINDINGS.items():
        assert attribute in schema.ATTRIBUTES
        for place, touched in drawing.places.items():
            assert touched[0] == place
            assert len(set(touched)) == len(touched)
            assert set(touched) <= set(schema.OBJECTS)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_the_box_holds_what_was_drawn(attribute: str, place: str) -> None:
    for body in BODIES[:2]:
        for severity in (0.25, 1.0):
            film, difference = change(body, planted(attribute, place, severity))
            x1, y1, x2, y2 = film.finding_boxes[0]
            outside = np.abs(ndimage.gaussian_filter(difference, 1.0))
            total = np.where(outside > 3, outside, 0).sum()
            outside[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = 0
            assert np.where(outside > 3, outside, 0).sum() <= 0.02 * total
            assert 0 <= x1 < x2 <= SIZE
            assert 0 <= y1 < y2 <= SIZE


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_severity_grades_visibility(attribute: str, place: str) -> None:
    shown = {
        severity: np.mean([np.abs(change(body, planted(attribute, place, severity))[1]).mean() for body in BODIES])
        for severity in (0.05, 0.5, 1.0)
    }
    assert shown[0.05] < shown[0.5] < shown[1.0]


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_a_moderate_finding_is_seen_on_a_small_film_and_a_trace_is_not_obvious(
    attribute: str, place: str, style: str
) -> None:
    for body in BODIES[:2]:
        assert seen(change(body, planted(attribute, place, 0.5), style)[1]) > 12
    if attribute == "enlarged cardiac silhouette":
        return  # its trace is a heart at the limit, which is already wider than this patient's own
    trace = np.mean([seen(change(body, planted(attribute, place, 0.02), style)[1]) for body in BODIES[:2]])
    moderate = np.mean([seen(change(body, planted(attribute, place, 0.5), style)[1]) for body in BODIES[:2]])
    assert trace < 0.75 * moderate


def test_a_finding_stands_on_its_own_side() -> None:
    for attribute, place in PLACES:
        drawing = FINDINGS[attribute]
        touched_sides = {each.split()[0] for each in drawing.places[place]} & {"left", "right"}
        if len(touched_sides) == 2:  # always bilateral
            continue
        side = place.split()[0]
        if side not in ("left", "right") or attribute == "cardiac pacer and wires":
            continue
        for body in BODIES:
            film = render_film(request(body, planted(attribute, place, 0.4)))
            x1, _, x2, _ = film.finding_boxes[0]
            assert (0.5 * (x1 + x2) > SIZE / 2) == (side == "left"), (attribute, place)


def test_an_enlarged_heart_is_wider_than_half_the_thorax_and_a_healthy_one_is_not() -> None:
    for body in BODIES:
        assert healthy(body).ct_ratio < 0.5
        ratios = [
            render_film(request(body, planted("enlarged cardiac silhouette", "cardiac silhouette", severity))).ct_ratio
            for severity in (0.01, 0.5, 1.0)
        ]
        assert 0.5 < ratios[0] < ratios[1] < ratios[2] < 0.75


def test_an_enlarged_heart_stays_enlarged_in_long_lungs() -> None:
    pair = (
        planted("enlarged cardiac silhouette", "cardiac silhouette", 0.3),
        planted("hyperaeration", "left lung", 1.0),
    )
    ratios = [render_film(request(BODIES[0], *order)).ct_ratio for order in (pair, pair[::-1])]
    assert ratios[0] == pytest.approx(ratios[1])
    assert ratios[0] > 0.5


def grey(film: Film, name: str) -> float:
    x1, y1, x2, y2 = (round(value) for value in film.boxes[name])
    return float(film.pixels[y1:y2, x1:x2].mean())


@pytest.mark.parametrize("side", ["left", "right"])
def test_fluid_whitens_the_angle_and_free_air_darkens_the_apex(side: str) -> None:
    for body in BODIES:
        clean = healthy(body)
        wet, _ = change(body, planted("pleural effusion", f"{side} costophrenic angle", 0.5))
        assert grey(wet, f"{side} costophrenic angle") > grey(clean, f"{side} costophrenic angle") + 20
        other = "right" if side == "left" else "left"
        assert abs(grey(wet, f"{other} costophrenic angle") - grey(clean, f"{other} costophrenic angle")) < 4
        _, difference = change(body, planted("pneumothorax", f"{side} lung", 0.7))
        x1, y1, x2, y2 = (round(value) for value in clean.boxes[f"{side} lung"])
        lateral = slice(x2 - (x2 - x1) // 4, x2) if side == "left" else slice(x1, x1 + (x2 - x1) // 4)
        assert difference[y1 : (y1 + y2) // 2, lateral].mean() < -1


def test_a_collapsed_base_lifts_the_diaphragm_and_hyperaeration_lowers_and_flattens_it() -> None:
    for body in BODIES:
        clean = healthy(body).boxes["left hemidiaphragm"]
        lifted = render_film(request(body, planted("atelectasis", "left lower lung zone", 0.9)))
        flat = render_film(request(body, planted("hyperaeration", "left lung", 0.9)))
        assert lifted.boxes["left hemidiaphragm"][1] < clean[1] - 2
        low = flat.boxes["left hemidiaphragm"]
        assert low[3] > clean[3] + 3
        assert low[3] - low[1] < 0.75 * (clean[3] - clean[1])


def test_several_findings_keep_the_order_of_the_request() -> None:
    pair = (
        planted("mass/nodule (not otherwise specified)", "right upper lung zone", 0.8),
        planted("pleural effusion", "left costophrenic angle", 0.8),
    )
    both = render_film(request(BODIES[0], *pair)).finding_boxes
    turned = render_film(request(BODIES[0], *reversed(pair))).finding_boxes
    assert both == tuple(reversed(turned))


def test_a_patients_nodule_stays_where_it_is_from_film_to_film() -> None:
    nodule = planted("mass/nodule (not otherwise specified)", "right mid lung zone", 0.6)
    places = []
    for seed in range(4):
        film = render_film(replace(request(BODIES[0], nodule), seed=seed))
        lung, box = film.boxes["right lung"], film.finding_boxes[0]
        places.append((box[0] - lung[0]) / (lung[2] - lung[0]))
    assert max(places) - min(places) < 0.12
