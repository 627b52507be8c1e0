"""EHRXQA and MIMIC-CXR-VQA: answers by their template's type, the record's film, no identifier, every fault by name."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chartsight.errors import QuestionError
from chartsight.questions import film_index_of, read_questions
from chartsight.questions.files import read_question_metadata
from chartsight.questions.gold_program import GoldDatabase, ProgramError, open_gold_database, repair_program
from chartsight.questions.importers import ImportConfig, import_questions
from chartsight.questions.layouts.ehrxqa import parse_item, type_answer
from chartsight.runs import Run
from chartsight.schema import Question

from .released_files import (
    NO_FRONTAL,
    PATIENTS,
    STUDIES,
    UNKNOWN,
    choose_item,
    cxr_vqa_item,
    frontal_of,
    group_item,
    lab_item,
    last_study_item,
    list_item,
    patient_of,
    picc_item,
    write_database,
    write_items,
    write_record,
)


@pytest.fixture(scope="module")
def hospital_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_record(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("database") / "mimic_iv_cxr.db")


def imported(
    folder: Path, items: list[Any], record: Path, *, split: str = "train", **choices: Any
) -> tuple[Run, dict[str, Question]]:
    """The run, and the questions by their source's id."""
    source = write_items(folder / f"{split}.json", items)
    config = ImportConfig(format="ehrxqa", record=record, terms="synthetic", **choices)
    run = import_questions(source, folder / "out.parquet", config, quiet=True)
    return run, {json.loads(q.parameters)["id"]: q for q in read_questions(folder / "out.parquet")}


def test_an_answer_has_the_type_of_its_template(tmp_path: Path, hospital_record: Path) -> None:
    items = [
        picc_item(0, STUDIES[0], [1]), picc_item(1, STUDIES[1], [0]), list_item(2, STUDIES[2], ["scoliosis", "hernia"]),
        list_item(3, STUDIES[3], []), choose_item(4, STUDIES[4], ["goiter", "hernia"]), group_item(5, "20s", [1]),
        group_item(6, "30s", [0]), lab_item(7, PATIENTS[0], [1.5]), lab_item(8, PATIENTS[1], []),
        choose_item(9, STUDIES[5], ["hernia"]),
    ]  # fmt: skip
    run, questions = imported(tmp_path, items, hospital_record)
    found = {number: (q.answer_type, json.loads(q.answer)) for number, q in questions.items()}
    assert found == {
        "train/0": ("boolean", True), "train/1": ("boolean", False), "train/2": ("set", ["hernia", "scoliosis"]),
        "train/3": ("set", []), "train/4": ("set", ["goiter", "hernia"]), "train/5": ("count", 1),
        "train/6": ("count", 0), "train/7": ("number", 1.5), "train/8": ("set", []), "train/9": ("set", ["hernia"]),
    }  # fmt: skip
    assert questions["train/4"].allowed_answers == ("goiter", "hernia")
    assert run.faults["empty-answer"]["ids"] == ["train/3", "train/8"]
    assert run.faults["tie-not-checked"]["ids"] == ["train/7", "train/8"]
    assert "constant-age-group" not in run.faults
    kinds = [questions[f"train/{n}"].kind for n in (0, 5, 7)]
    assert kinds == ["image/one", "image+table/group", "table/single"]


def test_the_film_is_the_record_s_and_the_words_name_nobody(tmp_path: Path, hospital_record: Path) -> None:
    items = [picc_item(0, STUDIES[0], [1]), list_item(1, STUDIES[3], ["hernia"])]
    run, questions = imported(tmp_path, items, hospital_record)
    one, two = questions["train/0"], questions["train/1"]
    assert one.image_ids == (frontal_of(STUDIES[0]),)  # the lateral sorts first
    assert (one.subject_id, two.subject_id) == (patient_of(STUDIES[0]), patient_of(STUDIES[3]))
    assert one.visual_question == "can a picc be seen in the svc?"
    assert two.visual_question == "which findings does the study show in the spine?"  # two calls: stripped words
    assert json.loads(one.parameters)["template"] == "is there picc in the svc?"
    assert str(STUDIES[0]) in one.question and str(STUDIES[0]) not in one.parameters
    assert json.loads(one.parameters)["slots"] == {"object": "svc", "attribute": "picc"}
    assert {q.pairing for q in questions.values()} == {"ehrxqa-shuffled"}
    assert read_question_metadata(tmp_path / "out.parquet")["pairing"] == "ehrxqa-shuffled"
    assert run.faults["shuffled-pairing"]["count"] == 2 and run.pairing == "ehrxqa-shuffled"
    assert film_index_of(tmp_path / "out.parquet") == hospital_record


