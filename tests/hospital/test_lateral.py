"""The lateral film: determinism, order of the anatomy, findings where they should be, graded."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from chartsight.hospital.film_request import Body, Film, FilmRequest, PlantedFinding, Technique
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.findings.drawing import DrawingError
from chartsight.hospital.lateral.anatomy import OUTLINED
from chartsight.hospital.lateral.findings import LATERAL_FINDINGS
from chartsight.hospital.render import render_film

SIZE_PX = 160
SHOWN = sorted(attribute for attribute, drawing in LATERAL_FINDINGS.items() if drawing is not None)
# Drawn by the anatomy (their pixels change everywhere), or seen above a severity only.
ALWAYS_SHOWN = [attribute for attribute in SHOWN if attribute != "mediastinal widening"]


def lateral(seed: int, *findings: PlantedFinding, size_px: int = SIZE_PX) -> FilmRequest:
    """A film of a patient whose sex, age and habitus come from `seed`."""
    rng = np.random.default_rng(seed)
    sex, age, habitus = ("F" if seed % 2 else "M"), int(rng.integers(20, 92)), float(rng.random())
    body = Body(sex, age, habitus, int(rng.integers(2**31)))  # type: ignore[arg-type]
    style = "hillside" if seed % 3 == 2 else "harbour"
    return FilmRequest(body, "LATERAL", tuple(findings), style, size_px, int(rng.integers(2**31)))


def planted(attribute: str, severity: float, place: int = 0) -> PlantedFinding:
    """A finding in one of its places."""
    places = list(FINDINGS[attribute].places.values())
    return PlantedFinding(attribute, places[place % len(places)], severity)


def middle(film: Film, name: str) -> tuple[float, float]:
    """Centre of an object's box, as fractions of the film."""
    x1, y1, x2, y2 = film.boxes[name]
    return 0.5 * (x1 + x2) / SIZE_PX, 0.5 * (y1 + y2) / SIZE_PX


def test_the_same_request_gives_the_same_bytes_and_another_seed_another_film() -> None:
    request = lateral(1, planted("consolidation", 0.7))
    first, again = render_film(request), render_film(request)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.boxes == again.boxes
    assert not np.array_equal(first.pixels, render_film(replace(request, seed=request.seed + 1)).pixels)
    other = replace(request, body=replace(request.body, seed=request.body.seed + 1))
    assert not np.array_equal(first.pixels, render_film(other).pixels)


@pytest.mark.parametrize("seed", range(16))
def test_boxes_lie_inside_the_film_and_stand_in_the_order_of_the_body(seed: int) -> None:
    film = render_film(lateral(seed))
    assert set(film.boxes) == set(OUTLINED)
    for x1, y1, x2, y2 in film.boxes.values():
        assert 0 <= x1 < x2 <= SIZE_PX
        assert 0 <= y1 < y2 <= SIZE_PX
    heart, spine, trachea, arch = (
        middle(film, name) for name in ("cardiac silhouette", "spine", "trachea", "aortic arch")
    )
    assert heart[0] < spine[0]
    assert trachea[0] < spine[0]
    assert film.boxes["cardiac silhouette"][0] < film.boxes["trachea"][0]  # its front lies behind the breastbone
    assert trachea[1] < middle(film, "carina")[1] < heart[1]
    assert arch[1] < heart[1]
    assert film.boxes["cardiac silhouette"][2] < film.boxes["spine"][2]
    for side in ("left", "right"):
        hilum, dome = middle(film, f"{side} hilar structures"), middle(film, f"{side} hemidiaphragm")
        angle = middle(film, f"{side} costophrenic angle")
        assert hilum[1] < dome[1] < angle[1]
        assert heart[0] < angle[0]  # the deep angles are the posterior ones
    # The left artery arches behind the bronchus, the right one lies before it.
    assert middle(film, "right hilar structures")[0] < middle(film, "left hilar structures")[0]


def test_heights_are_those_of_the_frontal_film_of_the_same_patient() -> None:
    request = lateral(4)
    side, front = render_film(request), render_film(replace(request, view="PA"))
    for name in ("carina", "aortic arch", "neck"):
        assert side.boxes[name][1] == pytest.approx(front.boxes[name][1], abs=1e-6)
    assert side.ct_ratio == 0
    assert side.mt_ratio == 0


def test_every_frontal_finding_has_a_lateral_drawing_or_is_known_to_have_none() -> None:
    assert set(LATERAL_FINDINGS) == set(FINDINGS)


@pytest.mark.parametrize("attribute", sorted(FINDINGS))
def test_marks_stand_for_what_is_seen(attribute: str) -> None:
    for place in range(0, len(FINDINGS[attribute].places), 2):
        (mark,) = render_film(lateral(7 + place, planted(attribute, 0.8, place))).marks
        if attribute not in SHOWN:
            assert mark is None
            continue
        assert mark is not None
        assert mark.mask.any()
        assert mark.mask.mean() < 0.4
        rows, columns = np.nonzero(mark.mask)
        assert mark.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("attribute", ALWAYS_SHOWN)
