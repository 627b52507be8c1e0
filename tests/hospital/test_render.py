"""Films: the same request gives the same bytes, every region has a box, and what is asked for is what is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chartsight import schema
from chartsight.errors import ChartsightError, OutputError
from chartsight.hospital.anatomy import build_anatomy
from chartsight.hospital.contact_sheet import contact_sheet, main
from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.styles import STYLE_NAMES

BODY = Body("F", 62, 0.5, 21)
NODULE = "mass/nodule (not otherwise specified)"


def request(body: Body = BODY, *, seed: int = 1, size_px: int = 128, **changes: object) -> FilmRequest:
    return replace(FilmRequest(body, "PA", (), "harbour", size_px, seed), **changes)  # type: ignore[arg-type]


def every_finding() -> tuple[PlantedFinding, ...]:
    return tuple(
        PlantedFinding(attribute, next(iter(drawing.places.values())), 0.7) for attribute, drawing in FINDINGS.items()
    )


def grey(film: Film, name: str) -> float:
    x1, y1, x2, y2 = (round(value) for value in film.boxes[name])
    return float(film.pixels[y1:y2, x1:x2].mean())


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_the_same_request_gives_the_same_bytes(style: str) -> None:
    wanted = request(findings=every_finding(), style=style)
    first, again = render_film(wanted), render_film(wanted)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert (first.boxes, first.finding_boxes) == (again.boxes, again.finding_boxes)
    assert first.pixels.tobytes() != render_film(replace(wanted, seed=2)).pixels.tobytes()


bodies = st.builds(Body, st.sampled_from("MF"), st.integers(18, 95), st.floats(0, 1), st.integers(0, 2**40))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    bodies,
    st.sampled_from(["PA", "AP"]),
    st.sampled_from(STYLE_NAMES),
    st.integers(0, 2**40),
    st.lists(st.sampled_from(every_finding()), max_size=3, unique=True),
)
def test_every_film_has_every_box_inside_it(
    body: Body, view: str, style: str, seed: int, ill: list[PlantedFinding]
) -> None:
    size = 48
    findings = tuple(ill)
    film = render_film(request(body, seed=seed, size_px=size, view=view, style=style, findings=findings))
    assert film.pixels.shape == (size, size)
    assert film.pixels.dtype == np.uint8
    assert tuple(film.boxes) == schema.OBJECTS
    assert len(film.finding_boxes) == len(findings)
    for x1, y1, x2, y2 in filter(None, (*film.boxes.values(), *film.finding_boxes)):
        assert 0 <= x1 < x2 <= size
        assert 0 <= y1 < y2 <= size
    for paired in ("lung", "clavicle", "costophrenic angle", "hilar structures"):
        assert film.boxes[f"right {paired}"][0] < film.boxes[f"left {paired}"][0]
    assert 0.3 < film.ct_ratio < 0.75
    assert 0.1 < film.mt_ratio < 0.5
    assert film.pixels.std() > 20


def test_boxes_nest_as_anatomy_does() -> None:
    for seed in range(8):
        boxes = render_film(request(replace(BODY, seed=seed), seed=seed)).boxes
        for side in ("left", "right"):
            lung = boxes[f"{side} lung"]
            for zone in ("apical zone", "upper lung zone", "mid lung zone", "lower lung zone"):
                x1, y1, x2, y2 = boxes[f"{side} {zone}"]
                assert lung[0] - 4 <= x1 < x2 <= lung[2] + 4
                assert lung[1] - 0.01 <= y1 < y2 <= lung[3] + 0.01
            assert boxes[f"{side} upper lung zone"][3] == pytest.approx(boxes[f"{side} mid lung zone"][1])
            assert boxes[f"{side} mid lung zone"][3] == pytest.approx(boxes[f"{side} lower lung zone"][1])
        assert boxes["trachea"][3] <= boxes["carina"][3]
        assert boxes["upper mediastinum"][3] <= boxes["mediastinum"][3]


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_air_is_dark_and_the_heart_and_belly_bright(style: str, view: str) -> None:
    for seed in range(6):
        film = render_film(request(replace(BODY, seed=seed), seed=seed, style=style, view=view))
        lungs = max(grey(film, "left upper lung zone"), grey(film, "right mid lung zone"))
        assert lungs + 25 < grey(film, "cardiac silhouette")
        assert lungs + 25 < grey(film, "abdomen")


def test_the_box_of_the_heart_ends_where_its_shadow_does() -> None:
    film = render_film(request(Body("M", 50, 0.3, 3), size_px=256))
    x1, y1, x2, y2 = film.boxes["cardiac silhouette"]
    row = film.pixels[round(y1 + 0.62 * (y2 - y1))].astype(float)
    inside = row[round(x1 + 0.35 * (x2 - x1)) : round(x2 - 0.35 * (x2 - x1))].mean()
    assert row[round(x2) + 6 : round(x2) + 16].mean() < inside - 40
    assert row[round(x1) - 16 : round(x1) - 6].mean() < inside - 40


def test_a_patient_keeps_the_skeleton_and_changes_position() -> None:
    films = [build_anatomy(BODY, "PA", seed) for seed in range(5)]
    others = [build_anatomy(replace(BODY, seed=seed), "PA", 1) for seed in range(5)]
    assert len({each.ribs[3].weight for each in films}) == 1
    assert len({each.centre_x for each in films}) == 5
    assert np.std([each.ct_ratio for each in films]) < np.std([each.ct_ratio for each in others])


def test_a_portable_film_shows_a_larger_heart_and_a_higher_diaphragm() -> None:
    pairs = [[build_anatomy(replace(BODY, seed=seed), view, seed) for view in ("PA", "AP")] for seed in range(60)]
    assert np.mean([ap.ct_ratio - pa.ct_ratio for pa, ap in pairs]) > 0.01
    assert np.mean([pa.left.height - ap.left.height for pa, ap in pairs]) > 0.02
    assert max(pa.ct_ratio for pa, _ in pairs) < 0.5
    assert max(ap.ct_ratio for _, ap in pairs) < 0.55


def test_the_two_hospitals_films_look_different() -> None:
    for seed in range(4):
        wanted = request(replace(BODY, seed=seed), seed=seed, size_px=256)
        harbour, hillside = (render_film(replace(wanted, style=style)) for style in ("harbour", "hillside"))
        lung, heart = "right mid lung zone", "cardiac silhouette"
        contrasts = [grey(film, heart) - grey(film, lung) for film in (harbour, hillside)]
        assert contrasts[0] > contrasts[1] + 10
        # Its marker stands on the other side.
        left, right = (slice(10, 40), slice(10, 45)), (slice(10, 40), slice(211, 246))
        assert harbour.pixels[right].max() > 240 > harbour.pixels[left].max()
        assert hillside.pixels[left].max() > 240


def test_a_drawing_has_no_resolution() -> None:
    small = render_film(request(size_px=128, findings=every_finding()[:4])).pixels.astype(float)
    large = render_film(request(size_px=256, findings=every_finding()[:4])).pixels.astype(float)
    reduced = large.reshape(128, 2, 128, 2).mean((1, 3))
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.985


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"style": "seaside"}, "unknown-style"),
        ({"size_px": 4}, "film-size"),
        ({"view": "SWIMMER"}, "unknown-view"),
        ({"body": replace(BODY, habitus=1.5)}, "habitus"),
        ({"findings": (PlantedFinding("dragon", ("left lung",), 0.5),)}, "unknown-finding"),
        ({"findings": (PlantedFinding(NODULE, ("trachea",), 0.5),)}, "impossible-place"),
        ({"findings": (PlantedFinding(NODULE, (), 0.5),)}, "impossible-place"),
        ({"findings": (PlantedFinding(NODULE, ("left mid lung zone",), 0.0),)}, "severity"),
        ({"findings": (PlantedFinding(NODULE, ("left mid lung zone",), float("nan")),)}, "severity"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(changes: dict[str, object], code: str) -> None:
    with pytest.raises(ChartsightError) as refused:
        render_film(replace(request(), **changes))  # type: ignore[arg-type]
    assert refused.value.code == code
    assert refused.value.expected
    assert "\n" not in str(refused.value)


def test_a_contact_sheet_is_a_png_of_equal_bytes_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = contact_sheet(tmp_path / "a.png", size_px=48, severities=(0.5,))
    second = contact_sheet(tmp_path / "b.png", size_px=48, severities=(0.5,))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as sheet:
        assert sheet.width == 2 * 48
    with pytest.raises(OutputError):
        contact_sheet(first, size_px=48, severities=(0.5,))
    assert main([str(tmp_path / "c.png"), "--style", "seaside"]) == 2
    assert "harbour" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