def test_what_cannot_be_used_is_counted_with_its_number(tmp_path: Path, hospital_record: Path) -> None:
    bad = [
        picc_item(1, UNKNOWN, [1]), picc_item(2, NO_FRONTAL, [1]), picc_item(3, STUDIES[1], [2]),
        {**picc_item(4, STUDIES[2], None), "_gold_program": None}, picc_item(5, STUDIES[3], [[1, 2]]), "no object",
        {**picc_item(6, STUDIES[4], [1]), "query": " "}, {**picc_item(7, STUDIES[4], [1]), "split": "holdout"},
        {**picc_item(8, STUDIES[4], [1]), "value": {"study_id": "s1"}},
    ]  # fmt: skip
    run, questions = imported(tmp_path, [picc_item(0, STUDIES[0], [1]), *bad], hospital_record, split="train")
    assert list(questions) == ["train/0", "train/7"]  # the file's name says the split where the item does not
    assert {each["reason"]: each["row"] for each in run.dropped_rows} == {
        "study not in the record": 2, "study without a frontal film in the record": 3,
        "a yes/no question without a yes or no": 4, "no answer": 5, "an answer of several columns": 6,
        "not a JSON object": 7, "no query": 8, "an identifier that is no number": 10,
    }  # fmt: skip
    manifest = json.loads((tmp_path / "out.parquet.run.json").read_text())
    assert manifest["faults"] == run.faults
    assert sum(manifest["counts"]["dropped"].values()) + len(questions) == 1 + len(bad)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"t_tag": 5}, "t_tag or what v_tag names is no list"),
        ({"v_tag": {"attribute": 5}}, "t_tag or what v_tag names is no list"),
        ({"v_tag": {"object": "svc"}}, "t_tag or what v_tag names is no list"),
        ({"answer": [10**400]}, "an answer that is no number, or of more than 64 bits"),
        ({"answer": [float("inf")]}, "an answer that is no number, or of more than 64 bits"),
    ],
)
def test_an_item_of_another_form_costs_itself_only(
    tmp_path: Path, hospital_record: Path, database: Path, change: dict[str, Any], reason: str
) -> None:
    items = [choose_item(0, STUDIES[4], ["goiter"]), {**choose_item(1, STUDIES[5], ["hernia"]), **change}]
    run, questions = imported(tmp_path, items, hospital_record, database=database)
    assert list(questions) == ["train/0"] and run.dropped == {reason: 1}


def test_gold_comes_from_the_program_and_a_tie_is_seen(tmp_path: Path, hospital_record: Path, database: Path) -> None:
    items = [
        picc_item(0, STUDIES[0], None), picc_item(1, STUDIES[1], None), lab_item(2, PATIENTS[0]),
        lab_item(3, PATIENTS[1]),
        {**lab_item(4, PATIENTS[2]), "query": "select nothing from nowhere"},
        {**lab_item(5, PATIENTS[2]), "query": "attach database 'x' as y"},
        last_study_item(6, PATIENTS[2], [0]), lab_item(7, PATIENTS[1], [9.0]),
    ]  # fmt: skip
    run, questions = imported(tmp_path, items, hospital_record, database=database)
    assert {number: json.loads(q.answer) for number, q in questions.items()} == {
        "train/0": True, "train/1": False, "train/2": 1.5, "train/3": 3.0, "train/6": False, "train/7": 9.0,
    }  # fmt: skip
    assert [number for number, q in questions.items() if q.tied] == ["train/2"]
    ids = {name: fault["ids"] for name, fault in run.faults.items()}
    assert ids["tied"] == ["train/2"] and ids["program-failed"] == ["train/4", "train/5"]
    assert ids["answer-differs"] == ["train/7"] and run.dropped == {"no answer": 2}
    assert questions["train/6"].image_ids == (frontal_of(STUDIES[5]),)  # the later study of the third patient
    assert questions["train/6"].visual_question == "is there a picc in the svc?"
    assert questions["train/0"].label_source == "gold-program" and questions["train/7"].label_source == "ehrxqa"


