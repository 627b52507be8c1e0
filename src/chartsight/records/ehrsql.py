"""The database of EHRSQL-2024 from MIMIC-IV's own files: 17 tables in SQLite, row for row as its questions expect.

    chartsight records build-ehrsql ehrsql.sqlite --mimiciv mimic-iv-demo --meds events.parquet

Every patient is moved so that the first admission falls into 2100, "now" is the end of that year, and what would happen
later has not happened yet: some are still in hospital. Nothing is shuffled between patients; only costs are invented.

Source: github.com/glee4810/ehrsql-2024, its published preprocessing, whose rules are followed and whose quirks are kept
where an answer depends on them (offsets of 365 days a year, doses as "20.0", rows in the order of the files).
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from chartsight.errors import RecordError
from chartsight.progress import track
from chartsight.records.build import inherited_terms
from chartsight.records.ehrsql_schema import (
    ABSENT_TEXTS,
    KEPT_IN,
    NOW,
    PUBLISHED_TABLES,
    TITLES_OF_PROCEDURES,
    VITAL_ITEMS,
    PublishedTable,
)
from chartsight.records.meds import read_chartevents
from chartsight.records.mimiciv import fill_table, find_table_file
from chartsight.records.sources import MOST_MEMORY_GIB, RecordSources
from chartsight.records.sql import count_rows, create_table, literal
from chartsight.runs import Run, check_apart, new_output, remove, removed_on_failure
from chartsight.schema import SCHEMA_VERSION, TABLES, Table

FIRST_YEAR = 2100  # every first admission falls into it
PATIENTS, PATIENTS_IN_HOSPITAL = 100, 10  # at most so many; all when there are fewer
SEED = 0
ROWS_AT_ONCE = 50_000
BLANKS = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"

SOURCE_TABLES = (
    "patients", "admissions", "icustays", "transfers", "d_icd_diagnoses", "d_icd_procedures", "d_labitems", "d_items",
    "diagnoses_icd", "procedures_icd", "labevents", "prescriptions", "inputevents", "outputevents",
    "microbiologyevents",
)  # fmt: skip
WHERE_FROM = {
    "mimiciv": "MIMIC-IV demo 2.2, https://physionet.org/content/mimic-iv-demo/2.2/",
    "meds": "or its MEDS events as --meds, https://physionet.org/content/mimic-iv-demo-meds/0.0.1/",
}


def build_ehrsql(
    out: Path,
    mimiciv: Path,
    meds: Path | None = None,
    *,
    quiet: bool = False,
    force: bool = False,
    memory_limit_gib: float = 2.0,
) -> Run:
    """Build the database at `out` and return its run (also written as `out` + `.run.json`).

    Args:
        out: The SQLite file to appear.
        mimiciv: The MIMIC-IV demo 2.2, or another folder of that layout: with `hosp/` and `icu/`.
        meds: MEDS events that chartevents is rebuilt from when `icu/chartevents.csv.gz` is absent.
        quiet: Draw no progress.
        force: Replace an existing file.
        memory_limit_gib: Of DuckDB; beyond it, it spills beside `out`.

    Raises:
        RecordError: Files are missing (all are named), of another version, or a row of them does not fit: a database
            without it would have other row numbers and costs than the published one.
        OutputError: `out` exists, or the disk is full.
    """
    out = Path(out)
    sources = RecordSources(mimiciv=mimiciv, meds=meds)
    sources.check()
    if not 0 < memory_limit_gib <= MOST_MEMORY_GIB:
        raise RecordError("bad-memory", "memory_limit", f"{memory_limit_gib:g} GiB", f"at most {MOST_MEMORY_GIB:,}")
    check_apart(out, *sources.folders().values())
    files = find_files(sources)
    config = {name: str(path) for name, path in sources.folders().items()}
    run = Run("records build-ehrsql", config, seed=SEED, terms=inherited_terms(sources), pairing="real")
    with new_output(out, replace=force) as partial:
        scratch = partial.with_name(partial.name + ".tmp")
        try:
            scratch.mkdir()
            with duckdb.connect(str(scratch / "tables.duckdb")) as connection:
                connection.execute(f"SET memory_limit = '{memory_limit_gib * 1024:.0f}MiB'")
                connection.execute(f"SET temp_directory = {literal(scratch / 'spill')}")
                connection.execute("SET enable_progress_bar = false")
                steps = _Steps(connection, sources, files, run, partial)
                for _ in track(steps.all(), "tables", len(steps), quiet=quiet):
                    pass
        except duckdb.OutOfMemoryException as error:
            raise RecordError(
                "out-of-memory", out, f"{memory_limit_gib:g} GiB are too few", hint="raise --memory-limit"
            ) from error
        finally:
            remove(scratch)
    run.outputs.append({"path": str(out), "tables": {table.name: run.kept[table.name] for table in PUBLISHED_TABLES}})
    with removed_on_failure(out):
        run.write(out)
    return run


def find_files(sources: RecordSources) -> dict[str, Path]:
    """table → its file, of all tables that the database is made from; no chartevents when MEDS events stand for it.

    Raises:
        RecordError: Files are missing; all are named.
    """
    assert sources.mimiciv is not None
    files, missing = {}, []
    for name in (*SOURCE_TABLES, "chartevents"):
        table = TABLES[name]
        try:
            path = find_table_file(sources.mimiciv, table)
        except RecordError:  # of a table that no record can be without
            path = None
        if path is not None:
            files[name] = path
        elif name != "chartevents" or sources.meds is None:
            missing.append(f"{table.module}/{name}.csv.gz")
    if missing:
        instead = f" ({WHERE_FROM['meds']})" if missing[-1].startswith("icu/chartevents") else ""
        raise RecordError(
            "missing-file", sources.mimiciv, f"has no {', '.join(missing)}{instead}", WHERE_FROM["mimiciv"],
            "name the folder that holds hosp/ and icu/",
        )  # fmt: skip
    return files


@dataclass
class _Steps:
    """Read the source's tables, make the published ones, write them."""

    connection: duckdb.DuckDBPyConnection
    sources: RecordSources
    files: dict[str, Path]
    run: Run
    out: Path
    numbers: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def __len__(self) -> int:
        return len(SOURCE_TABLES) + 1 + len(PUBLISHED_TABLES)

    def all(self) -> Iterator[str]:
        """The name of each table when it has been read or written."""
        for name in (*SOURCE_TABLES, "chartevents"):
            self._read(TABLES[name])
            yield name
        self.connection.execute("CREATE SCHEMA published")
        _define_macros(self.connection)
        _choose_patients(self.connection, self.numbers)
        _make_tables(self.connection)
        _charge(self.connection, self.numbers)
        connection = sqlite3.connect(self.out, isolation_level=None)
        try:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", f"user_version = {SCHEMA_VERSION}"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            for table in PUBLISHED_TABLES:
                self.run.kept[table.name] = _write(self.connection, connection, table)
                yield table.name
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _read(self, table: Table) -> None:
        create_table(self.connection, table)
        if table.name in self.files:
            kept = dict(self.run.kept)
            fill_table(self.connection, table, self.files[table.name], self.run)
            self.run.kept = kept  # the counts are those of the published tables
            _refuse_dropped(self.run)
        if table.name == "chartevents" and self.sources.meds is not None:
            events = read_chartevents(self.connection, self.sources.meds, self.run)
            self.run.kept = {"charted numbers in no ICU stay, given to the nearest": events.in_no_stay}


