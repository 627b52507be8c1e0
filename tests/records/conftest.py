"""Sources small enough to read: three patients in CSV (tests/fixtures/tiny-mimic), their films drawn on the spot."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chartsight.schema import CHEXPERT_LABELS, CXR_FILES, CXR_LABEL_HEADER, CXR_METADATA_HEADER, CXR_SPLIT_HEADER

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "fixtures" / "tiny-mimic"


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    """A copy of the tiny hospital that a test may spoil."""
    return Path(shutil.copytree(TINY, tmp_path / "mimic-iv"))


@pytest.fixture
def open_data() -> Path:
    folder = Path(os.environ.get("CHARTSIGHT_OPEN_DATA", ROOT.parent / "shared" / "open-data"))
    if not folder.is_dir():
        pytest.skip(f"no open data at {folder} (set CHARTSIGHT_OPEN_DATA)")
    return folder


@pytest.fixture
def draw() -> Callable[[Path, int], None]:
    """Draws a film of 32 x 24 pixels; the seed makes it unlike any other."""

    def draw_film(path: Path, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 24)).astype(np.uint8)).save(path)

    return draw_film


def write_gz(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = "".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


@pytest.fixture
def cxr(tmp_path: Path, draw: Callable[[Path, int], None]) -> Path:
    """MIMIC-CXR-JPG of four studies: two films of one study, a lateral, a missing file, an unknown patient."""
    folder = tmp_path / "mimic-cxr-jpg"
    films = [  # dicom_id, subject, study, view, date, time
        ("dd-late", 10000001, 50000001, "PA", "21800507", "101500.250"),
        ("aa-early", 10000001, 50000001, "AP", "21800507", "4530.0"),
        ("cc-lateral", 10000001, 50000001, "LATERAL", "21800507", "4530.0"),
        ("bb-outside", 10000001, 50000002, "PA", "21800901", "120000"),
        ("ee-open-stay", 10000002, 50000003, "AP", "21500301", "120000"),
        ("ff-blank-view", 10000002, 50000004, "", "21500302", "120000"),
        ("gg-missing", 10000003, 50000005, "PA", "21660101", "120000"),
        ("hh-nobody", 19999999, 50000006, "PA", "21660101", "120000"),
        ("ii-no-time", 10000003, 50000007, "PA", "21669999", "120000"),
    ]
    metadata: list[list[object]] = [list(CXR_METADATA_HEADER)]
    for seed, (dicom, subject, study, view, date, time) in enumerate(films):
        metadata.append([dicom, subject, study, "CHEST", view, 1, 1, date, time, "", "", ""])
        if dicom != "gg-missing":
            draw(folder / f"files/p{str(subject)[:2]}/p{subject}/s{study}/{dicom}.jpg", seed)
    write_gz(folder / CXR_FILES["metadata"], metadata)
    write_gz(folder / CXR_FILES["split"], [CXR_SPLIT_HEADER, ["aa-early", 50000001, 10000001, "test"]])

    def labels(*rows: tuple[int, int, dict[str, float]]) -> list[Sequence[object]]:
        cells = [[s, study, *(values.get(name) for name in CHEXPERT_LABELS)] for s, study, values in rows]
        return [CXR_LABEL_HEADER, *cells]

    write_gz(
        folder / CXR_FILES["chexpert"],
        labels(
            (10000001, 50000001, {"Pleural Effusion": 1.0, "Edema": -1.0, "Support Devices": 1.0}),
            (10000002, 50000003, {"Pneumonia": 0.0, "No Finding": 1.0}),
            (10000003, 50000005, {"Pneumonia": 1.0}),
        ),
    )
    write_gz(folder / CXR_FILES["negbio"], labels((10000001, 50000001, {"Pleural Effusion": 0.0})))
    return folder


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "mimic-cxr-reports" / "files/p10/p10000001/s50000001.txt"
    path.parent.mkdir(parents=True)
    path.write_text("FINDINGS:\n Small left effusion.\n")
    return tmp_path / "mimic-cxr-reports"


@pytest.fixture
def imagenome(tmp_path: Path) -> Path:
    """One scene graph of `aa-early`, in the form of Chest ImaGenome 1.0.0."""

    def region(name: str, *sentences: tuple[int, list[str]]) -> dict[str, Any]:
        return {
            name: True,
            "bbox_name": name,
            "synsets": ["C0225730"],
            "name": name,
            "attributes": [statements for _, statements in sentences],
            "attributes_ids": [["" for _ in statements] for _, statements in sentences],
            "phrases": ["Some sentence." for _ in sentences],
            "phrase_IDs": [f"50000001|{number}" for number, _ in sentences],
            "sections": ["finalreport" for _ in sentences],
            "comparison_cues": [[] for _ in sentences],
            "temporal_cues": [[] for _ in sentences],
            "severity_cues": [[] for _ in sentences],
            "texture_cues": [[] for _ in sentences],
            "object_id": f"aa-early_{name}",
        }

    def box(name: str, x1: int, y1: int, x2: int, y2: int) -> dict[str, Any]:
        original = {"original_x1": x1 * 2, "original_y1": y1 * 2, "original_x2": x2 * 2, "original_y2": y2 * 2}
        return {"object_id": f"aa-early_{name}", "bbox_name": name, "x1": x1, "y1": y1, "x2": x2, "y2": y2, **original}

    effusion, opacity = "anatomicalfinding|{}|pleural effusion", "anatomicalfinding|{}|lung opacity"
    graph = {
        "image_id": "aa-early",
        "viewpoint": "AP",
        "patient_id": 10000001,
        "study_id": 50000001,
        "gender": "F",
        "age_decile": "50-60",
        "reason_for_exam": "___F with cough",
        "StudyOrder": 1,
        "StudyDateTime": "2180-05-07 00:45:30 UTC",
        "objects": [box("left lung", 5, 1, 9, 9), box("right lung", 1, 1, 4, 9), box("svc", 4, 1, 4, 2)],
        "attributes": [
            region(
                "left lung",
                (9, [effusion.format("no")]),  # said last in the report, listed first
                (3, [effusion.format("yes"), opacity.format("yes"), "nlp|yes|abnormal"]),
            ),
            region("right lung", (3, [opacity.format("no"), "texture|yes|opacity", "device|yes|no such device"])),
            region("unknown", (3, ["tubesandlines|yes|picc"])),
        ],
        "relationships": [],
    }
    path = tmp_path / "chest-imagenome" / "silver_dataset" / "scene_graph" / "aa-early_SceneGraph.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(graph))
    return tmp_path / "chest-imagenome"
