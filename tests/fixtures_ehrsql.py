"""The invented patients of tests/fixtures/tiny-ehrsql as whole MIMIC-IV files, and EHRSQL-2024's database of them.

A test module that wants them says `pytest_plugins = ["tests.fixtures_ehrsql"]`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from chartsight.records import build_ehrsql
from chartsight.schema import TABLES, Column

TINY_EHRSQL = Path(__file__).parent / "fixtures" / "tiny-ehrsql"
FILLED = {"int": "", "bigint": "", "float": "1", "text": "x", "date": "2150-01-01", "time": "2150-01-01 00:00:00"}


def complete_files(out: Path, *, without: tuple[str, ...] = ()) -> Path:
    """The fixture's tables with all of MIMIC-IV's columns; what must have a value and is not given is made up."""
    for path in sorted(TINY_EHRSQL.glob("*/*.csv")):
        if path.stem in without:
            continue
        table = TABLES[path.stem]
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        target = out / table.module / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.header)
            for number, row in enumerate(rows, 1):
                writer.writerow(row.get(column.name, _usual(column, number)) for column in table.columns)
    return out


def _usual(column: Column, number: int) -> str:
    return (FILLED[column.type] or str(number)) if column.required else ""


@pytest.fixture
def write_ehrsql_files() -> Callable[..., Path]:
    """Writes the files into a folder, `without` some tables."""
    return complete_files


@pytest.fixture
def ehrsql_files(tmp_path: Path) -> Path:
    """Files that a test may spoil; with chartevents."""
    return complete_files(tmp_path / "mimic-iv-demo")


@pytest.fixture(scope="session")
def ehrsql_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database, built once."""
    folder = tmp_path_factory.mktemp("ehrsql")
    build_ehrsql(folder / "ehrsql.sqlite", complete_files(folder / "mimic-iv-demo"), quiet=True)
    return folder / "ehrsql.sqlite"
