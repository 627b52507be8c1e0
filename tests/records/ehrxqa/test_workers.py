"""Steps side by side: what each reads is declared, the content is the same, and nobody is left when one fails."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from chartsight.errors import QueryError, RecordError
from chartsight.records.ehrxqa import build_ehrxqa, database_digest
from chartsight.records.ehrxqa.cleaning import EVENTS
from chartsight.records.ehrxqa.config import EhrxqaSplit
from chartsight.records.ehrxqa.files import EVENT_FILES, SOURCES, find_files
from chartsight.records.ehrxqa.order import steps_in_order
from chartsight.records.ehrxqa.steps import DATABASE, DONE, work_folder
from chartsight.records.ehrxqa.workers import Job, step_runner
from chartsight.runs import manifest_path
from tests.records.ehrxqa.conftest import small, sources_of
from tests.signals import heed_interrupts

Database = Callable[[str, EhrxqaSplit], Path]
POINTS = 20
LAST_S = 120.0
NEEDS = steps_in_order()


def flags(hospital: Path, out: Path, *more: str) -> list[str]:
    """The command line that makes `small("test")` with two workers."""
    config, sources = small("test"), sources_of(hospital)
    return [
        sys.executable, "-m", "chartsight", "records", "build-ehrxqa", str(out), "--split", "test",
        "--mimiciv", str(sources.mimiciv), "--mimic-cxr-jpg", str(sources.mimic_cxr_jpg),
        "--chest-imagenome", str(sources.chest_imagenome), "--patients", str(config.patients),
        "--staying", str(config.staying), "--valid-share", str(config.valid_share), "--workers", "2", *more,
    ]  # fmt: skip


def until(holds: Callable[[], object]) -> None:
    """Wait until it holds, but not for ever."""
    last = time.monotonic() + LAST_S
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.001)


def test_the_order_names_every_step_after_those_that_it_reads() -> None:
    begun: set[str] = set()
    for step, needs in NEEDS.items():
        assert set(needs) <= begun, step
        begun.add(step)
    assert set(SOURCES) <= begun
    assert sorted(EVENTS) == sorted(EVENT_FILES)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_step_reads_no_other_than_it_says(seed: int, drawn: Path, databases: Database, tmp_path: Path) -> None:
    """Each step is done in a folder of its own where only the steps stand that it says; in a drawn order."""
    draws, done, found = random.Random(seed), {}, find_files(sources_of(drawn))
    split: EhrxqaSplit = "test" if seed else "train"
    while len(done) < len(NEEDS):
        ready = [step for step, needs in NEEDS.items() if step not in done and set(needs) <= done.keys()]
        step = draws.choice(ready)
        alone = tmp_path / f"for-{step}"
        alone.mkdir()
        for each in NEEDS[step]:
            (alone / each).symlink_to(done[each])
        with step_runner(Job(alone, found, small(split), 1.0), 0) as run:
            run(step)
        done[step] = alone / step
    assert database_digest(done["database"] / DATABASE) == database_digest(databases("drawn", split))


@pytest.mark.parametrize("workers", [2, 3])
def test_side_by_side_gives_the_same(workers: int, rough: Path, databases: Database, tmp_path: Path) -> None:
    out = tmp_path / "out.sqlite"
    build_ehrxqa(out, sources_of(rough), small("train"), workers=workers, quiet=True)
    assert database_digest(out) == database_digest(databases("rough", "train"))
    digest = json.loads(manifest_path(out).read_text("utf-8"))["outputs"][0]["digest"]
    assert digest == database_digest(out)
    assert not work_folder(out).exists()


def test_the_first_fault_ends_all(sources: Path, tmp_path: Path) -> None:
    path = sources_of(sources).mimiciv / "hosp" / "labevents.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[3] = "spoilt"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    out = tmp_path / "out.sqlite"
    with pytest.raises(RecordError) as alone:
        build_ehrxqa(out, sources_of(sources), small("test"), quiet=True)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(RecordError) as both:
        build_ehrxqa(out, sources_of(sources), small("test"), workers=2, quiet=True)
    assert str(both.value) == str(alone.value) and both.value.code == alone.value.code
    assert not out.exists()
    assert not list(work_folder(out).glob("*.partial"))
    left = [each for each in psutil.Process().children(recursive=True) if each.pid not in before]
    assert [each for each in left if "spawn_main" in " ".join(each.cmdline())] == []


def test_a_fault_is_one_line(sources: Path, tmp_path: Path) -> None:
    path = sources_of(sources).mimiciv / "icu" / "icustays.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    done = subprocess.run(
        flags(sources, tmp_path / "out.sqlite"), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "icustays.csv.gz" in done.stderr


def test_errors_are_the_same_in_another_process() -> None:
    for error in (RecordError("a", "b", "c", "d", "e"), QueryError("a", "b", "c", line=2, column=3, fragment="x")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error) and again.as_dict() == error.as_dict()


@pytest.mark.parametrize("workers", [0, 17])
def test_a_bad_number_of_workers(workers: int, drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="expected 1 to 16"):
        build_ehrxqa(tmp_path / "out.sqlite", sources_of(drawn), small("test"), workers=workers, quiet=True)


def test_memory_is_for_all_workers(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"3 workers; expected 1\.5 or more"):
        build_ehrxqa(
            tmp_path / "out.sqlite", sources_of(drawn), small("test"), workers=3, memory_limit_gib=1.2, quiet=True
        )


# --------------------------------------------------------------------------------------------------- ended from outside


def steps_of(out: Path) -> set[str]:
    """The steps that are done."""
    return {path.parent.name for path in work_folder(out).glob(f"*/{DONE}") if not path.parent.suffix}


def half_steps(out: Path) -> list[Path]:
    """Those under way that hold something."""
    try:
        return [path for path in work_folder(out).glob("*.partial") if path.is_dir() and any(path.iterdir())]
    except FileNotFoundError:  # it was just finished
        return []


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes that do steps for a build."""
    return [each for each in psutil.Process(pid).children() if "spawn_main" in " ".join(each.cmdline())]


