"""A whole hospital in a folder: tables, films, reports, labels, scene graphs and the truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import RecipeError
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.cxr import CxrFiles, Reading, film_path, study_films, write_jpeg, write_png
from chartsight.hospital.film_request import Film, FilmRequest
from chartsight.hospital.imagenome import ImagenomeFiles
from chartsight.hospital.imagenome_gold import GoldFiles
from chartsight.hospital.imagenome_semantics import write_semantics
from chartsight.hospital.masks import MASKS_SCHEMA, encode_mask, mask_rows
from chartsight.hospital.open_files import OpenFiles
from chartsight.hospital.parquet_files import ParquetFile
from chartsight.hospital.patients import Patient, Study, iterate_patients
from chartsight.hospital.reports import with_label_noise, write_report
from chartsight.hospital.tables import TableFiles
from chartsight.hospital.truth import (
    READINGS_SCHEMA,
    TECHNIQUES_SCHEMA,
    TRUTH_SCHEMA,
    reading_rows,
    technique_rows,
    truth_rows,
)
from chartsight.processes import drawing_pool, usable_cores
from chartsight.progress import track
from chartsight.runs import Run, new_output

PATIENTS_A_BLOCK = 50  # whose films and labels are in memory at a time
FILMS_A_TASK = 4  # drawn by one process before it reports; small, so that the bar moves
TASKS_AHEAD = 8  # a process, so that none waits while a block is written


@dataclass(frozen=True)
class FilmTask:
    """One film to draw and where to put it.

    Args:
        jpeg: The film in 8 bits.
        png: The film in 16 bits; None without.
    """

    request: FilmRequest
    jpeg: Path
    png: Path | None
    jpeg_quality: int


@dataclass(frozen=True)
class DrawnFilm:
    """What is true of a film, without its pixels, which are in the file.

    Args:
        film: Without pixels and masks.
        masks: Run lengths a planted finding; None where the view does not show it.
    """

    film: Film
    masks: tuple[NDArray[np.int32] | None, ...]


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
        total = None if quiet else sum(len(study_films(s)) for p in iterate_patients(config) for s in p.studies)
        tasks = (task for patient in iterate_patients(config) for task in film_tasks(patient, folder, config))
        processes = min(workers or usable_cores(), config.patients)
        # Closed before the folder of a failed build is removed: a process that still draws would make it again.
        with closing(draw_films(tasks, processes)) as films, HospitalFiles(folder, config) as files:
            drawn = track(films, "drawing films", total, quiet=quiet)
            for patients in in_blocks(iterate_patients(config)):
                names = [name for patient in patients for study in patient.studies for name, _ in study_films(study)]
                files.add(patients, dict(zip(names, islice(drawn, len(names)), strict=True)))
        run.kept = files.counts()
        run.write(folder)
    return run


class HospitalFiles(OpenFiles):
    """Everything in a hospital's folder but the films, growing block by block."""

    def __init__(self, folder: Path, config: HospitalConfig) -> None:
        super().__init__()
        self.config = config
        self.film_count = 0
        size = config.film_size_px
        with ExitStack() as stack:
            self.tables = stack.enter_context(TableFiles(folder / "mimic-iv", config.seed))
            self.cxr = stack.enter_context(CxrFiles(folder / "mimic-cxr-jpg", folder / "mimic-cxr-reports", size))
            self.imagenome = stack.enter_context(ImagenomeFiles(folder / "chest-imagenome", size))
            self.gold = stack.enter_context(GoldFiles(folder / "chest-imagenome", size))
            write_semantics(folder / "chest-imagenome" / "semantics")
            self.truth = stack.enter_context(ParquetFile(folder / "truth.parquet", TRUTH_SCHEMA))
            self.masks = stack.enter_context(ParquetFile(folder / "masks.parquet", MASKS_SCHEMA))
            self.readings = stack.enter_context(ParquetFile(folder / "readings.parquet", READINGS_SCHEMA))
            self.techniques = stack.enter_context(ParquetFile(folder / "techniques.parquet", TECHNIQUES_SCHEMA))
            self.stack = stack.pop_all()

    def add(self, patients: Sequence[Patient], drawn: Mapping[str, DrawnFilm]) -> None:
        """Append patients; `drawn` are their films by dicom_id."""
        readings = [read_study(patient, study, self.config) for patient in patients for study in patient.studies]
        films = {dicom_id: each.film for dicom_id, each in drawn.items()}
        self.film_count += len(films)
        for patient in patients:
            self.tables.add(patient)
        self.cxr.add(readings)
        boxes = {dicom_id: film.boxes for dicom_id, film in films.items()}
        self.imagenome.add(readings, boxes)
        self.gold.add(readings, boxes)
        self.truth.add([row for each in readings for row in truth_rows(each, films, self.config.style)])
        self.readings.add([row for each in readings for row in reading_rows(each, self.config.seed)])
        self.techniques.add([row for each in readings for row in technique_rows(each)])
        shown = [(name, each.study.findings) for each in readings for name, _ in study_films(each.study)]
        size = self.config.film_size_px
        self.masks.add([row for name, findings in shown for row in mask_rows(name, findings, drawn[name].masks, size)])

    def counts(self) -> dict[str, int]:
        """Rows by table, films, and rows of truth and masks."""
        return {
            **self.tables.counts, "films": self.film_count, "truth": self.truth.count, "masks": self.masks.count,
        }  # fmt: skip


