"""MIMIC-IV's tables, streamed from csv or csv.gz into the record: types, keys, and the rows that do not fit.

    hosp/patients.csv.gz    subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod
                            10000032,F,52,2180,2014 - 2016,2180-09-09

Every value is read as text and cast by `schema.py`, so that one bad row costs that row and nothing else: it is counted
by reason and listed by file and row number (the header is no row; a quoted line break does not start one).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from chartsight.errors import RecordError
from chartsight.records.sql import count_rows, create_table, literal, quoted
from chartsight.records.stray_quotes import drop_stray_quotes
from chartsight.runs import Run
from chartsight.schema import DUCKDB_TYPES, HOSP_TABLES, ICU_TABLES, NOTE_TABLES, TABLES, Column, Table

ROW, PROBLEM = "row__", "problem__"
_CHECKED_BYTES = 1 << 20  # at a time
OPEN_QUOTE = "quote left open"
_HIDING_ROWS = (
    OPEN_QUOTE,
    "unquoted value",
    "line size over maximum",
)  # the reader took rows for the rest of a quoted value
_SCAN = "delim=',', quote='\"', escape='\"', header=true, auto_detect=false, store_rejects=true, rejects_limit=0"


def find_table_file(folder: Path, table: Table) -> Path | None:
    """`folder/module/name.csv.gz` or `.csv`; also without the module's folder; None when there is none.

    Raises:
        RecordError: The table cannot be done without.
    """
    for place in (folder / table.module, folder):
        for suffix in (".csv.gz", ".csv"):
            path = place / (table.name + suffix)
            if path.is_file():
                return path
    if table.optional:
        return None
    raise RecordError(
        "missing-file", folder / table.module / f"{table.name}.csv.gz", "no such file", "MIMIC-IV's own layout",
        "name the folder that holds hosp/ and icu/",
    )  # fmt: skip


def read_header(path: Path) -> list[str]:
    """The column names of a csv or csv.gz, as they stand there.

    Raises:
        RecordError: The file is no text, or not the gzip that its name says.
    """
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(data, "utf-8-sig", errors="surrogateescape", newline="") as text:
                names = next(csv.reader(text), [])
                "".join(names).encode()  # text further down that is no UTF-8 costs its own row, and is the scan's
                return names
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError, csv.Error) as error:
        raise unreadable(path) from error


def check_gzip(path: Path) -> None:
    """Nothing, when a csv.gz is whole and its bytes are those that were packed; other files are not looked at.

    Raises:
        RecordError: It is cut short, or its checksum is another.
    """
    if path.suffix != ".gz":
        return
    try:
        with gzip.open(path) as data:
            while data.read(_CHECKED_BYTES):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> RecordError:
    """The one line for a file that ends too early or is not what its name says."""
    return RecordError("truncated-file", path, "is cut short or damaged", "a whole csv or csv.gz", "fetch it again")


def check_header(path: Path, found: Sequence[str], expected: Iterable[str]) -> list[str]:
    """The expected names in the file's order; case and order may differ.

    Raises:
        RecordError: Columns are missing or unexpected; all are named.
    """
    by_lower = {name.lower(): name for name in expected}
    lower = [name.strip().lower() for name in found]
    missing = [name for key, name in by_lower.items() if key not in lower]
    if len(missing) == len(by_lower):  # most likely the first line is a patient's: it is not shown
        raise RecordError(
            "wrong-header", path, "the first line holds none of the table's columns; the header may be missing",
            f"{len(by_lower)} columns" if len(by_lower) > 16 else ",".join(by_lower.values()),
        )  # fmt: skip
    unexpected = [name for name, key in zip(found, lower, strict=True) if key not in by_lower]
    if missing or unexpected or len(set(lower)) < len(lower):
        parts = [f"missing {', '.join(missing)}"] if missing else []
        parts += [f"unexpected {', '.join(name[:40] for name in unexpected[:8])}"] if unexpected else []
        raise RecordError(
            "wrong-header", path, "wrong header: " + ("; ".join(parts) or "a column stands twice"),
            f"{len(by_lower)} columns" if len(by_lower) > 16 else ",".join(by_lower.values()),
        )  # fmt: skip
    return [by_lower[key] for key in lower]


def read_mimiciv(connection: duckdb.DuckDBPyConnection, folder: Path, run: Run) -> Iterator[str]:
    """Fill every table of MIMIC-IV that the folder has; the name of each table as it begins.

    Raises:
        RecordError: patients or admissions is missing, a header is wrong, a file is cut short, or the folder is hosp/
            or icu/ alone.
    """
    alone = folder.resolve().name in {"hosp", "icu"} and not (folder / "hosp").is_dir()
    if alone:  # read as it is, the other module would be missing without a word
        raise RecordError(
            "one-module", folder, "is one module of MIMIC-IV", "the folder that holds hosp/ and icu/",
            f"name {folder.resolve().parent}",
        )  # fmt: skip
    tables = sorted((*HOSP_TABLES, *ICU_TABLES), key=lambda table: _ORDER.get(table.name, len(_ORDER)))
    for table in tables:
        path = find_table_file(folder, table)
        create_table(connection, table)
        if path is not None:
            yield table.name
            fill_table(connection, table, path, run)
    charges = TABLES["cost"]
    for suffix in (".csv.gz", ".csv"):  # the synthetic hospital's charges; MIMIC has none
        path = folder / "extra" / f"cost{suffix}"
        if path.is_file():
            yield charges.name
            fill_table(connection, charges, path, run)


def read_notes(connection: duckdb.DuckDBPyConnection, folder: Path, run: Run) -> Iterator[str]:
    """Fill discharge and radiology from MIMIC-IV-Note; the name of each table as it begins."""
    paths = {table.name: find_table_file(folder, table) for table in NOTE_TABLES}
    if not any(paths.values()):
        raise RecordError("missing-file", folder, "has no discharge or radiology notes", "note/discharge.csv.gz")
    for table in NOTE_TABLES:
        path = paths[table.name]
        if path is not None:
            yield table.name
            fill_table(connection, table, path, run)


_ORDER = {name: place for place, name in enumerate(("patients", "admissions", "icustays"))}


def fill_table(connection: duckdb.DuckDBPyConnection, table: Table, path: Path, run: Run) -> int:
    """Fill an empty table from one file, drop and note the rows that do not fit; the number of rows kept.

    Raises:
        RecordError: The header is wrong or the file is cut short.
    """
    header = check_header(path, read_header(path), table.header)
    name = quoted(table.name)
    connection.execute(f"ALTER TABLE {name} ADD COLUMN {ROW} BIGINT")
    connection.execute(f"ALTER TABLE {name} ADD COLUMN {PROBLEM} VARCHAR")
    with ThreadPoolExecutor(1) as beside:  # the scan unpacks on one core and does not look at gzip's checksum
        checked = beside.submit(check_gzip, path)
        malformed = _scan(connection, table, path, header)
        checked.result()
    if any(reason in _HIDING_ROWS for reason in malformed.values()):
        connection.execute(f"DELETE FROM {name}")
        malformed = _scan_without_stray_quotes(connection, table, path, header)
    for row, reason in sorted(malformed.items()):
        run.drop(f"malformed line ({reason})", path, row)
    skipped = sorted(malformed)
    _drop_marked(connection, table, path, run, skipped)
    if table.key:
        _mark_repeated(connection, table)
        _drop_marked(connection, table, path, run, skipped)
    if table.name != "patients" and "subject_id" in table.header:
        _mark_unknown(connection, table)
        _drop_marked(connection, table, path, run, skipped)
    connection.execute(f"ALTER TABLE {name} DROP COLUMN {PROBLEM}")
    connection.execute(f"ALTER TABLE {name} DROP COLUMN {ROW}")
    kept = count_rows(connection, table.name)
    run.kept[table.name] = kept
    run.read(path, rows=kept)
    return kept


def drop_rows(run: Run, reason: str, where: object, rows: Iterable[int | str], count: int) -> None:
    """Note `count` dropped rows of which `rows` (at most `Run.LISTED`) are listed."""
    listed = 0
    for row in rows:
        run.drop(reason, where, row)
        listed += 1
    if count > listed:
        run.drop(reason, where, count=count - listed)


def _cast(column: Column) -> str:
    name = quoted(column.name)
    return name if column.type == "text" else f"TRY_CAST({name} AS {DUCKDB_TYPES[column.type]})"


def _problem(columns: Sequence[Column]) -> str:
    """The SQL of the first reason why a row does not fit, or NULL."""
    cases = []
    for column in columns:
        name = quoted(column.name)
        if column.required:
            cases.append(f"WHEN {name} IS NULL THEN 'missing {column.name}'")
        if column.type != "text":
            misfit = f"{_cast(column)} IS NULL"
            if column.type in ("int", "bigint"):  # a cast would round 1.5 to 2 without a word
                misfit += f" OR (contains({name}, '.') AND TRY_CAST({name} AS DOUBLE) <> {_cast(column)})"
            cases.append(f"WHEN {name} IS NOT NULL AND ({misfit}) THEN 'unparsable {column.name}'")
    return f"CASE {' '.join(cases)} END" if cases else "NULL"


def _scan(connection: duckdb.DuckDBPyConnection, table: Table, path: Path, header: Sequence[str]) -> dict[int, str]:
    """Insert what the file has, marked where it does not fit; row → reason of the lines that are no rows at all.

    Those have too many or too few values or a quote that does not close; they are not inserted.
    """
    casts = ", ".join(_cast(column) for column in table.columns)
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    scan = f"read_csv({literal(path)}, columns={{{columns}}}, {_SCAN})"
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    try:
        connection.execute(
            f"""INSERT INTO {quoted(table.name)}
                SELECT {casts}, row_number() OVER (), {_problem(table.columns)} FROM {scan}"""
        )
    except duckdb.IOException as error:
        if "GZIP" in str(error):
            raise unreadable(path) from error
        raise
    except duckdb.InvalidInputException as error:
        raise unreadable(path) from error
    rejected = connection.execute(
        f"""SELECT line - 1, CASE WHEN bool_or(contains(rtrim(csv_line, chr(10) || chr(13)), chr(10)))
                THEN '{OPEN_QUOTE}' ELSE lower(min(CAST(error_type AS VARCHAR))) END
            FROM reject_errors GROUP BY line"""
    ).fetchall()
    return dict(rejected)


def _scan_without_stray_quotes(
    connection: duckdb.DuckDBPyConnection, table: Table, path: Path, header: Sequence[str]
) -> dict[int, str]:
    """As `_scan`, after the lines are taken out whose open quote hides the rows behind them."""
    database = Path(connection.execute("PRAGMA database_list").fetchall()[0][2])
    with TemporaryDirectory(prefix=".mended-", dir=database.parent) as folder:
        mended = Path(folder) / f"{table.name}.csv"
        stray = drop_stray_quotes(path, mended, len(header))
        malformed = _scan(connection, table, mended, header)
    rows = {_row_in_file(row, stray): reason for row, reason in malformed.items()}
    return rows | dict.fromkeys(stray, OPEN_QUOTE)


def _drop_marked(
    connection: duckdb.DuckDBPyConnection, table: Table, path: Path, run: Run, skipped: Sequence[int]
) -> None:
    """Delete and note the rows that are marked with a problem."""
    name = quoted(table.name)
    reasons = connection.execute(
        f"""SELECT {PROBLEM}, count(*), list_sort(list({ROW}))[:{Run.LISTED}] FROM {name}
            WHERE {PROBLEM} IS NOT NULL GROUP BY {PROBLEM} ORDER BY {PROBLEM}"""
    ).fetchall()
    if not reasons:
        return
    for reason, count, rows in reasons:
        drop_rows(run, reason, path, (_row_in_file(row, skipped) for row in rows), count)
    connection.execute(f"DELETE FROM {name} WHERE {PROBLEM} IS NOT NULL")


def _row_in_file(row: int, skipped: Sequence[int]) -> int:
    """The number in the file of the row that is `row` among those not skipped; `skipped` is sorted."""
    for line in skipped:
        if line > row:
            break
        row += 1
    return row


def _mark_repeated(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Mark every row whose key stood in the file before; the first one stays."""
    name, key = quoted(table.name), ", ".join(map(quoted, table.key))
    connection.execute(
        f"""UPDATE {name} SET {PROBLEM} = 'repeated {" ".join(table.key)}' FROM (
                SELECT {key}, min({ROW}) AS first__ FROM {name} GROUP BY {key} HAVING count(*) > 1
            ) AS repeated
            WHERE {" AND ".join(f"{name}.{quoted(k)} IS NOT DISTINCT FROM repeated.{quoted(k)}" for k in table.key)}
                AND {name}.{ROW} > repeated.first__"""
    )


def _mark_unknown(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Mark rows of a patient, an admission or an ICU stay that the record does not have, or that is somebody else's."""
    name = quoted(table.name)
    parents = [("subject_id", "patients")]
    parents += [("hadm_id", "admissions")] if "hadm_id" in table.header and table.name != "admissions" else []
    parents += [("stay_id", "icustays")] if "stay_id" in table.header and table.name != "icustays" else []
    for key, parent in parents:
        if key != "hadm_id" and count_rows(connection, parent) == 0:
            continue  # films without MIMIC-IV, or hosp without icu: there is nothing to know it by
        same = f"known.{key} = {name}.{key}"
        connection.execute(
            f"""UPDATE {name} SET {PROBLEM} = 'unknown {key}' WHERE {PROBLEM} IS NULL AND {key} IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM {parent} AS known WHERE {same})"""
        )
        if key != "subject_id":
            connection.execute(
                f"""UPDATE {name} SET {PROBLEM} = '{key} of another patient' WHERE {PROBLEM} IS NULL
                    AND {key} IS NOT NULL AND NOT EXISTS (
                        SELECT 1 FROM {parent} AS known WHERE {same} AND known.subject_id = {name}.subject_id)"""
            )
