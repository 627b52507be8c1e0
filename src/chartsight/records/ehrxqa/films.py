"""Which films EHRXQA asks about: one frontal film a study, its place in the patient's sequence, and plausible boxes.

metadata ─▶ order of studies ─▶ one frontal film a study ─┬─▶ silver: 36 plausible boxes, not a gold patient
                                                          └─▶ gold: patients whose first film was labelled by hand
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.published_csv import parse_decimal
from chartsight.records.ehrxqa.staging import ROW, ROWS, parquet_rows, staged_rows
from chartsight.records.sql import literal, quoted
from chartsight.schema import FRONTAL_VIEWS

PLAIN_TIME = re.compile(r"([0-9]{1,6})(?:\.([0-9]{0,3}))?")
WIDTH = len("2180-05-06 21:30:14.531")
BOXES_A_FILM = 36
BOXES_AT_A_TIME, FILMS_AT_A_TIME = 2**17, 2**14
DIGITS_READ = 6  # of study_id, behind the three of the second
FILM_COLUMNS = {
    "image_id": pa.string(), "subject_id": pa.int64(), "study_id": pa.int64(), "view": pa.string(),
    "taken": pa.string(), "order": pa.int64(),
}  # fmt: skip
DEVIATIONS = 3  # of a box's width from the mean of its kind, beyond which the film is left out


class FilmRow(NamedTuple):
    """One film of the metadata.

    Args:
        image_id: dicom_id.
        view: AP, PA, LATERAL, ...; None where blank.
        taken: `2180-05-06 21:30:14.531`.
        order: Of its study among the patient's, from 1.
    """

    image_id: str
    subject_id: int
    study_id: int
    view: str | None
    taken: str
    order: int


def write_taken(folder: Path, where: object, out: Path) -> None:
    """Write every film of the metadata with the time at which it was taken, in the order of the file.

    Args:
        folder: Of the staged metadata.
        where: The file, for messages.
        out: Parquet, to be written: the columns of `FilmRow` but the order.

    Raises:
        RecordError: An identifier is missing, or a date or time is none.
    """
    number = 0
    schema = pa.schema([(name, kind) for name, kind in FILM_COLUMNS.items() if name != "order"])
    with pq.ParquetFile(folder / ROWS) as file, pq.ParquetWriter(out, schema) as writer:
        columns = ["dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate", "StudyTime"]
        for batch in file.iter_batches(FILMS_AT_A_TIME, columns=columns):
            images, subjects, studies, views, dates, times = (batch[name] for name in columns)
            taken = []
            rows = zip(*(column.to_pylist() for column in (images, subjects, studies, dates, times)), strict=True)
            for image, subject, study, date, time in rows:
                number += 1
                if image is None or subject is None or study is None:
                    raise RecordError("malformed-row", where, f"row {number:,}: an identifier is missing")
                taken.append(study_time(date, time, where, number))
            some = [images, subjects.cast(pa.int64()), studies.cast(pa.int64()), views, pa.array(taken, pa.string())]
            writer.write_batch(pa.record_batch(some, schema=schema))


def study_time(date: object, time: object, where: object, row: int) -> str:
    """`20180506`, `213014.531` → `2018-05-06 21:30:14.531`; times have no leading zeros: `4530.0` is 00:45:30.

    Raises:
        RecordError: They are no date and time; the row is named.
    """
    try:
        if date is None or time is None:
            raise ValueError
        plain = PLAIN_TIME.fullmatch(str(time))
        # With three decimals or fewer the reader's last bit is not seen.
        clock = f"{plain[1]:>06}.{plain[2] or '':<03}" if plain else f"{parse_decimal(str(time).strip()):010.3f}"
        day = str(int(float(str(date))))
        text = f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}"
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f") if len(text) != WIDTH else datetime.fromisoformat(text)
    except ValueError:
        raise RecordError("malformed-row", where, f"row {row:,}: StudyDate or StudyTime is none") from None
    return text


def order_films(connection: duckdb.DuckDBPyConnection, taken: Path, where: object) -> None:
    """Make the table `films`: those that `write_taken` wrote, with the place of their study in the patient's sequence.

    That is by its earliest film. Studies of the same millisecond stand by the first six digits of study_id, and share a
    place when those are equal: the builder writes the number behind the fraction of the second, of which nine digits
    are read.
    Source: EHRXQA, `preprocess_cohort.py`.

    Args:
        connection: Any.
        taken: Parquet.
        where: The file, for messages.

    Raises:
        RecordError: A study belongs to two patients.
    """
    rows = f"read_parquet({literal(taken)}, file_row_number=true)"
    studies = f"""SELECT study_id, min(subject_id) AS subject_id, max(subject_id) AS other, min({ROW}) AS row,
        min(taken) || rpad(CAST(study_id AS VARCHAR), {DIGITS_READ}, '0') AS key FROM {rows} GROUP BY study_id"""
    shared = connection.execute(
        f"SELECT study_id FROM ({studies}) WHERE subject_id <> other ORDER BY row LIMIT 1"
    ).fetchall()
    for (study,) in shared:
        raise RecordError("malformed-row", where, f"study {study} belongs to two patients", "one patient")
    connection.execute(
        f"""CREATE OR REPLACE TABLE films AS
            SELECT image_id, films.subject_id, study_id, view, taken, "order", {ROW} AS place
            FROM {rows} AS films JOIN (
                SELECT study_id, dense_rank() OVER (PARTITION BY subject_id ORDER BY key) AS "order" FROM ({studies})
            ) USING (study_id)"""
    )


def choose_frontal(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `frontal`: the earliest AP or PA film of each study, of those the one with the lowest id."""
    views = ", ".join(map(literal, FRONTAL_VIEWS))
    connection.execute(
        f"""CREATE OR REPLACE TABLE frontal AS SELECT * FROM films WHERE view IN ({views})
            QUALIFY row_number() OVER (PARTITION BY study_id ORDER BY taken, image_id, place) = 1"""
    )


