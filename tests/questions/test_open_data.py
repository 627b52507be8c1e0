"""Questions about real films, from the openly licensed sets beside the project; skipped when they are absent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chartsight.questions import FamilyConfig, build_family_questions, build_questions, read_questions
from chartsight.records import FilmFolder, RecordSources, build_record

OPEN_DATA = Path(
    os.environ.get("CHARTSIGHT_OPEN_DATA", Path(__file__).parents[2] / ".." / "shared" / "open-data")
).resolve()  # fmt: skip

pytestmark = [
    pytest.mark.opendata,
    pytest.mark.skipif(not OPEN_DATA.is_dir(), reason="no open data beside the project (CHARTSIGHT_OPEN_DATA)"),
]


def build(tmp_path: Path, folder: str, labels: str, findings: tuple[str, ...] = ()) -> Path:
    films = FilmFolder(OPEN_DATA / folder, OPEN_DATA / folder / labels, findings=findings, terms="open")
    build_record(tmp_path / "record.duckdb", RecordSources(film_folders=(films,)), quiet=True)
    build_questions(tmp_path / "record.duckdb", tmp_path / "questions.parquet", quiet=True)
    return tmp_path / "questions.parquet"


def test_nih_films_are_asked_about_findings_view_and_sex(tmp_path: Path) -> None:
    questions = read_questions(build(tmp_path, "nih-cxr14-sample", "labels.csv"))
    assert len(questions) > 5000
    assert {"verify-attribute", "choose-attribute", "query-findings", "choose-view"} <= {
        q.template_id for q in questions
    }
    assert {question.terms for question in questions} == {"open"}
    card = json.loads((tmp_path / "questions.card.json").read_text())
    assert card["leakage"]["is_clean"]
    assert card["priors"]["per_template_majority"]["accuracy"] < 0.55


def test_hannover_films_have_no_findings_to_ask_about(tmp_path: Path) -> None:
    questions = read_questions(build(tmp_path, "hannover-covid-cxr", "data.csv"))
    assert {q.template_id for q in questions} == {"verify-view", "choose-view", "verify-sex", "choose-sex"}
    assert {question.split for question in questions} == {"train", "valid", "test"}


def test_declared_findings_are_asked_about(tmp_path: Path) -> None:
    declared = ("bacterial_pneumonia", "viral_pneumonia")
    questions = read_questions(build(tmp_path, "kermany-pneumonia-subset", "labels.csv", declared))
    asked = {v for q in questions for k, v in json.loads(q.parameters).items() if k.startswith("attribute")}
    assert asked == {"bacterial pneumonia", "viral pneumonia"}


def test_the_real_demo_is_asked_about_its_tables_and_not_about_films(tmp_path: Path) -> None:
    build_record(tmp_path / "record.duckdb", RecordSources(mimiciv=OPEN_DATA / "mimic-iv-demo"), quiet=True)
    config = FamilyConfig(per_template=3, per_kind=0)
    run = build_family_questions(tmp_path / "record.duckdb", tmp_path / "questions.parquet", config, quiet=True)
    questions = read_questions(tmp_path / "questions.parquet")
    answered = [question for question in questions if question.answerable]
    assert {question.kind for question in answered} == {"table/none", "table/single", "table/group"}
    assert len({question.template_id for question in answered}) > 60
    assert {question.terms for question in questions} == {"share-alike"}
    assert run.dropped["family without films that show what it asks about"] > 30
