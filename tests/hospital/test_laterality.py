"""Left and right: what is planted on a side is drawn on that side, whatever else the film looks like."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding, Technique
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.masks import read_mask
from chartsight.hospital.render import render_film
from chartsight.hospital.scripts import side_of
from chartsight.hospital.sites import BROADER_ATTRIBUTES
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


# ------------------------------------------------------------------------------------------------ from pixels to labels

HOSPITALS = [
    HospitalConfig(patients=14, seed=21, film_size_px=64, confounding=1.0),
    HospitalConfig(patients=14, seed=22, film_size_px=64, style="hillside", confounding=-0.8, difficulty="easy"),
    HospitalConfig(patients=14, seed=23, film_size_px=64, style="mixed", difficulty="hard"),
]


@pytest.fixture(scope="module", params=HOSPITALS, ids=lambda config: config.style)
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sides") / "hospital"
    build_hospital(out, request.param, workers=1, quiet=True)
    return out


def read_table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def labelled_sides(hospital: Path) -> dict[tuple[str, str], dict[str, set[str]]]:
    """(film, attribute) → side → the sentences that the labels take it from, as the files say it."""
    said: dict[tuple[str, str], dict[str, set[str]]] = {}
    tables = hospital / "chest-imagenome" / "silver_dataset" / "scene_tabular"
    for row in read_table(tables / "attribute_relations_tabular.txt"):
        side = side_of(row["bbox"])
        if row["context"] == "yes" and row["label_name"] in FINDINGS and side is not None:
            film = row["image_id"].removesuffix(".dcm")
            said.setdefault((film, row["label_name"]), {}).setdefault(side, set()).add(row["sentence"])
    return said


def masks_of(hospital: Path) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """(film, attribute) → the pixels of all findings that the labels call so, the narrower kinds included."""
    masks: dict[tuple[str, str], NDArray[np.bool_]] = {}
    rows: list[dict[str, Any]] = pq.read_table(hospital / "masks.parquet").to_pylist()
    for row in rows:
        for name in (row["attribute"], *BROADER_ATTRIBUTES.get(row["attribute"], ())):
            key = row["image_id"], name
            masks[key] = read_mask(row) | masks.get(key, np.zeros((row["height"], row["width"]), np.bool_))
    return masks


def sides_seen(
    hospital: Path, masks: Mapping[tuple[str, str], NDArray[np.bool_]]
) -> Iterator[tuple[dict[str, set[str]], dict[str, float]]]:
    """What is labelled on each side, and which share of the pixels lies there, for every finding that is labelled."""
    tables = hospital / "chest-imagenome" / "silver_dataset" / "scene_tabular"
    spines = {
        row["object_id"].removesuffix("_spine"): (float(row["original_x1"]) + float(row["original_x2"])) / 2
        for row in read_table(tables / "bbox_objects_tabular.txt")
        if row["bbox_name"] == "spine"
    }
    for (film, attribute), said in labelled_sides(hospital).items():
        mask = masks.get((film, attribute))
        # The tip of a catheter has a side, its course crosses both; so do the leads of a pacemaker, not its case.
        if mask is not None and attribute != "swan-ganz catheter":
            away = np.nonzero(mask)[1] + 0.5 - spines[film]
            if attribute == "cardiac pacer and wires":
                away = away[np.abs(away) > 0.8 * np.abs(away).max()]
            left = float((away > 0).mean())
            yield said, {"left": left, "right": 1 - left}


def confusions(hospital: Path, masks: Mapping[tuple[str, str], NDArray[np.bool_]]) -> tuple[int, int]:
    """Findings whose labelled side is not where most of their pixels are, and findings looked at."""
    wrong = seen = 0
    for said, share in sides_seen(hospital, masks):
        seen += 1
        wrong += any(share[side] < (0.5 if len(said) == 1 else 0.02) for side in said)
    return wrong, seen


def test_labels_name_the_side_on_which_the_pixels_are(hospital: Path) -> None:
    wrong, seen = confusions(hospital, masks_of(hospital))
    assert seen > 40 and wrong == 0


def test_the_check_sees_labels_of_mirrored_pixels(hospital: Path) -> None:
    wrong, seen = confusions(hospital, {key: mask[:, ::-1] for key, mask in masks_of(hospital).items()})
    assert wrong > 0.4 * seen


def test_reports_name_the_side_that_the_labels_name(hospital: Path) -> None:
    one_sided = 0
    for said in labelled_sides(hospital).values():
        for side, other in (("left", "right"), ("right", "left")):
            for sentence in said.get(side, set()) - said.get(other, set()):
                words = sentence.lower().replace(",", " ").replace("-", " ").split()
                one_sided += side in words
                assert other not in words or side in words, sentence
    assert one_sided > 40