def _refuse_dropped(run: Run) -> None:
    """Nothing, when every row of the files fits.

    Raises:
        RecordError: With the file, the row and the reason of the first few.
    """
    if not run.dropped:
        return
    first = run.dropped_rows[0]
    listed = ", ".join(f"row {each['row']} ({each['reason']})" for each in run.dropped_rows[:5])
    more = sum(run.dropped.values()) - min(5, len(run.dropped_rows))
    raise RecordError(
        "malformed-row", first["where"], f"{listed}{f' and {more:,} more' if more else ''}",
        "rows as in MIMIC-IV v2.2; the first after the header is row 1", "fetch the file again",
    )  # fmt: skip


def _define_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """The rules that every table follows, as SQL functions."""
    absent = ", ".join(map(literal, ABSENT_TEXTS))
    kept = ", ".join(f"{literal(name)}: {literal(table)}" for name, table in KEPT_IN.items())
    for macro in (
        # The authors read a text, lower it, select rows, write them, and read them again. A unit of one space is there
        # the first time and absent the second: the laboratory value stays, without a unit.
        f"text_as_read(each) AS CASE WHEN each NOT IN ({absent}) THEN lower(trim(each, {literal(BLANKS)})) END",
        f"text_again(each) AS CASE WHEN each NOT IN ({absent}) THEN each END",
        "published_text(each) AS text_again(text_as_read(each))",
        "published_code(version, code) AS concat('icd', version, '|', text_as_read(code))",
        f"moved(time, days) AS CASE WHEN time + to_days(days) <= TIMESTAMP '{NOW}' THEN time + to_days(days) END",
        f"is_of_year(time) AS time >= TIMESTAMP '{FIRST_YEAR}-01-01'",
        f"belongs(name, place) AS coalesce(MAP {{{kept}}}[name], place) = place",
    ):
        connection.execute(f"CREATE MACRO {macro}")


