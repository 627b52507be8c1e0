"""Left and right: what is planted on a side is drawn on that side, whatever else the film looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding, Technique
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.styles import STYLE_NAMES

ONE_SIDED = [
    (attribute, objects)
    for attribute, drawing in FINDINGS.items()
    for objects in drawing.places.values()
    if len(sides := {name.split()[0] for name in objects} & {"left", "right"}) == 1
    # A line that ends in the right atrium may come from either side, and only its tip is known to be right.
    and objects[0].split()[0] in sides
    and objects[0] != "right atrium"
]

bodies = st.builds(Body, st.sampled_from("MF"), st.integers(18, 95), st.floats(0, 1), st.integers(0, 2**40))
techniques = st.builds(
    Technique,
    marker=st.sampled_from([None, "plain", "ringed", "arrow"]),
    padding=st.sampled_from([None, 0.0, 0.12]),
    monitored=st.sampled_from([None, True, False]),
)
requests = st.builds(
    FilmRequest,
    bodies,
    st.sampled_from(["PA", "AP"]),
    st.builds(
        lambda where, severity: (PlantedFinding(*where, severity),), st.sampled_from(ONE_SIDED), st.floats(0.1, 1)
    ),
    st.sampled_from(STYLE_NAMES),
    st.just(64),
    st.integers(0, 2**40),
    techniques,
)


def shown_on(film: Film, *, crosses: bool = False, mirrored: bool = False) -> str:
    """The patient's side on which the only finding lies: by the tip of a catheter that crosses, else by its mask."""
    mark = film.marks[0]
    assert mark is not None
    mask = mark.mask[:, ::-1] if mirrored else mark.mask
    x = float(np.nonzero(mask)[1].mean() + 0.5)
    if crosses:
        assert mark.tip is not None
        x = mark.tip[0]
    spine = film.boxes["spine"]
    return "left" if x > (spine[0] + spine[2]) / 2 else "right"


def test_findings_of_one_side_are_most_of_those_that_have_sides() -> None:
    assert len(ONE_SIDED) > 55 and len({attribute for attribute, _ in ONE_SIDED}) > 22


@settings(max_examples=150, deadline=None, derandomize=True)
@given(requests)
def test_left_is_left_over_bodies_views_styles_markers_and_borders(request: FilmRequest) -> None:
    film = render_film(request)
    side = request.findings[0].objects[0].split()[0]
    assert shown_on(film, crosses=request.findings[0].attribute == "swan-ganz catheter") == side
    right, left = film.boxes["right lung"], film.boxes["left lung"]
    assert right[0] + right[2] < left[0] + left[2]


@pytest.mark.parametrize("attribute", ["consolidation", "pleural effusion", "rib fracture", "cardiac pacer and wires"])
def test_the_check_sees_a_mirrored_mask(attribute: str) -> None:
    for objects in FINDINGS[attribute].places.values():
        wanted = FilmRequest(Body("F", 60, 0.4, 3), "PA", (PlantedFinding(attribute, objects, 0.7),), "harbour", 64, 1)
        assert shown_on(render_film(wanted), mirrored=True) != objects[0].split()[0]
