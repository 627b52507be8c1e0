"""The benchmark of EHRXQA's database as it grows: its sources, what it sees of a program, and its arithmetic."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import ehrxqa_scale
from benchmarks.ehrxqa_multiples import DEMO_ROWS, VITAL_SHARE, Multiple, multiply
from benchmarks.ehrxqa_scale import OURS, PUBLISHED, SIDE_BY_SIDE, Limits, Measured, Use, Watched

from chartsight.errors import ChartsightError
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records.ehrxqa import EhrxqaSources, build_ehrxqa
from chartsight.records.ehrxqa.config import published_config

FREE = Limits(60, 8)
EVENTS = {name: rows // 500 + 1 for name, rows in DEMO_ROWS.items()} | {"chartevents": 4_000, "labevents": 30}


@pytest.fixture(scope="module")
def multiplied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, int]]:
    """A hospital of 20 patients, three copies of it, and how many rows these have."""
    folder = tmp_path_factory.mktemp("multiples")
    build_hospital(folder / "one", HospitalConfig(patients=20, seed=7, film_size_px=64), workers=1, quiet=True)
    return folder / "one", folder / "three", multiply(folder / "one", folder / "three", Multiple("", 3, EVENTS, 2))


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_copies_have_their_own_people_and_films(multiplied: tuple[Path, Path, dict[str, int]]) -> None:
    _, three, rows = multiplied
    patients = rows_of(three / "mimic-iv/hosp/patients.csv")
    admissions = rows_of(three / "mimic-iv/hosp/admissions.csv")
    stays = rows_of(three / "mimic-iv/icu/icustays.csv")
    transfers = rows_of(three / "mimic-iv/hosp/transfers.csv")
    films = rows_of(three / "mimic-cxr-jpg/mimic-cxr-2.0.0-metadata.csv")
    assert len({row["subject_id"] for row in patients}) == len(patients) == rows["patients"] == 60
    assert len({row["hadm_id"] for row in admissions}) == len(admissions) == rows["admissions"]
    assert {row["hadm_id"] for row in stays} <= {row["hadm_id"] for row in admissions}
    assert {row["stay_id"] for row in stays} <= {row["transfer_id"] for row in transfers}
    assert len({row["dicom_id"] for row in films}) == len(films) == rows["films"]
    assert max(int(row["subject_id"]) for row in films) < 10_000_040  # the third copy has none
    boxes = rows_of(three / "chest-imagenome/silver_dataset/scene_tabular/bbox_objects_tabular.txt", "\t")
    assert {row["object_id"].split("_")[0] for row in boxes} <= {row["dicom_id"] for row in films}


def test_events_are_as_many_as_asked_and_no_two_are_the_same(multiplied: tuple[Path, Path, dict[str, int]]) -> None:
    _, three, rows = multiplied
    charted = rows_of(three / "mimic-iv/icu/chartevents.csv")
    assert rows["chartevents"] == len(charted) == 3 * 4_000
    assert rows["labevents"] == 90
    assert len({tuple(row.values()) for row in charted}) == len(charted)
    others = sum(row["itemid"] == "227000" for row in charted)
    assert others / len(charted) == pytest.approx(1 - VITAL_SHARE, abs=0.01)


def test_a_database_is_built_from_copies(multiplied: tuple[Path, Path, dict[str, int]], tmp_path: Path) -> None:
    _, three, _ = multiplied
    sources = EhrxqaSources(three / "mimic-iv", three / "mimic-cxr-jpg", three / "chest-imagenome")
    config = published_config("train", patients=6, staying=1, valid_share=0.5)
    run = build_ehrxqa(tmp_path / "out.sqlite", sources, config, quiet=True)
    assert run.terms == "synthetic"
    assert run.kept["patients"] == 6 and run.kept["chartevents"] > 0


def said(tmp_path: Path, code: str, limits: Limits = FREE, steps: Iterator[str] | None = None) -> Watched:
    names = steps if steps is not None else iter(lambda: "work", None)
    return ehrxqa_scale.watch(
        [sys.executable, "-c", code], limits, folder=tmp_path, log=tmp_path / "log", current_step=lambda: next(names)
    )


def test_processor_time_and_memory_of_the_whole_tree_are_seen(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(200 * 2**20); [0 for _ in iter(time.process_time, 0) if _ > 1 and exit()]"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '''{hold}'''], check=True)"
    watched = said(tmp_path, child)
    assert watched.is_whole
    assert 1 <= watched.cpu_s < 4
    assert 0.19 < watched.peak_gib < 0.5
    assert sum(use.cpu_s for use in watched.steps.values()) == pytest.approx(watched.cpu_s)


def test_a_program_is_ended_at_its_limits(tmp_path: Path) -> None:
    assert said(tmp_path, "import time; time.sleep(60)", Limits(0.3, 8)).ended.startswith("stopped after")
    hold = "import time; held = bytearray(300 * 2**20); time.sleep(60)"
    assert said(tmp_path, hold, Limits(60, 0.2)).ended.startswith("killed at 0.2 GiB")
    failed = said(tmp_path, "raise SystemExit('no such thing')")
    assert failed.ended == "failed (no such thing)" and not failed.is_whole


def measured(times: int, builder: str, cpu_s: float, peak: float = 0.5, ended: str = "to its end") -> Measured:
    rows = {
        name: rows * times for name, rows in (DEMO_ROWS | {"boxes": 100, "statements": 50, "admissions": 3}).items()
    }
    steps = {"labevents": Use(cpu_s / 2, peak), "database": Use(cpu_s / 4, 0.1), "": Use(cpu_s / 4, 0.1)}
    return Measured(times, builder, rows, 1.0, 2.0, "2026-11-24", Watched(cpu_s, cpu_s, peak, ended, steps))


def test_forecasts_go_on_as_from_the_smaller_to_the_larger_size() -> None:
    small, large = measured(10, "ours", 20, 0.5), measured(50, "ours", 60, 0.7)
    steps = {each.step: each for each in ehrxqa_scale.forecast(small, large)}
    rows = DEMO_ROWS["labevents"]
    beyond = (118_171_367 - 50 * rows) / (40 * rows)
    assert steps["labevents"].cpu_s == pytest.approx(30 + beyond * 20)
    assert steps["labevents"].peak_gib == pytest.approx(0.7 + beyond * 0.2)
    assert steps["database"].by == steps[""].by == "cohort"
    assert steps["database"].cpu_s == 30  # 800 patients, where 400 took 15 s
    assert ehrxqa_scale.real_rows(large.rows)["statements"] == 18 * 242_072
    shrinking = {each.step: each for each in ehrxqa_scale.forecast(replace(small, watched=large.watched), large)}
    assert shrinking["labevents"].cpu_s == 30


def test_a_builder_that_was_ended_gives_a_bound() -> None:
    ours, published = measured(50, OURS, 20), measured(50, PUBLISHED, 300)
    for by in ("wall_s", "cpu_s"):
        assert ehrxqa_scale.times_faster(ours, published, by) == (15, "15.0")
    ended = replace(published, watched=replace(published.watched, ended="stopped after 5 minutes"))
    assert ehrxqa_scale.times_faster(ours, ended, "cpu_s") == (15, "more than 15.0")
    assert ehrxqa_scale.times_faster(ours, None, "cpu_s") == (0, "not run")


def test_clock_and_processor_time_are_apart_and_the_clock_decides() -> None:
    ours, published = measured(50, OURS, 20), measured(50, PUBLISHED, 300)
    both = replace(ours, builder=SIDE_BY_SIDE, watched=replace(ours.watched, wall_s=12, cpu_s=24))
    assert ehrxqa_scale.times_faster(both, published, "wall_s") == (25, "25.0")
    assert ehrxqa_scale.times_faster(both, published, "cpu_s") == (12.5, "12.5")
    assert ehrxqa_scale.check_all([ours, published], {}) == ["15.0 times faster at 50 times, not 20"]
    assert ehrxqa_scale.check_all([ours, both, published], {50: []}) == []
    assert ehrxqa_scale.check_all([], {50: ["cost", "tb_cxr"]}) == ["at 50 times cost, tb_cxr differ"]
    grown = [measured(10, SIDE_BY_SIDE, 5, 0.4), measured(250, SIDE_BY_SIDE, 50, 0.6)]
    assert ehrxqa_scale.check_all(grown, {}) == ["memory of ours side by side grows 1.50 times, not at most 1.15"]


def test_the_page_says_what_was_measured_and_what_was_not() -> None:
    found = [
        measured(10, OURS, 10), measured(50, OURS, 20), measured(10, PUBLISHED, 90), measured(10, SIDE_BY_SIDE, 5),
        measured(50, PUBLISHED, 500, ended="killed at 16 GiB after 9 minutes"),
    ]  # fmt: skip
    text = ehrxqa_scale.render_scale(found, {10: [], 50: ["cost"]}, "python bench.py", "0123abcd", "two cores")
    assert "| published | 90.0 s | 90.0 s | 0.50 GiB |  |  |" in text
    assert "| ours | 10.0 s | 10.0 s | 0.50 GiB | 9.0 | 9.0 |" in text
    assert "| ours side by side | 5.0 s | 5.0 s | 0.50 GiB | 18.0 | 18.0 |" in text
    assert "| published | >500.0 s | >500.0 s | 0.50 GiB |" in text
    assert "| ours | 20.0 s | 20.0 s | 0.50 GiB | more than 25.0 | more than 25.0 |" in text
    assert "* published, 50 times: killed at 16 GiB after 9 minutes, at ``." in text
    assert "| labevents | labevents | 118,171,367 | 5.0 s | 10.0 s |" in text
    assert "* The databases at 10 times, row by row: the same." in text
    assert "* The databases at 50 times, row by row: cost differ." in text
    assert "not run" in ehrxqa_scale.render_scale(found[:2], {}, "python bench.py", "0123abcd", "two cores")


def test_stored_figures_are_said_to_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ehrxqa_scale, "STORED", tmp_path / "published.json")
    with pytest.raises(ChartsightError, match="expected a clone of the builder to run"):
        ehrxqa_scale.scale(work=tmp_path, times="50")
    ehrxqa_scale.write_stored(
        ehrxqa_scale.STORED, ehrxqa_scale.StoredRun("0123abcd", "an older machine", [measured(50, PUBLISHED, 500)])
    )
    ehrxqa_scale.write_measured(tmp_path / "measured.json", [measured(50, OURS, 20), measured(50, SIDE_BY_SIDE, 10)])
    ehrxqa_scale.scale(work=tmp_path, times="50")
    said = " ".join(capsys.readouterr().out.split())
    assert "0123abcd (stored figures of 2026-11-24, measured on an older machine)" in said
    assert "| ours side by side | 10.0 s | 10.0 s | 0.50 GiB | 50.0 | 50.0 |" in said


def test_what_was_measured_is_read_back_and_not_measured_again(tmp_path: Path) -> None:
    def never(sources: Path, folder: Path, config: object) -> Watched:
        raise AssertionError(folder)

    known = [measured(2, "ours", 3)]
    assert ehrxqa_scale.measure_size(2, tmp_path, {"ours": never}, known) == known
    path = tmp_path / "measured.json"
    ehrxqa_scale.write_measured(path, known)
    assert ehrxqa_scale.read_measured(path) == known
    assert ehrxqa_scale.read_measured(tmp_path / "none.json") == []


def test_sizes_are_numbers() -> None:
    assert ehrxqa_scale.parse_sizes("50,10", "--times") == [10, 50]
    assert ehrxqa_scale.parse_sizes("", "--published-times") == []
    with pytest.raises(ChartsightError, match="--times: ten; expected numbers"):
        ehrxqa_scale.parse_sizes("ten", "--times")
