from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import FilmError
from chartsight.imaging.film_cache import build_film_cache
from chartsight.imaging.film_index import IndexedFilm
from chartsight.imaging.pixels import pad_to_square, probe_film, read_film


@pytest.fixture
def films(tmp_path: Path) -> list[IndexedFilm]:
    made = []
    for number in range(5):
        path = tmp_path / f"f{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 30 + number)).astype(np.uint8)).save(path)
        header = probe_film(path)
        made.append(IndexedFilm(path.stem, number, 1, "AP", path, header.rows, header.columns, header.digest))
    return made


def test_every_film_is_its_own_padded_self(tmp_path: Path, films: list[IndexedFilm]) -> None:
    cache = build_film_cache(films, 24, tmp_path / "cache", quiet=True)
    assert len(cache) == 5
    for film in films:
        assert np.array_equal(cache[film.image_id], pad_to_square(read_film(film.path), 24))
    gathered = cache.gather(["f3", "f0", "f3"])
    assert gathered.shape == (3, 24, 24)
    assert np.array_equal(gathered[0], cache["f3"])
    assert np.array_equal(gathered[1], cache["f0"])


def test_it_is_made_once_and_again_for_another_size(tmp_path: Path, films: list[IndexedFilm]) -> None:
    build_film_cache(films, 24, tmp_path / "cache", quiet=True)
    (made,) = (tmp_path / "cache").glob("*/films.npy")
    before = made.stat().st_mtime_ns
    build_film_cache(films[::-1], 24, tmp_path / "cache", quiet=True)
    assert made.stat().st_mtime_ns == before
    build_film_cache(films, 32, tmp_path / "cache", quiet=True)
    build_film_cache(films, 24, tmp_path / "cache", fill=9, quiet=True)
    assert len(list((tmp_path / "cache").glob("*/films.npy"))) == 3


def test_equal_films_share_a_row(tmp_path: Path, films: list[IndexedFilm]) -> None:
    twin = dataclasses.replace(films[0], image_id="twin")
    cache = build_film_cache([*films, twin], 24, tmp_path / "cache", quiet=True)
    assert cache.pixels.shape[0] == 5
    assert np.array_equal(cache["twin"], cache["f0"])


def test_a_bad_film_is_named_and_harms_no_other(tmp_path: Path, films: list[IndexedFilm]) -> None:
    good = films[2].path.read_bytes()
    films[2].path.write_bytes(good[: len(good) // 2])
    cache = build_film_cache(films, 24, tmp_path / "cache", quiet=True)
    assert set(cache.failed) == {"f2"}
    assert "cut short" in cache.failed["f2"]
    assert "f2" not in cache
    assert np.array_equal(cache["f4"], pad_to_square(read_film(films[4].path), 24))
    with pytest.raises(FilmError, match="f2"):
        cache.gather(["f1", "f2"])
    films[2].path.write_bytes(good)  # fetched again
    assert not build_film_cache(films, 24, tmp_path / "cache", quiet=True).failed


def test_no_films_make_an_empty_cache(tmp_path: Path) -> None:
    assert len(build_film_cache([], 24, tmp_path / "cache", quiet=True)) == 0