def test_without_a_database_unanswered_items_are_a_clear_mistake(tmp_path: Path, hospital_record: Path) -> None:
    source = write_items(tmp_path / "_test.json", [picc_item(0, STUDIES[0], None, "test")])
    config = ImportConfig(format="ehrxqa", record=hospital_record)
    with pytest.raises(QuestionError, match="--database"):
        import_questions(source, tmp_path / "out.parquet", config, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["_test.json"]


def test_a_constant_age_group_contradictions_and_overlaps_are_faults(tmp_path: Path, hospital_record: Path) -> None:
    write_items(tmp_path / "r/train.json", [picc_item(0, STUDIES[0], [1]), picc_item(1, STUDIES[2], [0])])
    again = {**picc_item(1, STUDIES[0], [0], "valid")}
    write_items(tmp_path / "r/valid.json", [picc_item(0, STUDIES[1], [1], "valid"), again])
    write_items(tmp_path / "r/test.json", [group_item(n, "20s", [2], "test") for n in range(3)])
    config = ImportConfig(format="ehrxqa", record=hospital_record, terms="synthetic")
    run = import_questions(tmp_path / "r", tmp_path / "out.parquet", config, quiet=True)
    ids = {name: fault["ids"] for name, fault in run.faults.items()}
    assert ids["constant-age-group"] == ["test/0", "test/1", "test/2"]
    assert ids["question-repeated"] == ids["constant-age-group"]
    assert ids["question-contradicted"] == ["train/0", "valid/1"]
    assert ids["split-overlap"] == ["train/0", "valid/0", "valid/1"]
    overlaps = run.faults["split-overlap"]["values"]
    assert {kind: pairs["train-valid"] for kind, pairs in overlaps.items()} == {"patient": 1, "study": 1, "image": 1}
    split = ImportConfig(format="ehrxqa", record=hospital_record, terms="synthetic", split="patient", test_share=0.5)
    run = import_questions(tmp_path / "r", tmp_path / "anew.parquet", split, quiet=True)
    anew = read_questions(tmp_path / "anew.parquet")
    assert len({(q.subject_id, q.split) for q in anew}) == len({q.subject_id for q in anew}) == 2
    assert run.dropped == {"about a group of patients, who stand in several splits": 3}


def test_the_same_release_gives_the_same_bytes(tmp_path: Path, hospital_record: Path) -> None:
    source = write_items(tmp_path / "train.json", [picc_item(n, study, [n % 2]) for n, study in enumerate(STUDIES)])
    config = ImportConfig(format="ehrxqa", record=hospital_record)
    for name in ("a", "b"):
        import_questions(source, tmp_path / f"{name}.parquet", config, quiet=True)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert read_question_metadata(tmp_path / "a.parquet")["terms"] == "credentialed"  # what the set says of itself


def test_terms_are_never_less_strict_than_the_record_s(tmp_path: Path) -> None:
    record = write_record(tmp_path / "h", terms="private")
    run, _ = imported(tmp_path, [picc_item(0, STUDIES[0], [1])], record)
    assert run.terms == "private"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([True], ("boolean", True, ())), ([[1]], ("boolean", True, ())), (0, ("boolean", False, ())),
        ([None], ("set", [], ())),
    ],
)  # fmt: skip
def test_a_yes_no_answer_however_it_is_written(answer: Any, expected: Any) -> None:
    item = parse_item(picc_item(0, STUDIES[0], answer), 1)
    assert item.answer is not None and type_answer(item, item.answer) == expected


def test_published_quirks_of_queries_are_mended() -> None:
    broken = "select ''a'' where strftime(‘%y’,current_time) < = sao2_upper and x > heart_rate_lower and my_lower = 1"
    assert repair_program(broken) == (
        "SELECT 'a' WHERE STRFTIME('%Y', '2105-12-31 23:59:00') <= 100.0 AND x > 60.0 AND my_lower = 1"
    )
    assert repair_program("select a fro") == "SELECT a AS fro" and repair_program("no query") == "no query"


def test_programs_only_read(database: Path, tmp_path: Path) -> None:
    before = database.read_bytes()
    with open_gold_database(database) as opened:
        assert opened.run("select 1.23456789 union select 2") == [1.234568, 2]
        for program in ("delete from patients", "pragma user_version = 3", f"attach '{tmp_path}/x.db' as x", "select"):
            with pytest.raises(ProgramError):
                opened.run(program)
    assert database.read_bytes() == before and not list(tmp_path.iterdir())
    with pytest.raises(QuestionError, match="no database"), open_gold_database(write_items(tmp_path / "x.db", [])):
        pass


