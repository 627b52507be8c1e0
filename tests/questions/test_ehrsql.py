"""EHRSQL-2024's files as a question set, on invented questions about the invented patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartsight.cli import run_command
from chartsight.errors import ChartsightError, QuestionError
from chartsight.questions import read_questions
from chartsight.questions.ehrsql import (
    as_published,
    import_ehrsql,
    outline,
    parse_rows,
    scope_of,
    shape_of,
    type_answer,
)
from chartsight.questions.export import ExportConfig, export_questions
from chartsight.records import open_published, run_published
from chartsight.records.published_sql import open_reordered
from chartsight.schema import Question

pytest_plugins = ["tests.fixtures_ehrsql"]

ROUTE = "SELECT DISTINCT prescriptions.route FROM prescriptions WHERE prescriptions.drug = "
STILL_HERE = "SELECT COUNT(*)>0 FROM admissions WHERE admissions.subject_id = 10000003 AND admissions.dischtime IS NULL"
OF_1 = "hadm_id IN ( SELECT admissions.hadm_id FROM admissions WHERE admissions.subject_id = 10000001 )"
FIRST_DRUG = f"SELECT drug FROM prescriptions WHERE {OF_1} ORDER BY prescriptions.starttime ASC LIMIT 1"
FIRST_CHARTED = f"SELECT charttime FROM chartevents WHERE {OF_1} ORDER BY chartevents.charttime ASC LIMIT 1"
HEART_RATES = "SELECT chartevents.valuenum FROM chartevents WHERE chartevents.itemid = 220045"
ITEMS: dict[str, tuple[str, str, str]] = {  # id → question, SQL, answer
    "a1": ("How is aspirin  taken?", f"{ROUTE}'aspirin'", "[['po']]"),
    "a2": ("How is heparin taken?", f"{ROUTE}'heparin'", "[['sc']]"),
    "a3": ("Is patient 10000003 still here?", STILL_HERE, "[['1']]"),
    "a4": ("How many patients are there?", "SELECT COUNT( DISTINCT patients.subject_id ) FROM patients", "[['3']]"),
    "a5": ("What was patient 10000001 given first?", FIRST_DRUG, "[['aspirin']]"),
    "a6": ("What is the weather like?", "null", "null"),
    "a7": ("When was patient 10000001 first charted?", FIRST_CHARTED, "[['2100-03-22 10:00:00']]"),
    "a8": ("What did a heart rate measure?", HEART_RATES, "[['88.0'], ['91.0']]"),
}


def write_split(folder: Path, items: dict[str, tuple[str, str, str]], *, annotated: bool = False) -> Path:
    folder.mkdir(parents=True)
    data = [{"id": own_id, "question": question} for own_id, (question, _, _) in items.items()]
    (folder / "data.json").write_text(json.dumps({"version": f"{folder.name}_v1.1.1", "data": data}))
    (folder / "label.json").write_text(json.dumps({own_id: sql for own_id, (_, sql, _) in items.items()}))
    (folder / "answer.json").write_text(json.dumps({own_id: answer for own_id, (_, _, answer) in items.items()}))
    if annotated:
        entries: list[dict[str, Any]] = [
            {"id": "a2", "question": "", "query": "", "template": "What is the intake method of {drug_name}?",
             "val_dict": {"val_placeholder": {"drug_name": "heparin"}, "op_placeholder": {},
                          "time_placeholder": {"time_filter_global1": {"nlq": "this year", "sql": "..."}}}},
            {"id": "a6", "question": "", "query": "null", "template": "-", "val_dict": "-"},
        ]  # fmt: skip
        (folder / "annotated.json").write_text(json.dumps(entries))
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """train: the first, the third; valid: the rest and the third again in other words."""
    write_split(tmp_path / "data/mimic_iv/train", {key: ITEMS[key] for key in ("a1", "a3")})
    rest = {key: item for key, item in ITEMS.items() if key not in ("a1", "a3")}
    write_split(
        tmp_path / "data/mimic_iv/valid", rest | {"b3": ("Is 10000003 in hospital?", *ITEMS["a3"][1:])}, annotated=True
    )
    return tmp_path


def by_id(path: Path) -> dict[str, Question]:
    return {json.loads(question.parameters)["id"]: question for question in read_questions(path)}


def test_every_field_of_a_question(release: Path, tmp_path: Path) -> None:
    run = import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    found = by_id(tmp_path / "q.parquet")
    assert set(found) == {*ITEMS, "b3"}
    route = found["a2"]
    assert route.split == "valid" and route.source == "ehrsql-2024:valid_v1.1.1"
    assert (route.kind, route.modality, route.scope, route.subject_id) == ("table/none", "table", "none", None)
    assert (route.program, route.now) == (ITEMS["a2"][1], "2100-12-31 23:59:00")
    assert json.loads(route.parameters) == {
        "id": "a2", "drug_name": "heparin", "template": "What is the intake method of {drug_name}?",
        "time_filter_global1": "this year",
    }  # fmt: skip
    assert (route.answer_type, json.loads(route.answer)) == ("set", ["sc"])
    assert (route.terms, route.pairing, route.label_source) == ("share-alike", "real", "ehrsql-2024")
    assert (route.study_ids, route.image_ids, route.visual_question) == ((), (), None)
    assert found["a1"].question == "How is aspirin taken?"
    assert (found["a3"].scope, found["a3"].subject_id, found["a3"].kind) == ("single", 10000003, "table/single")
    assert found["a4"].scope == "group"
    assert (run.terms, run.pairing) == ("share-alike", "real")


def test_answers_have_their_own_type(release: Path, tmp_path: Path) -> None:
    import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    found = {key: (each.answer_type, json.loads(each.answer)) for key, each in by_id(tmp_path / "q.parquet").items()}
    assert found == {
        "a1": ("set", ["po"]), "a2": ("set", ["sc"]), "a3": ("boolean", True), "b3": ("boolean", True),
        "a4": ("count", 3), "a5": ("text", "aspirin"), "a6": ("text", None),
        "a7": ("date", "2100-03-22 10:00:00"),
        "a8": ("set", ["88.0", "91.0"]),
    }  # fmt: skip


def test_what_nobody_can_know_is_not_answerable(release: Path, tmp_path: Path) -> None:
    run = import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    weather = by_id(tmp_path / "q.parquet")["a6"]
    assert (weather.answerable, weather.program, weather.answer, weather.template_id) == (
        False, "", "null", "ehrsql/unanswerable",
    )  # fmt: skip
    assert run.kept["unanswerable"] == 1


def test_questions_of_one_shape_share_a_template(release: Path, tmp_path: Path) -> None:
    import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    found = by_id(tmp_path / "q.parquet")
    assert found["a1"].template_id == found["a2"].template_id != found["a3"].template_id
    assert shape_of("SELECT a FROM t WHERE b = 'it''s' AND c > 10.5") == shape_of(
        "SELECT a  FROM t WHERE b = '' AND c > 7"
    )
    assert shape_of("SELECT a FROM t1") != shape_of("SELECT a FROM t2")


def test_patients_that_the_released_splits_share_are_counted(release: Path, tmp_path: Path) -> None:
    run = import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    assert run.kept["patients in train and valid"] == 1
    assert (run.kept["train"], run.kept["valid"], run.kept["test"]) == (2, 7, 0)
    assert run.faults["split-overlap"]["ids"] == ["a3", "b3"]
    assert run.faults["split-overlap"]["values"]["patient"]["train-valid"] == 1


def test_split_anew_no_patient_stands_in_two_splits(release: Path, tmp_path: Path) -> None:
    """Questions about nobody stay where they were; those about a group are left out and counted."""
    run = import_ehrsql(release, tmp_path / "q.parquet", split="patient", valid_share=0.0, test_share=0.4, quiet=True)
    found = by_id(tmp_path / "q.parquet")
    assert found["a3"].split == found["b3"].split != found["a5"].split
    assert (found["a1"].split, found["a2"].split, found["a6"].split) == ("train", "valid", "valid")
    assert run.dropped == {"about a group of patients, who stand in several splits": 1}  # a4
    assert not any("patients in" in name and count for name, count in run.kept.items())


def test_a_set_is_exported_but_for_lists_that_hold_a_value_twice(release: Path, tmp_path: Path) -> None:
    path = release / "data/mimic_iv/valid/answer.json"
    path.write_text(path.read_text().replace("[['88.0'], ['91.0']]", "[['88.0'], ['88.0']]"))
    import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    run = export_questions(
        tmp_path / "q.parquet", tmp_path / "out", ExportConfig("jsonl", allow_leakage=True), quiet=True
    )
    assert run.dropped == {"a published list that holds a value twice": 1, "not answerable": 1}


def test_without_test_questions_guessers_are_scored_on_valid(release: Path, tmp_path: Path) -> None:
    import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    priors = json.loads((tmp_path / "q.card.json").read_text())["priors"]
    assert priors["scored_on"] == "valid"
    assert priors["per_template_majority"]["accuracy"] == pytest.approx(1 / 7)  # b3 has the shape and answer of a3
    assert "of valid right without looking" in (tmp_path / "q.card.html").read_text()


def test_ties_are_found_by_running_the_query(release: Path, ehrsql_database: Path, tmp_path: Path) -> None:
    run = import_ehrsql(release, tmp_path / "q.parquet", database=ehrsql_database, quiet=True)
    assert run.faults["tied"]["ids"] == ["a5"]
    # aspirin and heparin begin at the same minute; the first charted time is one, whichever row it is taken from
    assert {key for key, each in by_id(tmp_path / "q.parquet").items() if each.tied} == {"a5"}
    assert run.kept["tied"] == 1
    import_ehrsql(release, tmp_path / "plain.parquet", quiet=True)
    assert not any(each.tied for each in read_questions(tmp_path / "plain.parquet")), "nobody looked"


def test_a_reordered_database_has_the_same_rows(ehrsql_database: Path) -> None:
    sql = "SELECT row_id FROM labevents"
    with open_published(ehrsql_database) as stored, open_reordered(ehrsql_database, "row_id DESC") as turned:
        plain = "SELECT valuenum FROM labevents"
        assert run_published(turned, plain) == run_published(stored, plain)[::-1]
        for table in ("cost", "admissions", "d_items"):
            everything = f"SELECT * FROM {table} ORDER BY row_id"
            assert run_published(turned, everything) == run_published(stored, everything)
        assert sorted(run_published(turned, sql)) == run_published(stored, sql + " ORDER BY row_id")
        with pytest.raises(ChartsightError):
            run_published(turned, "DELETE FROM cost")


def test_answers_are_made_where_no_file_gives_them(release: Path, ehrsql_database: Path, tmp_path: Path) -> None:
    import_ehrsql(release, tmp_path / "q.parquet", database=ehrsql_database, quiet=True)
    (release / "data/mimic_iv/valid/answer.json").unlink()
    (release / "data/mimic_iv/train/answer.json").unlink()
    import_ehrsql(release, tmp_path / "made.parquet", database=ehrsql_database, quiet=True)
    assert by_id(tmp_path / "made.parquet") == by_id(tmp_path / "q.parquet")


def test_an_answer_that_the_database_gives_otherwise_is_counted(
    release: Path, ehrsql_database: Path, tmp_path: Path
) -> None:
    path = release / "data/mimic_iv/valid/answer.json"
    path.write_text(path.read_text().replace("[['sc']]", "[['iv']]"))
    run = import_ehrsql(release, tmp_path / "q.parquet", database=ehrsql_database, quiet=True)
    assert run.faults["answer-differs"]["ids"] == ["a2"]
    assert json.loads(by_id(tmp_path / "q.parquet")["a2"].answer) == ["iv"], "the published one stands"


def test_items_that_cannot_be_used_are_counted_and_placed(release: Path, tmp_path: Path) -> None:
    folder = release / "data/mimic_iv/train"
    data = json.loads((folder / "data.json").read_text())
    data["data"] += ["text", {"id": "a1", "question": "Again?"}, {"id": "x1", "question": " "}]
    data["data"] += [{"id": each, "question": "?"} for each in ("x2", "x3", "x4", "x5")]
    (folder / "data.json").write_text(json.dumps(data))
    labels = json.loads((folder / "label.json").read_text())
    labels |= {"x1": "SELECT 1", "x3": "SELECT 1", "x4": "SELECT 1", "x5": "SELECT 1", "x9": "SELECT 1"}
    (folder / "label.json").write_text(json.dumps(labels))
    answers = json.loads((folder / "answer.json").read_text())
    (folder / "answer.json").write_text(json.dumps(answers | {"x4": "null", "x5": "[[1]]"}))
    run = import_ehrsql(folder, tmp_path / "q.parquet", quiet=True)
    assert run.dropped == {
        "no id and question": 1, "repeated id": 1, "no question": 1, "no label": 1, "no answer": 1,
        "label and answer disagree on whether it can be answered": 1, "the answer is no list of rows of text": 1,
        "label without a question": 1,
    }  # fmt: skip
    assert {"reason": "repeated id", "where": str(folder / "data.json"), "row": 4} in run.dropped_rows
    assert run.kept["questions"] == 2


def test_a_query_that_does_not_run_is_left_out(release: Path, ehrsql_database: Path, tmp_path: Path) -> None:
    path = release / "data/mimic_iv/valid/label.json"
    path.write_text(path.read_text().replace("FROM patients", "FROM nobody"))
    run = import_ehrsql(release, tmp_path / "q.parquet", database=ehrsql_database, quiet=True)
    assert run.dropped == {"its query does not run (bad-query)": 1}
    assert run.dropped_rows[0]["row"] == "a4"


def test_missing_files_are_all_named(release: Path, tmp_path: Path) -> None:
    (release / "data/mimic_iv/train/label.json").unlink()
    (release / "data/mimic_iv/valid/answer.json").unlink()
    with pytest.raises(
        QuestionError, match=r"has no train/label\.json, valid/answer\.json; expected EHRSQL-2024, https"
    ):
        import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    (release / "data/mimic_iv/train/label.json").write_text("{}")
    with pytest.raises(QuestionError, match=r"answers can be made: --database"):
        import_ehrsql(release, tmp_path / "q.parquet", quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(QuestionError, match=r"no data\.json and no folder train"):
        import_ehrsql(tmp_path / "empty", tmp_path / "q.parquet", quiet=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("label.json", '{\n"a1": \n', r"label\.json: is no JSON from line 3 on"),
        ("data.json", "[]", r"data\.json: holds a list; expected an object"),
        ("data.json", '{"version": "train_v1.1.1"}', r"data\.json: has no list `data`"),
        ("answer.json", "\xff", r"answer\.json: is no JSON text"),
        ("data.json", '{"version": "valid_v1.1.1", "data": []}', r"train: its version is 'valid_v1\.1\.1'"),
        ("data.json", '{"version": "train_v1.1.1", "data": []}', "no usable item: label without a question"),
    ],
)
def test_a_damaged_file_is_named(release: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = release / "data/mimic_iv/train"
    (folder / name).write_text(text, encoding="latin-1")
    with pytest.raises(QuestionError, match=message):
        import_ehrsql(folder, tmp_path / "q.parquet", quiet=True)
    assert not (tmp_path / "q.parquet").exists()


def test_the_split_may_stand_in_the_version_alone(release: Path, tmp_path: Path) -> None:
    (release / "data/mimic_iv/train").rename(tmp_path / "mine")
    import_ehrsql(tmp_path / "mine" / "data.json", tmp_path / "q.parquet", quiet=True)
    assert {each.split for each in read_questions(tmp_path / "q.parquet")} == {"train"}
    data = json.loads((tmp_path / "mine/data.json").read_text())
    (tmp_path / "mine/data.json").write_text(json.dumps({"data": data["data"]}))
    with pytest.raises(QuestionError, match="neither its name nor its version names a split"):
        import_ehrsql(tmp_path / "mine", tmp_path / "again.parquet", quiet=True)


def test_the_same_files_give_the_same_bytes(release: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        import_ehrsql(release, tmp_path / name, quiet=True)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    manifest = json.loads((tmp_path / "a.parquet.run.json").read_text())
    assert {Path(each["path"]).name for each in manifest["inputs"]} == {
        "data.json", "label.json", "answer.json", "annotated.json",
    }  # fmt: skip
    assert json.loads((tmp_path / "a.card.json").read_text())["terms"] == "share-alike"


def test_the_command_line_imports_it(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "q.parquet"
    run_command(["questions", "import", str(release), str(out), "--format", "ehrsql", "--json"])
    assert json.loads(capsys.readouterr().out)["kept"]["questions"] == 9
    with pytest.raises(ChartsightError, match="exists already"):
        run_command(["questions", "import", str(release), str(out), "--format", "ehrsql"])
    run_command(["questions", "import", str(release), str(out), "--format", "ehrsql", "--force"])
    assert "9 questions, 2 train, 7 valid, 1 unanswerable" in capsys.readouterr().out
    for extra in (["--images", str(tmp_path)], ["--terms", "open"]):
        with pytest.raises(ChartsightError, match="means nothing for ehrsql"):
            run_command(["questions", "import", str(release), str(out), "--format", "ehrsql", "--force", *extra])
    with pytest.raises(ChartsightError, match="means nothing for jsonl"):
        run_command(["questions", "import", str(release), str(out), "--database", str(out)])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT COUNT( * )>0 FROM a WHERE b IN ( SELECT 'c' )", "SELECT COUNT()>0 FROM a WHERE b IN ()"),
        ("SELECT ( SELECT max(x) FROM ( SELECT 1 ) ) - ( 2 )", "SELECT () - ()"),
        ("SELECT a FROM b WHERE c = 'it''s (odd'", "SELECT a FROM b WHERE c = ''"),
        ("SELECT a() FROM b LIMIT 1", "SELECT a() FROM b LIMIT 1"),
        ("SELECT (", "SELECT ("),
    ],
)
def test_the_outermost_part_of_a_query(sql: str, expected: str) -> None:
    assert outline(sql) == expected


@pytest.mark.parametrize(
    ("sql", "rows", "expected"),
    [
        ("SELECT () > ()", [["0"]], ("boolean", False)),
        ("SELECT COUNT()>0 FROM a", [["1"]], ("boolean", True)),
        ("SELECT COUNT(a) FROM b", [["1"]], ("count", 1)),
        ("SELECT COUNT(a) FROM b GROUP BY c", [["1"]], ("set", ["1"])),
        ("SELECT SUM(a) FROM b", [["1.5"]], ("number", 1.5)),
        ("SELECT SUM(a) FROM b", [["None"]], ("text", "None")),
        ("SELECT a FROM b LIMIT 1", [["2100-01-01 00:00:00"]], ("date", "2100-01-01 00:00:00")),
        ("SELECT a FROM b LIMIT 1", [], ("set", [])),
        ("SELECT patients.gender FROM patients WHERE patients.subject_id = 1", [["f"]], ("text", "f")),
        ("SELECT a FROM b", [["x"]], ("set", ["x"])),
        ("SELECT a, c FROM b LIMIT 1", [["x", "1"]], ("set", ["x, 1"])),
    ],
)
def test_answers_are_typed_by_their_query(sql: str, rows: list[list[str]], expected: tuple[str, Any]) -> None:
    assert type_answer(sql, rows) == expected


def test_scopes() -> None:
    assert scope_of("") == "none"
    assert scope_of("SELECT DISTINCT cost.cost FROM cost WHERE cost.event_type = 'labevents'") == "none"
    assert scope_of("SELECT COUNT(*) FROM prescriptions") == "group"
    assert scope_of("SELECT a FROM b WHERE strftime('%y', b.charttime) = '2100'") == "group"
    assert scope_of("SELECT a FROM b WHERE b.subject_id = 10000001") == "single"


def test_rows_are_read_and_written_as_published() -> None:
    assert parse_rows("[['a'], ['b']]") == [["a"], ["b"]]
    assert [parse_rows(text) for text in ("null", "['a']", "[[1]]", "[", "a b")] == [None] * 5
    assert as_published([(0.12345,), ("x",), (None,), (3,)]) == [["0.123"], ["3"], ["None"], ["x"]]
    assert len(as_published([(n,) for n in range(300)])) == 100


@pytest.mark.opendata
def test_the_real_questions(tmp_path: Path) -> None:
    from tests.questions.test_open_data import OPEN_DATA

    if not (OPEN_DATA / "ehrsql-2024").is_dir():
        pytest.skip(f"no EHRSQL-2024 in {OPEN_DATA} (CHARTSIGHT_OPEN_DATA)")
    run = import_ehrsql(OPEN_DATA / "ehrsql-2024", tmp_path / "q.parquet", quiet=True)
    assert run.dropped == {}
    assert (run.kept["train"], run.kept["valid"], run.kept["unanswerable"]) == (5_124, 1_163, 450 + 232)
    questions = read_questions(tmp_path / "q.parquet")
    known = {each.template_id for each in questions if each.split == "train"}
    valid = [each for each in questions if each.split == "valid" and each.answerable]
    assert sum(each.template_id in known for each in valid) == pytest.approx(0.72 * len(valid), rel=0.01)
    for each in valid:
        named = json.loads(each.parameters).get("patient_id")
        assert (str(each.subject_id) if each.subject_id else None) == named, "the query names the template's patient"
