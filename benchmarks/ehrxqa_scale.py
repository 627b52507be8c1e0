"""EHRXQA's database at 10, 50 and 250 times the size of the MIMIC-IV demo: time and memory, the published way and ours.

    python benchmarks/ehrxqa_scale.py CLONE --python ENVIRONMENT/bin/python --work FOLDER --write docs/performance.md
    python benchmarks/ehrxqa_scale.py --work FOLDER           # ours only, beside the published builder's stored figures

CLONE and ENVIRONMENT are yours, as in `ehrxqa_parity.py`; without them the published builder's figures are those of
`ehrxqa_published.json`, which `--store` writes, and the page says so. Source folders are drawn
(`ehrxqa_multiples.py`; 22 GB at 250 times) and removed again. All read the same plain files, which are in memory when
these fit, and have all cores; ours runs with one worker and with as many as it takes by itself. Measured are the
clock, the processor time of the whole tree of processes, and the most memory that the tree held. The published builder
is ended at a limit of time or memory, and the page says so. What was drawn and measured stays in the work folder: the
same command goes on from there.

The exit code is 3 when ours is not `LEAST_FASTER` times faster by the clock at 50 times, or its memory grows by more
than `MOST_GROWTH` from the smallest size to the largest.
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
from benchmarks.ehrxqa_multiples import multiply, times_the_demo
from benchmarks.ehrxqa_parity import (
    BUILDER_ENVIRONMENT,
    builder_commit,
    builder_scripts,
    compare_databases,
    count_gold,
    prepare_builder,
)
from rich.console import Console

from chartsight.errors import ChartsightError, GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records.ehrxqa.build import usual_workers
from chartsight.records.ehrxqa.config import EhrxqaConfig, published_config
from chartsight.runs import package_versions, write_json

SECTION = Section("ehrxqa-scale")
HOSPITAL = HospitalConfig(patients=180, seed=7, film_size_px=64)  # 270 admissions or so, as the demo has
PATIENTS, STAYING = 400, 40  # of the database, at every size
HELD_OUT = 600  # silver patients whose films are labelled, at every size
EVERY_S = 0.1
READ_BYTES = 2**22
KEPT_SHARE = 0.5  # of the memory: sources that are smaller are read through beforehand
USUAL_MEMORY_GIB = 4.0  # the limit as it comes
LEAST_FASTER, MOST_GROWTH = 20.0, 1.15
GIB = 2**30
ENDED_WELL = "to its end"
TIMES = (10, 50, 250)
GATE_TIMES = 50
MEASURED = "measured.json"
STORED = Path(__file__).with_name("ehrxqa_published.json")
OURS, SIDE_BY_SIDE, PUBLISHED = "ours", "ours side by side", "published"  # one worker, several, and the other builder
DATABASES = {
    OURS: "ours.sqlite", SIDE_BY_SIDE: "ours.sqlite",
    PUBLISHED: "published/database/mimic_iv_cxr/train/mimic_iv_cxr.db",
}  # fmt: skip
LEAST_SHOWN_S = 10.0  # of a step, in the table of the forecast
REAL_ROWS = {  # of MIMIC-IV 2.2, MIMIC-CXR-JPG 2.0.0 and Chest ImaGenome 1.0.0: 36 boxes a scene graph
    "chartevents": 313_645_063, "labevents": 118_171_367, "prescriptions": 15_416_708, "inputevents": 8_978_893,
    "diagnoses_icd": 4_756_326, "outputevents": 4_234_967, "microbiologyevents": 3_228_713, "transfers": 1_890_972,
    "procedures_icd": 669_186, "admissions": 431_231, "patients": 299_712, "icustays": 73_181, "films": 377_110,
    "boxes": 36 * 242_072,
}  # fmt: skip
GROWS_WITH = {  # steps whose name does not say it
    "chosen_films": "boxes", "labels": "statements", "cohort": "admissions", "chartevents_table": "cohort",
    "gold_statements": "cohort", "gold_boxes": "cohort", "film_labels": "cohort",
}  # fmt: skip


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


def watch_ours(sources: Path, work: Path, config: EhrxqaConfig, limits: Limits, workers: int) -> Watched:
    """`chartsight records build-ehrxqa` on these folders, its memory limit as it comes; steps only of one worker."""
    out = work / "ours.sqlite"
    steps = work / f".{out.name}.work"

    def current_step() -> str:
        if workers > 1:
            return ""
        try:
            return next((path.stem for path in steps.glob("*.partial")), "")
        except OSError:
            return ""

    command = [
        sys.executable, "-m", "chartsight", "records", "build-ehrxqa", str(out), "--split", config.split,
        "--mimiciv", str(sources / "mimic-iv"), "--mimic-cxr-jpg", str(sources / "mimic-cxr-jpg"),
        "--chest-imagenome", str(sources / "chest-imagenome"), "--patients", str(config.patients),
        "--staying", str(config.staying), "--valid-share", str(config.valid_share), "--quiet",
        "--workers", str(workers),
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


# ------------------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Measured:
    """One builder at one size.

    Args:
        times: The size of the demo.
        builder: `OURS`, `SIDE_BY_SIDE` or `PUBLISHED`.
        rows: Source → its rows.
        gigabytes: Of all files, plain.
        load: Of the machine, the mean of the minute before it began.
        day: On which.
        watched: What it took.
    """

    times: int
    builder: str
    rows: dict[str, int]
    gigabytes: float
    load: float
    day: str
    watched: Watched


def read_measured(path: Path) -> list[Measured]:
    """What an earlier run left."""
    found = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return [measured_from(each) for each in found]


def write_measured(path: Path, measured: Sequence[Measured]) -> None:
    """For the next run."""
    write_json(path, [asdict(each) for each in measured])


def measured_from(facts: Mapping[str, Any]) -> Measured:
    """One of them, from JSON."""
    watched = {**facts["watched"], "steps": {name: Use(**use) for name, use in facts["watched"]["steps"].items()}}
    return Measured(**{**facts, "watched": Watched(**watched)})


def measure_size(
    times: int,
    work: Path,
    builders: Mapping[str, Callable[[Path, Path, EhrxqaConfig], Watched]],
    known: Sequence[Measured],
) -> list[Measured]:
    """The builders at one size, those left out that are known; what is known afterwards is in the work folder.

    Args:
        times: The size of the demo.
        work: A folder for the sources, which go again, and what was measured, which stays.
        builders: Name → what runs it: on sources, in a folder, by a config.
        known: Of this and other sizes.
    """
    found = list(known)
    missing = [name for name in builders if (times, name) not in {(each.times, each.builder) for each in known}]
    if not missing:
        return found
    sources, rows = draw_sources(times, work)
    size = sum(path.stat().st_size for path in sources.rglob("*") if path.is_file())
    for name in missing:
        folder = database_of(work, name, times).with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if size < KEPT_SHARE * psutil.virtual_memory().total:
            read_through(sources)
        began = os.getloadavg()[0]
        watched = builders[name](sources, folder, database_config(times))
        day = datetime.now(UTC).date().isoformat()
        found.append(Measured(times, name, rows, round(size / 1e9, 2), round(began, 1), day, watched))
        write_measured(work / MEASURED, found)
        if watched.is_whole:
            (folder / DATABASES[name]).replace(database_of(work, name, times))
            shutil.rmtree(folder)
    shutil.rmtree(sources)
    drawn_mark(sources).unlink()
    return found


def draw_sources(times: int, work: Path) -> tuple[Path, dict[str, int]]:
    """The source folders at a size, drawn unless they are there, and their rows."""
    hospital, sources = work / "hospital", work / f"sources-{times}"
    mark = drawn_mark(sources)
    if not mark.is_file():
        if not hospital.is_dir():
            build_hospital(hospital, HOSPITAL, workers=1, quiet=True)
        shutil.rmtree(sources, ignore_errors=True)
        write_json(mark, multiply(hospital, sources, times_the_demo(times)))
    rows: dict[str, int] = json.loads(mark.read_text("utf-8"))
    return sources, rows


def drawn_mark(sources: Path) -> Path:
    """The rows of sources that are whole."""
    return sources.with_name(f"{sources.name}.json")


def read_through(sources: Path) -> None:
    """Read all files, so that nobody waits for the disk."""
    for path in sources.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(READ_BYTES):
                    pass


def database_of(work: Path, builder: str, times: int) -> Path:
    """Where the database that a builder made stays."""
    return work / f"{builder.replace(' ', '-')}-{times}.sqlite"


def compare_sizes(work: Path, sizes: Sequence[int]) -> dict[int, list[str]]:
    """Sizes at which several made a database, and the tables that are not all the same, row by row."""
    found = {}
    for times in sizes:
        made = [path for name in DATABASES if (path := database_of(work, name, times)).is_file()]
        if len(made) > 1:
            pairs = [compare_databases(made[0], other) for other in made[1:]]
            found[times] = sorted({each.table for tables in pairs for each in tables if not each.is_equal})
    return found


@dataclass(frozen=True)
class StoredRun:
    """The published builder's figures of an earlier run.

    Args:
        commit: Of the clone.
        machine: In words.
        measured: Its sizes.
    """

    commit: str
    machine: str
    measured: list[Measured]


def read_stored(path: Path) -> StoredRun:
    """What `write_stored` wrote.

    Raises:
        ChartsightError: There is no such file.
    """
    if not path.is_file():
        raise ChartsightError("missing-source", path, "no such file", "a clone of the builder to run")
    facts = json.loads(path.read_text("utf-8"))
    return StoredRun(facts["commit"], facts["machine"], [measured_from(each) for each in facts["measured"]])


def write_stored(path: Path, stored: StoredRun) -> None:
    """Keep the figures for runs without a clone."""
    write_json(path, asdict(stored))


# ------------------------------------------------------------------------------------------------------------- forecast


@dataclass(frozen=True)
class Forecast:
    """What a step of ours would take on the real sources.

    Args:
        step: Its name.
        by: What it grows with: a source, or `cohort`.
        rows: Of that source, the real one; of the cohort its patients.
        cpu_s: Processor seconds.
        peak_gib: Most memory.
    """

    step: str
    by: str
    rows: int
    cpu_s: float
    peak_gib: float


def real_rows(rows: Mapping[str, int]) -> dict[str, int]:
    """Rows of the real sources; statements, whose number is not published, by film as in these ones."""
    return REAL_ROWS | {"statements": round(rows["statements"] / rows["boxes"] * REAL_ROWS["boxes"])}


def grows_with(step: str, rows: Mapping[str, int]) -> str:
    """The source whose rows a step goes through; `cohort` where it sees the cohort only."""
    if step in GROWS_WITH:
        return GROWS_WITH[step]
    source = step.removesuffix("_table")
    return source if source in rows and not source.startswith("d_") else "cohort"


def forecast(small: Measured, large: Measured) -> list[Forecast]:
    """Every step on the real sources: what it took at the larger size, and for more rows what it took more of there.

    Args:
        small: Ours at a smaller size.
        large: Ours at a larger one.
    """
    real = real_rows(large.rows)
    found = []
    for step, use in large.watched.steps.items():
        before = small.watched.steps.get(step, use)  # too short to be seen there: as if it did not grow
        by = grows_with(step, large.rows)
        if by == "cohort":
            patients = published_config("train").patients
            found.append(Forecast(step, by, patients, use.cpu_s * patients / PATIENTS, use.peak_gib))
            continue
        more = (real[by] - large.rows[by]) / (large.rows[by] - small.rows[by])
        cpu = use.cpu_s + more * max(0.0, use.cpu_s - before.cpu_s)
        peak = use.peak_gib + more * max(0.0, use.peak_gib - before.peak_gib)
        found.append(Forecast(step, by, real[by], cpu, peak))
    return found


# ----------------------------------------------------------------------------------------------------------------- page


def find(measured: Sequence[Measured], times: int, builder: str) -> Measured | None:
    """One builder at one size."""
    return next((each for each in measured if (each.times, each.builder) == (times, builder)), None)


def times_faster(ours: Measured | None, published: Measured | None, by: str) -> tuple[float, str]:
    """Seconds of the published builder over ours, and in words; a published run that was ended is a bound.

    Args:
        ours: With one worker or several.
        published: At the same size.
        by: `wall_s` or `cpu_s`.
    """
    if ours is None or published is None:
        return 0.0, "not run"
    ratio = getattr(published.watched, by) / getattr(ours.watched, by)
    return ratio, f"{ratio:.1f}" if published.watched.is_whole else f"more than {ratio:.1f}"


def fastest(measured: Sequence[Measured], times: int) -> Measured | None:
    """Ours as it comes: side by side where there are cores for it."""
    return find(measured, times, SIDE_BY_SIDE) or find(measured, times, OURS)


def render_scale(
    measured: Sequence[Measured], differing: Mapping[int, Sequence[str]], command: str, builder: str, machine: str
) -> str:
    """The section of the page.

    Args:
        measured: All that is shown.
        differing: Size at which the databases were compared → tables that are not the same.
        command: That measures so.
        builder: The published builder: its commit, and where its figures come from when they are stored ones.
        machine: In words.
    """
    version = package_versions()["chartsight"]
    days = " and ".join(sorted({each.day for each in measured if each.builder != PUBLISHED}))
    lines = [
        f"`{command}` on {days}, chartsight {version}, published builder at {builder}: {machine}.", "",
        "| times the demo | charted rows | lab rows | all rows | plain files | builder | clock | processor | memory |"
        " faster by the clock | by processor time |", f"|{'---:|' * 5}---|{'---:|' * 5}",
    ]  # fmt: skip
    for times in sorted({each.times for each in measured}):
        published = find(measured, times, PUBLISHED)
        for name in (PUBLISHED, OURS, SIDE_BY_SIDE):
            each = find(measured, times, name)
            if each is None:
                continue
            rows, is_ours = each.rows, name != PUBLISHED
            ratios = [times_faster(each, published, by)[1] if is_ours else "" for by in ("wall_s", "cpu_s")]
            lines.append(
                f"| {times} | {rows['chartevents']:,} | {rows['labevents']:,} | {sum(rows.values()):,} |"
                f" {each.gigabytes:.1f} GB | {name} | {cells(each)} | {' | '.join(ratios)} |"
            )
    lines += ["", *remarks(measured, differing)]
    ours = sorted((each for each in measured if each.builder == OURS), key=lambda each: each.times)
    if len(ours) > 1:
        lines += ["", *render_forecast(ours[-2], ours[-1])]
    return "\n".join(lines)


def cells(measured: Measured) -> str:
    """Clock, processor time and memory, as three cells of the table."""
    watched = measured.watched
    more = "" if watched.is_whole else ">"
    return f"{more}{watched.wall_s:,.1f} s | {more}{watched.cpu_s:,.1f} s | {watched.peak_gib:.2f} GiB"


def remarks(measured: Sequence[Measured], differing: Mapping[int, Sequence[str]]) -> list[str]:
    """What did not run to its end, whether the databases are the same, and how busy the machine was."""
    lines = [
        f"* {each.builder}, {each.times} times: {each.watched.ended}, at `{list(each.watched.steps)[-1]}`."
        for each in measured
        if not each.watched.is_whole
    ]
    lines += [
        f"* The databases at {size} times, row by row: {', '.join(tables) + ' differ' if tables else 'the same'}."
        for size, tables in differing.items()
    ]
    loads = [f"{each.builder} at {each.times}: {each.load:g}" for each in measured]
    lines.append(
        f"* All had {os.cpu_count()} cores, one after the other. Other work on the machine lengthens the clock, and a"
        f" little the processor time: its load, the mean of the minute before each began, was {', '.join(loads)}."
    )
    return lines


def render_forecast(small: Measured, large: Measured) -> list[str]:
    """Table and reasoning of the forecast; short steps are added up."""
    steps = forecast(small, large)
    shown = [each for each in steps if each.cpu_s >= LEAST_SHOWN_S]
    rest = sum(each.cpu_s for each in steps if each.cpu_s < LEAST_SHOWN_S)
    total, peak = sum(each.cpu_s for each in steps), max(each.peak_gib for each in steps)
    lines = [
        f"On the full MIMIC-IV 2.2, MIMIC-CXR-JPG and Chest ImaGenome ours would take about {total / 60:.0f} minutes of"
        f" processor time and {peak:.1f} GiB of memory a split: every step what it took at {large.times} times, and for"
        f" the rows beyond what it took for those between {small.times} and {large.times} times.", "",
        f"| step | grows with | real rows | {small.times} times | {large.times} times | forecast | memory then |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for each in shown:
        taken = [size.watched.steps.get(each.step, Use()).cpu_s for size in (small, large)]
        lines.append(
            f"| {each.step or 'start and end'} | {each.by} | {each.rows:,} | {taken[0]:.1f} s | {taken[1]:.1f} s |"
            f" {each.cpu_s:,.0f} s | {each.peak_gib:.2f} GiB |"
        )
    lines += [
        f"| all others | | | | | {rest:.0f} s | |",
        f"| **all** | | | | | **{total:,.0f} s** | **{peak:.2f} GiB** |",
    ]
    return lines


def check_all(measured: Sequence[Measured], differing: Mapping[int, Sequence[str]]) -> list[str]:
    """What is not as it has to be."""
    faults = [f"at {times} times {', '.join(tables)} differ" for times, tables in differing.items() if tables]
    ours, published = fastest(measured, GATE_TIMES), find(measured, GATE_TIMES, PUBLISHED)
    ratio, said = times_faster(ours, published, "wall_s")
    if ours is not None and published is not None and ratio < LEAST_FASTER:
        faults.append(f"{said} times faster at {GATE_TIMES} times, not {LEAST_FASTER:g}")
    for name in (OURS, SIDE_BY_SIDE):
        mine = sorted((each for each in measured if each.builder == name), key=lambda each: each.times)
        if mine and mine[-1].watched.peak_gib > MOST_GROWTH * mine[0].watched.peak_gib:
            growth = mine[-1].watched.peak_gib / mine[0].watched.peak_gib
            faults.append(f"memory of {name} grows {growth:.2f} times, not at most {MOST_GROWTH:g}")
        faults += [f"{name} at {each.times} times: {each.watched.ended}" for each in mine if not each.watched.is_whole]
    return faults


def parse_sizes(text: str, name: str) -> list[int]:
    """Sizes from `10,50`; none from an empty text.

    Raises:
        ChartsightError: One is no number from 1.
    """
    sizes = text.split(",") if text else []
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise ChartsightError("bad-option", name, text, "numbers such as 10,50,250")
    return sorted({int(size) for size in sizes})


def scale(
    builder: Annotated[
        Path | None, typer.Argument(help="Your clone of github.com/baeseongsu/ehrxqa; without, its stored figures.")
    ] = None,
    *,
    work: Annotated[Path, typer.Option(help="A folder with 30 GB left; what was measured stays there.")],
    python: Annotated[
        Path | None, typer.Option(help="A Python with the packages that the clone's README names.")
    ] = None,
    times: Annotated[str, typer.Option(help="Sizes, in times the demo.")] = ",".join(map(str, TIMES)),
    published_times: Annotated[str, typer.Option(help="Of these, where the published builder runs too.")] = ",".join(
        map(str, TIMES)
    ),
    limit_minutes: Annotated[float, typer.Option(help="By the clock, after which a builder is ended.")] = 180,
    limit_gib: Annotated[float, typer.Option(help="Of memory, beyond which a builder is ended.")] = 16,
    store: Annotated[
        bool, typer.Option("--store", help="Keep the published builder's figures for runs without.")
    ] = False,
    write: Annotated[Path | None, typer.Option(help="The page whose section is filled: docs/performance.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured as JSON.")] = False,
) -> None:
    """Time and memory of EHRXQA's database as it grows, the published way and ours."""
    sizes = parse_sizes(times, "--times")
    both = parse_sizes(published_times, "--published-times") if builder is not None else []
    if builder is not None and (python is None or not python.is_file()):
        raise ChartsightError("missing-source", python or "--python", "no such file", "the builder's own Python")
    stored = read_stored(STORED) if builder is None else None
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    limits = Limits(limit_minutes * 60, limit_gib)
    machine = describe_machine()
    runs: dict[str, Callable[[Path, Path, EhrxqaConfig], Watched]] = {
        OURS: lambda sources, folder, config: watch_ours(sources, folder, config, limits, 1)
    }
    workers = usual_workers(USUAL_MEMORY_GIB)
    if workers > 1:
        runs[SIDE_BY_SIDE] = lambda sources, folder, config: watch_ours(sources, folder, config, limits, workers)

    def run_published(sources: Path, folder: Path, config: EhrxqaConfig) -> Watched:
        assert builder is not None and python is not None
        # The virtual environment is found by the name that it was called by: the link is not followed.
        return watch_published(sources, folder, config, limits, builder.resolve(), python.absolute())

    measured = read_measured(work / MEASURED)
    for size in sizes:
        measured = measure_size(size, work, runs | ({PUBLISHED: run_published} if size in both else {}), measured)
    command = "python benchmarks/ehrxqa_scale.py"
    if builder is not None:
        command += f" {builder.name} --python ..."
    command += " --work ..."
    if sizes != list(TIMES):
        command += f" --times {times}"
    if builder is not None and both != list(TIMES):
        command += f" --published-times {published_times}"
    command += f" --limit-minutes {limit_minutes:g} --limit-gib {limit_gib:g}"
    shown = [each for each in measured if each.times in sizes and (each.builder != PUBLISHED or builder is not None)]
    if stored is not None:
        shown += [each for each in stored.measured if each.times in sizes]
        days = " and ".join(sorted({each.day for each in stored.measured}))
        commit = f"{stored.commit} (stored figures of {days}, measured on {stored.machine})"
    else:
        assert builder is not None
        commit = builder_commit(builder)
        if store:
            write_stored(STORED, StoredRun(commit, machine, [each for each in shown if each.builder == PUBLISHED]))
    differing = compare_sizes(work, sizes)
    text = render_scale(shown, differing, command, commit, machine)
    if write is not None:
        SECTION.write(write, text)
    if as_json:
        print(json.dumps([asdict(each) for each in shown], indent=2))
    else:
        Console(width=200).print(text, markup=False)
    faults = check_all(shown, differing)
    if faults:
        raise GateError("scale", "ehrxqa-scale", "; ".join(faults))


if __name__ == "__main__":
    run_alone(scale)
