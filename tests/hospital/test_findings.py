"""What holds for every finding of every room; each room's own file looks at what its findings are like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chartsight import schema
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.findings.lung import LUNG_FINDINGS
from chartsight.hospital.render import render_film

SIZE = 96
BODIES = (Body("M", 45, 0.3, 11), Body("F", 68, 0.7, 12), Body("M", 80, 0.5, 13))
# Heart and skeleton, tubes and lines have their own tests beside this.
PLACES = [(attribute, place) for attribute, drawing in LUNG_FINDINGS.items() for place in drawing.places]


def request(body: Body, *findings: PlantedFinding, style: str = "harbour", seed: int = 5) -> FilmRequest:
    return FilmRequest(body, "PA", findings, style, SIZE, seed + body.seed)


def planted(attribute: str, place: str, severity: float) -> PlantedFinding:
    return PlantedFinding(attribute, FINDINGS[attribute].places[place], severity)


def test_every_finding_and_place_is_of_the_vocabulary() -> None:
    assert len(FINDINGS) >= 20
    for attribute, drawing in FINDINGS.items():
        assert attribute in schema.ATTRIBUTES
        for place, touched in drawing.places.items():
            assert touched[0] == place
            assert len(set(touched)) == len(touched)
            assert set(touched) <= set(schema.OBJECTS)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_what_it_implies_is_of_the_vocabulary(attribute: str, place: str) -> None:
    for severity in (0.01, 0.5, 1.0):
        for implied, objects in FINDINGS[attribute].implies(planted(attribute, place, severity)):
            assert implied in schema.ATTRIBUTES
            assert objects
            assert set(objects) <= set(schema.OBJECTS)


@pytest.mark.parametrize(("attribute", "place"), PLACES)
def test_it_is_marked_on_the_film_and_the_same_request_gives_the_same_bytes(attribute: str, place: str) -> None:
    body = BODIES[1]
    film, again = (render_film(request(body, planted(attribute, place, 0.7))) for _ in range(2))
    (mark,) = film.marks
    assert mark is not None
    assert mark.mask.dtype == np.bool_
    assert mark.mask.any()
    x1, y1, x2, y2 = mark.box
    assert 0 <= x1 < x2 <= SIZE
    assert 0 <= y1 < y2 <= SIZE
    assert not np.array_equal(film.pixels, render_film(request(body)).pixels)
    assert film.pixels.tobytes() == again.pixels.tobytes()
    assert again.marks[0] is not None
    assert mark.mask.tobytes() == again.marks[0].mask.tobytes()


def boxes(film: Film) -> list[tuple[float, ...] | None]:
    return list(film.finding_boxes)


def test_several_findings_keep_the_order_of_the_request() -> None:
    pair = (
        planted("mass/nodule (not otherwise specified)", "right upper lung zone", 0.8),
        planted("atelectasis", "left mid lung zone", 0.6),
    )
    both = boxes(render_film(request(BODIES[0], *pair)))
    turned = boxes(render_film(request(BODIES[0], *reversed(pair))))
    assert both == turned[::-1]
    assert both[0] != both[1]


def test_a_patients_nodule_stays_where_it_is_from_film_to_film() -> None:
    nodule = planted("mass/nodule (not otherwise specified)", "right mid lung zone", 0.6)
    places = []
    for seed in range(4):
        film = render_film(replace(request(BODIES[0], nodule), seed=seed))
        lung, box = film.boxes["right lung"], film.finding_boxes[0]
        assert box is not None
        places.append((box[0] - lung[0]) / (lung[2] - lung[0]))
    assert max(places) - min(places) < 0.12


def test_an_enlarged_heart_stays_enlarged_in_long_lungs() -> None:
    pair = (
        planted("enlarged cardiac silhouette", "cardiac silhouette", 0.3),
        planted("hyperaeration", "left lung", 1.0),
    )
    ratios = [render_film(request(BODIES[0], *order)).ct_ratio for order in (pair, pair[::-1])]
    assert ratios[0] == pytest.approx(ratios[1], abs=0.01)
    assert ratios[0] > 0.5
