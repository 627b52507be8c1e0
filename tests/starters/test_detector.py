"""The reference detector: boxes survive the grid, precision is the field's, sides are told, a small one learns."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from chartsight.errors import ChartsightError
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.starters.detector import (
    KINDS,
    SECTION,
    Boxes,
    DetectorLesson,
    KindFigures,
    as_markdown,
    average_precision,
    decode,
    detect,
    encode,
    find_boxes,
    fit_detector,
    measure_boxes,
    overlap,
    true_boxes,
)
from chartsight.starters.reference_films import DrawnFilms


def boxes(*rows: tuple[int, int, float, float, float, float, float]) -> Boxes:
    """From rows of film, kind, x1, y1, x2, y2, score."""
    table = np.array(rows, np.float32).reshape(-1, 7)
    return Boxes(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:6], table[:, 6])


def test_overlap_is_area_shared_over_area_covered() -> None:
    one = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.1, 0.1]], np.float32)
    other = np.array([[0.25, 0, 0.75, 0.5]], np.float32)
    assert overlap(one, other).ravel() == pytest.approx([1 / 3, 0])


def test_a_box_survives_the_grid() -> None:
    random = np.random.default_rng(2)
    low = random.uniform(0, 0.6, (40, 2))
    high = low + random.uniform(0.05, 0.35, (40, 2))
    truth = Boxes(np.arange(40), np.arange(40) % 5, np.hstack([low, high]).astype(np.float32), np.ones(40, np.float32))
    grid = encode(truth, 40, 10, 5)
    grid[..., 0] = np.where(grid[..., 0] > 0, 9, -9)
    found = decode(grid, most=1)
    sure = found.score > 0.5
    assert found.film[sure].tolist() == truth.film.tolist() and found.kind[sure].tolist() == truth.kind.tolist()
    assert np.abs(found.box[sure] - truth.box).max() < 1e-5


def test_average_precision_by_hand() -> None:
    truth = boxes((0, 0, 0, 0, 0.4, 0.4, 1), (1, 0, 0.5, 0.5, 0.9, 0.9, 1))
    right, again, wrong = (0, 0, 0, 0, 0.4, 0.4, 0.9), (0, 0, 0, 0, 0.4, 0.4, 0.8), (1, 0, 0, 0, 0.1, 0.1, 0.95)
    late = (1, 0, 0.5, 0.5, 0.9, 0.9, 0.1)
    assert average_precision(truth, boxes(right, late), 0.5) == 1
    # in order of score: wrong, right, again (found already), late: precision 1/2 at recall 1/2, 2/4 at recall 1
    assert average_precision(truth, boxes(right, again, wrong, late), 0.5) == pytest.approx(0.5)
    assert average_precision(truth, boxes(), 0.5) == 0
    assert math.isnan(average_precision(boxes(), boxes(right), 0.5))


def test_a_box_on_the_other_side_is_a_confusion() -> None:
    truth = boxes((0, 0, 0.1, 0.1, 0.3, 0.3, 1), (1, 0, 0.1, 0.1, 0.3, 0.3, 1))
    same, other = (0, 0, 0.12, 0.1, 0.3, 0.3, 0.9), (1, 0, 0.7, 0.1, 0.9, 0.3, 0.9)
    [figures] = measure_boxes(truth, boxes(same, other), ["kind"])
    assert (figures.sides, figures.confused, figures.pointing) == (2, 1, 0.5)
    [unsure] = measure_boxes(truth, boxes((0, 0, 0.7, 0.1, 0.9, 0.3, 0.2)), ["kind"])
    assert (unsure.sides, unsure.confused) == (0, 0)


def test_a_small_detector_finds_bright_squares(tmp_path: Path) -> None:
    random = np.random.default_rng(1)

    def films(n: int) -> DrawnFilms:
        pixels = random.integers(60, 120, (n, 64, 64)).astype(np.uint8)
        corner = random.integers(2, 44, (n, 2))
        for row, (x, y) in enumerate(corner):
            pixels[row, y : y + 18, x : x + 18] = 220
        box = np.hstack([corner, corner + 18]).astype(np.float32) / 64
        return DrawnFilms(
            pixels, np.arange(n), np.full(n, "PA"), ("square",), np.ones((n, 1), np.float32), np.arange(n),
            np.zeros(n, np.int64), np.full(n, "lung"), box,
        )  # fmt: skip

    lesson = DetectorLesson(
        steps=300, films_per_step=16, learning_rate=4e-3, widths=(8, 16, 16, 16), blocks=(0, 0, 0, 1)
    )  # fmt: skip
    learned, fresh = films(200), films(40)
    taught = fit_detector(learned, lesson, tmp_path / "state.pt", ("square",), quiet=True)
    [figures] = measure_boxes(true_boxes(fresh, ("square",)), find_boxes(taught, fresh.pixels), ("square",))
    assert figures.pointing > 0.8 and figures.precision[0] > 0.6 and figures.confused == 0


def test_the_table_says_what_was_found() -> None:
    figures = [KindFigures("one", 10, (0.5, 0.25), 0.75, 8, 1), KindFigures("two", 5, (0.7, 0.35), 0.5, 2, 0)]
    lines = as_markdown(figures).splitlines()
    assert lines[2] == "| one | 10 | 0.500 | 0.250 | 0.750 | 1 of 8 |"
    assert lines[-1] == "| all | 15 | 0.600 | 0.300 | | 1 of 10 |"
    assert len({line.count("|") for line in lines}) == 1


def test_the_whole_path_in_small_fills_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no markers\n")
    with pytest.raises(ChartsightError, match="has no section to fill"):
        detect(tmp_path / "work", films=12, fresh=8, steps=2, size=64, workers=1, quiet=True, write=page)
    assert not (tmp_path / "work").exists()
    page.write_text(f"before\n{SECTION.start}\n{SECTION.end}\nafter\n")
    detect(tmp_path / "work", films=12, fresh=8, steps=2, size=64, workers=1, quiet=True, write=page)
    text, figures = page.read_text("utf-8"), json.loads((tmp_path / "work" / "figures.json").read_text("utf-8"))
    assert text.startswith("before\n") and text.endswith("after\n") and "12 films to learn from, 8 fresh" in text
    assert all(f"| {each['kind']} | {each['boxes']} |" in text for each in figures["kinds"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in FINDINGS])
@pytest.mark.parametrize("view", ["PA", "AP"])
@pytest.mark.parametrize("style", ["harbour", "hillside"])
def test_left_and_right_are_the_same_in_label_box_and_pixels(kind: str, view: str, style: str) -> None:
    """Against the same film without the finding: what changed lies on the side that its object names."""
    for seed, place in enumerate(place for place in FINDINGS[kind].places if place.startswith(("left ", "right "))):
        body = Body("MF"[seed % 2], 40 + seed, 0.4, 90 + seed)  # type: ignore[arg-type]
        planted = PlantedFinding(kind, FINDINGS[kind].places[place], 0.9)
        bare = FilmRequest(body, view, (), style, 96, 7 + seed)  # type: ignore[arg-type]
        film, without = (render_film(each) for each in (
            FilmRequest(body, view, (planted,), style, 96, 7 + seed), bare))  # type: ignore[arg-type]  # fmt: skip
        [mark] = film.marks
        assert mark is not None
        on_right_of_film = place.startswith("left ")
        assert ((mark.box[0] + mark.box[2]) / 2 > 48) == on_right_of_film, place
        changed = np.abs(film.pixels.astype(np.float64) - without.pixels)
        columns = changed[mark.mask].sum() and np.where(mark.mask, changed, 0).sum(0)
        assert (float((columns * np.arange(96)).sum() / columns.sum()) > 48) == on_right_of_film, place
