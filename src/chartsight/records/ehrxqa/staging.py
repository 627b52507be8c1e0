"""Source files to Parquet in the work folder: the columns that are needed, in the order of the file.

Everything after this reads Parquet, whose row numbers are the row numbers of the file. Words for nothing are null. What
a column holds besides (whole numbers, decimals, gaps) is noted, because the published reader types columns by it.

    rows.parquet    every row; of a table of events only what cleaning and permutation look at (or, where cleaning can
                    be done row by row, what permutation looks at of the rows that stay)
    own.parquet     of a table of events: the rows of the cohort's admissions, whole, with their number among the
                    rows above and in the file

A file is read by Arrow (`csv_batches`), and by DuckDB where that does not do; both write the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.csv_batches import HashedFile, NotPlain, read_batches
from chartsight.records.ehrxqa.files import Source, file_columns
from chartsight.records.ehrxqa.patient_lines import copy_patient_lines
from chartsight.records.ehrxqa.published_csv import NOTHING, WHITE_SPACE, Kind, canonical, piece_rows
from chartsight.records.ehrxqa.steps import Facts
from chartsight.records.mimiciv import check_gzip, unreadable
from chartsight.records.sql import literal, quoted, scalar
from chartsight.runs import remove

ROWS, OWN, LINES = "rows.parquet", "own.parquet", "lines.csv"
ROW, PLACE, FILE_ROW = "file_row_number", "place", "file_row"
WHOLE_PATTERN = r"\s*[+-]?[0-9]+\s*"
NUMBER_PATTERN = r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
WHOLE, NUMBER = re.compile(WHOLE_PATTERN, re.ASCII), re.compile(NUMBER_PATTERN, re.ASCII)
MOST_WHOLE, MOST_NUMBER = "pow(2.0, 63)", "'inf'::DOUBLE"
ROWS_A_GROUP = 2**17
TEXTS_REMEMBERED = 2**16  # of numbers that were looked at


@dataclass(frozen=True)
class Cleaning:
    """Which rows of a table of events stay.

    Args:
        filled: Columns that must not be null.
        items: Known values of itemid.
        unit: What must stand in `unit_column`, in small letters and without blanks around it.
        unit_column: Empty where any unit will do.
    """

    filled: Sequence[str]
    items: Sequence[int]
    unit: str = ""
    unit_column: str = ""

    def keeps(self, batch: pa.RecordBatch) -> pa.Array:
        """Whether each row stays: bool."""
        kept = pc.is_in(batch["itemid"], value_set=pa.array(self.items, pa.int64()))
        for name in self.filled:
            if batch[name].null_count:
                kept = pc.and_(kept, pc.is_valid(batch[name]))
        if self.unit_column:
            column = batch[self.unit_column]
            units = [text for text in column.dictionary.to_pylist() if text.lower().strip(WHITE_SPACE) == self.unit]
            kept = pc.and_(kept, pc.is_in(column, value_set=pa.array(units, pa.string())))
        return kept


@dataclass(frozen=True)
class Wanted:
    """What is kept of a file.

    Args:
        subjects: Rows of other patients are left out; None keeps all.
        items: Rows of other items are left out, where `subjects` are given.
        admissions: Whose rows are written whole besides; None writes none.
        columns: Of all rows; None keeps every column that is read.
        cleaning: Which rows are kept at all, where that can be said row by row; they are then counted from 0.
    """

    subjects: Sequence[int] | None = None
    items: Sequence[int] = ()
    admissions: Sequence[int] | None = None
    columns: Sequence[str] | None = None
    cleaning: Cleaning | None = None


EVERYTHING = Wanted()


def stage(
    connection: duckdb.DuckDBPyConnection, source: Source, path: Path, folder: Path, wanted: Wanted = EVERYTHING
) -> Facts:
    """Write the rows of a file to `folder`; how many, and what its columns hold.

    Args:
        connection: Any.
        source: What to read.
        path: The csv or txt, gzipped or not.
        folder: Of the step.
        wanted: What is kept.

    Raises:
        RecordError: The file is cut short or damaged, or a row is malformed: file and row are named, never its values.
    """
    header = file_columns(source, path)
    with HashedFile(path) as file:
        try:
            facts = stage_plain(file, source, header, folder, wanted)
        except NotPlain:
            for name in (ROWS, OWN, LINES):
                remove(folder / name)
            facts = stage_any(connection, source, path, folder, wanted)
        columns = [name for name in header if name in source.columns]
        return {"path": str(path), "sha256": file.sha256(), "columns": columns, "table_width": len(header)} | facts


# ----------------------------------------------------------------------------------------------------------- by Arrow


def stage_plain(file: HashedFile, source: Source, header: Sequence[str], folder: Path, wanted: Wanted) -> Facts:
    """What `stage` does, of a file that holds what it should.

    Raises:
        NotPlain: It has to be read by the ordinary reader.
    """
    columns = [name for name in header if name in source.columns]
    if wanted.subjects is None:
        return write_batches(read_batches(file.unpacked(), source, columns), source, len(header), folder, wanted)
    lines = folder / LINES
    if header[0] != "subject_id" or source.tabs:
        raise NotPlain
    if not copy_patient_lines(file.unpacked(), lines, header, wanted.subjects, wanted.items):
        raise NotPlain
    subjects, items = pa.array(wanted.subjects, pa.int64()), pa.array(wanted.items, pa.int64())
    with lines.open("rb") as some:
        batches = (
            batch.filter(
                pc.and_(pc.is_in(batch["itemid"], value_set=items), pc.is_in(batch["subject_id"], value_set=subjects))
            )
            for batch in read_batches(some, source, columns)
        )
        facts = write_batches(batches, source, len(header), folder, wanted)
    lines.unlink()
    return facts


def write_batches(batches: Iterator[pa.RecordBatch], source: Source, width: int, folder: Path, wanted: Wanted) -> Facts:
    """Write batches of a file, and note what their columns hold.

    Raises:
        NotPlain: As `stage_plain`.
    """
    seen = Seen(source, width)
    kept = 0
    admissions = None if wanted.admissions is None else pa.array(wanted.admissions, pa.int64())
    with Groups(folder / ROWS) as rows, Groups(folder / OWN) as own:
        for batch in batches:
            seen.add(batch)
            written = batch if wanted.columns is None else batch.select(list(wanted.columns))
            stays = None if wanted.cleaning is None else wanted.cleaning.keeps(batch)
            if stays is not None:
                written = written.filter(stays)
            if admissions is not None:
                is_own = pc.is_in(batch["hadm_id"], value_set=admissions)
                places = true_places(is_own if stays is None else pc.and_(is_own, stays))
                if len(places) or own.is_empty:
                    mine = in_words(batch.take(pa.array(places, pa.int64())))
                    numbers = places if stays is None else np.searchsorted(true_places(stays), places)
                    mine = mine.append_column(PLACE, pa.array(numbers + kept, pa.int64()))
                    file_rows = places + (seen.rows - batch.num_rows)
                    own.write(mine.append_column(FILE_ROW, pa.array(file_rows, pa.int64())))
            rows.write(written)
            kept += written.num_rows
        if rows.is_empty:  # a file without any row has no batch either
            raise NotPlain
    facts = seen.facts()
    if wanted.cleaning is not None:
        if any(known for pieces in facts["pieces"].values() for _, _, known in pieces):
            raise NotPlain  # what such a piece holds depends on the row's number in the file
        facts["kept"] = kept
    return facts


def true_places(values: pa.Array) -> NDArray[np.int64]:
    """Where a column is true: int64."""
    return np.flatnonzero(values.to_numpy(zero_copy_only=False))


def in_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch without dictionaries: a few rows would keep all texts of the block that they stood in."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)


class Groups:
    """A Parquet file that is written by groups of rows.

    Args:
        path: To be written; it appears with the first batch.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: pq.ParquetWriter | None = None
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was written yet, not even no row."""
        return self.writer is None and not self.batches

    def __enter__(self) -> Groups:
        return self

    def __exit__(self, *failed: object) -> None:
        if self.batches and failed[0] is None:
            self.flush()
        if self.writer is not None:
            self.writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self.batches.append(batch)
        self.rows += batch.num_rows
        if self.rows >= ROWS_A_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is there."""
        table = pa.Table.from_batches(self.batches).unify_dictionaries()
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.path,
                table.schema,
                compression="lz4",
                write_statistics=False,
                use_dictionary=[field.name for field in table.schema if not pa.types.is_integer(field.type)],
            )
        self.writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self.batches, self.rows = [], 0


