"""The same picture under two files: found by a perceptual hash and its detail, whatever its size, format or brightness.

A film is made small, 17 columns by 16 rows; each of 256 bits says whether a pixel is brighter than its left neighbour
(dHash). Films of the chest, drawn ones above all, resemble each other so much that some differ in a few bits only. So a
pair counts when also its detail agrees: 48 x 48 pixels less their blur, correlated.

Measured on five sets (a synthetic hospital of 128 px, NIH's at 512 and at 64 px, Hannover, Kermany; 2,027 films, copies
of 40 of each): copies at half size, in JPEG of quality 40, with noise or with another gamma differed in at most 17 bits
and correlated at 0.886 or more; different films within 20 bits of each other correlated at 0.831 or less. Only three
pairs pass: pictures that stand twice in Kermany's set. A copy that lost a border (2 % a side) is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
DETAIL_SIDE = 48
BLUR_PX = 2.0  # standard deviation
LEAST_DETAIL = 0.86  # correlation
BLOCK = 2048


@dataclass(frozen=True)
class Hashes:
    """What films look like, small.

    Args:
        image_ids: In the order of the rows.
        bits: int8 [films, 256], -1 and 1.
        details: float16 [films, 2304], of mean 0 and length 1.
        failed: image_id → why it could not be read.
    """

    image_ids: tuple[str, ...]
    bits: NDArray[np.int8]
    details: NDArray[np.float16]
    failed: Mapping[str, str] = field(default_factory=dict)


def hash_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """int8 [256], -1 and 1, of grey pixels uint8 [H, W]."""
    grey = _shrink(pixels, SIDE + 1, SIDE)
    return np.where(grey[:, 1:] > grey[:, :-1], 1, -1).astype(np.int8).ravel()


def detail_of(pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    """float16 [2304] of mean 0 and length 1: what blurring takes from grey pixels uint8 [H, W]; 0 for a plain area."""
    from scipy.ndimage import gaussian_filter

    small = _shrink(pixels, DETAIL_SIDE, DETAIL_SIDE)
    detail: NDArray[np.float32] = small - gaussian_filter(small, BLUR_PX)
    detail -= detail.mean()
    length = float(np.linalg.norm(detail))
    scaled = detail / np.float32(length) if length > 1e-6 else np.zeros_like(detail)
    return scaled.astype(np.float16).ravel()


def _shrink(pixels: NDArray[np.uint8], columns: int, rows: int) -> NDArray[np.float32]:
    small = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small, np.float32)


def hash_pictures(pictures: Iterable[tuple[str, NDArray[np.uint8]]]) -> Hashes:
    """The hashes of named pictures, uint8 [H, W] each."""
    image_ids, bits, details = [], [], []
    for image_id, pixels in pictures:
        image_ids.append(image_id)
        bits.append(hash_pixels(pixels))
        details.append(detail_of(pixels))
    if not image_ids:
        return Hashes((), np.zeros((0, BITS), np.int8), np.zeros((0, DETAIL_SIDE**2), np.float16))
    return Hashes(tuple(image_ids), np.stack(bits), np.stack(details))


def hash_films(films: Iterable[IndexedFilm], *, quiet: bool = False) -> Hashes:
    """The hashes of all films that can be read."""
    failed: dict[str, str] = {}

    def readable() -> Iterator[tuple[str, NDArray[np.uint8]]]:
        for film in track(list(films), "perceptual hashes", quiet=quiet):
            try:
                yield film.image_id, read_film(film.path)
            except FilmError as error:
                failed[film.image_id] = error.code

    hashes = hash_pictures(readable())
    return Hashes(hashes.image_ids, hashes.bits, hashes.details, failed)


def find_near_duplicates(hashes: Hashes, first: Sequence[int], second: Sequence[int]) -> list[tuple[str, str]]:
    """Pairs of image ids, one of each group, that show one picture; sorted, none with itself.

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
        for i, j in np.argwhere(distance <= MOST_BITS):
            one, two = int(rows[i]), int(second[j])
            agreement = hashes.details[one].astype(np.float32) @ hashes.details[two].astype(np.float32)
            if one != two and agreement >= LEAST_DETAIL:
                pairs.append((hashes.image_ids[one], hashes.image_ids[two]))
    return sorted(pairs)
