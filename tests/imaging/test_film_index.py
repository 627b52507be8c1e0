from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import FilmError, OutputError
from chartsight.imaging.film_index import IndexedFilm, read_film_index, write_film_index
from chartsight.imaging.pixels import probe_film


def drawn_film(path: Path, number: int) -> IndexedFilm:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (20 + number, 30)).astype(np.uint8)).save(path)
    header = probe_film(path)
    return IndexedFilm(path.stem, number, number, "PA", path, header.rows, header.columns, header.digest)


def test_a_sidecar_comes_back_sorted_and_equal(tmp_path: Path) -> None:
    films = [drawn_film(tmp_path / "films" / name, n) for n, name in enumerate(["c.png", "deep/a.png", "b.png"])]
    films[0] = dataclasses.replace(films[0], view_position=None)
    write_film_index(tmp_path / "out.films.parquet", films)
    index = read_film_index(tmp_path / "out.films.parquet")
    assert list(index) == ["a", "b", "c"]
    assert set(index.values()) == set(films)
    assert [film.image_id for film in index.films(["c", "a"])] == ["c", "a"]


def test_a_sidecar_has_the_same_bytes_twice_and_is_not_overwritten(tmp_path: Path) -> None:
    films = [drawn_film(tmp_path / f"{n}.png", n) for n in range(3)]
    write_film_index(tmp_path / "one.parquet", films)
    write_film_index(tmp_path / "two.parquet", films[::-1])
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    with pytest.raises(OutputError):
        write_film_index(tmp_path / "one.parquet", films)


def test_films_that_moved_are_found_below_the_root_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    films = [drawn_film(tmp_path / "here" / "x" / "a.png", 1), drawn_film(tmp_path / "here" / "b.png", 2)]
    write_film_index(tmp_path / "out.parquet", films)
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(FilmError, match=r"no such film \(2 of 2 are missing\).*CHARTSIGHT_FILM_ROOT"):
        read_film_index(tmp_path / "out.parquet").films(["a", "b"])
    monkeypatch.setenv("CHARTSIGHT_FILM_ROOT", str(tmp_path / "there"))
    found = read_film_index(tmp_path / "out.parquet").films(["a", "b"])
    assert [film.path for film in found] == [tmp_path / "there" / "x" / "a.png", tmp_path / "there" / "b.png"]


def test_an_unknown_id_is_one_line(tmp_path: Path) -> None:
    write_film_index(tmp_path / "out.parquet", [drawn_film(tmp_path / "a.png", 1)])
    with pytest.raises(FilmError, match=r"2 image_id\(s\) are not in the film index, first x"):
        read_film_index(tmp_path / "out.parquet").films(["a", "y", "x"])


@pytest.mark.parametrize("name", ["absent.duckdb", "text.parquet", "text.duckdb"])
def test_what_is_no_index_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.parquet").write_text("no")
    (tmp_path / "text.duckdb").write_text("no")
    with pytest.raises(FilmError):
        read_film_index(tmp_path / name)
