"""EHRXQA's cleaning of each table: which rows stay, and what is made of their values.

Source: EHRXQA, `preprocess_db_mimic_iv_cxr.py`, `build_*_table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from chartsight.records.ehrxqa.published_csv import Kind
from chartsight.records.ehrxqa.staging import FILE_ROW, ROW, Cleaning, own_rows, parquet_rows, text_column
from chartsight.records.ehrxqa.steps import Facts, Steps
from chartsight.records.sql import literal, quoted

CHARTED_ITEMS = (223762, 220277, 220045, 220210, 220050, 220051, 220052, 226512, 226730)
EVENT_ITEMS = ("inputevents", "outputevents", "chartevents")  # what d_items is kept for
UNIT = "ml"


@dataclass(frozen=True)
class EventTable:
    """How one table of events is made.

    Args:
        name: Of the table.
        shuffled: Columns whose values are permuted, together.
        time: The column that says when.
        end: A second time, which may fall out of the window; empty without.
        looked_at: What cleaning looks at besides the shuffled columns, of every row.
        shifts_first: Times are moved, and what is too late is dropped, before the permutation.
    """

    name: str
    shuffled: tuple[str, ...]
    time: str
    end: str = ""
    looked_at: tuple[str, ...] = ()
    shifts_first: bool = False


EVENT_TABLES: tuple[EventTable, ...] = (
    EventTable("diagnoses_icd", ("icd_code",), "charttime"),
    EventTable("procedures_icd", ("icd_code",), "charttime"),
    EventTable("labevents", ("itemid", "valuenum", "valueuom"), "charttime", looked_at=("hadm_id",)),
    EventTable(
        "prescriptions", ("drug", "dose_val_rx", "dose_unit_rx", "route"), "starttime", "stoptime",
        looked_at=("starttime", "stoptime"),
    ),
    EventTable("chartevents", ("itemid", "valuenum", "valueuom"), "charttime", shifts_first=True),
    EventTable("inputevents", ("itemid", "amount"), "starttime", looked_at=("hadm_id", "stay_id", "amountuom")),
    EventTable("outputevents", ("itemid", "value"), "charttime", looked_at=("hadm_id", "stay_id", "valueuom")),
    EventTable("microbiologyevents", ("spec_type_desc", "test_name", "org_name"), "charttime"),
)  # fmt: skip
EVENTS: Mapping[str, EventTable] = {each.name: each for each in EVENT_TABLES}


@dataclass(frozen=True)
class Cleaned:
    """SQL of a table's rows after cleaning.

    Args:
        query: The columns that are shuffled, in any order, with `place`: the row's number in the file.
        own: The other columns of the rows of the cohort's admissions, kept by cleaning or not, with `place` and
            `file_row`: the row's number in the file, null where it is not known.
        kinds: Column of numbers → whether the published reader has it as whole numbers or decimals.
        columns: Of the database, without row_id.
        kept: How many rows are staged, where only those are that stay; they are then the places.
    """

    query: str
    own: str
    kinds: Mapping[str, Kind]
    columns: tuple[str, ...]
    kept: int | None = None


def read_dictionary(connection: duckdb.DuckDBPyConnection, steps: Steps, name: str) -> pa.Table:
    """One of the four tables that explain codes, with row_id."""
    rows, facts = parquet_rows(steps.folder / name), steps.facts(name)
    texts = {
        column: text_column(connection, rows, column, facts)
        for column in facts["columns"] if column not in facts["kinds"]
    }  # fmt: skip
    columns = [
        texts.get(column, f"CAST({quoted(column)} AS BIGINT) AS {quoted(column)}") for column in facts["columns"]
    ]
    cleaned = f"(SELECT {', '.join(columns)}, {ROW} AS place FROM {rows})"
    if name.startswith("d_icd"):
        # One row a code, whatever its version, then one row a title.
        by_code = f"""SELECT * FROM {cleaned} WHERE long_title IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY icd_code ORDER BY place) = 1"""
        kept = f"SELECT * FROM ({by_code}) QUALIFY row_number() OVER (PARTITION BY long_title ORDER BY place) = 1"
    elif name == "d_items":
        linked = ", ".join(map(literal, EVENT_ITEMS))
        kept = f"SELECT * FROM {cleaned} WHERE label IS NOT NULL AND linksto IN ({linked})"
    else:
        kept = f"SELECT * FROM {cleaned} WHERE label IS NOT NULL"
    chosen = ", ".join(map(quoted, facts["columns"]))
    table = connection.sql(f"SELECT {chosen} FROM ({kept}) ORDER BY place").to_arrow_table()
    return with_row_id(table)


def with_row_id(table: pa.Table) -> pa.Table:
    """The table with row_id from 0 in front."""
    return table.add_column(0, "row_id", pa.array(np.arange(table.num_rows)))


def cleaned_events(connection: duckdb.DuckDBPyConnection, steps: Steps, name: str) -> Cleaned:
    """The cleaned rows of one table of events; needs the dictionaries' codes as views `known_*`."""
    folder, facts = steps.folder / name, steps.facts(name)
    return {
        "diagnoses_icd": clean_diagnoses,
        "procedures_icd": clean_procedures,
        "labevents": clean_labs,
        "prescriptions": clean_prescriptions,
        "chartevents": clean_charted,
        "inputevents": clean_fluids,
        "outputevents": clean_fluids,
        "microbiologyevents": clean_cultures,
    }[name](connection, folder, facts)


