"""The gate of `make ehrsql`: it counts what is equal, it fails below the counts, and the builder sees no answer."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from benchmarks import ehrsql
from typer.testing import CliRunner

from chartsight.errors import ChartsightError, GateError
from chartsight.evaluation.ehrsql import FAILED
from tests.records.test_meds import write_events

pytest_plugins = ["tests.fixtures_ehrsql"]

ROOT = Path(__file__).parents[1]
GOLD = {
    "routes": ("SELECT DISTINCT route FROM prescriptions", "[['po'], ['sc']]"),
    "price": ("SELECT DISTINCT round(cost / 3, 9) * 0 FROM cost", "[['0.0']]"),
    "still there": ("SELECT count(*) FROM admissions WHERE dischtime IS NULL", "[['1']]"),
    "nobody knows": ("null", "null"),
}


@pytest.fixture
def small_open_data(tmp_path: Path, write_ehrsql_files: Callable[..., Path]) -> Path:
    """The open data's layout with invented patients and four questions a split."""
    folder = tmp_path / "open-data"
    write_ehrsql_files(folder / ehrsql.DEMO, without=("chartevents",))
    (folder / ehrsql.EVENTS).parent.mkdir()
    write_events(folder / ehrsql.EVENTS, (10000001, "2150-03-10 10:00:00", "LAB//220045//bpm", 88.0))
    for split in ("train", "valid"):
        place = folder / ehrsql.QUESTIONS / split
        place.mkdir(parents=True)
        (place / "label.json").write_text(json.dumps({name: sql for name, (sql, _) in GOLD.items()}))
        (place / "answer.json").write_text(json.dumps({name: rows for name, (_, rows) in GOLD.items()}))
    return folder


