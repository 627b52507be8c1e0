"""kill -9 in the middle of a step: the older database stays usable, and the next run ends with the same content.

The child process starts a clock when a step has begun a file, and is killed by it, or by itself just before the step
would become whole; either way what it leaves is half a step with something in it, and the test looks for it.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chartsight.records.ehrxqa import build_ehrxqa, database_digest
from chartsight.records.ehrxqa.config import EhrxqaSplit
from chartsight.records.ehrxqa.steps import DONE, work_folder
from chartsight.runs import manifest_path
from tests.records.ehrxqa.conftest import small, sources_of

Database = Callable[[str, EhrxqaSplit], Path]
CHILD = """
import os, signal, sys, threading, time
from pathlib import Path

from chartsight.records.ehrxqa import build_ehrxqa, steps
from chartsight import runs
from tests.records.ehrxqa.conftest import small, sources_of

hospital, out, victim, delay = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
run_step = steps.Steps.run

def clock(folder):
    while not any(folder.iterdir()):
        time.sleep(0.0002)
    time.sleep(delay)
    die()

def deadly(self, step, work):
    def killed(folder):
        threading.Thread(target=clock, args=(folder,), daemon=True).start()
        work(folder)
        die()  # the clock was too slow: still before the step is whole
    return run_step(self, step, killed if step == victim else work)

steps.Steps.run = deadly
if victim == "before-the-rename":
    replace = Path.replace
    Path.replace = lambda self, target: die() if Path(target) == out else replace(self, target)
if victim == "before-the-manifest":
    runs.Run.write = lambda self, path, status="done": die()
build_ehrxqa(out, sources_of(hospital), small("test"), quiet=True, force=True)
"""
STEPS = (
    "films", "boxes", "statements", "patients", "admissions", "transfers", "d_items", "labevents", "prescriptions",
    "microbiologyevents", "chosen_films", "labels", "cohort", "chartevents", "d_icd_diagnoses_table", "labevents_table",
    "prescriptions_table", "chartevents_table", "inputevents_table", "cost_table", "database",
)  # fmt: skip
PUBLISHING = ("before-the-rename", "before-the-manifest")
POINTS = 20


def points() -> list[tuple[str, float]]:
    """Twenty seeded points: a step (or the publishing) and how long after its begin."""
    draws = random.Random(20)
    return [(step, draws.choice((0.0, 0.001, 0.01, 0.03))) for step in (*draws.sample(STEPS, POINTS - 2), *PUBLISHING)]


def kill_and_go_on(
    point: tuple[str, float], hospital: Path, older: Path, expected: dict[str, str], folder: Path
) -> None:
    step, delay = point
    out = folder / "out.sqlite"
    shutil.copy(older, out)
    before = database_digest(out)
    assert before != expected
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(hospital), str(out), step, str(delay)],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    work = work_folder(out)
    if step in PUBLISHING:
        assert (work / "database" / DONE).is_file()  # all steps are whole; the publishing is not
    else:
        assert any((work / f"{step}.partial").iterdir()) and not (work / step).exists()  # half a step
    assert database_digest(out) == (expected if step == "before-the-manifest" else before)
    finished = [each.name for each in work.iterdir() if (each / DONE).is_file()]
    touched = {name: (work / name / DONE).stat().st_mtime_ns for name in finished}
    reused = build_again(hospital, out, touched)
    assert reused == set(finished)
    assert database_digest(out) == expected
    assert json.loads(manifest_path(out).read_text("utf-8"))["outputs"][0]["digest"] == expected
    assert not work.exists() and [each for each in folder.iterdir() if ".partial" in each.name] == []


def build_again(hospital: Path, out: Path, touched: dict[str, int]) -> set[str]:
    """Build to the end; which of the finished steps were taken as they were."""
    from chartsight.records.ehrxqa import build, steps

    taken: set[str] = set()
    run_step = steps.Steps.run

    def watched(self: steps.Steps, step: str, work: Callable[[Path], steps.Facts | None]) -> steps.Facts:
        facts = run_step(self, step, work)
        if step in touched and (self.folder / step / DONE).stat().st_mtime_ns == touched[step]:
            taken.add(step)
        return facts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.Steps, "run", watched)
        build.build_ehrxqa(out, sources_of(hospital), small("test"), quiet=True, force=True)
    return taken


FAST = [*points()[:2], points()[-1]]
assert len({step for step, _ in points()}) == POINTS


@pytest.mark.parametrize("point", FAST, ids=[step for step, _ in FAST])
def test_a_killed_build_goes_on(point: tuple[str, float], drawn: Path, databases: Database, tmp_path: Path) -> None:
    older, expected = databases("rough", "test"), database_digest(databases("drawn", "test"))
    kill_and_go_on(point, drawn, older, expected, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("point", points(), ids=[step for step, _ in points()])
def test_twenty_killed_builds(point: tuple[str, float], drawn: Path, databases: Database, tmp_path: Path) -> None:
    older, expected = databases("rough", "test"), database_digest(databases("drawn", "test"))
    kill_and_go_on(point, drawn, older, expected, tmp_path)


def test_steps_of_other_input_are_forgotten(drawn: Path, databases: Database, tmp_path: Path) -> None:
    out = tmp_path / "out.sqlite"
    work = work_folder(out)
    (work / "labels").mkdir(parents=True)
    (work / "labels" / DONE).write_text("{}")
    (work / "inputs.json").write_text("{}")
    build_ehrxqa(out, sources_of(drawn), small("test"), quiet=True)
    assert database_digest(out) == database_digest(databases("drawn", "test"))


def test_one_run_at_a_time(drawn: Path, tmp_path: Path) -> None:
    import fcntl

    from chartsight.errors import OutputError

    out = tmp_path / "out.sqlite"
    work_folder(out).mkdir()
    with (work_folder(out) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another run is building it"):
            build_ehrxqa(out, sources_of(drawn), small("test"), quiet=True)
