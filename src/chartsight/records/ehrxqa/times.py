"""EHRXQA's times: an offset a patient, what falls out of the window, and study times that change places.

Times are text of the form `2105-12-31 23:59:00` or None; numpy counts them in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.config import TIME_FORMAT

Times = NDArray[np.datetime64]
WIDTH = 19  # of a time as text
MINUTES_A_YEAR = 365 * 24 * 60  # leap days are not counted


def parse_times(
    texts: Sequence[str | None] | pa.Array | pa.ChunkedArray, where: object, column: str,
    file_rows: pa.ChunkedArray | None = None,
) -> Times:  # fmt: skip
    """Times: datetime64[s] [rows], NaT where there is none.

    Args:
        texts: As they stand there.
        where: The file.
        column: That they stand in.
        file_rows: Their rows in the file, from 0; null or None where that is not known.

    Raises:
        RecordError: A text is no time; the row is named.
    """
    if not isinstance(texts, (pa.Array, pa.ChunkedArray)):
        texts = pa.array(texts, pa.string())
    try:
        if pc.all(pc.equal(pc.utf8_length(texts), WIDTH), min_count=0).as_py():
            times: Times = texts.cast(pa.timestamp("s")).to_numpy()
            return times.copy()
    except pa.ArrowInvalid:
        pass
    texts = texts.to_pylist()
    for row, text in enumerate(texts):
        try:
            if text is not None:
                datetime.strptime(text, TIME_FORMAT)
        except ValueError:
            place = None if file_rows is None else file_rows[row].as_py()
            said = f"row {row + 1:,} of those that are needed" if place is None else f"row {place + 1:,}"
            raise RecordError(
                "malformed-row",
                where,
                f"{said}: {column} is no time",
                "2180-05-06 07:00:00",
            ) from None
    whole = [None if text is None else str(datetime.strptime(text, TIME_FORMAT)) for text in texts]
    return np.array([text or "NaT" for text in whole], "datetime64[s]")


def time_texts(times: Times) -> list[str | None]:
    """The times as text."""
    texts: list[str | None] = texts_of_times(times).to_pylist()
    return texts


def texts_of_times(times: Times) -> pa.Array:
    """The times as text, null where there is none."""
    return pa.array(times.astype("datetime64[s]"), pa.timestamp("s")).cast(pa.string())


def shift(
    times: Times,
    subjects: Sequence[int] | NDArray[np.int64],
    offsets: Mapping[int, int],
    *,
    until: np.datetime64,
    since: np.datetime64 | None = None,
) -> Times:
    """The times moved by their patients' offsets; NaT after `until`, before `since`, and for patients without offset.

    Args:
        times: datetime64[s] [rows].
        subjects: The patient of each row.
        offsets: subject_id → minutes.
        until: Nothing later is kept.
        since: Nothing earlier is kept; None keeps it.
    """
    distinct, places = np.unique(np.asarray(subjects, np.int64), return_inverse=True)
    known = [offsets.get(subject) for subject in distinct.tolist()]
    minutes = np.array([minutes or 0 for minutes in known], "timedelta64[m]")[places]
    moved: Times = times + minutes.astype("timedelta64[s]")
    lost = np.array([minutes is None for minutes in known], np.bool_)[places] | (moved > until)
    if since is not None:
        lost |= moved < since
    moved[lost] = np.datetime64("NaT")
    return moved


def draw_offset(rng: np.random.Generator, start_year: int, time_span: int, year: int) -> int:
    """Minutes that move `year` to one of `time_span` + 1 years from `start_year`; later ones are likelier (1, 2, ...).

    Source: EHRXQA, `preprocess_db_utils.py`, `first_admit_year_sampler`.
    """
    years = np.arange(start_year, start_year + time_span + 1)
    weights = np.arange(1, time_span + 2)
    drawn = rng.choice(years, p=weights / weights.sum())
    return int(drawn - year) * MINUTES_A_YEAR


def staying_offsets(
    stays: Mapping[int, tuple[str, str]], staying: int, current_time: str, subjects: Sequence[int]
) -> dict[int, int]:
    """subject_id → minutes that put a random moment of the patient's last admission at `current_time`.

    Args:
        stays: subject_id → admittime and dischtime of the last admission.
        staying: How many patients.
        current_time: The moment.
        subjects: Whom to draw from, in their order.

    Raises:
        RecordError: There are fewer patients than that.
    """
    if staying > len(subjects):
        raise RecordError(
            "too-few-patients", "staying", str(staying), f"at most the {len(subjects)} patients with an admission",
            "pass a smaller --staying",
        )  # fmt: skip
    draws = random.Random(0)
    now = datetime.strptime(current_time, TIME_FORMAT)
    offsets = {}
    for subject in draws.sample(list(subjects), staying):
        first, last = (datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC).timestamp() for text in stays[subject])
        moment = datetime.fromtimestamp(draws.uniform(first, last), UTC).replace(tzinfo=None)
        offsets[subject] = int((now - moment).total_seconds() / 60)
    return offsets


def rotate(subjects: Sequence[int], times: Sequence[str]) -> tuple[list[int], list[str]]:
    """Study times passed on within each patient: every study gets the time of the next, the last one that of the first.

        subjects [7, 7, 7, 9], times [03, 01, 02, 05]  →  order [0, 1, 2, 3], times [01, 02, 03, 05]

    Returns:
        The order of the rows by patient and new time, and the new time of each row in that order.
    """
    order = sorted(range(len(subjects)), key=lambda row: (subjects[row], times[row]))
    passed: dict[int, str] = {}
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and subjects[order[end]] == subjects[order[start]]:
            end += 1
        block = order[start:end]
        for row, following in zip(block, [*block[1:], block[0]], strict=True):
            passed[row] = times[following]
        start = end
    order.sort(key=lambda row: (subjects[row], passed[row]))
    return order, [passed[row] for row in order]