def run_gate(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(ehrsql.main)
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, ChartsightError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


def test_the_gate_counts_and_passes(small_open_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ehrsql, "FEWEST_EQUAL", {"train": 3, "valid": 3})
    code, text = run_gate("--open-data", str(small_open_data), "--json", "--quiet")
    result = json.loads(text)
    assert code == 0
    for split in result["splits"]:
        assert (split["questions"], split["answerable"], split["equal"], split["failed"]) == (4, 3, 3, 0)
        assert split["differing"] == []
    assert result["build"]["rows"]["patients"] == 3
    assert result["build"]["peak_memory_mib"] > 10


def test_the_gate_fails_with_3_when_one_answer_differs(small_open_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ehrsql, "FEWEST_EQUAL", {"train": 3, "valid": 3})
    path = small_open_data / ehrsql.QUESTIONS / "valid" / "answer.json"
    path.write_text(path.read_text().replace("['sc']", "['iv']"))
    code, text = run_gate("--open-data", str(small_open_data), "--quiet")
    assert code == 3
    assert text == "EHRSQL-2024 valid: 2 of 3 answers are equal; expected at least 3 (is this the MIMIC-IV demo 2.2?)"


def test_the_gate_fails_on_the_wrong_events(small_open_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault in the data that the database is made from."""
    monkeypatch.setattr(ehrsql, "FEWEST_EQUAL", {"train": 3, "valid": 3})
    path = small_open_data / ehrsql.DEMO / "hosp" / "prescriptions.csv"
    path.write_text(path.read_text().replace(",SC", ",IV"))
    assert run_gate("--open-data", str(small_open_data), "--quiet")[0] == 3


def test_the_builder_reads_no_question_and_no_answer(small_open_data: Path, tmp_path: Path) -> None:
    read = tmp_path / "e.sqlite"
    ehrsql.build_database(small_open_data, read)
    manifest = json.loads((tmp_path / "e.sqlite.run.json").read_text())
    names = {Path(each["path"]).name for each in manifest["inputs"]}
    assert len(names) == 16 and not any(name.endswith(".json") for name in names)
    elsewhere = small_open_data / ehrsql.QUESTIONS
    elsewhere.rename(tmp_path / "answers")  # and it needs none
    again = tmp_path / "again.sqlite"
    ehrsql.build_database(small_open_data, again)
    assert again.read_bytes() == read.read_bytes()


def test_a_builder_that_reads_something_else_is_caught(
    small_open_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = [{"path": str(small_open_data / ehrsql.QUESTIONS / "train" / "answer.json")}]
    monkeypatch.setattr(ehrsql, "manifest_path", lambda _: tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": stranger}))
    with pytest.raises(GateError, match=r"read answer\.json"):
        ehrsql.build_database(small_open_data, tmp_path / "e.sqlite")


def test_predictions_are_scored(small_open_data: Path, ehrsql_database: Path, tmp_path: Path) -> None:
    said = {name: sql for name, (sql, _) in GOLD.items()}
    said |= {"price": "null", "still there": "SELECT broken", "nobody knows": "SELECT 1"}
    (tmp_path / "mine.json").write_text(json.dumps(said))
    code, text = run_gate(
        "--open-data", str(small_open_data), "--database", str(ehrsql_database), "--json", "--quiet",
        "--predictions", str(tmp_path / "mine.json"),
    )  # fmt: skip
    figures = json.loads(text)
    assert code == 0
    assert (figures["right"], figures["abstained"], figures["harmful"]) == (1, 1, 2)
    assert (figures["rs_0"], figures["rs_10"]) == (0.25, (1 - 20) / 4)


def test_two_databases_are_compared_row_by_row(ehrsql_database: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.sqlite"
    shutil.copy(ehrsql_database, theirs)
    assert set(ehrsql.differing_rows(ehrsql_database, theirs).values()) == {0}
    assert run_gate("--database", str(ehrsql_database), "--against", str(theirs))[0] == 0
    with sqlite3.connect(theirs) as connection:
        connection.execute("DELETE FROM transfers WHERE row_id = 2")  # one is missing
        connection.execute("UPDATE labevents SET valuenum = 141 WHERE row_id = 1")  # one has another value
        connection.execute("UPDATE cost SET cost = 'free' WHERE row_id < 3")  # three another type
        row = connection.execute("DELETE FROM patients WHERE row_id = 0 RETURNING *").fetchone()
        connection.execute("INSERT INTO patients VALUES (?, ?, ?, ?, ?)", row)  # one stands last: three places differ
    found = ehrsql.differing_rows(ehrsql_database, theirs)
    assert {table: count for table, count in found.items() if count} == {
        "transfers": 1, "labevents": 1, "cost": 3, "patients": 3,
    }  # fmt: skip
    code, text = run_gate("--database", str(ehrsql_database), "--against", str(theirs))
    assert code == 3 and "patients in 3 rows" in text and "cost in 3 rows" in text


def test_a_query_that_does_not_run_is_a_failure(ehrsql_database: Path) -> None:
    answers = ehrsql.run_queries(ehrsql_database, {"a": "SELECT broken", "b": "null"}, "test", quiet=True)
    assert answers == {"a": FAILED, "b": None}


def test_without_the_data_there_is_one_line_that_names_all_of_it(tmp_path: Path) -> None:
    code, text = run_gate("--open-data", str(tmp_path))
    assert code == 2
    assert text == (
        f"{tmp_path}: has no mimic-iv-demo, mimic-iv-demo-meds/mimic_iv_demo_meds_events.parquet, "
        "ehrsql-2024/data/mimic_iv; expected the open data sets of docs/open-data.md (name their folder: OPEN_DATA=DIR)"
    )


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}'])
def test_a_damaged_file_of_queries_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "label.json").write_text(text)
    with pytest.raises(ChartsightError, match=r"label\.json.*question → text"):
        ehrsql.read_entries(tmp_path / "label.json")


def test_the_makefile_has_the_gate() -> None:
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    assert "benchmarks/ehrsql.py" in lines[lines.index("ehrsql: $(STAMP)") + 1]


@pytest.mark.slow
@pytest.mark.opendata
def test_the_real_demo_gives_the_published_answers(tmp_path: Path) -> None:
    try:
        folder = ehrsql.find_open_data(None)
    except ChartsightError as error:
        pytest.skip(str(error))
    build = ehrsql.build_database(folder, tmp_path / "ehrsql.sqlite")
    assert (build.rows["patients"], build.rows["admissions"], build.rows["chartevents"]) == (94, 119, 31_926)
    assert (build.rows["d_labitems"], build.rows["d_items"]) == (1_594, 3_522), (
        "names belong where the authors put them"
    )
    assert build.rows["charted numbers in no ICU stay, given to the nearest"] == 1_878
    found = {
        split: ehrsql.compare_gold(tmp_path / "ehrsql.sqlite", folder / ehrsql.QUESTIONS / split, quiet=True)
        for split in ("train", "valid")
    }
    assert (found["train"].answerable, found["train"].equal, found["train"].failed) == (4_674, 4_673, 0)
    assert found["train"].differing == ("a9c112441a88402a143e7d68",)
    assert (found["valid"].answerable, found["valid"].equal, found["valid"].failed) == (931, 931, 0)