def test_severity_grades_what_is_seen(attribute: str) -> None:
    """The film moves further away from the healthy one as the severity grows."""
    healthy = render_film(lateral(10)).pixels.astype(float)
    changes = [
        np.abs(render_film(lateral(10, planted(attribute, severity))).pixels - healthy).sum()
        for severity in (0.15, 0.5, 0.95)
    ]
    assert changes[0] < changes[1] < changes[2]


def test_a_mild_widening_is_not_seen_from_the_side() -> None:
    (mild,), (severe,) = (
        render_film(lateral(3, planted("mediastinal widening", severity))).marks for severity in (0.2, 0.9)
    )
    assert mild is None
    assert severe is not None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", ["left", "right"])
def test_fluid_stands_in_the_posterior_angle_and_whitens_it(seed: int, side: str) -> None:
    finding = PlantedFinding("pleural effusion", (f"{side} costophrenic angle", f"{side} lung"), 0.6)
    film, healthy = render_film(lateral(seed, finding)), render_film(lateral(seed))
    (mark,) = film.marks
    assert mark is not None
    heart_x = middle(film, "cardiac silhouette")[0] * SIZE_PX
    _, columns = np.nonzero(mark.mask)
    assert columns.mean() > heart_x
    assert film.pixels[mark.mask].mean() > healthy.pixels[mark.mask].mean() + 8


@pytest.mark.parametrize("seed", range(6))
def test_a_large_heart_comes_nearer_to_the_spine(seed: int) -> None:
    enlarged = render_film(lateral(seed, planted("enlarged cardiac silhouette", 0.9)))
    healthy = render_film(lateral(seed))
    assert enlarged.boxes["cardiac silhouette"][2] > healthy.boxes["cardiac silhouette"][2] + 0.03 * SIZE_PX


def test_blown_up_lungs_are_deep_and_their_domes_low_and_flat() -> None:
    blown, healthy = render_film(lateral(5, planted("hyperaeration", 0.9))), render_film(lateral(5))

    def depth_and_height(film: Film) -> tuple[float, float]:
        x1, _, x2, _ = film.boxes["right lung"]
        _, top, _, low = film.boxes["right hemidiaphragm"]
        return x2 - x1, low - top

    assert depth_and_height(blown)[0] > depth_and_height(healthy)[0] + 0.02 * SIZE_PX
    assert depth_and_height(blown)[1] < depth_and_height(healthy)[1]


@pytest.mark.parametrize(
    "attribute", ["endotracheal tube", "ij line", "picc", "enteric tube", "intra-aortic balloon pump"]
)
def test_tips_lie_at_the_height_of_the_frontal_film(attribute: str) -> None:
    for seed in range(3):
        request = lateral(seed, planted(attribute, 0.9))
        (from_side,), (from_front,) = render_film(request).marks, render_film(replace(request, view="PA")).marks
        assert from_side is not None
        assert from_front is not None
        assert from_side.tip is not None
        assert from_front.tip is not None
        assert from_side.tip[1] == pytest.approx(from_front.tip[1], abs=0.03 * SIZE_PX)


@pytest.mark.parametrize("seed", range(3))
def test_a_nodule_lies_at_the_same_height_on_both_films(seed: int) -> None:
    finding = planted("mass/nodule (not otherwise specified)", 0.8, 2 * seed)
    request = lateral(seed, finding)
    (from_side,), (from_front,) = render_film(request).marks, render_film(replace(request, view="PA")).marks
    assert from_side is not None
    assert from_front is not None
    heights = [0.5 * (mark.box[1] + mark.box[3]) for mark in (from_side, from_front)]
    assert heights[0] == pytest.approx(heights[1], abs=0.03 * SIZE_PX)


def test_a_monitored_patient_has_cables_and_an_undistracted_film_none() -> None:
    quiet = replace(lateral(8), distraction=0.0)
    monitored = replace(quiet, technique=Technique(monitored=True))
    assert (render_film(monitored).pixels.astype(int) - render_film(quiet).pixels > 15).sum() > 50
    unmonitored = replace(quiet, technique=Technique(monitored=False))
    assert np.array_equal(render_film(unmonitored).pixels, render_film(quiet).pixels)


def test_sixteen_bits() -> None:
    film = render_film(replace(lateral(2), bits=16))
    assert film.pixels.dtype == np.uint16
    assert len(np.unique(film.pixels)) > 1000
    shallow = render_film(lateral(2)).pixels
    assert np.abs((film.pixels >> 8).astype(int) - shallow).max() <= 1


def test_what_cannot_be_drawn_is_refused() -> None:
    for finding, code in (
        (PlantedFinding("consolidation", ("spine",), 0.5), "impossible-place"),
        (PlantedFinding("consolidation", ("left lower lung zone",), 0.0), "severity"),
        (PlantedFinding("hiccups", ("left lung",), 0.5), "unknown-finding"),
    ):
        with pytest.raises(DrawingError) as raised:
            render_film(lateral(1, finding))
        assert raised.value.code == code


def test_a_film_takes_at_most_25_ms_of_one_core() -> None:
    render_film(lateral(0, size_px=320))
    start = time.process_time()
    for seed in range(8):
        render_film(lateral(seed, size_px=320))
    # Twice the budget: the test must not fail on a slow or busy machine.
    assert (time.process_time() - start) / 8 < 0.050