@dataclass
class Piece:
    """Rows of a text column that the published reader types together, as far as they were seen.

    Args:
        number: Of the piece.
        is_number: Every text is a number, or nothing.
        is_whole: Every text is a whole number.
        known: How many are not null.
    """

    number: int
    is_number: bool = True
    is_whole: bool = True
    known: int = 0


@dataclass
class Seen:
    """What the columns of a file hold, seen batch by batch.

    Args:
        source: What its columns are.
        width: How many columns it has.
    """

    source: Source
    width: int
    rows: int = 0
    has_gaps: set[str] = field(default_factory=set)
    has_decimals: set[str] = field(default_factory=set)
    numbers: dict[str, set[str]] = field(default_factory=dict)
    current: dict[str, Piece] = field(default_factory=dict)
    pieces: dict[str, list[tuple[int, bool, int]]] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows.

        Raises:
            NotPlain: A number is none.
        """
        for name in (*self.source.whole, *self.source.numbers):
            if batch[name].null_count:
                self.has_gaps.add(name)
        for name in self.source.numbers:
            self.add_numbers(name, batch[name].dictionary.to_pylist())
        size = piece_rows(self.width)
        for name in self.source.text:
            start = 0
            while start < batch.num_rows:
                number = (self.rows + start) // size
                end = min((number + 1) * size - self.rows, batch.num_rows)
                self.add_texts(name, number, batch[name], start, end)
                start = end
        self.rows += batch.num_rows

    def add_numbers(self, name: str, texts: Sequence[str]) -> None:
        """Look at the different texts of a column of numbers."""
        known = self.numbers.setdefault(name, set())
        for text in set(texts) - known:
            if not NUMBER.fullmatch(text) or math.isinf(float(text)):
                raise NotPlain
            if not WHOLE.fullmatch(text):
                self.has_decimals.add(name)
            if len(known) < TEXTS_REMEMBERED:
                known.add(text)

    def add_texts(self, name: str, number: int, column: pa.Array, start: int, end: int) -> None:
        """Look at rows of a text column that lie in one piece."""
        piece = self.current.get(name)
        if piece is None or piece.number != number:
            self.end_piece(name)
            piece = self.current[name] = Piece(number)
        if not piece.is_number:
            return
        first = column[start].as_py()
        if first is not None and not NUMBER.fullmatch(first):  # so it is as a rule
            piece.is_number = False
            return
        part = column.slice(start, end - start)
        for text in pc.unique(part.drop_null()).to_pylist():
            if not NUMBER.fullmatch(text):
                piece.is_number = False
                return
            piece.is_whole &= WHOLE.fullmatch(text) is not None
        piece.is_whole &= part.null_count == 0
        piece.known += len(part) - part.null_count

    def end_piece(self, name: str) -> None:
        """Note the piece that was read last."""
        piece = self.current.pop(name, None)
        if piece is not None and piece.is_number:
            self.pieces.setdefault(name, []).append((piece.number, piece.is_whole, piece.known))

    def facts(self) -> Facts:
        """How many rows there are, and what the columns hold."""
        for name in self.source.text:
            self.end_piece(name)
        decimals = self.has_gaps | self.has_decimals
        kinds: dict[str, Kind] = {
            name: "decimal" if name in decimals else "whole" for name in (*self.source.whole, *self.source.numbers)
        }
        return {"rows": self.rows, "kinds": kinds, "pieces": self.pieces}


# ----------------------------------------------------------------------------------------------------------- by DuckDB


def stage_any(connection: duckdb.DuckDBPyConnection, source: Source, path: Path, folder: Path, wanted: Wanted) -> Facts:
    """What `stage` does, of any file that can be read.

    Raises:
        RecordError: As `stage`.
    """
    where = ""
    if wanted.subjects is not None:
        patients, items = (", ".join(map(literal, some)) or "NULL" for some in (wanted.subjects, wanted.items))
        where = f"itemid IN ({items}) AND subject_id IN ({patients})"
    with ThreadPoolExecutor(1) as beside:  # DuckDB does not look at gzip's checksum
        checked = beside.submit(check_gzip, path)
        copy_rows(connection, source, path, folder, where)
        checked.result()
    facts = profile(connection, source, path, folder / ROWS)
    rows = parquet_rows(folder)
    facts["pieces"] = {
        name: pieces for name in source.text if (pieces := pieces_of_numbers(connection, rows, name, path, source))
    }
    if wanted.admissions is not None:
        admissions = pa.table({"hadm_id": pa.array(wanted.admissions, pa.int64()).cast(pa.float64())})
        connection.register("admissions_of_rows", admissions)
        connection.execute(
            f"""COPY (SELECT * EXCLUDE ({ROW}), {ROW} AS {PLACE}, {ROW} AS {FILE_ROW} FROM {rows}
                    WHERE CAST(hadm_id AS DOUBLE) IN (SELECT hadm_id FROM admissions_of_rows) ORDER BY {ROW})
                TO {literal(folder / OWN)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        connection.unregister("admissions_of_rows")
    return facts


def copy_rows(connection: duckdb.DuckDBPyConnection, source: Source, path: Path, folder: Path, where: str) -> None:
    """Rows of a file as Parquet, every column text.

    Args:
        connection: Any.
        source: What to read.
        path: The file.
        folder: Of the step.
        where: SQL that a row must fulfil to be kept.

    Raises:
        RecordError: As `stage`.
    """
    header = file_columns(source, path)
    wanted = [name for name in header if name in source.columns]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    nothing = ", ".join(map(literal, NOTHING))
    scan = f"""read_csv({literal(path)}, columns={{{columns}}}, delim={literal(chr(9) if source.tabs else ",")},
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
        fits = f"abs(TRY_CAST({column} AS DOUBLE)) < {MOST_WHOLE if name in source.whole else MOST_NUMBER}"
        is_number = f"regexp_full_match({column}, {literal(pattern)}) AND {fits}"
        bad, decimals = connection.execute(
            f"""SELECT min({ROW}) FILTER (NOT coalesce({is_number}, false)),
                    count(*) FILTER (NOT {whole}) FROM {parquet} WHERE {column} IS NOT NULL AND NOT {plain[name]}"""
        ).fetchall()[0]
        if bad is not None:
            expected = "a whole number" if name in source.whole else "a number"
            raise RecordError("malformed-row", path, f"row {bad + 1:,}: {name} is no number", expected)
        if decimals:
            kinds[name] = "decimal"
    return {"rows": total, "kinds": kinds}


def pieces_of_numbers(
    connection: duckdb.DuckDBPyConnection, rows: str, name: str, path: Path, source: Source
) -> list[tuple[int, bool, int]]:
    """Pieces of a text column that hold only numbers: which, whether all are whole, and how many are not null."""
    column, size = quoted(name), piece_rows(len(file_columns(source, path)))
    sampled = f"SELECT any_value({column}) AS value FROM {rows} GROUP BY {ROW} // {size}"
    number = f"value IS NULL OR regexp_full_match(value, {literal(NUMBER_PATTERN)})"
    if not scalar(connection, f"SELECT coalesce(bool_or({number}), false) FROM ({sampled})"):
        return []  # else no piece holds only numbers
    return connection.execute(
        f"""SELECT {ROW} // {size}, bool_and({column} IS NOT NULL
                AND coalesce(regexp_full_match({column}, {literal(WHOLE_PATTERN)}), false)), count({column}) FROM {rows}
            GROUP BY 1
            HAVING bool_and({column} IS NULL OR regexp_full_match({column}, {literal(NUMBER_PATTERN)})) ORDER BY 1"""
    ).fetchall()


# ------------------------------------------------------------------------------------------------------ what was staged


def parquet_rows(folder: Path) -> str:
    """SQL of the staged rows of a step, with their number in the file."""
    return f"read_parquet({literal(folder / ROWS)}, file_row_number=true)"


def own_rows(folder: Path) -> str:
    """SQL of the staged rows of the cohort's admissions, with their number in the file."""
    return f"(SELECT * EXCLUDE ({PLACE}), {PLACE} AS {ROW} FROM read_parquet({literal(folder / OWN)}))"


