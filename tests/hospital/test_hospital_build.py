"""The whole folder: the same bytes for the same seed, nothing half-written, mistakes named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chartsight.errors import OutputError, RecipeError
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.difficulty import FAINTEST_DRAWN
from chartsight.hospital.masks import read_mask
from chartsight.imaging.pixels import read_film
from chartsight.records import RecordSources, build_record
from chartsight.runs import read_manifest, sha256_file

TINY = HospitalConfig(patients=4, seed=11, film_size_px=64)


def digests(folder: Path) -> dict[str, str]:
    """Of every file but the manifest, which says when and where it was built."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "hospital"
    build_hospital(out, TINY, workers=1, quiet=True)
    return out


def test_the_same_seed_gives_the_same_bytes_from_one_process_or_two(tiny: Path, tmp_path: Path) -> None:
    build_hospital(tmp_path / "again", TINY, workers=2, quiet=True)
    assert digests(tmp_path / "again") == digests(tiny)


def test_another_seed_gives_other_bytes(tiny: Path, tmp_path: Path) -> None:
    build_hospital(tmp_path / "other", HospitalConfig(patients=4, seed=12, film_size_px=64), workers=1, quiet=True)
    assert set(digests(tmp_path / "other")) != set(digests(tiny))


def test_the_truth_survives_the_noise(tiny: Path, tmp_path: Path) -> None:
    dials = {"label_noise": 0.5, "report_omission": 0.5, "report_uncertainty": 1.0, "reader_disagreement": 1.0}
    noisy = replace(TINY, **dials)
    build_hospital(tmp_path / "noisy", noisy, workers=1, quiet=True)
    before, after = digests(tiny), digests(tmp_path / "noisy")
    changed = {name for name in before if before[name] != after[name]}
    assert not changed & {"truth.parquet", "masks.parquet", "techniques.parquet"} and "readings.parquet" in changed
    assert not any(name.endswith(".jpg") for name in changed)
    assert not any(name.startswith("mimic-iv/") for name in changed)
    assert any("chexpert" in name for name in changed) and any("SceneGraph" in name for name in changed)


def test_the_manifest_counts_what_is_there(tiny: Path) -> None:
    manifest = read_manifest(tiny)
    assert manifest is not None and manifest["verb"] == "hospital"
    assert manifest["terms"] == manifest["pairing"] == "synthetic"
    kept = manifest["counts"]["kept"]
    assert kept["patients"] == 4
    assert kept["films"] == len(list(tiny.rglob("*.jpg")))
    assert kept["truth"] == pq.read_metadata(tiny / "truth.parquet").num_rows
    assert kept["masks"] == pq.read_metadata(tiny / "masks.parquet").num_rows


def test_the_truth_has_a_row_for_every_film(tiny: Path) -> None:
    truth = pq.read_table(tiny / "truth.parquet").to_pylist()
    assert {row["image_id"] for row in truth} == {path.stem for path in tiny.rglob("*.jpg")}
    for row in truth:
        is_lateral = row["view_position"] == "LATERAL"
        assert is_lateral == (row["ct_ratio"] is None)
        assert is_lateral or (0.2 < row["ct_ratio"] < 0.9 and 0.05 < row["mt_ratio"] < 0.7)
        if row["attribute"] is not None:
            assert FAINTEST_DRAWN <= row["severity"] <= 1
            assert row["x1"] is None if row["is_implied"] else is_lateral or row["x1"] is not None
            assert row["x1"] is None or (row["x1"] < row["x2"] and row["y1"] < row["y2"])


def test_tips_are_those_of_tubes_and_lines(tiny: Path) -> None:
    rows = [row for row in pq.read_table(tiny / "truth.parquet").to_pylist() if row["tip_x"] is not None]
    assert {row["category"] for row in rows} <= {"tubesandlines", "device"}
    assert all(0 <= row["tip_x"] <= 64 and 0 <= row["tip_y"] <= 64 for row in rows)


