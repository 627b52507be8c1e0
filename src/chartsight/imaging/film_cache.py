"""Films as padded uint8 squares in one memory-mapped file, made once and read by every run that asks for the same.

    FOLDER/3f9c.../films.npy     uint8 [N, size, size], one row a digest, in the order of the digests; with a colour as
                                 the fill [N, size, size, C]
    FOLDER/3f9c.../films.json    the digests and the films that could not be read, with the reason

The name is a hash of the digests, the size, the fill and the resampling: other films or another size are another cache.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import FilmError
from chartsight.imaging.film_index import IndexedFilm
from chartsight.imaging.pixels import Fill, Resampling, pad_to_square, read_film
from chartsight.progress import track
from chartsight.runs import new_output, write_json


class FilmCache:
    """Padded films by image_id.

    Args:
        pixels: uint8 [N, size, size] or [N, size, size, C], usually memory-mapped.
        rows: image_id → its row of `pixels`.
        failed: image_id → why the film cannot be read; such films are not in `rows`.
    """

    def __init__(self, pixels: NDArray[np.uint8], rows: Mapping[str, int], failed: Mapping[str, str]) -> None:
        self.pixels = pixels
        self.rows = rows
        self.failed = failed

    @property
    def size_px(self) -> int:
        """The side of every film in pixels."""
        return int(self.pixels.shape[1])

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self.rows

    def __getitem__(self, image_id: str) -> NDArray[np.uint8]:
        """uint8 [size, size] or [size, size, C], read-only."""
        return np.asarray(self.pixels[self._row(image_id)], dtype=np.uint8)

    def gather(self, image_ids: Iterable[str]) -> NDArray[np.uint8]:
        """uint8 [n, size, size] or [n, size, size, C], a copy, in the order of `image_ids`.

        Raises:
            FilmError: An id is not in the cache, or its film could not be read.
        """
        rows = [self._row(image_id) for image_id in image_ids]
        return np.asarray(self.pixels[rows], dtype=np.uint8)

    def _row(self, image_id: str) -> int:
        try:
            return self.rows[image_id]
        except KeyError:
            found = self.failed.get(image_id, "is not in the film cache")
            raise FilmError("film-not-cached", image_id, found) from None


def build_film_cache(
    films: Sequence[IndexedFilm],
    size_px: int,
    folder: Path,
    *,
    fill: Fill = 0,
    resampling: Resampling = "bilinear",
    quiet: bool = False,
) -> FilmCache:
    """The cache of `films` under `folder`, opened when it is there, otherwise made.

    A film that cannot be read is listed in `failed` by its id and leaves the others unharmed. An interrupted build
    leaves nothing behind and starts again.

    Raises:
        OutputError: The disk is full.
    """
    first_of: dict[str, IndexedFilm] = {}
    for film in sorted(films, key=lambda film: film.image_id):
        first_of.setdefault(film.digest, film)
    digests = sorted(first_of)
    settings = json.dumps([digests, size_px, fill, resampling])
    cache = Path(folder) / hashlib.sha256(settings.encode()).hexdigest()[:20]
    if not cache.is_dir() or _is_outdated(cache, first_of):
        try:
            with new_output(cache, replace=True) as partial:
                partial.mkdir()
                _write_cache(partial, [first_of[digest] for digest in digests], size_px, fill, resampling, quiet)
        except OSError:
            if not cache.is_dir():  # otherwise another process finished the same cache first
                raise
    unreadable = _unreadable(cache)
    pixels = np.load(cache / "films.npy", mmap_mode="r" if digests else None)  # an empty file cannot be mapped
    row_of = {digest: row for row, digest in enumerate(digests)}
    rows = {film.image_id: row_of[film.digest] for film in films if film.digest not in unreadable}
    failed = {film.image_id: unreadable[film.digest] for film in films if film.digest in unreadable}
    return FilmCache(pixels, rows, failed)


def _unreadable(cache: Path) -> dict[str, str]:
    described: dict[str, dict[str, str]] = json.loads((cache / "films.json").read_text("utf-8"))
    return described["failed"]


def _is_outdated(cache: Path, films: Mapping[str, IndexedFilm]) -> bool:
    """Whether a film that failed when the cache was made can be read by now (it was moved back, fetched again)."""
    return any(not isinstance(_padded(films[digest], 16), str) for digest in _unreadable(cache))


def _padded(
    film: IndexedFilm, size_px: int, fill: Fill = 0, resampling: Resampling = "bilinear"
) -> NDArray[np.uint8] | str:
    """The padded film, or why it cannot be read."""
    try:
        return pad_to_square(read_film(film.path), size_px, fill, resampling)
    except FilmError as error:
        return f"{error.found}; expected {error.expected}" if error.expected else error.found


def _write_cache(
    partial: Path, films: Sequence[IndexedFilm], size_px: int, fill: Fill, resampling: Resampling, quiet: bool
) -> None:
    failed: dict[str, str] = {}
    shape = (size_px, size_px, *((len(fill),) if isinstance(fill, tuple) else ()))
    blank = np.full(shape, fill, dtype=np.uint8)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Written row by row, not through a memory map: a full disk must be an error, and under a map it is a crash.
    with (partial / "films.npy").open("wb") as file, ThreadPoolExecutor(cores) as pool:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(films), *shape)}
        np.lib.format.write_array_header_1_0(file, header)
        squares = pool.map(lambda film: _padded(film, size_px, fill, resampling), films)
        for film, square in zip(films, track(squares, "films", total=len(films), quiet=quiet), strict=True):
            if isinstance(square, str):
                failed[film.digest] = square
            file.write((blank if isinstance(square, str) else square).tobytes())
    write_json(partial / "films.json", {"digests": [film.digest for film in films], "failed": failed})


def default_cache_folder() -> Path:
    """Where padded films are kept between runs: `CHARTSIGHT_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("CHARTSIGHT_CACHE")
    cache = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chartsight"
    return cache / "films"
