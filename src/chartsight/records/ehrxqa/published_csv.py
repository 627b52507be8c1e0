"""How the published builder's CSV reader turns text into values, down to the last bit.

The released database went through pandas 1.1.3 (the version that its README names), which

* reads decimals with few digits kept (`parse_decimal`): `0.1235` is not always the nearest double;
* reads a file in pieces of so many rows (`piece_rows`) and types each piece by itself, so that a piece of a text column
  that holds only numbers becomes numbers: `0389` becomes `389`;
* takes some words for nothing (`NOTHING`): a drug called `NA`.

Every table is written to CSV and read back before it reaches SQLite, so all of this happens twice.
Source: pandas 1.1.3, `read_csv`'s documented defaults, and its behaviour on the cases of tests/records/ehrxqa.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

Kind = Literal["whole", "decimal", "text"]
NOTHING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
WHITE_SPACE = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"  # what Python strips from the ends of a text
CELLS_A_PIECE = 2**20
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
DECIMAL_PARTS = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")


def parse_decimal(text: str) -> float:
    """The double that the reader makes of a decimal number; the nearest one only where the arithmetic allows.

    All digits are gathered in one double, which is then divided (or multiplied) by 10, 100, 10^4, 10^8, ... as the
    exponent's bits say; every division rounds.

        parse_decimal("7.35") == 7.35          one division
        parse_decimal("0.123") == 0.12300000000000001   12.3 / 100, after 123 / 10
    """
    matched = DECIMAL_PARTS.fullmatch(text)
    if matched is None or not (matched[2] or matched[3]):
        raise ValueError(text)
    sign, whole, fraction, exponent = matched.groups()
    value = 0.0
    for digit in whole + (fraction or ""):
        value = value * 10.0 + (ord(digit) - 48)
    power = int(exponent or 0) - len(fraction or "")
    scale, bits = 10.0, abs(power)
    while bits:
        if bits & 1:
            value = value / scale if power < 0 else value * scale
        bits >>= 1
        if bits:
            scale *= scale
    return -value if sign == "-" else value


def piece_rows(columns: int) -> int:
    """How many rows of a file of so many columns are typed together: a power of two."""
    rows = 1
    while rows * 2 < CELLS_A_PIECE // columns:
        rows *= 2
    return rows


def read_back(table: pa.Table, as_text: Sequence[str] = ()) -> pa.Table:
    """The table after it was written to CSV and read again, lower-cased.

    Args:
        table: Columns of int64, float64 or string; null where nothing is.
        as_text: Columns that are turned into text afterwards, whatever they were read as.
    """
    rows = piece_rows(table.num_columns)
    columns = {name: read_column_back(table[name], rows) for name in table.column_names}
    for name in set(as_text) & columns.keys():
        if not pa.types.is_string(columns[name].type):
            columns[name] = pa.array([shown(value) for value in columns[name].to_pylist()], pa.string())
    return pa.table(columns)


def read_column_back(column: pa.ChunkedArray, rows: int) -> pa.Array:
    """One column after it was written and read again; a column without any row is text, one without value decimals."""
    if len(column) == 0:
        return pa.array([], pa.string())
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.float64())
    if pa.types.is_int64(column.type):
        return column.combine_chunks() if column.null_count == 0 else column.cast(pa.float64()).combine_chunks()
    if pa.types.is_float64(column.type):
        return decimals_read_back(column)
    return text_read_back(column, rows)


def decimals_read_back(column: pa.ChunkedArray) -> pa.Array:
    """Doubles after they were written with as few digits as tell them apart, and read."""
    values = column.combine_chunks()
    numbers = values.to_numpy(zero_copy_only=False)
    distinct, place = np.unique(numbers[~np.isnan(numbers)], return_inverse=True)
    read = np.array([parse_decimal(repr(float(value))) for value in distinct], np.float64)
    numbers = numbers.copy()
    numbers[~np.isnan(numbers)] = read[place]
    return pa.array(numbers, pa.float64(), mask=np.isnan(numbers))


def text_read_back(column: pa.ChunkedArray, rows: int) -> pa.Array:
    """Text after it was written and read: words for nothing are null, pieces of nothing but numbers are numbers."""
    values = [None if value in NOTHING else value for value in column.to_pylist()]
    pieces = [values[start : start + rows] for start in range(0, len(values), rows)]
    kinds = [piece_kind(piece) for piece in pieces]
    if set(kinds) == {"whole"}:
        return pa.array([int(str(value)) for value in values], pa.int64())
    if "text" not in kinds:
        numbers = [None if value is None else parse_decimal(value) for value in values]
        return pa.array(numbers, pa.float64())
    read = [
        canonical(value, kind) if value is not None else None
        for piece, kind in zip(pieces, kinds, strict=True)
        for value in piece
    ]
    return pa.array(read, pa.string())


def piece_kind(values: Sequence[str | None]) -> Kind:
    """What the reader makes of a piece of a column: whole numbers, decimals (also when any is missing), or text."""
    if not all(value is None or NUMBER.fullmatch(value) for value in values):
        return "text"
    return "whole" if all(value is not None and WHOLE.fullmatch(value) for value in values) else "decimal"


def canonical(value: str, kind: Kind) -> str:
    """A text as it stands in the database when its piece was read as `kind`: `0389` → `389`, ` IV ` → `iv`."""
    if kind == "whole":
        return str(int(value))
    if kind == "decimal":
        return repr(parse_decimal(value))
    return value.lower().strip()


def shown(value: object) -> str:
    """A value turned into text; nothing becomes `nan`."""
    return "nan" if value is None else str(value)