def row_by_row(name: str, known_items: Sequence[int]) -> Cleaning | None:
    """Which rows of a table of events stay, where that can be said row by row: as `clean_labs` and `clean_fluids`.

    Args:
        name: Of the table.
        known_items: Of the table's dictionary.
    """
    if name == "labevents":
        return Cleaning(("hadm_id", "valuenum", "valueuom"), known_items)
    if name in ("inputevents", "outputevents"):
        amount, unit = ("amount", "amountuom") if name == "inputevents" else ("value", "valueuom")
        return Cleaning(("hadm_id", "stay_id", amount), known_items, UNIT, unit)
    return None


def columns_sql(connection: duckdb.DuckDBPyConnection, rows: str, facts: Facts, names: Iterable[str]) -> str:
    """SQL of columns of staged rows: numbers as they stand, text as the published reader has it."""
    return ", ".join(
        quoted(name) if name in facts["kinds"] else text_column(connection, rows, name, facts) for name in names
    )


def own_columns(
    connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts, names: Iterable[str], *more: str
) -> str:
    """SQL of the rows of the cohort's admissions: some columns, `place`, and their number in the file."""
    rows = own_rows(folder)
    chosen = columns_sql(connection, rows, facts, names)
    return f"SELECT {', '.join((chosen, *more))}, {ROW} AS place, {FILE_ROW} FROM {rows}"


def ordered(facts: Facts, *left_out: str) -> tuple[str, ...]:
    """The columns of the file that are read, in its order, without some."""
    return tuple(name for name in facts["columns"] if name not in left_out)


