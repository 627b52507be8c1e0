"""Sources read by Arrow and by the ordinary reader: the same rows, the same facts, the same database."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from chartsight.records.ehrxqa import build_ehrxqa, database_digest, staging
from chartsight.records.ehrxqa.config import EhrxqaSplit
from chartsight.records.ehrxqa.csv_batches import NotPlain
from chartsight.records.ehrxqa.files import SOURCES, find_files
from chartsight.records.ehrxqa.published_csv import piece_rows
from chartsight.records.ehrxqa.staging import OWN, ROWS, Cleaning, Facts, Wanted, stage
from tests.records.ehrxqa.conftest import small, sources_of

Database = Callable[[str, EhrxqaSplit], Path]


def refuse(*_: object) -> Facts:
    raise NotPlain


def texts_of(path: Path) -> list[tuple[str | None, ...]]:
    table = pq.read_table(path)
    columns = [[None if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return list(zip(*columns, strict=True))


def staged(path: Path, name: str, folder: Path, wanted: Wanted = staging.EVERYTHING) -> Facts:
    folder.mkdir()
    with duckdb.connect() as connection:
        return json.loads(json.dumps(stage(connection, SOURCES[name], path, folder, wanted)))


@pytest.mark.parametrize("name", list(SOURCES))
def test_both_readers_see_the_same(name: str, rough: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = find_files(sources_of(rough)).tables[name]
    facts = staged(path, name, tmp_path / "arrow")
    with monkeypatch.context() as patch:
        patch.setattr(staging, "stage_plain", refuse)
        assert staged(path, name, tmp_path / "duckdb") == facts
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    rows = texts_of(tmp_path / "arrow" / ROWS)
    assert rows == texts_of(tmp_path / "duckdb" / ROWS) and len(rows) == facts["rows"] > 0


def test_so_do_databases(rough: Path, databases: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "stage_plain", refuse)
    build_ehrxqa(tmp_path / "again.sqlite", sources_of(rough), small("test"), quiet=True)
    assert database_digest(tmp_path / "again.sqlite") == database_digest(databases("rough", "test"))


def changed(path: Path, column: str, value: Callable[[int, str], str]) -> None:
    with gzip.open(path, "rt", newline="") as file:
        header, *rows = list(csv.reader(file))
    place = header.index(column)
    for number, row in enumerate(rows):
        row[place] = value(number, row[place])
    with gzip.open(path, "wt", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def test_units_that_are_numbers(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the published reader makes of them depends on where in the file they stand: not told row by row."""
    changed(sources / "mimic-iv/hosp/labevents.csv.gz", "valueuom", lambda number, _: f"0{number % 3}")
    build_ehrxqa(tmp_path / "one.sqlite", sources_of(sources), small("train"), quiet=True)
    with duckdb.connect() as connection:
        folder = tmp_path / "labevents"
        folder.mkdir()
        path = sources / "mimic-iv/hosp/labevents.csv.gz"
        wanted = Wanted(admissions=[1], columns=["valueuom"], cleaning=Cleaning((), [50_912]))
        facts = stage(connection, SOURCES["labevents"], path, folder, wanted)
    assert "kept" not in facts and facts["pieces"]["valueuom"] == [(0, True, facts["rows"])]
    monkeypatch.setattr(staging, "stage_plain", refuse)
    build_ehrxqa(tmp_path / "other.sqlite", sources_of(sources), small("train"), quiet=True)
    assert database_digest(tmp_path / "one.sqlite") == database_digest(tmp_path / "other.sqlite")


def test_whole_numbers_written_otherwise(sources: Path, tmp_path: Path) -> None:
    path = sources / "mimic-iv/hosp/labevents.csv.gz"
    changed(path, "hadm_id", lambda number, text: f"{text}.0" if text and number % 2 else text)
    facts = staged(path, "labevents", tmp_path / "staged")
    assert facts["kinds"]["hadm_id"] == "decimal" and facts["kinds"]["subject_id"] == "whole"


def test_few_rows_keep_no_dictionary_of_many(sources: Path, tmp_path: Path) -> None:
    path = sources / "mimic-iv/hosp/labevents.csv.gz"
    staged(path, "labevents", tmp_path / "staged", Wanted(admissions=[1], columns=["valueuom"]))
    own = pq.read_table(tmp_path / "staged" / OWN)
    assert own.num_rows == 0 and own.schema.field("valueuom").type == "string"
    assert piece_rows(16) == 2**15
