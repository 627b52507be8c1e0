"""Source files to Parquet in the work folder: the columns that are needed, as text, in the order of the file.

Everything after this reads Parquet, whose row numbers are the row numbers of the file. Words for nothing are null. What
a column holds besides (whole numbers, decimals, gaps) is noted, because the published reader types columns by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.files import Source, file_columns
from chartsight.records.ehrxqa.patient_lines import copy_patient_lines
from chartsight.records.ehrxqa.published_csv import NOTHING, WHITE_SPACE, Kind, canonical, piece_rows
from chartsight.records.ehrxqa.steps import Facts
from chartsight.records.mimiciv import unreadable
from chartsight.records.sql import literal, quoted, scalar
from chartsight.runs import sha256_file

ROWS, LINES = "rows.parquet", "lines.csv"
ROW = "file_row_number"
WHOLE_PATTERN = r"\s*[+-]?[0-9]+\s*"
NUMBER_PATTERN = r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"


def stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    path: Path,
    folder: Path,
    where: str = "",
    subjects: Sequence[int] | None = None,
) -> Facts:
    """Write the rows of a file to `folder`; how many, and what its columns hold.

    Args:
        connection: Any.
        source: What to read.
        path: The csv or txt, gzipped or not.
        folder: Of the step.
        where: SQL that a row must fulfil to be kept.
        subjects: Whose rows fulfil it; None for any.

    Raises:
        RecordError: The file is cut short or damaged, or a row is malformed: file and row are named, never its values.
    """
    header = file_columns(source, path)
    lines = folder / LINES
    is_shorter = subjects is not None and header[0] == "subject_id" and not source.tabs
    if is_shorter and copy_patient_lines(path, lines, len(header), subjects or ()):
        try:
            copy_rows(connection, source, lines, path, folder, where)
        except RecordError:  # it counts the lines of the shorter file
            copy_rows(connection, source, path, path, folder, where)
        lines.unlink()
    else:
        copy_rows(connection, source, path, path, folder, where)
    wanted = [name for name in header if name in source.columns]
    facts = {"path": str(path), "sha256": sha256_file(path), "columns": wanted, "table_width": len(header)}
    return facts | profile(connection, source, path, folder / ROWS)


def copy_rows(
    connection: duckdb.DuckDBPyConnection, source: Source, lines: Path, path: Path, folder: Path, where: str
) -> None:
    """Rows of a file as Parquet.

    Args:
        connection: Any.
        source: What to read.
        lines: The file, or some of its lines.
        path: The file, for messages.
        folder: Of the step.
        where: SQL that a row must fulfil to be kept.

    Raises:
        RecordError: As `stage`.
    """
    header = file_columns(source, path)
    wanted = [name for name in header if name in source.columns]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    nothing = ", ".join(map(literal, NOTHING))
    scan = f"""read_csv({literal(lines)}, columns={{{columns}}}, delim={literal(chr(9) if source.tabs else ",")},
        quote='"', escape='"', header=true, auto_detect=false, nullstr=[{nothing}], store_rejects=true,
        rejects_limit=1)"""
    chosen = ", ".join(map(quoted, wanted))
    rows = f"SELECT {chosen} FROM {scan}"
    if where:  # a list of many values is joined, and a join does not keep the order
        rows = f"SELECT {chosen} FROM (SELECT {chosen}, row_number() OVER () AS n FROM {scan}) WHERE {where} ORDER BY n"
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    try:
        connection.execute(f"COPY ({rows}) TO {literal(folder / ROWS)} (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.IOException as error:
        if "GZIP" in str(error):
            raise unreadable(path) from error
        raise
    except duckdb.InvalidInputException as error:
        raise unreadable(path) from error
    rejected = connection.execute("SELECT line, lower(CAST(error_type AS VARCHAR)) FROM reject_errors ORDER BY line")
    for line, reason in rejected.fetchall():
        raise RecordError(
            "malformed-row", path, f"line {line:,} is no row ({reason})", f"{len(header)} columns",
            "compare the file with its SHA256SUMS.txt, or fetch it again",
        )  # fmt: skip


def profile(connection: duckdb.DuckDBPyConnection, source: Source, path: Path, rows: Path) -> Facts:
    """The number of rows, and of each column of numbers whether any is missing or is no whole number.

    Raises:
        RecordError: A value is no number, or no whole number where one must stand.
    """
    parquet = f"read_parquet({literal(rows)}, file_row_number=true)"
    names = (*source.whole, *source.numbers)
    # Most columns hold nothing but whole numbers written as one writes them, which is cheaper to see than a pattern.
    plain = {
        name: f"coalesce(CAST(TRY_CAST({quoted(name)} AS BIGINT) AS VARCHAR) = {quoted(name)}, false)" for name in names
    }
    counted = "".join(f", count({quoted(name)}), count(*) FILTER ({plain[name]})" for name in names)
    (total, *counts), *_ = connection.execute(f"SELECT count(*){counted} FROM {parquet}").fetchall()
    kinds: dict[str, Kind] = {}
    for name, known, as_written in zip(names, counts[::2], counts[1::2], strict=True):
        kinds[name] = "whole" if known == total else "decimal"
        if as_written == known:
            continue
        column = quoted(name)
        whole = f"regexp_full_match({column}, {literal(WHOLE_PATTERN)})"
        pattern = WHOLE_PATTERN + r"(\.0*)?" if name in source.whole else NUMBER_PATTERN
        bad, decimals = connection.execute(
            f"""SELECT min({ROW}) FILTER (NOT regexp_full_match({column}, {literal(pattern)})),
                    count(*) FILTER (NOT {whole}) FROM {parquet} WHERE {column} IS NOT NULL AND NOT {plain[name]}"""
        ).fetchall()[0]
        if bad is not None:
            expected = "a whole number" if name in source.whole else "a number"
            raise RecordError("malformed-row", path, f"row {bad + 1:,}: {name} is no number", expected)
        if decimals:
            kinds[name] = "decimal"
    return {"rows": total, "kinds": kinds}


def parquet_rows(folder: Path) -> str:
    """SQL of the staged rows of a step, with their number in the file."""
    return f"read_parquet({literal(folder / ROWS)}, file_row_number=true)"


def clean_text(name: str) -> str:
    """SQL of a text without the blanks around it, in small letters."""
    spaces = " || ".join(f"chr({ord(each)})" for each in WHITE_SPACE)
    return f"trim(lower({quoted(name)}), {spaces})"


def numeric_pieces(connection: duckdb.DuckDBPyConnection, rows: str, name: str, width: int) -> Mapping[int, Kind]:
    """Pieces of a text column that the published reader takes for numbers, by their number; empty as a rule.

    Args:
        connection: Any.
        rows: SQL of the staged rows.
        name: The column.
        width: Columns of the whole file.
    """
    column, size = quoted(name), piece_rows(width)
    if not numeric_sample(connection, rows, name, size):
        return {}
    found = connection.execute(
        f"""SELECT {ROW} // {size}, bool_and({column} IS NOT NULL
                AND coalesce(regexp_full_match({column}, {literal(WHOLE_PATTERN)}), false)), count({column}) FROM {rows}
            GROUP BY 1
            HAVING bool_and({column} IS NULL OR regexp_full_match({column}, {literal(NUMBER_PATTERN)})) ORDER BY 1"""
    ).fetchall()
    if not any(count for _, _, count in found):
        return {}
    kinds: dict[int, Kind] = {piece: "whole" if whole else "decimal" for piece, whole, _ in found}
    pieces = int(scalar(connection, f"SELECT count(DISTINCT {ROW} // {size}) FROM {rows}"))
    if len(kinds) == pieces and "decimal" in kinds.values():
        return dict.fromkeys(kinds, "decimal")  # the whole column is numbers: of one type
    return kinds


def numeric_sample(connection: duckdb.DuckDBPyConnection, rows: str, name: str, size: int) -> bool:
    """Whether the first value of any piece is a number: else no piece holds only numbers."""
    sampled = f"SELECT any_value({quoted(name)}) AS value FROM {rows} GROUP BY {ROW} // {size}"
    number = f"regexp_full_match(value, {literal(NUMBER_PATTERN)})"
    return bool(scalar(connection, f"SELECT coalesce(bool_or({number}), false) FROM ({sampled})"))


def text_column(
    connection: duckdb.DuckDBPyConnection, rows: str, name: str, width: int, alias: str | None = None
) -> str:
    """SQL of a text column as the published reader has it: small letters, or the text of a number in a numeric piece.

    The staged rows must stand in the query as they are named in `rows`, with their row number.
    """
    kinds = numeric_pieces(connection, rows, name, width)
    if not kinds:
        return f"{clean_text(name)} AS {quoted(alias or name)}"
    size, column = piece_rows(width), quoted(name)
    cases = []
    for kind in ("whole", "decimal"):
        pieces = [piece for piece, each in kinds.items() if each == kind]
        if not pieces:
            continue
        inside = f"{ROW} // {size} IN ({', '.join(map(str, pieces))})"
        distinct = connection.execute(
            f"SELECT DISTINCT {column} FROM {rows} WHERE {inside} AND {column} IS NOT NULL ORDER BY 1"
        ).fetchall()
        if not distinct:
            continue
        known = ", ".join(f"{literal(text)}: {literal(canonical(text.strip(), kind))}" for (text,) in distinct)
        cases.append(f"WHEN {inside} THEN MAP {{{known}}}[{column}]")
    return f"CASE {' '.join(cases)} ELSE {clean_text(name)} END AS {quoted(alias or name)}"


def staged_rows(folder: Path, columns: Sequence[str]) -> list[tuple[object, ...]]:
    """Columns of a staged table as they are, in the order of the file."""
    table = pq.read_table(folder / ROWS, columns=list(columns))
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))
