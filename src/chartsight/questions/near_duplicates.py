"""The same picture under two files: found by a perceptual hash, whatever its size, format or brightness.

A film is made small, 17 columns by 16 rows; each of 256 bits says whether a pixel is brighter than its left neighbour
(dHash). On 556 real films of three sets, different films of a set differed in at least 25 bits (but for one picture that
stands there twice), and copies of 180 of them, at half size, in JPEG of quality 40, with noise or another gamma, in at
most 17. A copy that lost a border (2 % a side) is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chartsight.errors import FilmError
from chartsight.imaging.film_index import IndexedFilm
from chartsight.imaging.pixels import read_film
from chartsight.progress import track

SIDE = 16
BITS = SIDE * SIDE
MOST_BITS = 20  # that two copies may differ in
BLOCK = 2048


@dataclass(frozen=True)
class Hashes:
    """Perceptual hashes of films.

    Args:
        image_ids: In the order of the rows.
        bits: int8 [films, 256], -1 and 1.
        failed: image_id → why it could not be read.
    """

    image_ids: tuple[str, ...]
    bits: NDArray[np.int8]
    failed: Mapping[str, str] = field(default_factory=dict)


def hash_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """int8 [256], -1 and 1, of grey pixels uint8 [H, W]."""
    small = Image.fromarray(pixels).resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    grey = np.asarray(small, np.int16)
    return np.where(grey[:, 1:] > grey[:, :-1], 1, -1).astype(np.int8).ravel()


def hash_films(films: Iterable[IndexedFilm], *, quiet: bool = False) -> Hashes:
    """The hash of every film that can be read."""
    image_ids, rows, failed = [], [], {}
    for film in track(list(films), "perceptual hashes", quiet=quiet):
        try:
            rows.append(hash_pixels(read_film(film.path)))
        except FilmError as error:
            failed[film.image_id] = error.code
            continue
        image_ids.append(film.image_id)
    bits = np.stack(rows) if rows else np.zeros((0, BITS), np.int8)
    return Hashes(tuple(image_ids), bits, failed)


def find_near_duplicates(
    hashes: Hashes, first: Sequence[int], second: Sequence[int], most_bits: int = MOST_BITS
) -> list[tuple[str, str]]:
    """Pairs of image ids, one of each group, whose hashes differ in at most `most_bits` bits; sorted.

    Args:
        hashes: Of all films.
        first: Rows of one group.
        second: Rows of the other.
    """
    pairs = []
    other = hashes.bits[np.asarray(second, int)].astype(np.float32)
    for start in range(0, len(first), BLOCK):
        rows = np.asarray(first[start : start + BLOCK], int)
        distance = (BITS - hashes.bits[rows].astype(np.float32) @ other.T) / 2
        for i, j in np.argwhere(distance <= most_bits):
            pairs.append((hashes.image_ids[rows[i]], hashes.image_ids[second[j]]))
    return sorted(pairs)
