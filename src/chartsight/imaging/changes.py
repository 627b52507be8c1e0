"""Films that are not shown as they are: grey, noise, left and right exchanged, places hidden.

    change_film(square, FilmChange("mirror"), rows=2544, columns=3056)

Films are changed as the model sees them, on their padded square; boxes stand in pixels of the film as it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from chartsight.schema import Box, FilmChange

BLANK_GREY = 118  # about the mean grey of a chest film
NOISE_GREY = 60  # standard deviation: about that of a chest film's greys


def change_film(square: NDArray[np.uint8], change: FilmChange, rows: int, columns: int) -> NDArray[np.uint8]:
    """A changed copy, of the same shape.

    A mirrored film has everything mirrored: side markers and words that are burnt into it as well. Hidden places have
    the mean grey of the rest of the film, so that nothing about the place is left but where it was.

    Args:
        square: uint8 [S, S] or [S, S, C], padded as `pixels.pad_to_square` does it.
        change: What is done.
        rows: Of the stored film.
        columns: Of the stored film.
    """
    if not change.shows_film:
        return unseen_film(change, square.shape)
    if change.kind == "mirror":
        return np.ascontiguousarray(square[:, ::-1])
    changed = square.copy()
    hidden = np.zeros(square.shape[:2], bool)
    for box in change.boxes:
        x1, y1, x2, y2 = on_square(box, rows, columns, len(square))
        hidden[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))] = True
    x1, y1, x2, y2 = on_square((0, 0, columns, rows), rows, columns, len(square))
    film = np.zeros(square.shape[:2], bool)
    film[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
    seen = film & ~hidden
    changed[hidden] = round(float(square[seen].mean())) if seen.any() else BLANK_GREY
    return changed


def unseen_film(change: FilmChange, shape: Sequence[int]) -> NDArray[np.uint8]:
    """A film that shows nothing of any patient: uniform grey, or grey noise about it.

    Args:
        change: `blank` or `noise`.
        shape: Of the result: [S, S] or [S, S, C].
    """
    if change.kind == "blank":
        return np.full(shape, BLANK_GREY, dtype=np.uint8)
    noise = np.random.default_rng([change.seed, *shape[:2]]).normal(BLANK_GREY, NOISE_GREY, shape[:2])
    grey = noise.clip(0, 255).astype(np.uint8)
    return grey if len(shape) == 2 else np.repeat(grey[..., None], shape[2], axis=2)


def on_square(box: Box, rows: int, columns: int, size_px: int) -> Box:
    """A box of the stored film in pixels of its padded square, whose side is `size_px`.

    >>> on_square((0, 0, 200, 100), rows=100, columns=200, size_px=100)
    (0.0, 25.0, 100.0, 75.0)
    """
    side = max(rows, columns)
    scale = size_px / side
    left, top = (side - columns) // 2, (side - rows) // 2
    x1, y1, x2, y2 = box
    return (left + x1) * scale, (top + y1) * scale, (left + x2) * scale, (top + y2) * scale


def largest_side(boxes: Iterable[Box], rows: int, columns: int, size_px: int) -> float | None:
    """Square root of the area of the largest box, in pixels of the padded square; None without a box."""
    areas = []
    for box in boxes:
        x1, y1, x2, y2 = on_square(box, rows, columns, size_px)
        areas.append((x2 - x1) * (y2 - y1))
    return float(np.sqrt(max(areas))) if areas else None