def test_a_program_that_never_ends_is_stopped(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartsight.questions.gold_program.SECONDS", 0.2)
    with open_gold_database(database) as opened, pytest.raises(ProgramError):
        opened.run("with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t")


def test_a_duckdb_file_answers_like_sqlite(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "mimic_iv_cxr.duckdb"
    with sqlite3.connect(database) as source, duckdb.connect(str(path)) as copy:
        copy.execute(
            "CREATE TABLE labevents (row_id INTEGER, subject_id INTEGER, charttime TIMESTAMP, valuenum DOUBLE)"
        )
        rows = source.execute("SELECT row_id, subject_id, charttime, valuenum FROM labevents").fetchall()
        copy.executemany("INSERT INTO labevents VALUES (?, ?, ?, ?)", rows)
    program = repair_program(lab_item(0, PATIENTS[1])["query"])

    def answers(opened: GoldDatabase) -> list[Any]:
        return [opened.run(program), opened.run("select charttime from labevents"), opened.is_tied(program)]

    with open_gold_database(path) as ours, open_gold_database(database) as theirs:
        assert answers(ours) == answers(theirs)


# ------------------------------------------------------------------------------------------------------ MIMIC-CXR-VQA


def test_mimic_cxr_vqa(tmp_path: Path, hospital_record: Path) -> None:
    listed = {"semantic_type": "query", "question": "List all findings.", "template_program": "program_25"}
    view = {
        "content_type": "plane",
        "semantic_type": "choose",
        "question": "AP or PA?",
        "template_program": "program_42",
    }
    choose = {"semantic_type": "choose", "question": "Goiter or hernia?", "template_program": "program_28",
              "template_arguments": {"attribute": {"0": "goiter", "1": "hernia"}}}  # fmt: skip
    items = [
        cxr_vqa_item(0, STUDIES[0], ["no"]), cxr_vqa_item(1, STUDIES[0], ["hernia", "picc"], **listed),
        cxr_vqa_item(2, STUDIES[0], [], **listed | {"question": "List all diseases."}),
        cxr_vqa_item(3, STUDIES[0], ["pa"], **view), cxr_vqa_item(4, STUDIES[0], ["goiter", "hernia"], **choose),
        cxr_vqa_item(5, STUDIES[2], ["yes"], "valid"), cxr_vqa_item(6, STUDIES[1], ["perhaps"]),
        cxr_vqa_item(7, STUDIES[1], None), cxr_vqa_item(8, STUDIES[1], ["no"], image_id="elsewhere"),
    ]  # fmt: skip
    write_items(tmp_path / "r" / "train.json", items)
    write_items(tmp_path / "r" / "test.json", [cxr_vqa_item(0, STUDIES[1], ["yes"], "test")])
    config = ImportConfig(format="mimic-cxr-vqa", record=hospital_record, terms="synthetic")
    run = import_questions(tmp_path / "r", tmp_path / "out.parquet", config, quiet=True)
    questions = {json.loads(q.parameters)["id"]: q for q in read_questions(tmp_path / "out.parquet")}
    assert {number: (q.answer_type, json.loads(q.answer)) for number, q in questions.items()} == {
        "train/0": ("boolean", False), "train/1": ("set", ["hernia", "picc"]), "train/2": ("set", []),
        "train/3": ("choice", "pa"), "train/4": ("set", ["goiter", "hernia"]), "valid/5": ("boolean", True),
        "test/0": ("boolean", True),
    }  # fmt: skip
    assert questions["train/0"].template_id == "mimic-cxr-vqa/program_5"
    assert json.loads(questions["train/0"].parameters)["slots"]["attribute2"] == "lung cancer"
    assert questions["train/3"].allowed_answers == ("ap", "pa")
    assert run.dropped == {
        "a yes/no question without a yes or no": 1, "no answer": 1, "image not in the record": 1,
    }  # fmt: skip
    assert run.faults["empty-answer"]["ids"] == ["train/2"]
    assert run.faults["split-overlap"]["values"]["patient"]["train-test"] == 1
    assert run.pairing == "real"


def test_unanswered_files_of_mimic_cxr_vqa_say_what_to_do(tmp_path: Path, hospital_record: Path) -> None:
    write_items(tmp_path / "r" / "_test.json", [cxr_vqa_item(0, STUDIES[0], None, "test")])
    config = ImportConfig(format="mimic-cxr-vqa", record=hospital_record)
    with pytest.raises(QuestionError, match="without answers only"):
        import_questions(tmp_path / "r", tmp_path / "out.parquet", config, quiet=True)


def test_options_that_do_not_fit_are_refused(tmp_path: Path, hospital_record: Path) -> None:
    for choices, message in (
        ({"format": "ehrxqa"}, "records build"), ({"format": "slake", "record": hospital_record}, "means nothing"),
        ({"format": "slake", "database": tmp_path}, "means nothing"), ({"split": "random"}, "released or patient"),
        ({"format": "ehrxqa", "record": hospital_record, "database": tmp_path / "x"}, "no such file"),
    ):  # fmt: skip
        with pytest.raises(QuestionError, match=message):
            ImportConfig(**choices)
