"""One table of events: cleaned over the whole source, permuted, cut to the cohort, moved in time.

Only what the cohort needs is ever in memory: the rows of its own admissions, for each of these the values that the
permutation gives it, and of all other rows whether cleaning keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chartsight.records.ehrxqa.cleaning import Cleaned, EventTable, cleaned_events, with_row_id
from chartsight.records.ehrxqa.config import EhrxqaConfig
from chartsight.records.ehrxqa.permutation import KeptRows, permuted
from chartsight.records.ehrxqa.published_csv import Kind, parse_decimal
from chartsight.records.ehrxqa.staging import FILE_ROW, in_small_letters, taken_rows
from chartsight.records.ehrxqa.steps import Facts, Steps
from chartsight.records.ehrxqa.times import Times, parse_times, shift, texts_of_times
from chartsight.records.sql import quoted

TABLE = "table.parquet"
ROWS_AT_A_TIME = 2**20


def build_events(
    connection: duckdb.DuckDBPyConnection,
    steps: Steps,
    event: EventTable,
    cohort: Mapping[str, Any],
    config: EhrxqaConfig,
    folder: Path,
) -> Facts:
    """Write one table of events to `folder`; how many rows it has.

    Args:
        connection: With the dictionaries' codes as views.
        steps: With the staged table.
        event: Which.
        cohort: offsets, admissions and stays of the cohort.
        config: The window.
        folder: Of the step.

    Raises:
        RecordError: A time is none.
    """
    where = steps.facts(event.name)["path"]
    cleaned = cleaned_events(connection, steps, event.name)
    offsets = {int(subject): int(minutes) for subject, minutes in cohort["offsets"].items()}
    until = np.datetime64(config.current_time, "s")
    since = np.datetime64(f"{config.start_year}-01-01", "s")
    is_kept = np.zeros(steps.facts(event.name)["rows"] if cleaned.kept is None else cleaned.kept, np.bool_)
    if cleaned.kept is not None:
        is_kept[:] = True
    elif event.shifts_first:
        is_kept[places_until(connection, cleaned, event.time, offsets, until, where)] = True
    else:
        for batch in connection.sql(f"SELECT place FROM ({cleaned.query})").to_arrow_reader(ROWS_AT_A_TIME):
            is_kept[batch["place"].to_numpy()] = True
    kept_rows = KeptRows(is_kept)
    staged = steps.folder / event.name
    table, file_rows = with_permuted_values(connection, event, cleaned, staged, cohort["admissions"], kept_rows)
    times = table[event.time]
    subjects = table["subject_id"].to_numpy()
    if event.name == "diagnoses_icd":  # as if all were made when the admission began
        times = pa.array([admitted for admitted, _ in stays_of(table, cohort)], pa.string())
    if event.name == "procedures_icd":
        stays = zip(times.to_pylist(), stays_of(table, cohort), strict=True)
        times = pa.array([inside(time, *stay) for time, stay in stays], pa.string())
    moved = shift(parse_times(times, where, event.time, file_rows), subjects, offsets, until=until)
    table = replaced(table, event.time, moved)
    if event.end:
        ends = parse_times(table[event.end], where, event.end, file_rows)
        table = replaced(table, event.end, shift(ends, subjects, offsets, until=until))
    kept = np.flatnonzero(~np.isnat(moved) & (moved >= since))
    table = with_row_id(table.take(pa.array(kept, pa.int64())))
    pq.write_table(table, folder / TABLE)
    return {"rows": table.num_rows, "permuted": len(kept_rows)}


def stays_of(table: pa.Table, cohort: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Begin and end of the admission of each row."""
    return [cohort["stays"][str(int(hadm))] for hadm in table["hadm_id"].to_pylist()]


def with_permuted_values(
    connection: duckdb.DuckDBPyConnection,
    event: EventTable,
    cleaned: Cleaned,
    staged: Path,
    admissions: list[int],
    kept: KeptRows,
) -> tuple[pa.Table, pa.ChunkedArray]:
    """The cohort's rows with the values that the permutation gives them, and their numbers in the file.

    Args:
        connection: Any.
        event: What is permuted.
        cleaned: The rows.
        staged: Folder of the step that staged them.
        admissions: Of the cohort.
        kept: All cleaned rows of the file: what the permutation counts.
    """
    register(connection, "cohort_admissions", hadm_id=np.array(admissions, np.float64))
    own = connection.sql(
        f"""SELECT * FROM ({cleaned.own})
            WHERE CAST(hadm_id AS DOUBLE) IN (SELECT hadm_id FROM cohort_admissions) ORDER BY place"""
    ).to_arrow_table()
    own = own.filter(pa.array(kept.is_kept[own["place"].to_numpy()]))
    numbers = kept.numbers(own["place"].to_numpy())
    sources = kept.rows(permuted(len(kept), numbers))
    if cleaned.kept is not None:
        values = taken_rows(staged, event.shuffled, sources)
        for number, name in enumerate(event.shuffled):
            if name not in cleaned.kinds:
                values = values.set_column(number, name, in_small_letters(values[name]))
    else:
        register(connection, "taken", nth=np.arange(len(sources)), source=sources)
        shuffled = ", ".join(f"cleaned.{quoted(name)}" for name in event.shuffled)
        values = connection.sql(
            f"""SELECT {shuffled} FROM taken JOIN ({cleaned.query}) AS cleaned ON taken.source = cleaned.place
                ORDER BY nth"""
        ).to_arrow_table()
        connection.unregister("taken")
    connection.unregister("cohort_admissions")
    columns = {}
    for name in cleaned.columns:
        column = values[name] if name in event.shuffled else own[name]
        columns[name] = as_numbers(column, cleaned.kinds[name]) if name in cleaned.kinds else column
    return pa.table(columns), own[FILE_ROW]


def register(connection: duckdb.DuckDBPyConnection, view: str, **columns: NDArray[Any]) -> None:
    """A view of columns."""
    connection.register(view, pa.table(columns))


def as_numbers(column: pa.ChunkedArray, kind: Kind) -> pa.Array:
    """Text as the numbers that the published reader makes of it."""
    if kind == "whole" and pa.types.is_int64(column.type) and not column.null_count:
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = [str(text).strip() for text in encoded.dictionary.to_pylist()]
    if kind == "whole":
        return pa.array([int(text) for text in texts], pa.int64()).take(encoded.indices)
    return pa.array([parse_decimal(text) for text in texts], pa.float64()).take(encoded.indices)


def inside(time: str | None, admitted: str, discharged: str) -> str | None:
    """A procedure's time, or the end of the admission when it lies outside."""
    return time if time is None or admitted <= time <= discharged else discharged


def places_until(
    connection: duckdb.DuckDBPyConnection,
    cleaned: Cleaned,
    time: str,
    offsets: Mapping[int, int],
    until: np.datetime64,
    where: object,
) -> NDArray[np.int64]:
    """Places of the rows that do not lie after `until` once they are moved."""
    table = connection.sql(
        f"SELECT place, subject_id, {quoted(time)} FROM ({cleaned.query}) ORDER BY place"
    ).to_arrow_table()
    subjects = table["subject_id"].cast(pa.int64()).to_numpy()
    moved = shift(parse_times(table[time], where, time), subjects, offsets, until=until)
    places: NDArray[np.int64] = table["place"].to_numpy()
    return places[~np.isnat(moved)]


def replaced(table: pa.Table, name: str, times: Times) -> pa.Table:
    """The table with other times in a column, as text."""
    return table.set_column(table.column_names.index(name), name, texts_of_times(times))
