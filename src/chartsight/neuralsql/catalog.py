"""Which tables and columns of an open record a question may read.

catalog = Catalog({"patients": {"subject_id": "int", "dod": "date"}})
catalog.column("patients", "dod")       # "date"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chartsight.schema import HIDDEN_COLUMNS, HIDDEN_TABLES, ColumnType

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Catalog:
    """Tables and columns that may be read; names in lower case, as SQL compares them.

    Args:
        tables: table → column → type, columns in the order of the table.
        partial: Tables with more columns than these, of which `*` would say too much.
    """

    tables: Mapping[str, Mapping[str, ColumnType]]
    partial: frozenset[str] = frozenset()

    def has(self, table: str) -> bool:
        """Whether questions may read the table."""
        return table.lower() in self.tables

    def column(self, table: str, column: str) -> ColumnType | None:
        """The type of a column; None when questions may not read it, or there is none."""
        return self.tables.get(table.lower(), {}).get(column.lower())

    def with_tables(self, tables: Mapping[str, pa.Table]) -> Catalog:
        """This catalog with temporary relations, which hide tables of the same name."""
        added = {
            name.lower(): {field.name.lower(): column_type_of(field.type) for field in table.schema}
            for name, table in tables.items()
        }
        return Catalog({**self.tables, **added}, self.partial - added.keys())


def readable(found: Mapping[str, Iterable[tuple[str, ColumnType]]]) -> Catalog:
    """The catalog of a database: all that was found in it, less what is hidden.

    Args:
        found: table → (column, type), as the database names them.
    """
    tables: dict[str, Mapping[str, ColumnType]] = {}
    partial = set()
    for name in sorted(found):
        table = name.lower()
        if table in HIDDEN_TABLES:
            continue
        hidden = HIDDEN_COLUMNS.get(table, frozenset())
        columns = [(column.lower(), kind) for column, kind in found[name]]
        tables[table] = {column: kind for column, kind in columns if column not in hidden}
        if len(tables[table]) < len(columns):
            partial.add(table)
    return Catalog(tables, frozenset(partial))


def column_type(declared: str) -> ColumnType:
    """The type of a column that a database declares: `TIMESTAMP(0)`, `INT`, `DOUBLE PRECISION`, `character varying`."""
    kind = declared.upper()
    for words, found in _DECLARED:
        if any(word in kind for word in words):
            return found
    return "text"


# In this order: the first that stands in the declared type counts.
_DECLARED: tuple[tuple[tuple[str, ...], ColumnType], ...] = (
    (("TIMESTAMP", "DATETIME"), "time"),
    (("BOOL",), "bool"),
    (("BIGINT", "INT8", "HUGEINT"), "bigint"),
    (("INTERVAL",), "text"),
    (("INT",), "int"),
    (("DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC"), "float"),
    (("DATE",), "date"),
)


def column_type_of(kind: pa.DataType) -> ColumnType:
    """The type of an Arrow column."""
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int" if kind.bit_width <= 32 else "bigint"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float"
    if pa.types.is_timestamp(kind):
        return "time"
    return "date" if pa.types.is_date(kind) else "text"
