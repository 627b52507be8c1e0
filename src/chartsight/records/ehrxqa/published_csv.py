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
import pyarrow.compute as pc

Kind = Literal["whole", "decimal", "text"]
NOTHING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
WHITE_SPACE = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"  # what Python strips from the ends of a text
CELLS_A_PIECE = 2**20
TIME_PATTERN = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\z"
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
            encoded = pc.dictionary_encode(columns[name], null_encoding="encode")
            texts = pa.array([shown(value) for value in encoded.dictionary.to_pylist()], pa.string())
            columns[name] = texts.take(encoded.indices)
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
    column = column.combine_chunks()
    if pc.all(pc.match_substring_regex(column, TIME_PATTERN)).as_py():  # many are different, and all stay as they are
        return column
    encoded = column.dictionary_encode()
    texts = [None if text in NOTHING else text for text in encoded.dictionary.to_pylist()] + [None]
    places = pc.fill_null(encoded.indices, len(texts) - 1).to_numpy()
    starts = range(0, len(places), rows)
    # Of a piece only the texts that are different are looked at, and of these the first ones mostly tell.
    kinds = [piece_kind([texts[place] for place in np.unique(places[start : start + rows])]) for start in starts]
    if set(kinds) == {"whole"}:
        numbers = np.array([0 if text is None else int(text) for text in texts], np.int64)
        return pa.array(numbers[places])
    if "text" not in kinds:
        decimals = pa.array([None if text is None else parse_decimal(text) for text in texts], pa.float64())
        return decimals.take(pa.array(places))
    shown_as = {
        kind: pa.array([None if text is None else canonical_if(text, kind) for text in texts], pa.string())
        for kind in set(kinds)
    }
    parts = [
        shown_as[kind].take(pa.array(places[start : start + rows])) for start, kind in zip(starts, kinds, strict=True)
    ]
    return pa.concat_arrays(parts)


def canonical_if(text: str, kind: Kind) -> str | None:
    """`canonical`, of a text that may stand in pieces of another kind only."""
    is_other = kind != "text" and not (WHOLE if kind == "whole" else NUMBER).fullmatch(text)
    return None if is_other else canonical(text, kind)


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
