"""The hospital's benchmark, tiny: every figure and check is there, and a hoarder and a lost byte are found."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import first_light, hospital

from chartsight.errors import GateError
from chartsight.figures import Figure
from chartsight.hospital import HospitalConfig

TINY = hospital.Sizes(films=6, film_px=64, patients=2, memory=(1, 2), repeated=1)


def hoard(megabytes: int) -> float:
    """The peak of a process that has held so much for a moment."""
    held = np.ones(megabytes * 1_000_000, np.uint8)
    del held
    return hospital.peak_memory_mb()


def test_a_tiny_hospital_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{hospital.SECTION.start}\n{hospital.SECTION.end}\nafter\n")
    hospital.run(TINY, as_json=True, write=page)
    shown = json.loads(capsys.readouterr().out)
    cores = len({1, hospital.usable_cores()})
    assert [each["unit"] for each in shown["figures"]] == ["films/s"] * 3 * cores + [
        "patients/s",
        "films/s",
        "MB",
        "MB",
    ]
    assert all(each["value"] > 0 for each in shown["figures"])
    assert [each["holds"] for each in shown["checks"]] == [True, True]
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert text.count("**yes**") == 2 and "| peak memory, 2 patients |" in text


def test_a_part_that_is_measured_is_kept_and_parts_of_other_sizes_are_not(tmp_path: Path) -> None:
    keep, films = tmp_path / "measured.json", TINY.films
    parts = {"films": [{"what": "draw films", "value": 61.5, "unit": "films/s", "note": "by hand"}]}
    keep.write_text(json.dumps({"sizes": asdict(TINY), "parts": parts}))
    measured = list(hospital.measure_all(tmp_path, TINY, keep))
    assert measured[0] == Figure("draw films", 61.5, "films/s", "by hand")
    kept = json.loads(keep.read_text("utf-8"))["parts"]
    assert list(kept) == sorted(["films", "hospital", "memory 1", "memory 2"])
    assert measured[1:5] == [Figure(**each) for part in ("hospital", "memory 1", "memory 2") for each in kept[part]]
    assert hospital.read_kept(keep, TINY) == kept
    assert not hospital.read_kept(keep, replace(TINY, films=films + 1))
    assert not hospital.read_kept(tmp_path / "missing.json", TINY)


def test_the_films_of_a_figure_are_of_its_kind(tmp_path: Path) -> None:
    kinds = hospital.tasks_by_kind(tmp_path, TINY, films=5)
    assert {len(tasks) for tasks in kinds.values()} == {5}
    assert all(not task.request.findings for task in kinds["frontal, nothing found"])
    assert all(task.request.findings for task in kinds["frontal, with findings"])
    assert {task.request.view for task in kinds["lateral"]} == {"LATERAL"}


def test_memory_that_was_given_back_is_seen_and_the_parent_s_is_not() -> None:
    ours = np.ones(300_000_000, np.uint8)
    little, much = (hospital.in_own_process(hoard, megabytes) for megabytes in (1, 150))
    assert 120 < much - little < 180
    assert little < hospital.peak_memory_mb() - len(ours) / 2e6
    assert not hospital.check_memory([little, much]).holds
    assert hospital.check_memory([little, little * 1.1]).holds


def test_another_seed_is_found(tmp_path: Path) -> None:
    tiny = replace(TINY, repeated=1)
    check = hospital.check_bytes(tmp_path, tiny, seeds=(7, 7, 8))
    assert not check.holds and "**no**" in check.line()


def test_a_digest_knows_names_and_bytes(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "a").write_bytes(b"12")
    (tmp_path / "run.json").write_text("today")
    first = hospital.digest_folder(tmp_path)
    (tmp_path / "run.json").write_text("tomorrow")
    assert hospital.digest_folder(tmp_path) == first
    (films / "a").write_bytes(b"13")
    changed = hospital.digest_folder(tmp_path)
    (films / "a").write_bytes(b"12")
    (films / "a").rename(films / "b")
    renamed = hospital.digest_folder(tmp_path)
    (films / "run.json").write_text("only the manifest on top is left out")
    assert len({first, changed, renamed, hospital.digest_folder(tmp_path)}) == 4


def test_a_check_that_does_not_hold_ends_with_3_after_the_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{hospital.SECTION.start}\n{hospital.SECTION.end}\n")
    measured = [Figure("peak memory, 1 patient", 100, "MB", "1 film"), hospital.check_memory([100, 200])]
    with pytest.raises(GateError, match="Memory does not grow") as refused:
        hospital.report(measured, "python bench.py", as_json=True, write=page)
    assert refused.value.exit_code == 3
    assert "**no**; 100, 200 MB" in page.read_text("utf-8")


def test_first_light_still_draws(tmp_path: Path) -> None:
    figures = list(first_light.measure_films(tmp_path, HospitalConfig(patients=2, film_size_px=64)))
    assert len(figures) == len({1, hospital.usable_cores()}) and all(each.value > 0 for each in figures)
