"""Changed films: nothing of the patient, left and right exchanged, places hidden and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from chartsight.imaging.changes import change_film, largest_side, on_square, unseen_film
from chartsight.imaging.pixels import pad_to_square
from chartsight.schema import FilmChange

ROWS, COLUMNS, SIDE = 60, 40, 30


@pytest.fixture(params=[0, (12, 34, 56)], ids=["grey", "colour"])
def square(request: pytest.FixtureRequest) -> np.ndarray:
    film = np.random.default_rng(2).integers(60, 255, (ROWS, COLUMNS)).astype(np.uint8)
    return pad_to_square(film, SIDE, request.param)


def test_a_mirrored_film_is_the_film_mirrored_and_padded(square: np.ndarray) -> None:
    mirrored = change_film(square, FilmChange("mirror"), ROWS, COLUMNS)
    assert np.array_equal(mirrored, square[:, ::-1]) and not np.array_equal(mirrored, square)
    assert np.array_equal(change_film(mirrored, FilmChange("mirror"), ROWS, COLUMNS), square)


def test_a_hidden_place_is_grey_and_nothing_else_is_touched(square: np.ndarray) -> None:
    box = (10.0, 20.0, 30.0, 40.0)
    hidden = change_film(square, FilmChange("occlude", boxes=(box,)), ROWS, COLUMNS)
    x1, y1, x2, y2 = on_square(box, ROWS, COLUMNS, SIDE)
    assert (x1, y1, x2, y2) == (10, 10, 20, 20)  # 10 px of padding on the left, half the size
    assert len(np.unique(hidden[10:20, 10:20])) == 1
    elsewhere = np.ones((SIDE, SIDE), bool)
    elsewhere[10:20, 10:20] = False
    assert np.array_equal(hidden[elsewhere], square[elsewhere])
    film = elsewhere.copy()
    film[:, :5] = film[:, 25:] = False
    assert hidden[15, 15].max() == round(float(square[film].mean()))  # of the film, not of its border


def test_films_that_show_nothing(square: np.ndarray) -> None:
    blank = change_film(square, FilmChange("blank"), ROWS, COLUMNS)
    noise = change_film(square, FilmChange("noise", 3), ROWS, COLUMNS)
    assert blank.shape == noise.shape == square.shape and len(np.unique(blank)) == 1
    assert np.array_equal(noise, unseen_film(FilmChange("noise", 3), square.shape))
    assert not np.array_equal(noise, unseen_film(FilmChange("noise", 4), square.shape))
    assert abs(float(noise.mean()) - float(blank.mean())) < 10 and noise.std() > 30


def test_size_in_pixels_of_the_model() -> None:
    assert largest_side([], 100, 200, 50) is None
    assert largest_side([(0, 0, 10, 40), (0, 0, 10, 10)], 100, 200, 50) == pytest.approx(20 / 4)
