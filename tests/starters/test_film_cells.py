"""Cells of a hospital's films agree with its masks, boxes and truth, place by place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.masks import read_mask
from chartsight.records import RecordSources, build_record
from chartsight.records.record import open_record
from chartsight.schema import OBJECTS
from chartsight.starters.film_cells import box_cells, build_cells, mask_cells
from chartsight.training.cells import Cells

GRID = 8


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital of five patients, and its record."""
    folder = tmp_path_factory.mktemp("cells")
    build_hospital(folder / "hospital", HospitalConfig(patients=5, seed=4, film_size_px=64), quiet=True)
    sources = RecordSources(
        mimiciv=folder / "hospital" / "mimic-iv", mimic_cxr_jpg=folder / "hospital" / "mimic-cxr-jpg",
        chest_imagenome=folder / "hospital" / "chest-imagenome",
    )  # fmt: skip
    build_record(folder / "record.duckdb", sources, quiet=True)
    return folder


@pytest.fixture(scope="module")
def cells(hospital: Path) -> Cells:
    return build_cells(hospital / "hospital", hospital / "record.duckdb", GRID, quiet=True)


def unpacked(cells: Cells) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    present, known = cells.gather(np.arange(len(cells.image_ids)))
    return present.bool().numpy(), known.numpy()


def test_a_film_shows_in_some_cell_what_the_truth_says_and_nothing_else(hospital: Path, cells: Cells) -> None:
    masked = {
        (row["image_id"], row["finding"]) for row in pq.read_table(hospital / "hospital/masks.parquet").to_pylist()
    }
    wanted = {
        (row["image_id"], row["attribute"])
        for row in pq.read_table(hospital / "hospital" / "truth.parquet").to_pylist()
        if (row["image_id"], row["finding"]) in masked
    }
    present, _ = unpacked(cells)
    attributes = [label for label in cells.labels if label not in OBJECTS and label not in
                  ("PA", "AP", "lateral", "female", "male")]  # fmt: skip
    found = {
        (image_id, label)
        for row, image_id in enumerate(cells.image_ids)
        for label in attributes
        if present[row, :, cells.labels.index(label)].any()
    }
    assert found == wanted and len(found) > 10


def test_the_cells_of_a_finding_are_those_of_its_pixels(hospital: Path, cells: Cells) -> None:
    present, _ = unpacked(cells)
    for row in pq.read_table(hospital / "hospital" / "masks.parquet").to_pylist()[:40]:
        ys, xs = np.nonzero(read_mask(row))
        column = cells.labels.index(row["attribute"])
        film = present[cells.image_ids.index(row["image_id"]), :, column].reshape(GRID, GRID)
        side = row["height"]
        assert film[ys * GRID // side, xs * GRID // side].all()


def test_sides_places_views_and_sexes(hospital: Path, cells: Cells) -> None:
    present, known = unpacked(cells)
    place = {label: nth for nth, label in enumerate(cells.labels)}
    with open_record(hospital / "record.duckdb") as record:
        films = record.connection.execute(
            "SELECT image_id, view_position, is_frontal, gender FROM films f JOIN patients p USING (subject_id)"
        ).fetchall()
    frontal = 0
    for image_id, view, is_frontal, gender in films:
        row = cells.image_ids.index(image_id)
        assert present[row, :, place["female"]].all() == (gender == "F")
        assert not known[row, place["left lung"]] or is_frontal
        assert present[row, :, place[view if is_frontal else "lateral"]].all()
        if is_frontal:
            columns = {side: np.nonzero(present[row, :, place[f"{side} lung"]])[0] % GRID for side in ("left", "right")}
            assert columns["right"].mean() < columns["left"].mean(), "the patient's right is on the viewer's left"
            frontal += 1
    assert frontal


def test_boxes_and_masks_of_a_film_that_is_not_square() -> None:
    mask = np.zeros((4, 8), np.bool_)
    mask[0, 0] = True  # padded to 8 x 8, it lies in the third row
    assert np.flatnonzero(mask_cells(mask, 8)).tolist() == [2 * 8]
    inside = box_cells([0, 0, 8, 4], 4, 8, 4).reshape(4, 4)
    assert inside.tolist() == [[False] * 4, [True] * 4, [True] * 4, [False] * 4]
    assert box_cells([3.1, 1.1, 3.2, 1.2], 8, 8, 2).sum() == 1, "a tiny box is in one cell"