def clean_text(name: str) -> str:
    """SQL of a text without the blanks around it, in small letters."""
    spaces = " || ".join(f"chr({ord(each)})" for each in WHITE_SPACE)
    return f"trim(lower({quoted(name)}), {spaces})"


def numeric_pieces(facts: Facts, name: str) -> Mapping[int, Kind]:
    """Pieces of a text column that the published reader takes for numbers, by their number; empty as a rule.

    Args:
        facts: Of the step that staged the table.
        name: The column.
    """
    found = facts["pieces"].get(name, [])
    if not any(count for _, _, count in found):
        return {}
    kinds: dict[int, Kind] = {piece: "whole" if whole else "decimal" for piece, whole, _ in found}
    pieces = -(-facts["rows"] // piece_rows(facts["table_width"]))
    if len(kinds) == pieces and "decimal" in kinds.values():
        return dict.fromkeys(kinds, "decimal")  # the whole column is numbers: of one type
    return kinds


def text_column(
    connection: duckdb.DuckDBPyConnection, rows: str, name: str, facts: Facts, alias: str | None = None
) -> str:
    """SQL of a text column as the published reader has it: small letters, or the text of a number in a numeric piece.

    The staged rows must stand in the query as they are named in `rows`, with their row number.
    """
    kinds = numeric_pieces(facts, name)
    if not kinds:
        return f"{clean_text(name)} AS {quoted(alias or name)}"
    size, column = piece_rows(facts["table_width"]), quoted(name)
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
    if not cases:
        return f"{clean_text(name)} AS {quoted(alias or name)}"
    return f"CASE {' '.join(cases)} ELSE {clean_text(name)} END AS {quoted(alias or name)}"


def taken_rows(folder: Path, columns: Sequence[str], asked: NDArray[np.int64]) -> pa.Table:
    """Columns of some staged rows, in the order in which they are asked for; a group of rows is in memory at a time."""
    file = pq.ParquetFile(folder / ROWS)
    texts = [field.name for field in file.schema_arrow if field.name in columns and not pa.types.is_integer(field.type)]
    file = pq.ParquetFile(folder / ROWS, read_dictionary=texts)
    order = np.argsort(asked, kind="stable")
    in_order, found, first = asked[order], [], 0
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        begin, end = np.searchsorted(in_order, (first, first + size))
        if end > begin:
            rows = file.read_row_group(group, columns=list(columns))
            found.append(rows.take(pa.array(in_order[begin:end] - first)))
        first += size
    table = pa.concat_tables(found) if found else file.schema_arrow.empty_table().select(list(columns))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return table.unify_dictionaries().combine_chunks().take(pa.array(back))


def in_small_letters(column: pa.ChunkedArray) -> pa.Array:
    """A text column as `clean_text` has it."""
    column = column.combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = [text.lower().strip(WHITE_SPACE) for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A small file; without `pyarrow.dataset`, which takes longer to load than the file."""
    with pq.ParquetFile(path) as file:
        return file.read(None if columns is None else list(columns))


def staged_rows(folder: Path, columns: Sequence[str]) -> list[tuple[object, ...]]:
    """Columns of a staged table as they are, in the order of the file."""
    table = read_parquet(folder / ROWS, columns)
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))
