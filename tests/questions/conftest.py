"""A record of drawn-by-lot labels: enough films for every template, read by region, with sexes, views and boxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from chartsight.questions import QuestionConfig, build_questions, read_questions
from chartsight.schema import ATTRIBUTES, DUCKDB_TYPES, SCHEMA_VERSION, TABLES, Question

PLACES = {
    "pleural effusion": ("left lung", "right lung"),
    "lung opacity": ("left lower lung zone", "right lower lung zone", "right upper lung zone"),
    "atelectasis": ("left lower lung zone", "right lower lung zone"),
    "pneumonia": ("left lower lung zone", "right lower lung zone"),
    "copd/emphysema": ("left lung", "right lung"),
    "endotracheal tube": ("trachea",),
    "enteric tube": ("abdomen",),
    "cardiac pacer and wires": ("left chest wall",),
    "low lung volumes": ("left lung", "right lung"),
    "enlarged cardiac silhouette": ("cardiac silhouette",),
}

Rows = dict[str, list[tuple[object, ...]]]


def create_record(path: Path, rows: Rows, terms: str = "synthetic", pairing: str = "real") -> Path:
    """A DuckDB file with the schema's tables and these rows, in the schema's column order."""
    info = [("schema_version", str(SCHEMA_VERSION)), ("terms", terms), ("pairing", pairing)]
    with duckdb.connect(str(path)) as connection:
        tables = ("patients", "films", "film_roots", "tb_cxr", "labels", "boxes", "label_vocabulary", "record_info")
        for name in tables:
            columns = ", ".join(f'"{column.name}" {DUCKDB_TYPES[column.type]}' for column in TABLES[name].columns)
            connection.execute(f"CREATE TABLE {name} ({columns})")
            wanted = info if name == "record_info" else rows.get(name, [])
            if wanted:
                names = [column.name for column in TABLES[name].columns]
                given = pa.table(dict(zip(names, map(list, zip(*wanted, strict=True)), strict=True)))
                connection.register("given", given)
                connection.execute(f"INSERT INTO {name} SELECT * FROM given")
                connection.unregister("given")
    return path


def film_row(image_id: str, study_id: int, subject_id: int, view: str | None, digest: str) -> tuple[object, ...]:
    is_frontal = view in ("AP", "PA")
    return (image_id, study_id, subject_id, view, None, 256, 256, 8, digest, f"{image_id}.png", 0, is_frontal, None,
            "hospital", "synthetic", "real")  # fmt: skip


def draw_rows(n_patients: int, seed: int, *, placed: bool = True, source: str = "imagenome") -> Rows:
    """Patients with one to three films; every finding lies in each of its places by chance."""
    rng = np.random.default_rng(seed)
    rows: Rows = {name: [] for name in ("patients", "films", "film_roots", "tb_cxr", "labels", "boxes")}
    rows["film_roots"].append((0, str(Path("/films"))))
    study_id = 50000000
    for patient in range(n_patients):
        subject_id = 10000000 + patient
        rows["patients"].append((subject_id, "FM"[rng.integers(2)], 60, 2150, "2011 - 2013", None))
        for _ in range(int(rng.integers(1, 4))):
            study_id += 1
            image_id = f"{study_id:08x}-{'0' * 8}"
            view = "AP" if rng.random() < 0.4 else "PA"
            rows["films"].append(film_row(image_id, study_id, subject_id, view, f"digest-{image_id}"))
            rows["tb_cxr"].append((len(rows["tb_cxr"]), subject_id, None, study_id, image_id, view, None))
            is_ill = rng.random() < 0.7
            for attribute, places in PLACES.items():
                for place in places:
                    chance = rng.random()
                    state = "present" if is_ill and chance < 0.3 else "uncertain" if chance > 0.97 else "absent"
                    if state == "absent" and rng.random() < 0.5:
                        continue  # most of what is absent is not mentioned
                    label = (
                        study_id,
                        image_id,
                        place if placed else "whole film",
                        attribute,
                        ATTRIBUTES[attribute],
                        state,
                    )
                    rows["labels"].append((*label, source))
            if placed:
                heart, mediastinum = rng.uniform(0.35, 0.65), rng.uniform(0.2, 0.45)
                for place, x1, x2 in (
                    ("right lung", 20, 110), ("left lung", 130, 220),
                    ("cardiac silhouette", 90, 90 + 200 * heart), ("upper mediastinum", 90, 90 + 200 * mediastinum),
                ):  # fmt: skip
                    rows["boxes"].append((image_id, place, x1, 20.0, x2, 200.0, source))
    if not placed:  # one statement a film and finding
        strongest: dict[tuple[object, ...], tuple[object, ...]] = {}
        order = ("absent", "uncertain", "present")
        for row in sorted(rows["labels"], key=lambda row: order.index(str(row[5]))):
            strongest[row[0], row[3]] = row
        rows["labels"] = list(strongest.values())
    return rows


@pytest.fixture(scope="session")
def rows() -> Rows:
    return draw_rows(120, seed=3)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> Path:
    return create_record(tmp_path_factory.mktemp("record") / "record.duckdb", rows)


@pytest.fixture(scope="session")
def built(record: Path) -> Path:
    """Questions of `record` with the defaults."""
    out = record.with_name("questions.parquet")
    build_questions(record, out, QuestionConfig(), quiet=True)
    return out


@pytest.fixture(scope="session")
def questions(built: Path) -> list[Question]:
    return read_questions(built)


@pytest.fixture
def make_record(tmp_path: Path) -> Callable[..., Path]:
    def make(rows: Rows, name: str = "record.duckdb", **info: str) -> Path:
        return create_record(tmp_path / name, rows, **info)

    return make
