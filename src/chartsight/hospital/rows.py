"""Rows of MIMIC-IV's tables while they are being made, checked against `schema.TABLES` as they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartsight.schema import HOSP_TABLES, ICU_TABLES, TABLES, Table

Row = tuple[Any, ...]
HOSPITAL_TABLES: tuple[Table, ...] = (*HOSP_TABLES, *ICU_TABLES, TABLES["cost"])
POSITIONS: Mapping[str, Mapping[str, int]] = {
    table.name: {name: position for position, name in enumerate(table.header)} for table in HOSPITAL_TABLES
}


class Rows:
    """Rows of every table, in the order in which they were added.

        rows.add("omr", subject_id=10000032, chartdate=date(2150, 1, 1), seq_num=1, ...)

    Columns that are not named are null.

    Args:
        before: How many rows each table has already, elsewhere; these follow them.
    """

    def __init__(self, before: Mapping[str, int] | None = None) -> None:
        self.before = before if before is not None else {}
        self.tables: dict[str, list[Row]] = {table.name: [] for table in HOSPITAL_TABLES}

    def add(self, table: str, /, **values: Any) -> None:
        """One more row; KeyError on a column that the table does not have."""
        positions = POSITIONS[table]
        row: list[Any] = [None] * len(positions)
        for name, value in values.items():
            row[positions[name]] = value
        self.tables[table].append(tuple(row))

    def extend(self, others: Rows) -> None:
        """Append the rows of others, which were told that they follow these."""
        for name, rows in others.tables.items():
            self.tables[name].extend(rows)

    def first_position(self, table: str) -> int:
        """Of this object's first row in its table, counted from 0."""
        return self.before.get(table, 0)

    def next_number(self, table: str) -> int:
        """1 for the first row of a table: for keys that only count."""
        return self.first_position(table) + len(self.tables[table]) + 1

    def columns(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        """Only these columns of a table's rows."""
        wanted = [POSITIONS[table][name] for name in names]
        return [tuple(row[position] for position in wanted) for row in self.tables[table]]

    def counts(self) -> Mapping[str, int]:
        """Rows by table."""
        return {name: len(rows) for name, rows in self.tables.items()}
