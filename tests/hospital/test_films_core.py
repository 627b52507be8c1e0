"""The frontal film apart from findings: what the technique asks for is on the pixels, and left is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartsight import schema
from chartsight.errors import ChartsightError
from chartsight.hospital.anatomy import build_anatomy, object_boxes
from chartsight.hospital.artefacts import ARTEFACTS, paint_artefacts
from chartsight.hospital.film_request import Body, FilmRequest, FindingMark, PlantedFinding, Technique
from chartsight.hospital.frame import choose_frame, lettering
from chartsight.hospital.render import render_film
from chartsight.hospital.strokes import Grid
from chartsight.hospital.styles import STYLE_NAMES, find_style
from chartsight.hospital.tissue import paint_chest

bodies = st.builds(Body, st.sampled_from("MF"), st.integers(18, 95), st.floats(0, 1), st.integers(0, 2**40))
views = st.sampled_from(["PA", "AP"])
BODY = Body("F", 62, 0.5, 21)


def request(body: Body = BODY, **changes: object) -> FilmRequest:
    return replace(FilmRequest(body, "PA", (), "harbour", 96, 1), **changes)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(bodies, views, st.integers(0, 2**40), st.sampled_from([0.0, 0.3]))
def test_objects_lie_in_anatomical_order_on_any_body(body: Body, view: str, seed: int, padding: float) -> None:
    boxes = object_boxes(build_anatomy(body, view, seed, padding=padding))  # type: ignore[arg-type]
    assert tuple(boxes) == schema.OBJECTS
    for x1, y1, x2, y2 in boxes.values():
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1

    def middle(name: str) -> tuple[float, float]:
        x1, y1, x2, y2 = boxes[name]
        return 0.5 * (x1 + x2), 0.5 * (y1 + y2)

    for paired in ("lung", "shoulder", "chest wall", "breast", "hemidiaphragm", "hilar structures", "apical zone"):
        assert middle(f"right {paired}")[0] < middle("spine")[0] < middle(f"left {paired}")[0]
    downwards = ["neck", "aortic arch", "carina", "cardiac silhouette", "abdomen"]
    assert [middle(name)[1] for name in downwards] == sorted(middle(name)[1] for name in downwards)
    for side in ("left", "right"):
        zones = [f"{side} {zone}" for zone in ("apical zone", "upper lung zone", "mid lung zone", "lower lung zone")]
        assert [middle(zone)[1] for zone in zones] == sorted(middle(zone)[1] for zone in zones)
        assert boxes[f"{side} costophrenic angle"][3] > boxes[f"{side} hemidiaphragm"][1]
    assert boxes["right hemidiaphragm"][1] <= boxes["left hemidiaphragm"][1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(bodies, views, st.integers(0, 2**40))
def test_the_heart_and_the_gas_of_the_stomach_are_on_the_left(body: Body, view: str, seed: int) -> None:
    anatomy = build_anatomy(body, view, seed)  # type: ignore[arg-type]
    assert anatomy.heart.left > 1.2 * anatomy.heart.right
    anatomy = replace(anatomy, stomach=(1.0, *anatomy.stomach[1:]))
    layers = paint_chest(anatomy, Grid(64))
    below = slice(int(64 * (anatomy.left.dome_y + 0.02)), int(64 * (anatomy.left.dome_y + 0.07)))
    near = np.abs(layers.d[below]) < 0.22
    gas = {side: layers.air[below][near & (np.sign(layers.d[below]) == side)].sum() for side in (1, -1)}
    without = paint_chest(replace(anatomy, stomach=(0.0, *anatomy.stomach[1:])), Grid(64))
    assert (layers.air - without.air)[:, : int(64 * anatomy.midline_at(0.8))].max() <= 1e-6
    assert gas[1] > 0


@pytest.mark.parametrize("padding", [0.08, 0.2, 0.3])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_padding_takes_its_share_of_the_width_in_its_grey(padding: float, grey: float) -> None:
    technique = Technique(padding=padding, padding_grey=grey, annotated="")
    for seed in range(3):
        film = render_film(request(seed=seed, size_px=200, technique=technique, distraction=0.0))
        rows = film.pixels[60:190].astype(float)
        same = np.abs(rows - round(255 * grey)).max(0) <= 1
        left, right = np.argmin(same), np.argmin(same[::-1])
        assert (left + right) / 200 == pytest.approx(padding, abs=0.012)
        assert film.boxes["left lung"][2] <= 200 - right + 8
        assert film.boxes["right lung"][0] >= left - 8


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_exposure_moves_the_whole_film(style: str) -> None:
    means = [
        render_film(request(style=style, technique=Technique(exposure=step))).pixels.mean() for step in (-2.0, 0.0, 2.0)
    ]
    assert means[0] + 2 < means[1] < means[2] - 2


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("view", ["PA", "AP"])
@pytest.mark.parametrize("marker", ["plain", "ringed", "arrow"])
def test_a_marker_stands_on_the_side_that_it_names(style: str, view: str, marker: str) -> None:
    letters = set()
    for seed in range(40):
        chosen = choose_frame(Technique(marker=marker), find_style(style, seed), view, np.random.default_rng(seed))  # type: ignore[arg-type]
        letter = chosen.stamps[0]
        letters.add(letter.text)
        assert (letter.x > 0.5) == (letter.text == "L")
        assert (chosen.ring > 0) == (marker == "ringed")
        assert any(stamp.text == "^" for stamp in chosen.stamps) == (marker == "arrow")
    assert letters == {"L", "R"}


def test_marker_and_words_are_on_the_pixels() -> None:
    plain, ringed, silent, spoken = (
        render_film(request(size_px=200, technique=technique)).pixels.astype(float)
        for technique in (
            Technique(marker="plain", annotated=""), Technique(marker="ringed", annotated=""),
            Technique(marker="plain", annotated=""), Technique(marker="plain", annotated="AP PORTABLE"),
        )
    )  # fmt: skip
    assert (np.abs(plain - ringed) > 60).sum() > 20
    assert ((spoken - silent) > 60).sum() > 60
    assert (spoken >= silent).all()


def test_letters_read_from_left_to_right_and_are_not_mirrored() -> None:
    dots = lettering("LR")
    assert dots[1:8, 1].all()
    assert dots[7, 1:6].all()
    assert not dots[1, 2:6].any()
    assert dots[1:8, 7].all()


def test_a_portable_film_is_veiled_and_a_slender_heart_is_narrow() -> None:
    def contrast(habitus: float, view: str) -> float:
        values = []
        for seed in range(6):
            body = Body("M", 50, habitus, seed)
            film = render_film(request(body, view=view, seed=seed, distraction=0.0, technique=Technique(exposure=0.0)))
            x1, y1, x2, y2 = (round(value) for value in film.boxes["right mid lung zone"])
            h1, k1, h2, k2 = (round(value) for value in film.boxes["cardiac silhouette"])
            values.append(film.pixels[k1:k2, h1:h2].mean() - film.pixels[y1:y2, x1:x2].mean())
        return float(np.mean(values))

    for habitus in (0.2, 0.6, 1.0):
        assert contrast(habitus, "AP") < contrast(habitus, "PA") - 4
    # More fat makes the lungs brighter, not the heart alone.
    assert contrast(1.0, "AP") < contrast(0.5, "AP") + 4
    ratios = [
        np.mean([build_anatomy(Body("M", 50, h, seed), "PA", seed).ct_ratio for seed in range(30)]) for h in (0, 1)
    ]
    assert ratios[0] < ratios[1]


def test_sixteen_bits_hold_more_tones_and_reduce_to_the_film_of_eight() -> None:
    fine = render_film(request(size_px=256, bits=16)).pixels
    coarse = render_film(request(size_px=256)).pixels
    assert fine.dtype == np.uint16
    assert coarse.dtype == np.uint8
    assert len(np.unique(fine)) > 3000
    assert np.array_equal(fine >> 8, coarse)


def test_without_distraction_nothing_lies_on_the_patient_and_monitoring_can_be_asked_for() -> None:
    for seed in range(12):
        wanted = request(view="AP", seed=seed, distraction=0.0, size_px=64)
        anatomy = build_anatomy(wanted.body, "AP", seed, distraction=0.0)
        assert (anatomy.look_alikes.nipples, anatomy.look_alikes.skin_fold) == (0, None)
        layers = paint_chest(anatomy, Grid(64))
        before = layers.wall.copy()
        paint_artefacts(anatomy, layers, wanted)
        assert not layers.metal.any()
        assert np.array_equal(layers.wall, before)
        paint_artefacts(anatomy, layers, replace(wanted, technique=Technique(monitored=True)))
        assert layers.metal.max() > 0.02


def test_unmonitored_patients_have_no_leads_and_distraction_raises_what_else_there_is() -> None:
    def share(distraction: float) -> float:
        shown = 0
        for seed in range(60):
            wanted = request(seed=seed, distraction=distraction, technique=Technique(monitored=False), size_px=32)
            anatomy = build_anatomy(wanted.body, "PA", 1)
            layers = paint_chest(anatomy, Grid(32))
            before = layers.wall.copy()
            paint_artefacts(anatomy, layers, wanted)
            shown += bool(layers.metal.any() or not np.array_equal(layers.wall, before))
        return shown / 60

    assert share(0.2) < share(1.0) < share(3.0)


@pytest.mark.parametrize("name", sorted(ARTEFACTS))
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_every_artefact_is_seen_and_drawn_alike_each_time(name: str, view: str) -> None:
    planes = []
    for _ in range(2):
        anatomy = build_anatomy(BODY, view, 3)  # type: ignore[arg-type]
        layers = paint_chest(anatomy, Grid(128))
        before = layers.wall.copy()
        ARTEFACTS[name].paint(anatomy, layers, np.random.default_rng(5))
        planes.append(layers.metal + layers.wall - before)
    assert np.array_equal(planes[0], planes[1])
    assert np.abs(planes[0]).max() > 0.01
    assert np.isfinite(planes[0]).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": 12},
        {"distraction": -1.0},
        {"distraction": float("nan")},
        {"technique": Technique(padding=0.5)},
        {"technique": Technique(padding_grey=2.0)},
        {"technique": Technique(exposure=float("inf"))},
        {"technique": Technique(marker="gothic")},  # type: ignore[arg-type]
        {"technique": Technique(annotated="naïve")},
    ],
)
def test_a_technique_that_no_film_has_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ChartsightError) as refused:
        render_film(request(**changes))  # type: ignore[arg-type]
    assert refused.value.expected


SHOULDER = PlantedFinding("shoulder osteoarthritis", ("left shoulder",), 0.8)


def test_what_lies_under_the_border_is_not_claimed_to_be_seen() -> None:
    """The widest border of a request hides some shoulders, that of a hospital none."""
    marks = {padding: [shoulder_under(padding, seed) for seed in range(20)] for padding in (0.12, 0.3)}
    assert all(mark is not None for mark in marks[0.12])
    assert 0 < sum(mark is None for mark in marks[0.3]) < 20


def shoulder_under(padding: float, seed: int) -> FindingMark | None:
    """The mark of an arthritis of the shoulder; none of its pixels has the border's grey."""
    body = Body("M", 70, 0.9, seed)
    technique = Technique(padding=padding, padding_grey=0.0, exposure=0.0)
    film = render_film(FilmRequest(body, "PA", (SHOULDER,), "harbour", 96, seed, technique))
    mark = film.marks[0]
    assert mark is None or film.pixels[mark.mask].min() > 3
    return mark