def film_rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[FilmRow]:
    """Films of a query that has the columns of `FilmRow`."""
    columns = ", ".join(map(quoted, FILM_COLUMNS))
    return [FilmRow(*row) for row in connection.execute(f"SELECT {columns} FROM {query}").fetchall()]


def implausible_films(connection: duckdb.DuckDBPyConnection, boxes: Path, where: object) -> None:
    """Make the table `implausible`: films with boxes, but not all 36, or one far wider or narrower than its kind is.

    Means and deviations are over all films that have boxes; a film without any box is not among the implausible.
    Source: EHRXQA, `preprocess_cohort.py`.

    Raises:
        RecordError: There are other than 36 kinds of boxes.
    """
    widths: dict[str, list[NDArray[np.float64]]] = {}
    file = pq.ParquetFile(boxes / ROWS, read_dictionary=["bbox_name", "width"])
    for batch in file.iter_batches(BOXES_AT_A_TIME, columns=["bbox_name", "width"]):
        add_widths(widths, batch)
    if len(widths) != BOXES_A_FILM:
        raise RecordError("malformed-table", where, f"{len(widths)} kinds of boxes", f"{BOXES_A_FILM}")
    limits = [usual_widths(np.concatenate(parts)) for parts in widths.values()]
    connection.register(
        "usual_boxes",
        pa.table(
            {
                "bbox_name": pa.array(list(widths), pa.string()),
                "kind": pa.array(range(BOXES_A_FILM), pa.int32()),
                "low": pa.array([low for low, _ in limits], pa.float64()),
                "high": pa.array([high for _, high in limits], pa.float64()),
            }
        ),
    )
    connection.execute(
        f"""CREATE OR REPLACE TABLE implausible AS SELECT split_part(object_id, '_', 1) AS image_id
            FROM {parquet_rows(boxes)} JOIN usual_boxes USING (bbox_name)
            GROUP BY 1 HAVING bit_count(bit_or(1::BIGINT << kind)) <> {BOXES_A_FILM}
                OR bool_or(CAST(width AS DOUBLE) < low OR CAST(width AS DOUBLE) > high)"""
    )
    connection.unregister("usual_boxes")