def is_gone(process: psutil.Process) -> bool:
    """Whether it ended; it may still be waited for."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def begin(hospital: Path, out: Path, done: int, log: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """A build with two workers, which are stopped in the middle of a step when so many steps or more are done."""
    with log.open("w") as said:
        build = subprocess.Popen(
            flags(hospital, out, "--force"), stderr=said, stdout=said, start_new_session=True,
            preexec_fn=heed_interrupts,
        )  # fmt: skip
    while True:
        until(lambda: build.poll() is not None or (len(steps_of(out)) >= done and half_steps(out)))
        assert build.poll() is None, log.read_text()
        staff = workers_of(build.pid)
        for worker in staff:
            worker.suspend()
        until(lambda: all(worker.status() == psutil.STATUS_STOPPED for worker in workers_of(build.pid)))
        if half_steps(out):
            return build, staff
        for worker in staff:  # the step was finished in between
            worker.resume()


def draw_points() -> list[tuple[int, str]]:
    """Twenty seeded points: how many steps are done, and who is killed."""
    draws = random.Random(20)
    return [(done, draws.choice(("build", "worker"))) for done in draws.sample(range(len(NEEDS) - 4), POINTS)]


def kill_and_go_on(point: tuple[int, str], hospital: Path, databases: Database, folder: Path) -> None:
    done, victim = point
    older, expected = databases("rough", "test"), database_digest(databases("drawn", "test"))
    out = folder / "out.sqlite"
    shutil.copy(older, out)
    before = database_digest(out)
    assert before != expected
    build, staff = begin(hospital, out, done, folder / "log")
    killed = build if victim == "build" else random.Random(done).choice(staff)
    for worker in staff:  # so that those that are left can see that they are alone
        worker.resume()
    killed.send_signal(signal.SIGKILL)
    code = build.wait(LAST_S)
    if victim == "build":
        assert code == -signal.SIGKILL
    else:
        assert code == 2 and "ended with -9" in (folder / "log").read_text()
    assert database_digest(out) == before
    finished = steps_of(out)
    assert done <= len(finished) < len(NEEDS)
    again = subprocess.run(flags(hospital, out, "--force"), capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert all(map(is_gone, staff))
    assert database_digest(out) == expected
    assert json.loads(manifest_path(out).read_text("utf-8"))["outputs"][0]["digest"] == expected
    assert not work_folder(out).exists() and [each for each in folder.iterdir() if ".partial" in each.name] == []


FAST = [next(point for point in draw_points() if point[1] == victim) for victim in ("build", "worker")]


@pytest.mark.parametrize("point", FAST, ids=[f"{victim}-{done}" for done, victim in FAST])
def test_a_killed_build_goes_on(point: tuple[int, str], drawn: Path, databases: Database, tmp_path: Path) -> None:
    kill_and_go_on(point, drawn, databases, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("point", draw_points(), ids=[f"{victim}-{done}" for done, victim in draw_points()])
def test_twenty_killed_builds(point: tuple[int, str], drawn: Path, databases: Database, tmp_path: Path) -> None:
    kill_and_go_on(point, drawn, databases, tmp_path)


def test_interrupted_it_ends_at_once(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sqlite"
    build, staff = begin(drawn, out, 10, tmp_path / "log")
    os.killpg(build.pid, signal.SIGINT)  # as a terminal does; before they go on, or a small build may end first
    began = time.monotonic()
    for worker in staff:
        with suppress(psutil.NoSuchProcess):
            worker.resume()
    assert build.wait(LAST_S) == 130
    assert time.monotonic() - began < 2
    assert all(map(is_gone, staff))
    assert "Traceback" not in (tmp_path / "log").read_text()