def clean_diagnoses(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Codes that the dictionary has; the time comes from the admission."""
    query = known_codes(connection, folder, facts, "known_diagnoses")
    own = own_columns(connection, folder, facts, ordered(facts, "icd_code"), "NULL::VARCHAR AS charttime")
    return Cleaned(query, own, facts["kinds"], (*ordered(facts), "charttime"))


def clean_procedures(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Codes that the dictionary has; `charttime` is the day at midnight."""
    query = known_codes(connection, folder, facts, "known_procedures")
    midnight = "chartdate || ' 00:00:00' AS charttime"
    own = own_columns(connection, folder, facts, ordered(facts, "icd_code", "chartdate"), midnight)
    return Cleaned(query, own, facts["kinds"], (*ordered(facts, "chartdate"), "charttime"))


def known_codes(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts, known: str) -> str:
    """SQL of the rows whose code the dictionary has."""
    rows = parquet_rows(folder)
    code = text_column(connection, rows, "icd_code", facts)
    return f"""SELECT icd_code, place FROM (SELECT {code}, {ROW} AS place FROM {rows})
        WHERE icd_code IN (SELECT icd_code FROM {known})"""


def clean_labs(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Results of an admission, with value and unit, of a known item."""
    rows, shuffled = parquet_rows(folder), EVENTS["labevents"].shuffled
    query = (
        ""
        if "kept" in facts
        else f"""SELECT {columns_sql(connection, rows, facts, shuffled)}, {ROW} AS place FROM {rows}
        WHERE hadm_id IS NOT NULL AND valuenum IS NOT NULL AND valueuom IS NOT NULL
            AND CAST(CAST(itemid AS DOUBLE) AS BIGINT) IN (SELECT itemid FROM known_labs)"""
    )
    own = own_columns(connection, folder, facts, ordered(facts, *shuffled))
    return Cleaned(query, own, facts["kinds"], ordered(facts), facts.get("kept"))


def clean_prescriptions(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Whole doses in the commonest unit of each drug, the first of equally common ones.

    A dose is whole when it is digits and thousands' commas; where the published reader took it for a decimal number it
    reads `40.0`, which is not.
    """
    rows, shuffled = parquet_rows(folder), EVENTS["prescriptions"].shuffled
    chosen = columns_sql(connection, rows, facts, shuffled)
    dose = text_column(connection, rows, "dose_val_rx", facts, "dose")
    filled = " AND ".join(
        f"{name} IS NOT NULL" for name in ("starttime", "stoptime", "dose_val_rx", "dose_unit_rx", "route")
    )
    stated = f"(SELECT {chosen}, {dose}, {ROW} AS place FROM {rows} WHERE {filled})"
    whole = "regexp_full_match(replace(dose, ',', ''), '[0-9]+')"
    counted = connection.sql(
        f"""SELECT drug, dose_unit_rx, count(*) FILTER ({whole}) AS often, min(place) FILTER ({whole}) AS first,
                bool_or(NOT {whole}) AS dropped FROM {stated} GROUP BY ALL"""
    ).to_arrow_table()
    connection.register("units_of_drugs", counted)
    dropped = connection.execute("SELECT bool_or(dropped) FROM units_of_drugs").fetchall()[0][0]
    query = f"""WITH commonest AS (SELECT drug, dose_unit_rx FROM units_of_drugs WHERE often > 0
            QUALIFY row_number() OVER (PARTITION BY drug ORDER BY often DESC, first) = 1)
        SELECT stated.* EXCLUDE (dose) REPLACE (CAST(replace(dose, ',', '') AS BIGINT) AS dose_val_rx)
        FROM {stated} AS stated JOIN commonest
            ON stated.drug IS NOT DISTINCT FROM commonest.drug AND stated.dose_unit_rx = commonest.dose_unit_rx
        WHERE {whole}"""
    own = own_columns(connection, folder, facts, ordered(facts, *shuffled))
    kinds: dict[str, Kind] = {**facts["kinds"], "dose_val_rx": "decimal" if dropped else "whole"}
    return Cleaned(query, own, kinds, ordered(facts))


def clean_charted(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Of nine items and the cohort's patients (staged so), with every column filled."""
    names = ("subject_id", "hadm_id", "stay_id", "charttime", "itemid", "valuenum", "valueuom")
    filled = " AND ".join(f"{name} IS NOT NULL" for name in names)
    kinds: dict[str, Kind] = {
        **dict.fromkeys(("subject_id", "hadm_id", "stay_id", "itemid"), "whole"),
        "valuenum": "decimal",
    }
    rows = parquet_rows(folder)
    query = f"SELECT {columns_sql(connection, rows, facts, names)}, {ROW} AS place FROM {rows} WHERE {filled}"
    own = f"""SELECT * EXCLUDE ({", ".join(EVENTS["chartevents"].shuffled)}), NULL::BIGINT AS {FILE_ROW}
        FROM ({query})"""  # the lines of others were never counted
    return Cleaned(query, own, kinds, names)


def clean_fluids(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Fluids in and out, in millilitres, of a known item and stay."""
    amount = "amount" if "amount" in facts["columns"] else "value"
    unit = "amountuom" if amount == "amount" else "valueuom"
    rows = parquet_rows(folder)
    millilitres = text_column(connection, rows, unit, facts, "unit")
    query = (
        ""
        if "kept" in facts
        else f"""SELECT itemid, {amount}, place
        FROM (SELECT itemid, {amount}, hadm_id, stay_id, {millilitres}, {ROW} AS place FROM {rows})
        WHERE hadm_id IS NOT NULL AND stay_id IS NOT NULL AND {amount} IS NOT NULL AND unit = {literal(UNIT)}
            AND CAST(CAST(itemid AS DOUBLE) AS BIGINT) IN (SELECT itemid FROM known_items)"""
    )
    own = own_columns(connection, folder, facts, ordered(facts, unit, "itemid", amount))
    kinds: dict[str, Kind] = dict(facts["kinds"])
    if "decimal" in (kinds["itemid"], kinds[amount]):  # permuted as one block of numbers, which has one type
        kinds |= {"itemid": "decimal", amount: "decimal"}
    return Cleaned(query, own, kinds, ordered(facts, unit), facts.get("kept"))


def clean_cultures(connection: duckdb.DuckDBPyConnection, folder: Path, facts: Facts) -> Cleaned:
    """Every culture; the day where the time is not known."""
    rows, shuffled = parquet_rows(folder), EVENTS["microbiologyevents"].shuffled
    query = f"SELECT {columns_sql(connection, rows, facts, shuffled)}, {ROW} AS place FROM {rows}"
    time = "coalesce(trim(charttime), trim(chartdate)) AS charttime"
    own = own_columns(connection, folder, facts, ordered(facts, "chartdate", "charttime", *shuffled), time)
    return Cleaned(query, own, facts["kinds"], ordered(facts, "chartdate"))