def add_widths(widths: dict[str, list[NDArray[np.float64]]], batch: pa.RecordBatch) -> None:
    """Add the widths of some boxes to those of their kinds, in the order of the file; nan where there is none."""
    kinds, texts = batch["bbox_name"], batch["width"]
    numbers = np.array([float(text) for text in texts.dictionary.to_pylist()] + [np.nan])
    of_boxes = numbers[pc.fill_null(texts.indices, len(numbers) - 1).to_numpy()]
    names = [str(name) for name in kinds.dictionary.to_pylist()]
    codes = pc.fill_null(kinds.indices, len(names)).to_numpy()
    # Stable: the boxes of a kind stay in the order of the file.
    order = np.argsort(codes.astype(np.uint16), kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, first, last in sorted(zip(range(len(names)), ends, ends[1:], strict=False)):
        if last > first:
            widths.setdefault(names[code], []).append(of_boxes[order[first:last]].astype(np.float64))


def usual_widths(widths: NDArray[np.float64]) -> tuple[float, float]:
    """The narrowest and widest that a box of a kind may be; all where nothing can be said."""
    known = widths[~np.isnan(widths)]
    if len(known) < 2:
        return -np.inf, np.inf
    mean = known.sum() / len(known)
    deviation = np.sqrt(((mean - known) ** 2).sum() / (len(known) - 1))
    return float(mean - DEVIATIONS * deviation), float(mean + DEVIATIONS * deviation)


def gold_films(folder: Path, where: object) -> dict[str, int]:
    """image_id → subject_id of the films that were labelled by hand.

    Raises:
        RecordError: A row of the file `where` lacks one of them.
    """
    rows = staged_rows(folder, ("image_id", "patient_id"))
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise RecordError("malformed-row", where, f"row {number:,}: image_id or patient_id is missing")
    return {str(image).removesuffix(".dcm"): int(str(subject)) for image, subject in rows}


def silver_cohort(gold: Mapping[str, int], max_study_order: int) -> str:
    """SQL of films with labels read from reports: plausible boxes, early enough, no gold patient; by patient and order.

    It needs the tables `frontal` and `implausible`.
    """
    by_hand = ", ".join(map(str, sorted(set(gold.values())))) or "NULL"
    columns = ", ".join(map(quoted, FILM_COLUMNS))
    return f"""SELECT {columns} FROM frontal ANTI JOIN implausible USING (image_id)
        WHERE "order" <= {max_study_order} AND (subject_id IN ({by_hand})) IS NOT TRUE
        ORDER BY subject_id, "order", study_id"""


def gold_cohort(
    films: Sequence[FilmRow], frontal: Sequence[FilmRow], gold: Mapping[str, int], max_study_order: int, where: object
) -> list[FilmRow]:
    """Films of the gold patients: the hand-labelled ones as their first, and one a later study; by patient and order.

    Raises:
        RecordError: A gold patient's first study has no hand-labelled film.
    """
    gold_subjects = set(gold.values())
    mine = [film for film in frontal if film.order <= max_study_order and film.subject_id in gold_subjects]
    first = [film for film in films if film.image_id in gold]
    if len(first) != len(gold) or sum(film.order == 1 for film in mine) != len(first):
        raise RecordError(
            "contradictory-sources", where,
            f"{len(gold)} hand-labelled films, {len(first)} of them in the metadata, for "
            f"{sum(film.order == 1 for film in mine)} first studies",
            "one film for the first study of each gold patient",
        )  # fmt: skip
    kept = [*(film for film in mine if film.order != 1), *first]
    return sorted(kept, key=lambda film: (film.subject_id, film.order))