def _choose_patients(connection: duckdb.DuckDBPyConnection, numbers: np.random.Generator) -> None:
    """Fill `moves` (subject_id, days), `admitted` (all admissions, moved) and `chosen` (subject_id)."""
    connection.execute(
        f"""CREATE TABLE moves AS SELECT subject_id, ({FIRST_YEAR} - year(min(admittime)))::INTEGER * 365 AS days
            FROM admissions GROUP BY subject_id"""
    )
    connection.execute(
        """CREATE TABLE admitted AS SELECT s.rowid AS place, s.* REPLACE (
                moved(admittime, days) AS admittime, moved(dischtime, days) AS dischtime),
                year(s.admittime) - p.anchor_year + p.anchor_age AS age
            FROM admissions AS s JOIN moves USING (subject_id) JOIN patients AS p USING (subject_id)
            WHERE moved(s.admittime, days) IS NOT NULL ORDER BY s.rowid"""
    )
    # The year of every first admission is drawn although there is one to draw from: later draws come after these.
    for _ in range(count_rows(connection, "moves")):
        numbers.choice([FIRST_YEAR], p=[1.0])
    in_hospital = _draw(numbers, _subjects(connection, "dischtime IS NULL"), PATIENTS_IN_HOSPITAL)
    discharged = [each for each in _subjects(connection, "dischtime IS NOT NULL") if each not in set(in_hospital)]
    chosen = in_hospital + _draw(numbers, discharged, PATIENTS - PATIENTS_IN_HOSPITAL)
    connection.execute("CREATE TABLE chosen AS SELECT unnest(?::INTEGER[]) AS subject_id", [chosen])


def _subjects(connection: duckdb.DuckDBPyConnection, condition: str) -> list[int]:
    """Patients with such an admission, in the order in which they first come."""
    rows = connection.execute(
        f"SELECT subject_id FROM admitted WHERE {condition} GROUP BY subject_id ORDER BY min(place)"
    ).fetchall()
    return [subject_id for (subject_id,) in rows]


def _draw(numbers: np.random.Generator, subjects: list[int], count: int) -> list[int]:
    """`count` of them by lot; all, and nothing drawn, when there are fewer."""
    if len(subjects) < count:
        return subjects
    return [int(each) for each in numbers.choice(subjects, count, replace=False)]


