"""EHRXQA's database at 10, 50 and 250 times the size of the MIMIC-IV demo: time and memory, the published way and ours.

    python benchmarks/ehrxqa_scale.py CLONE --python ENVIRONMENT/bin/python --work FOLDER --write docs/performance.md

CLONE and ENVIRONMENT are yours, as in `ehrxqa_parity.py`. Source folders are drawn (`ehrxqa_multiples.py`; 22 GB at 250
times) and removed again. Both builders read the same plain files and are kept on one core; what counts is the processor
time of the whole tree of processes and the most memory that the tree held. The published builder is ended at a limit of
time or memory, and the page says so. What was measured stays in the work folder: the same command goes on from there.

The exit code is 3 when ours is not `LEAST_FASTER` times faster at 50 times, or its memory grows beyond `MOST_GROWTH`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from benchmarks.ehrxqa_multiples import DEMO_ROWS, Multiple, multiply, times_the_demo
from benchmarks.ehrxqa_parity import BUILDER_ENVIRONMENT, builder_commit, builder_scripts, count_gold, prepare_builder
from rich.console import Console

from chartsight.errors import ChartsightError, GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records.ehrxqa.config import EhrxqaConfig, published_config
from chartsight.runs import package_versions, write_json

SECTION = Section("ehrxqa-scale")
HOSPITAL = HospitalConfig(patients=180, seed=7, film_size_px=64)  # 270 admissions or so, as the demo has
PATIENTS, STAYING = 400, 40  # of the database, at every size
HELD_OUT = 600  # silver patients whose films are labelled, at every size
EVERY_S = 0.1
LEAST_FASTER, MOST_GROWTH = 20.0, 1.25
GIB = 2**30
ENDED_WELL = "to its end"
TIMES = (10, 50, 250)
GATE_TIMES = 50


@dataclass
class Use:
    """What a step took.

    Args:
        cpu_s: Processor seconds.
        peak_gib: Most memory at any moment.
    """

    cpu_s: float = 0.0
    peak_gib: float = 0.0


@dataclass(frozen=True)
class Watched:
    """What a program took, with all its processes.

    Args:
        wall_s: By the clock.
        cpu_s: Processor seconds, user and system.
        peak_gib: Most resident memory.
        ended: `to its end`, or why not.
        steps: Of the program, in their order.
    """

    wall_s: float
    cpu_s: float
    peak_gib: float
    ended: str
    steps: dict[str, Use] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """It ran to its end."""
        return self.ended == ENDED_WELL


@dataclass(frozen=True)
class Limits:
    """Where a program is ended.

    Args:
        wall_s: Seconds by the clock.
        memory_gib: Of all its processes.
    """

    wall_s: float
    memory_gib: float


# ------------------------------------------------------------------------------------------------------------- watching


def watch(
    command: Sequence[str], limits: Limits, *, folder: Path, log: Path, current_step: Callable[[], str],
    environment: Mapping[str, str] | None = None,
) -> Watched:  # fmt: skip
    """Run a program and see what it takes, looking ten times a second.

    Args:
        command: Program and arguments.
        limits: Beyond which it is killed.
        folder: That it runs in.
        log: What it says.
        current_step: The step that it is at; empty between steps.
        environment: Besides this process's own.
    """
    began = time.perf_counter()
    steps: dict[str, Use] = {}
    cpu_of: dict[int, float] = {}
    peak = last = 0.0
    ended = ""
    with log.open("w") as said:
        program = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        while True:
            pid, status, usage = os.wait4(program.pid, os.WNOHANG)
            memory = 0.0
            for process in tree(program.pid):
                try:
                    times = process.cpu_times()
                    cpu_of[process.pid] = times.user + times.system
                    memory += process.memory_info().rss / GIB
                except psutil.Error:
                    continue
            step = steps.setdefault(current_step(), Use())
            cpu = usage.ru_utime + usage.ru_stime if pid else sum(cpu_of.values())
            step.cpu_s += max(0.0, cpu - last)
            step.peak_gib = max(step.peak_gib, memory)
            last, peak = max(last, cpu), max(peak, memory)
            if pid:
                program.returncode = os.waitstatus_to_exitcode(status)
                break
            wall = time.perf_counter() - began
            if not ended and wall > limits.wall_s:
                ended = f"stopped after {limits.wall_s / 60:.0f} minutes"
            if not ended and memory > limits.memory_gib:
                ended = f"killed at {limits.memory_gib:g} GiB after {wall / 60:.0f} minutes"
            if ended:
                os.killpg(program.pid, signal.SIGKILL)
            time.sleep(EVERY_S)
    wall = time.perf_counter() - began
    if not ended:
        ended = ENDED_WELL if program.returncode == 0 else f"failed ({last_line(log)})"
    return Watched(wall, last, peak, ended, steps)


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it; none when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def last_line(log: Path) -> str:
    """Of what a program said."""
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "without a word"


def one_after_another(parts: Mapping[str, Watched]) -> Watched:
    """Programs of which each goes on from the one before, as one with a step each."""
    runs = list(parts.values())
    return Watched(
        sum(run.wall_s for run in runs), sum(run.cpu_s for run in runs), max(run.peak_gib for run in runs),
        runs[-1].ended, {name: Use(run.cpu_s, run.peak_gib) for name, run in parts.items()},
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- builders


def database_config(times: int) -> EhrxqaConfig:
    """The published constants, but for a cohort that is equally large at every size."""
    silver = times * HOSPITAL.patients
    return published_config(
        "train", patients=PATIENTS, staying=STAYING, valid_share=round(min(0.9, HELD_OUT / silver), 5)
    )


def watch_ours(sources: Path, work: Path, config: EhrxqaConfig, limits: Limits) -> Watched:
    """`chartsight records build-ehrxqa` on these folders, its memory limit as it comes."""
    out = work / "ours.sqlite"
    steps = work / f".{out.name}.work"

    def current_step() -> str:
        try:
            return next((path.stem for path in steps.glob("*.partial")), "")
        except OSError:
            return ""

    command = [
        sys.executable, "-m", "chartsight", "records", "build-ehrxqa", str(out), "--split", config.split,
        "--mimiciv", str(sources / "mimic-iv"), "--mimic-cxr-jpg", str(sources / "mimic-cxr-jpg"),
        "--chest-imagenome", str(sources / "chest-imagenome"), "--patients", str(config.patients),
        "--staying", str(config.staying), "--valid-share", str(config.valid_share), "--quiet",
    ]  # fmt: skip
    return watch(command, limits, folder=work, log=work / "ours.log", current_step=current_step)


def watch_published(
    sources: Path, work: Path, config: EhrxqaConfig, limits: Limits, builder: Path, python: Path
) -> Watched:
    """The published builder's three scripts on these folders; the limit of time is for all of them."""
    folder = work / "published"
    prepare_builder(builder, folder, count_gold(sources), config)
    done: dict[str, Watched] = {}
    left = limits.wall_s
    for script, arguments in builder_scripts(sources, config):
        command = [str(python), str(folder / "dataset_builder" / script), *arguments]
        done[script] = watch(
            command, Limits(left, limits.memory_gib), folder=folder, log=work / f"{script}.log",
            current_step=lambda script=script: script, environment=BUILDER_ENVIRONMENT,  # type: ignore[misc]
        )  # fmt: skip
        left -= done[script].wall_s
        if not done[script].is_whole:
            break
    return one_after_another(done)
