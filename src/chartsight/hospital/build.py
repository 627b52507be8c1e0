"""A whole hospital in a folder: tables, films, reports, labels, scene graphs and the truth."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from chartsight.errors import RecipeError
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.cxr import Reading, film_path, write_cxr_tables, write_jpeg, write_reports
from chartsight.hospital.film_request import Film, FilmRequest
from chartsight.hospital.imagenome import write_imagenome
from chartsight.hospital.patients import Patient, plan_patients
from chartsight.hospital.reports import with_label_noise, write_report
from chartsight.hospital.tables import build_tables, write_tables
from chartsight.hospital.truth import write_truth
from chartsight.progress import track
from chartsight.runs import Run, new_output

FILMS_A_TASK = 4  # rendered by one process before it reports; small, so that the bar moves


@dataclass(frozen=True)
class FilmTask:
    """One film to render and where to put it."""

    request: FilmRequest
    path: Path
    jpeg_quality: int


def build_hospital(
    out: Path, config: HospitalConfig, *, workers: int | None = None, quiet: bool = False, force: bool = False
) -> Run:
    """A synthetic hospital at `out`, in the layouts of MIMIC-IV, MIMIC-CXR-JPG and Chest ImaGenome; its manifest.

        run = build_hospital(Path("hospital"), HospitalConfig(patients=200, seed=7))

    Args:
        out: A folder that does not exist yet.
        config: What to build. The same config gives the same bytes, whatever `workers`.
        workers: Processes that render films; None for one a core. More than one needs a script that can be imported
            again: call this under ``if __name__ == "__main__":``, as for any of Python's process pools.
        quiet: No progress bar.
        force: Replace `out` when it exists.

    Raises:
        OutputError: `out` exists, its parent is no folder, or the disk is full. Nothing is left behind.
        RecipeError: The style is unknown, or `workers` is not positive.
    """
    check_style(config.style)
    if workers is not None and workers < 1:
        raise RecipeError("out-of-range", "workers", str(workers), "1 or more")
    run = Run("hospital", config.as_dict(), seed=config.seed, terms="synthetic", pairing="synthetic")
    with new_output(Path(out), replace=force) as folder:
        folder.mkdir()
        patients = plan_patients(config)
        rows = build_tables(patients, config.seed)
        write_tables(folder / "mimic-iv", rows)
        readings = [read_study(patient, nth, config) for patient in patients for nth in range(len(patient.studies))]
        films = render_films(folder / "mimic-cxr-jpg", readings, config, workers=workers, quiet=quiet)
        write_cxr_tables(folder / "mimic-cxr-jpg", readings, config.film_size_px)
        write_reports(folder / "mimic-cxr-reports", readings)
        boxes = {dicom_id: film.boxes for dicom_id, film in films.items()}
        write_imagenome(folder / "chest-imagenome", readings, boxes, config.film_size_px)
        truth_count = write_truth(folder / "truth.parquet", readings, films, config.style)
        run.kept = {**rows.counts(), "films": len(films), "truth": truth_count}
        run.write(folder)
    return run


def check_style(style: str) -> None:
    """Raise RecipeError unless the renderer knows the style."""
    from chartsight.hospital.styles import STYLES

    if style not in STYLES:
        raise RecipeError("unknown-style", "style", repr(style), "one of " + ", ".join(sorted(STYLES)))


def read_study(patient: Patient, nth: int, config: HospitalConfig) -> Reading:
    """The `nth` study of a patient with its report, as written and as labelled."""
    report = write_report(patient, patient.studies[nth], config)
    return Reading(patient, patient.studies[nth], report, with_label_noise(report, config))


def render_films(
    folder: Path, readings: Sequence[Reading], config: HospitalConfig, *, workers: int | None, quiet: bool
) -> Mapping[str, Film]:
    """Every film, written below `folder`; dicom_id → what is true of it (without its pixels)."""
    tasks = [
        FilmTask(
            each.patient.film_request(each.study, config),
            folder / film_path(each.patient, each.study),
            config.jpeg_quality,
        )
        for each in readings
    ]
    processes = min(workers or usable_cores(), len(tasks))
    rendered = track(map_tasks(tasks, processes), "rendering films", total=len(tasks), quiet=quiet)
    return {each.study.dicom_id: film for each, film in zip(readings, rendered, strict=True)}


def map_tasks(tasks: Sequence[FilmTask], processes: int) -> Iterator[Film]:
    """Films in the order of the tasks, from this process or from several."""
    if processes <= 1:
        yield from map(render_task, tasks)
        return
    # spawn: forking a process that already runs threads (Arrow, BLAS) may hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(render_task, tasks, chunksize=FILMS_A_TASK)


def render_task(task: FilmTask) -> Film:
    """One film written; returned without pixels, which are in the file."""
    from chartsight.hospital.render import render_film

    film = render_film(task.request)
    write_jpeg(task.path, film.pixels.astype(np.uint8), task.jpeg_quality)
    bare = tuple(None if mark is None else replace(mark, mask=np.zeros((0, 0), np.bool_)) for mark in film.marks)
    return replace(film, pixels=np.zeros((0, 0), np.uint8), marks=bare)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