def check_style(style: str) -> None:
    """Raise RecipeError unless the renderer knows the style."""
    from chartsight.hospital.styles import STYLE_NAMES

    if style not in STYLE_NAMES:
        raise RecipeError("unknown-style", "style", repr(style), "one of " + ", ".join(STYLE_NAMES))


def read_study(patient: Patient, study: Study, config: HospitalConfig) -> Reading:
    """A study of a patient with its report, as written and as labelled."""
    report = write_report(patient, study, config)
    return Reading(patient, study, report, with_label_noise(report, config))


def in_blocks(patients: Iterator[Patient]) -> Iterator[list[Patient]]:
    """The patients, `PATIENTS_A_BLOCK` at a time."""
    while block := list(islice(patients, PATIENTS_A_BLOCK)):
        yield block


def film_tasks(patient: Patient, folder: Path, config: HospitalConfig) -> Iterator[FilmTask]:
    """A task for each film of a patient, in the order of `study_films`."""
    for study in patient.studies:
        requests = (patient.film_request(study, config), patient.lateral_request(study, config))
        for (dicom_id, _), request in zip(study_films(study), requests, strict=False):
            assert request is not None
            jpeg = folder / "mimic-cxr-jpg" / film_path(patient, study, dicom_id)
            png = folder / "mimic-cxr-16bit" / film_path(patient, study, dicom_id, ".png")
            yield FilmTask(request, jpeg, png if config.bits == 16 else None, config.jpeg_quality)


def draw_films(tasks: Iterable[FilmTask], processes: int) -> Generator[DrawnFilm]:
    """Films in the order of the tasks, from this process or from several; tasks are taken a few ahead."""
    if processes <= 1:
        yield from map(draw_task, tasks)
        return
    remaining = iter(tasks)
    waiting: deque[Future[list[DrawnFilm]]] = deque()
    with drawing_pool(processes) as pool:
        while chunk := list(islice(remaining, FILMS_A_TASK)):
            waiting.append(pool.submit(draw_tasks, chunk))
            if len(waiting) > TASKS_AHEAD * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def draw_tasks(tasks: Sequence[FilmTask]) -> list[DrawnFilm]:
    """Several films written."""
    return [draw_task(task) for task in tasks]


def draw_task(task: FilmTask) -> DrawnFilm:
    """One film written."""
    from chartsight.hospital.render import render_film

    film = render_film(task.request)
    pixels: NDArray[np.unsignedinteger[Any]] = film.pixels
    if task.png is not None:
        write_png(task.png, pixels.astype(np.uint16))
        pixels = pixels // np.uint16(256)  # as the renderer reduces a film of 8 bits
    write_jpeg(task.jpeg, pixels.astype(np.uint8), task.jpeg_quality)
    bare = tuple(None if mark is None else replace(mark, mask=np.zeros((0, 0), np.bool_)) for mark in film.marks)
    masks = tuple(None if mark is None else encode_mask(mark.mask) for mark in film.marks)
    return DrawnFilm(replace(film, pixels=np.zeros((0, 0), np.uint8), marks=bare), masks)