def test_masks_fill_the_boxes_of_the_truth(tiny: Path) -> None:
    truth = pq.read_table(tiny / "truth.parquet").to_pylist()
    boxes = {
        (row["image_id"], row["finding"]): (row["x1"], row["y1"], row["x2"], row["y2"])
        for row in truth
        if row["x1"] is not None
    }
    masks = pq.read_table(tiny / "masks.parquet").to_pylist()
    assert masks and {(row["image_id"], row["finding"]) for row in masks} == set(boxes)
    for row in masks:
        rows, columns = np.nonzero(read_mask(row))
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert box == boxes[row["image_id"], row["finding"]]


def test_sixteen_bits_stand_beside_the_same_jpegs(tmp_path: Path, tiny: Path) -> None:
    build_hospital(tmp_path / "deep", replace(TINY, bits=16), workers=1, quiet=True)
    assert {path.stem for path in (tmp_path / "deep" / "mimic-cxr-16bit").rglob("*.png")} == {
        path.stem for path in tiny.rglob("*.jpg")
    }
    png = next((tmp_path / "deep" / "mimic-cxr-16bit").rglob("*.png"))
    with Image.open(png) as film:
        pixels = np.asarray(film)
    assert pixels.shape == (64, 64) and pixels.max() > 40_000 and len(np.unique(pixels)) > 500
    jpeg = next((tmp_path / "deep").rglob(f"{png.stem}.jpg"))
    assert np.abs(read_film(png).astype(int) - read_film(jpeg)).mean() < 3  # what JPEG loses
    eight, deep = digests(tiny), digests(tmp_path / "deep")
    assert all(deep[name] == eight[name] for name in eight)


def test_the_record_reads_every_row_of_it(tiny: Path, tmp_path: Path) -> None:
    """The reader of MIMIC-IV, MIMIC-CXR-JPG and Chest ImaGenome drops nothing."""
    sources = RecordSources(
        mimiciv=tiny / "mimic-iv",
        mimic_cxr_jpg=tiny / "mimic-cxr-jpg",
        mimic_cxr_reports=tiny / "mimic-cxr-reports",
        chest_imagenome=tiny / "chest-imagenome",
    )
    run = build_record(tmp_path / "record.duckdb", sources, quiet=True)
    manifest = read_manifest(tiny)
    assert manifest is not None
    written = {
        name: count for name, count in manifest["counts"]["kept"].items() if name not in ("truth", "masks") and count
    }
    assert not run.dropped and run.terms == "synthetic" and run.pairing == "synthetic"
    assert {name: run.kept[name] for name in written} == written


def test_an_output_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "hospital"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(OutputError) as caught:
        build_hospital(out, TINY, workers=1, quiet=True)
    assert caught.value.code == "output-exists"
    assert [path.name for path in tmp_path.rglob("*")] == ["hospital", "mine.txt"]


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_are_positive(tmp_path: Path, workers: int) -> None:
    with pytest.raises(RecipeError, match="workers"):
        build_hospital(tmp_path / "hospital", TINY, workers=workers)


def test_an_unknown_style_is_named_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="harbour"):
        build_hospital(tmp_path / "hospital", HospitalConfig(style="sepia"), workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path, workers: int) -> None:
    """A full disk, by a limit on the size of files in a process of its own."""
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from chartsight.errors import OutputError\n"
        "from chartsight.hospital import HospitalConfig, build_hospital\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "    try:\n"
        f"        build_hospital(Path(sys.argv[1]), HospitalConfig(patients=2, film_size_px=64), workers={workers})\n"
        "    except OutputError as error:\n"
        "        print(error.code)\n"
    )
    file = tmp_path / "build.py"
    file.write_text(script)
    out = tmp_path / "somewhere"
    done = subprocess.run([sys.executable, file, out / "hospital"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "disk-full", done.stderr
    assert not list(out.iterdir())
