from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import FilmError
from chartsight.imaging.pixels import pad_to_square, probe_film, read_film


def gradient(rows: int, columns: int) -> np.ndarray:
    return np.linspace(0, 255, rows * columns).reshape(rows, columns).astype(np.uint8)


def test_png_comes_back_as_stored(tmp_path: Path) -> None:
    pixels = gradient(20, 30)
    Image.fromarray(pixels).save(tmp_path / "film.png")
    assert np.array_equal(read_film(tmp_path / "film.png"), pixels)


def test_colour_becomes_grey_and_keeps_its_shape(tmp_path: Path) -> None:
    Image.fromarray(np.full((18, 24, 3), (255, 0, 0), np.uint8)).save(tmp_path / "red.png")
    film = read_film(tmp_path / "red.png")
    assert film.shape == (18, 24)
    assert film.dtype == np.uint8
    assert (film == 76).all()  # ITU-R 601 luma of red


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_films_fill_eight_bits_by_their_own_depth(tmp_path: Path, bits: int) -> None:
    brightest = 2**bits - 1
    deep = np.linspace(0, brightest, 32 * 32).reshape(32, 32).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    film = read_film(tmp_path / "deep.png")
    assert (film.min(), film.max()) == (0, 255)
    assert (np.diff(film.ravel().astype(int)) >= 0).all()
    assert probe_film(tmp_path / "deep.png").bits == 16


def test_a_constant_film_is_a_film(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "black.png")
    assert read_film(tmp_path / "black.png").max() == 0


def test_probe_tells_size_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    Image.fromarray(gradient(40, 60)).save(path)
    header = probe_film(path)
    assert (header.rows, header.columns, header.bits) == (40, 60, 8)
    assert header.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("read", [read_film, probe_film])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("text.png", "no-image"),
        ("empty.jpg", "no-image"),
        ("one.png", "film-too-small"),
        ("thin.png", "film-too-small"),
        ("cut.png", "truncated-film"),
        ("cut.jpg", "truncated-film"),
        ("absent.png", "missing-film"),
    ],
)
def test_what_is_no_film_is_one_clear_error(tmp_path: Path, read: object, name: str, code: str) -> None:
    (tmp_path / "text.png").write_text("not a film")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "one.png")
    Image.fromarray(np.zeros((15, 400), np.uint8)).save(tmp_path / "thin.png")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    for whole, cut in (("whole.png", "cut.png"), ("whole.jpg", "cut.jpg")):
        Image.fromarray(noise).save(tmp_path / whole)
        data = (tmp_path / whole).read_bytes()
        (tmp_path / cut).write_bytes(data[: len(data) // 2])
    with pytest.raises(FilmError) as caught:
        read(tmp_path / name)  # type: ignore[operator]
    assert caught.value.code == code
    assert name in str(caught.value)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    with pytest.raises(FilmError, match=r"30000 x 30000 pixels|too many pixels") as caught:
        probe_film(tmp_path / "bomb.png")
    assert caught.value.code == "film-too-large"


def test_padding_keeps_the_whole_film_centred() -> None:
    square = pad_to_square(np.full((2, 5), 200, np.uint8), 5, fill=7)
    assert square.tolist() == [[7] * 5, [200] * 5, [200] * 5, [7] * 5, [7] * 5]  # offset (5 - 2) // 2 = 1


@pytest.mark.parametrize("resampling", ["bilinear", "bicubic"])
def test_padding_resizes_to_the_size_asked(resampling: str) -> None:
    square = pad_to_square(gradient(100, 60), 32, resampling=resampling)  # type: ignore[arg-type]
    assert square.shape == (32, 32)
    assert square.dtype == np.uint8
    assert square[16, 0] == 0  # the left margin
    assert square[28, 16] > square[4, 16]
