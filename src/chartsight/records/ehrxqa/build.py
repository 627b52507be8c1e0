"""Source files to EHRXQA's database: steps that stay when a run is ended, then one file that appears at once.

    chartsight records build-ehrxqa train.sqlite --split train --mimiciv DIR --mimic-cxr-jpg DIR --chest-imagenome DIR

The values of the tables are permuted (pairing `ehrxqa-shuffled`): they belong to no patient, and nothing clinical can
be read from them.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from chartsight import __version__
from chartsight.errors import OutputError, RecordError
from chartsight.processes import usable_cores
from chartsight.progress import track
from chartsight.records.ehrxqa.config import EhrxqaConfig, EhrxqaSources
from chartsight.records.ehrxqa.files import SOURCES, find_files
from chartsight.records.ehrxqa.order import steps_in_order
from chartsight.records.ehrxqa.steps import DATABASE, Steps, open_steps, work_folder
from chartsight.records.ehrxqa.workers import Job, run_steps
from chartsight.records.sources import MOST_MEMORY_GIB, detect_terms
from chartsight.runs import (
    Run,
    check_apart,
    check_place,
    check_replaceable,
    make_folder,
    remove,
    removed_on_failure,
)
from chartsight.schema import strictest_terms

LEAST_MEMORY_GIB = 0.5  # a worker
USUAL_WORKERS, MOST_WORKERS = 2, 16  # two have as much to do as the longest file takes; more help little


def build_ehrxqa(
    out: Path,
    sources: EhrxqaSources,
    config: EhrxqaConfig,
    *,
    memory_limit_gib: float = 4.0,
    workers: int | None = 1,
    force: bool = False,
    quiet: bool = False,
) -> Run:
    """Build EHRXQA's database at `out` and return its run (also written as `out` + `.run.json`).

    A run that is ended leaves `out` as it was and its finished steps in a hidden folder beside it; the same call goes
    on from there. The steps go when the database is there.

    Args:
        out: The SQLite file to appear.
        sources: The three folders.
        config: The split and the published constants.
        memory_limit_gib: For everything; half of it is DuckDB's, which spills into the folder of steps beyond it.
        workers: Processes that do steps side by side; 1 does them in this process, None takes `usual_workers`.
        force: Replace an existing database.
        quiet: Draw no progress.

    Raises:
        RecordError: A source is missing, of another release, or malformed; or the memory limit is too low, or
            `workers` out of range; or a worker was killed.
        OutputError: `out` exists, another run is at work on it, or the disk is full.
    """
    out = Path(out)
    config.check()
    if not LEAST_MEMORY_GIB <= memory_limit_gib <= MOST_MEMORY_GIB:  # also refuses nan
        expected = f"{LEAST_MEMORY_GIB} to {MOST_MEMORY_GIB:,}"
        raise RecordError("bad-memory", "memory_limit", f"{memory_limit_gib:g} GiB", expected)
    workers = usual_workers(memory_limit_gib) if workers is None else workers
    if not 1 <= workers <= MOST_WORKERS:
        raise RecordError("out-of-range", "workers", str(workers), f"1 to {MOST_WORKERS}")
    if memory_limit_gib < workers * LEAST_MEMORY_GIB:
        raise RecordError(
            "bad-memory", "memory_limit", f"{memory_limit_gib:g} GiB for {workers} workers",
            f"{workers * LEAST_MEMORY_GIB:g} or more", "lower --workers",
        )  # fmt: skip
    check_replaceable(out)
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, or nothing", "choose another name")
    check_apart(out, *sources.folders().values())
    finished = work_folder(out) / "database"
    if os.path.lexists(out) and not force and not finished.is_dir():
        raise OutputError("output-exists", out, "exists already", hint="choose another name or pass --force")
    found = find_files(sources)
    make_folder(out.parent)
    check_place(out)
    made_from = {"version": __version__, "config": asdict(config), "files": found.describe()}
    terms = strictest_terms([detect_terms(folder) for folder in sources.folders().values()])
    run = Run(
        "records build-ehrxqa", {**asdict(config), **asdict(sources)}, seed=0, terms=terms, pairing="ehrxqa-shuffled"
    )
    with open_steps(out, made_from) as steps:
        job = Job(steps.folder, found, config, memory_limit_gib / workers)
        for _ in track(run_steps(job, steps, workers), "steps", total=len(steps_in_order()), quiet=quiet):
            pass
        describe(run, steps)
        database = steps.path("database", DATABASE)
        published = steps.folder / "published"
        remove(published)
        # A second name for the finished file: the step stays whole until the manifest is written.
        os.link(database, published)
        published.replace(out)
        run.outputs.append({"path": str(out), **steps.facts("database")})
        with removed_on_failure(out):  # a database without its manifest is half an output
            run.write(out)
        remove(steps.folder)
    return run


def usual_workers(memory_limit_gib: float) -> int:
    """As many as there are cores for and memory, but no more than help."""
    return max(1, min(USUAL_WORKERS, usable_cores(), int(memory_limit_gib / LEAST_MEMORY_GIB)))


def describe(run: Run, steps: Steps) -> None:
    """Fill the manifest from the facts of the steps."""
    for name in SOURCES:
        facts = steps.facts(name)
        run.inputs.append({"path": facts["path"], "sha256": facts["sha256"], "rows": facts["rows"]})
    run.kept = dict(steps.facts("database")["tables"])
    notes = steps.facts("cohort")["notes"]
    run.dropped = {reason: count for reason, count in notes["dropped"].items() if count}
    run.kept |= notes["kept"]
