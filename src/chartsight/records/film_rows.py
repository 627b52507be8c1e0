"""What every source of films needs: the root of its paths, its films probed, label rows, and one film a study."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from chartsight.errors import FilmError
from chartsight.imaging.pixels import FilmHeader, probe_film
from chartsight.progress import track
from chartsight.records.sql import insert_rows, scalar
from chartsight.schema import FRONTAL_VIEWS, LABEL_STATES, Category

STATE_STRENGTH: Mapping[str, int] = {"absent": 0, "uncertain": 1, "present": 2}  # two statements: the stronger stays
assert STATE_STRENGTH.keys() == set(LABEL_STATES)


def add_root(connection: duckdb.DuckDBPyConnection, folder: Path) -> int:
    """The root_id of a folder that films stand below."""
    root_id = int(scalar(connection, "SELECT coalesce(max(root_id), 0) + 1 FROM film_roots"))
    insert_rows(connection, "film_roots", [(root_id, folder.resolve().as_posix())])
    return root_id


def probe_films(paths: Iterable[Path], total: int, *, quiet: bool) -> Iterator[FilmHeader | FilmError]:
    """The header of each film, or why it cannot be read, in the order of `paths`."""

    def probe(path: Path) -> FilmHeader | FilmError:
        try:
            return probe_film(path)
        except FilmError as error:
            return error

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(2 * cores) as pool:  # it waits for the disk as much as it hashes
        yield from track(pool.map(probe, paths), "films", total=total, quiet=quiet)


def is_frontal(view_position: str | None) -> bool:
    """Whether a film may be asked frontal questions: AP, PA, or a source that names no view at all.

    A folder whose CSV has no view is its owner's choice of films; MIMIC-CXR's blank views are not and are passed as "".
    """
    return view_position is None or view_position.upper().split(" ")[0] in (*FRONTAL_VIEWS, "FRONTAL")


def build_tb_cxr(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill tb_cxr: one frontal film a study (the earliest, then the lowest id), with the admission that holds its time.

    hadm_id is null when the study lies in no admission or its time is unknown; an admission without an end goes on.
    Source: EHRXQA, preprocess_db_mimic_iv_cxr.py, which asks `transfers`; admissions hold the same days.
    """
    connection.execute(
        """INSERT INTO tb_cxr
           WITH chosen AS (
               SELECT * FROM films WHERE is_frontal
               QUALIFY row_number() OVER (PARTITION BY study_id ORDER BY studydatetime NULLS LAST, image_id) = 1
           ), placed AS (
               SELECT chosen.*, admissions.hadm_id FROM chosen LEFT JOIN admissions
                   ON chosen.subject_id = admissions.subject_id AND chosen.studydatetime >= admissions.admittime
                   AND (chosen.studydatetime <= admissions.dischtime OR admissions.dischtime IS NULL)
               QUALIFY row_number() OVER (PARTITION BY study_id ORDER BY admittime DESC NULLS LAST, hadm_id) = 1
           )
           SELECT row_number() OVER (ORDER BY subject_id, studydatetime NULLS LAST, study_id) AS row_id,
               subject_id, hadm_id, study_id, image_id, view_position, studydatetime
           FROM placed ORDER BY row_id"""
    )


def label_rows(
    study_id: int,
    image_id: str | None,
    source: str,
    states: Mapping[tuple[str, str], str],
    categories: Mapping[str, Category],
) -> list[tuple[Any, ...]]:
    """Rows of `labels` from (object, attribute) → state, sorted."""
    return [
        (study_id, image_id, where, attribute, categories[attribute], state, source)
        for (where, attribute), state in sorted(states.items())
    ]