def birthday(days_in_year: int) -> int:
    """The day of the year, from 0, that everybody is born on: drawn once, and again the same for every patient.

    The authors' upper bound is one too large, so it could have been 1 January of the next year.
    """
    return random.Random(0).randint(0, days_in_year)


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the schema `published`, but for the costs; the rows of a table keep the order of their file."""

    def make(name: str, columns: str, source: str, place: str = "s.rowid") -> None:
        connection.execute(
            f"""CREATE TABLE published.{name} AS
                SELECT row_number() OVER (ORDER BY {place}) - 1 AS row_id, {columns} FROM {source} ORDER BY row_id"""
        )

    def make_events(
        name: str, time: str, columns: str, condition: str, source: str = "", place: str = "s.rowid"
    ) -> None:
        make(
            name,
            f"subject_id, hadm_id, moved({time}, days) AS {time}, {columns}",
            f"""{source or name} AS s JOIN moves USING (subject_id) SEMI JOIN published.admissions USING (hadm_id)
                WHERE is_of_year(moved({time}, days)) AND {condition}""",
            place,
        )

    _make_stays(make)
    _make_dictionaries(make)
    for name, happened in (
        ("diagnoses_icd", "admittime"),
        (
            "procedures_icd",
            "CASE WHEN chartdate < admittime OR chartdate > dischtime THEN dischtime ELSE chartdate END",
        ),
    ):
        connection.execute(
            f"""CREATE TABLE dated_{name} AS
                SELECT s.rowid AS place, s.subject_id, hadm_id, published_code(icd_version, icd_code) AS icd_code,
                    {happened} AS charttime
                FROM {name} AS s JOIN admissions USING (hadm_id) ORDER BY place"""
        )
        titles = f"published.d_icd_{name.removesuffix('_icd')}"
        make_events(
            name, "charttime", "icd_code", f"icd_code IN (SELECT icd_code FROM {titles})", f"dated_{name}", "place"
        )
    make_events(
        "labevents", "charttime", "itemid, valuenum, published_text(valueuom) AS valueuom",
        """valuenum IS NOT NULL AND text_as_read(valueuom) IS NOT NULL
            AND itemid IN (SELECT itemid FROM published.d_labitems)""",
    )  # fmt: skip
    _make_prescriptions(connection, make_events)
    make_events(
        "inputevents", "starttime", "stay_id, itemid, totalamount, published_text(totalamountuom) AS totalamountuom",
        """stay_id IS NOT NULL AND totalamount IS NOT NULL AND text_as_read(totalamountuom) = 'ml'
            AND itemid IN (SELECT itemid FROM published.d_items)""",
    )  # fmt: skip
    make_events(
        "outputevents", "charttime", "stay_id, itemid, value, published_text(valueuom) AS valueuom",
        """stay_id IS NOT NULL AND value IS NOT NULL AND text_as_read(valueuom) = 'ml'
            AND itemid IN (SELECT itemid FROM published.d_items)""",
    )  # fmt: skip
    make_events(
        "chartevents", "charttime", "stay_id, itemid, valuenum, published_text(valueuom) AS valueuom",
        f"""itemid IN ({", ".join(map(str, VITAL_ITEMS.values()))}) AND stay_id IS NOT NULL AND valuenum IS NOT NULL
            AND text_as_read(valueuom) IS NOT NULL""",
    )  # fmt: skip
    make_events(
        "microbiologyevents", "charttime",
        """published_text(spec_type_desc) AS spec_type_desc, published_text(test_name) AS test_name,
            published_text(org_name) AS org_name""",
        "true",
        "(SELECT rowid AS place, * REPLACE (coalesce(charttime, chartdate) AS charttime) FROM microbiologyevents)",
        "place",
    )  # fmt: skip


def _make_stays(make: Callable[..., None]) -> None:
    """Patients, admissions, ICU stays and transfers: of those who are admitted by now."""
    year = "anchor_year - anchor_age"
    born = f"""make_date({year}, 1, 1) + to_days(CASE dayofyear(make_date({year}, 12, 31))
        WHEN 366 THEN {birthday(366)} ELSE {birthday(365)} END)"""
    make(
        "patients",
        f"""subject_id, published_text(gender) AS gender, moved({born}, days) AS dob,
            moved(dod::TIMESTAMP, days) AS dod""",
        "patients AS s JOIN moves USING (subject_id) SEMI JOIN chosen USING (subject_id)",
    )
    texts = ("admission_type", "admission_location", "insurance", "language", "marital_status")
    make(
        "admissions",
        f"""subject_id, hadm_id, admittime, dischtime, age,
            {", ".join(f"published_text({text}) AS {text}" for text in texts)},
            CASE WHEN dischtime IS NOT NULL THEN published_text(discharge_location) END AS discharge_location""",
        "admitted AS s SEMI JOIN chosen USING (subject_id)",
        "place",
    )
    for name, columns in (
        ("icustays", """stay_id, published_text(first_careunit) AS first_careunit,
            published_text(last_careunit) AS last_careunit"""),
        ("transfers", """transfer_id, published_text(eventtype) AS eventtype, published_text(careunit) AS careunit"""),
    ):  # fmt: skip
        make(
            name,
            f"subject_id, hadm_id, moved(intime, days) AS intime, moved(outtime, days) AS outtime, {columns}",
            f"""{name} AS s JOIN moves USING (subject_id) SEMI JOIN published.admissions USING (hadm_id)
                WHERE moved(intime, days) IS NOT NULL""",
        )


def _make_dictionaries(make: Callable[..., None]) -> None:
    """One row a code and title, the first of each; items by the table that their name belongs to."""
    for name in ("d_icd_diagnoses", "d_icd_procedures"):
        others = (
            f"title NOT IN ({', '.join(map(literal, TITLES_OF_PROCEDURES))})" if name == "d_icd_diagnoses" else "true"
        )
        make(
            name,
            "icd_code, title AS long_title",
            f"""(SELECT * FROM (
                    SELECT rowid AS place, published_code(icd_version, icd_code) AS icd_code,
                        text_as_read(long_title) AS title
                    FROM {name} WHERE title IS NOT NULL AND {others}
                    QUALIFY row_number() OVER (PARTITION BY published_code(icd_version, icd_code) ORDER BY rowid) = 1
                ) QUALIFY row_number() OVER (PARTITION BY title ORDER BY place) = 1) AS s""",
            "place",
        )
    make(
        "d_labitems",
        "itemid, published_text(label) AS label",
        "d_labitems AS s WHERE text_as_read(label) IS NOT NULL AND belongs(text_as_read(label), 'labevents')",
    )
    make(
        "d_items",
        """itemid, published_text(label) AS label, published_text(abbreviation) AS abbreviation,
            published_text(linksto) AS linksto""",
        """d_items AS s WHERE text_as_read(linksto) IN ('inputevents', 'outputevents', 'chartevents')
            AND text_as_read(label) IS NOT NULL AND belongs(text_as_read(label), 'inputevents')""",
    )


def _make_prescriptions(connection: duckdb.DuckDBPyConnection, make_events: Callable[..., None]) -> None:
    """Prescriptions of whole doses in the drug's commonest unit, among equals the one that stands first in the file.

    A dose goes to its column of text as a number of floating point, so that 20 reads "20.0".
    """
    connection.execute(
        """CREATE TABLE whole_doses AS
            SELECT rowid AS place, subject_id, hadm_id, starttime, stoptime, text_as_read(drug) AS drug,
                replace(text_as_read(dose_val_rx), ',', '') AS dose, text_as_read(dose_unit_rx) AS unit,
                text_as_read(route) AS route
            FROM prescriptions
            WHERE starttime IS NOT NULL AND stoptime IS NOT NULL AND unit IS NOT NULL AND route IS NOT NULL
                AND regexp_full_match(dose, '[0-9]+') AND belongs(text_as_read(drug), 'prescriptions')
            ORDER BY place"""
    )
    connection.execute(
        """CREATE TABLE commonest_units AS
            SELECT drug, unit FROM whole_doses GROUP BY drug, unit
            QUALIFY row_number() OVER (PARTITION BY drug ORDER BY count(*) DESC, min(place)) = 1"""
    )
    make_events(
        "prescriptions", "starttime",
        """moved(stoptime, days) AS stoptime, published_text(drug) AS drug, dose::DOUBLE AS dose_val_rx,
            published_text(unit) AS dose_unit_rx, published_text(route) AS route""",
        "true",
        """(SELECT * FROM whole_doses AS d SEMI JOIN commonest_units AS c
            ON d.unit = c.unit AND d.drug IS NOT DISTINCT FROM c.drug)""",
        "place",
    )  # fmt: skip


def _charge(connection: duckdb.DuckDBPyConnection, numbers: np.random.Generator) -> None:
    """Fill `published.cost`: one invented price a diagnosis, laboratory test, procedure and drug, at every event."""
    charged = (
        ("diagnoses_icd", "icd_code", "charttime"),
        ("labevents", "itemid", "charttime"),
        ("procedures_icd", "icd_code", "charttime"),
        ("prescriptions", "drug", "starttime"),
    )
    connection.execute(
        """CREATE TABLE published.cost (row_id BIGINT, subject_id INTEGER, hadm_id INTEGER, event_type VARCHAR,
            event_id BIGINT, chargetime TIMESTAMP, cost DOUBLE)"""
    )
    for mean, (table, item, time) in zip(numbers.poisson(lam=10, size=len(charged)), charged, strict=True):
        found = connection.execute(f"SELECT DISTINCT {item} FROM published.{table} WHERE {item} IS NOT NULL").fetchall()
        prices = [(each, round(float(numbers.normal(loc=mean, scale=1.0)), 2)) for (each,) in sorted(found)]
        kind = "INTEGER" if item == "itemid" else "VARCHAR"
        connection.execute(f"CREATE OR REPLACE TABLE prices (item {kind}, cost DOUBLE)")
        if prices:
            connection.execute(
                f"INSERT INTO prices SELECT unnest(?::{kind}[]), unnest(?::DOUBLE[])", list(zip(*prices, strict=True))
            )
        connection.execute(
            f"""INSERT INTO published.cost
                SELECT (SELECT count(*) FROM published.cost) + row_id, subject_id, hadm_id, '{table}', row_id,
                    {time}, cost
                FROM published.{table} JOIN prices ON {item} = item ORDER BY row_id"""
        )


def _write(source: duckdb.DuckDBPyConnection, target: sqlite3.Connection, table: PublishedTable) -> int:
    """Copy one published table in the order of its row_id; the number of its rows.

    Raises:
        RecordError: It lacks a value that the published table declares, or an identifier stands twice.
    """
    target.execute(table.render_sql())
    columns = ", ".join(
        f"strftime({name}, '%Y-%m-%d %H:%M:%S')" if kind == "time" else name for name, kind, _ in table.columns
    )
    insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"
    rows = source.execute(f"SELECT {columns} FROM published.{table.name} ORDER BY row_id")
    count = 0
    try:
        while batch := rows.fetchmany(ROWS_AT_ONCE):
            target.executemany(insert, batch)
            count += len(batch)
    except sqlite3.IntegrityError as error:
        raise RecordError(
            "does-not-fit", f"table {table.name}", f"a row breaks the published table's rules: {error}",
            "MIMIC-IV demo 2.2", "is this another version?",
        ) from error  # fmt: skip
    return count
