"""Which finding, and which part of the chest, stands in which cell of a hospital's films: from masks and boxes.

Every label is worded as questions word it: findings and places by their names, views and sexes as "AP" and "female".
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chartsight.hospital.masks import decode_mask
from chartsight.progress import track
from chartsight.records.record import open_record
from chartsight.schema import ATTRIBUTES, OBJECTS
from chartsight.starters.instructions import SEXES, VIEWS
from chartsight.starters.lessons import SEEN_FROM_THE_SIDE
from chartsight.training.cells import Cells

VIEW_WORDS = {view: words.split(" ")[1] for view, words in VIEWS.items()}
SEX_WORDS = {sex: words.split(" ")[1] for sex, words in SEXES.items()}


def build_cells(hospital: Path, record: Path, grid: int, *, quiet: bool = False) -> Cells:
    """What stands in every cell of a hospital's films, as it really is.

    A finding is in a cell when one of its pixels is; what follows from it (a broader finding, a disease) is there too.
    A place is in the cells whose middle its box holds. Nothing is known of the places of a lateral film, nor of what
    cannot be seen from the side.

    Args:
        hospital: With truth.parquet and masks.parquet.
        record: Of this hospital.
        grid: Cells a side.
        quiet: No progress.
    """
    with open_record(record) as opened:
        films = opened.connection.execute(
            "SELECT image_id, view_position, is_frontal, gender, rows, columns FROM films f "
            "LEFT JOIN patients p ON p.subject_id = f.subject_id ORDER BY image_id"
        ).fetchall()
        boxes = opened.connection.execute("SELECT image_id, object, x1, y1, x2, y2 FROM boxes").fetchall()
    attributes = _attributes(hospital)
    names = sorted({name for every in attributes.values() for name in every}, key=list(ATTRIBUTES).index)
    labels = (*names, *OBJECTS, *VIEW_WORDS.values(), *SEX_WORDS.values())
    column = {label: place for place, label in enumerate(labels)}
    row_of = {film[0]: row for row, film in enumerate(films)}
    present = np.zeros((len(films), grid * grid, len(labels)), np.bool_)
    known = np.ones((len(films), len(labels)), np.bool_)
    for row, (_, view, is_frontal, sex, _, _) in enumerate(films):
        known[row, [column[word] for word in SEX_WORDS.values()]] = sex in SEX_WORDS
        if sex in SEX_WORDS:
            present[row, :, column[SEX_WORDS[sex]]] = True
        present[row, :, column[VIEW_WORDS[view if is_frontal else "LATERAL"]]] = True
        if not is_frontal:
            known[row, [column[each] for each in OBJECTS]] = False
            known[row, [column[each] for each in names if each not in SEEN_FROM_THE_SIDE]] = False
    for image_id, name, *corners in boxes:
        _, _, _, _, height, width = films[row_of[image_id]]
        present[row_of[image_id], :, column[name]] |= box_cells(corners, height, width, grid)
    masks = pq.read_table(hospital / "masks.parquet").to_pylist()
    for mask in track(masks, "cells of findings", quiet=quiet):
        inside = mask_cells(decode_mask(mask["counts"], mask["height"], mask["width"]), grid)
        for attribute in attributes[mask["image_id"], mask["finding"]]:
            present[row_of[mask["image_id"]], :, column[attribute]] |= inside
    return Cells(
        tuple(film[0] for film in films), labels, grid, np.packbits(present, axis=-1), np.packbits(known, axis=-1)
    )


def _attributes(hospital: Path) -> dict[tuple[str, int], list[str]]:
    """(image, finding) → its attribute, and all that follow from it."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT image_id, finding, attribute FROM read_parquet(?) WHERE finding IS NOT NULL ORDER BY ALL",
            [str(hospital / "truth.parquet")],
        ).fetchall()
    found: dict[tuple[str, int], list[str]] = {}
    for image_id, finding, attribute in rows:
        found.setdefault((image_id, finding), []).append(attribute)
    return found


def mask_cells(mask: NDArray[np.bool_], grid: int) -> NDArray[np.bool_]:
    """bool [grid * grid]: cells with a pixel of `mask` [H, W], which is padded to a square as films are."""
    height, width = mask.shape
    side = max(height, width)
    ys, xs = np.nonzero(mask)
    cells = np.zeros((grid, grid), np.bool_)
    cells[(ys + (side - height) // 2) * grid // side, (xs + (side - width) // 2) * grid // side] = True
    return cells.ravel()


def box_cells(corners: list[float], height: int, width: int, grid: int) -> NDArray[np.bool_]:
    """bool [grid * grid]: cells whose middle lies in the box x1, y1, x2, y2 of a film of `height` x `width` pixels.

    A box that holds no middle is in the cell of its own.
    """
    side = max(height, width)
    x1, y1, x2, y2 = corners
    middles = (np.arange(grid) + 0.5) * side / grid

    def within(low: float, high: float, offset: int) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (middles >= low + offset) & (middles <= high + offset)
        if not inside.any():
            inside[min(grid - 1, max(0, int(((low + high) / 2 + offset) * grid / side)))] = True
        return inside

    rows, columns = within(y1, y2, (side - height) // 2), within(x1, x2, (side - width) // 2)
    return np.outer(rows, columns).ravel()
