"""The values of an answer as SQLite would give them: whole numbers, numbers, text and null.

    bool    → 0 or 1                    DECIMAL, HUGEINT → a whole number when it is one and fits, else a number
    time    → '2100-01-31 08:00:00'     date             → '2100-01-31'        NaN → null

Three engines then give one answer in one form. A fraction of a second stands behind the seconds when there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartsight.errors import QueryError

LARGEST = 2**63
FIRST_ROWS, MOST_ROWS = 256, 10_000  # of a batch: the first, before anybody knows how wide they are, and any
BATCH_BYTES = 2**24
ROUGH_BYTES = 64  # that a value takes in Python, besides the letters of a text


def as_sqlite_values(table: pa.Table) -> pa.Table:
    """`table` with columns of int64, double, string or null.

    Raises:
        QueryError: A column holds lists, structures or bytes.
    """
    columns = [_as_sqlite(column, field.name) for column, field in zip(table.columns, table.schema, strict=True)]
    return pa.table(columns, names=table.column_names) if columns else table


def _as_sqlite(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_sqlite(column.cast(kind.value_type), name)
    if pa.types.is_null(kind) or kind in (pa.int64(), pa.string()):
        return column
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and kind != pa.uint64()):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        return pc.if_else(pc.fill_null(pc.is_nan(column), False), pa.scalar(None, pa.float64()), column)
    if pa.types.is_decimal(kind) or kind == pa.uint64():
        return pa.chunked_array([array_of(column.to_pylist())])
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return pa.chunked_array([pa.array([render_value(each) for each in column.to_pylist()], pa.string())])
    raise QueryError("bad-value", "query", f"column {name} holds {kind}", "numbers, text and times")


def array_of(values: Sequence[Any]) -> pa.Array:
    """Values of any engine as one Arrow array: int64, double or string, whichever holds them all; null when none is.

    A column in which numbers stand beside text is text, written as SQLite writes numbers.
    """
    rendered = [render_value(each) for each in values]
    kinds = {type(each) for each in rendered} - {type(None)}
    if not kinds:
        return pa.nulls(len(rendered))
    if kinds == {int}:
        return pa.array(rendered, pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if each is None else float(each) for each in rendered], pa.float64())
    return pa.array([None if each is None else _text(each) for each in rendered], pa.string())


def render_value(value: Any) -> int | float | str | None:
    """One value as SQLite would store it.

    Raises:
        QueryError: SQLite has no such value.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -LARGEST <= value < LARGEST else float(value)
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        if value.is_nan():
            return None
        return render_value(int(value)) if value == value.to_integral_value() and _is_whole(value) else float(value)
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S") if value.year > 999 else value.isoformat(" ", "seconds")
        return text if not value.microsecond else f"{text}.{value.microsecond:06d}".rstrip("0")
    if isinstance(value, date):
        return value.isoformat()
    raise QueryError("bad-value", "query", f"gives a value of type {type(value).__name__}", "numbers, text and times")


def _is_whole(value: Decimal) -> bool:
    """Whether a decimal has no places after the point: the sum of whole numbers, not the mean of some."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= 0


def _text(value: int | float | str) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def batch_rows(rows: int, held: int, most: int) -> int:
    """How many rows to fetch next, by how wide those before were; one more than the limit tells that there are more.

    Args:
        rows: Fetched so far.
        held: Their rough size in bytes.
        most: The limit of rows.
    """
    wanted = FIRST_ROWS if not rows else min(MOST_ROWS, max(1, BATCH_BYTES * rows // max(1, held)))
    return max(1, min(wanted, most + 1 - rows))


def rough_bytes(rows: Sequence[Sequence[Any]]) -> int:
    """What rows take in memory, roughly."""
    return sum(ROUGH_BYTES + (len(value) if isinstance(value, str) else 0) for row in rows for value in row)
