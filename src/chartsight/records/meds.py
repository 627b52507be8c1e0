"""chartevents, rebuilt from MEDS events of MIMIC-IV (Parquet): the demo comes without its charted events.

    subject_id | time                | code             | numeric_value  (float32; text values are lost)
    10000032   | 2180-07-23 14:00:00 | LAB//220045//bpm | 91.0

A file, or a MEDS data set: a folder whose `data/` holds the shards. The demo of 0.0.1 says `value` for `numeric_value`.
ICU charted events carry the code `LAB//<itemid>//<unit>` with itemid >= 220000. MEDS keeps neither stay nor admission:
the ICU stay is the one whose time holds the event, else the patient's nearest. On the demo this gives 668,862 rows,
257,474 of them with a number, of which 255,596 lie in exactly one stay and 1,878 in none.

Source: https://physionet.org/content/mimic-iv-demo-meds/ 0.0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from chartsight.errors import RecordError
from chartsight.records.mimiciv import drop_rows
from chartsight.records.sql import count_rows, literal
from chartsight.runs import Run, is_disk_full

FIRST_ICU_ITEM = 220_000
COLUMNS = {"subject_id", "time", "code"}
NUMBERS = ("numeric_value", "value")  # what MEDS calls the number, and what it was called before version 0.3


@dataclass(frozen=True)
class ChartEvents:
    """How many charted events were rebuilt; the three lower counts are of events with a number.

    Args:
        rows: Rows of chartevents.
        in_one_stay: Events within exactly one ICU stay.
        in_several_stays: Events within more than one; they go to the stay that began last.
        in_no_stay: Events outside every stay; they go to the patient's nearest.
    """

    rows: int
    in_one_stay: int
    in_several_stays: int
    in_no_stay: int


def read_chartevents(connection: duckdb.DuckDBPyConnection, path: Path, run: Run) -> ChartEvents:
    """Fill the empty table chartevents from MEDS events; needs patients, admissions and icustays.

    Events of patients without any ICU stay are dropped and counted.

    Raises:
        RecordError: `path` is no MEDS Parquet file, is damaged, or holds other types; or chartevents is filled already
            (every event would count twice).
    """
    if count_rows(connection, "chartevents"):
        raise RecordError(
            "events-twice", path, "chartevents is there already", "one source of charted events", "leave out --meds"
        )
    shards = find_shards(path)
    events = f"read_parquet([{', '.join(map(literal, shards))}], union_by_name = true)"
    try:
        found = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {events}").fetchall()}
    except duckdb.Error as error:
        raise RecordError("no-meds-file", path, "is no Parquet file", "MEDS events in Parquet") from error
    number = next((name for name in NUMBERS if name in found), None)
    if not found >= COLUMNS or number is None:
        missing = ", ".join([*sorted(COLUMNS - found), *([] if number else NUMBERS[:1])])
        raise RecordError(
            "wrong-header", path, f"missing {missing}", "MEDS events: " + ", ".join([*sorted(COLUMNS), NUMBERS[0]])
        )
    # One row an event and stay of its patient; the stay that holds the event first, then the nearest, then the latest.
    try:
        connection.execute(
            f"""CREATE TEMP TABLE charted AS
                WITH events AS (
                    SELECT row_number() OVER () AS event, subject_id, "time" AS charttime,
                        TRY_CAST(split_part(code, '//', 2) AS INTEGER) AS itemid,
                        nullif(array_to_string(string_split(code, '//')[3:], '//'), 'UNK') AS valueuom,
                        round({number}::DOUBLE, 4) AS valuenum
                    FROM (SELECT * FROM {events}) WHERE starts_with(code, 'LAB//')
                ), placed AS (
                    SELECT events.*, stays.stay_id, stays.hadm_id, stays.intime,
                        coalesce(charttime BETWEEN intime AND outtime, false) AS is_inside,
                        CASE WHEN charttime < intime THEN epoch(intime) - epoch(charttime)
                             WHEN charttime > outtime THEN epoch(charttime) - epoch(outtime) ELSE 0 END AS seconds_away
                    FROM events LEFT JOIN icustays AS stays USING (subject_id) WHERE itemid >= {FIRST_ICU_ITEM}
                )
                SELECT *, sum(is_inside::INTEGER) OVER (PARTITION BY event) AS stays_holding
                FROM placed QUALIFY row_number() OVER (
                    PARTITION BY event ORDER BY is_inside DESC, seconds_away, intime DESC, stay_id) = 1"""
        )
    except duckdb.Error as error:
        if is_disk_full(error) or isinstance(error, duckdb.OutOfMemoryException | duckdb.InterruptException):
            raise
        # DuckDB's own words show the value that does not fit, which is a patient's.
        raise RecordError(
            "no-meds-file", path, "is damaged, or its columns are of other types",
            f"MEDS events: subject_id a number, time a timestamp, code a text, {number} a number",
        ) from None  # fmt: skip
    strays = connection.execute(
        "SELECT subject_id, count(*) FROM charted WHERE stay_id IS NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    drop_rows(run, "charted event without an ICU stay", path, (), sum(count for _, count in strays))
    connection.execute(
        """INSERT INTO chartevents BY NAME
           SELECT subject_id, hadm_id, stay_id, charttime, itemid, valuenum, valueuom
           FROM charted WHERE stay_id IS NOT NULL AND charttime IS NOT NULL ORDER BY event"""
    )
    counts = connection.execute(
        """SELECT count(*) FILTER (stays_holding = 1), count(*) FILTER (stays_holding > 1),
                  count(*) FILTER (stays_holding = 0)
           FROM charted WHERE stay_id IS NOT NULL AND valuenum IS NOT NULL"""
    ).fetchall()
    connection.execute("DROP TABLE charted")
    rows = count_rows(connection, "chartevents")
    run.kept["chartevents"] = rows
    for shard in shards:
        run.read(shard, rows=rows if len(shards) == 1 else None)
    return ChartEvents(rows, *counts[0])


def find_shards(path: Path) -> list[Path]:
    """The Parquet files of MEDS events: `path` itself, or those below a folder (its `data/` when it has one), sorted.

    Raises:
        RecordError: The folder holds none.
    """
    if not path.is_dir():
        return [path]
    shards = sorted((path / "data" if (path / "data").is_dir() else path).rglob("*.parquet"))
    if not shards:
        raise RecordError("no-meds-file", path, "holds no Parquet file", "MEDS events: data/*/*.parquet")
    return shards
