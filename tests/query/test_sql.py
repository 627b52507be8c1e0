"""`chartsight sql` on a small record: labels and a real tiny model, what is printed, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chartsight.cli import main
from chartsight.errors import QueryError
from chartsight.imaging.film_index import read_film_index
from chartsight.neuralsql.engines import open_engine
from chartsight.query import QueryConfig, answer_query, explain_query, open_visual_model
from chartsight.query.answer import table_values
from chartsight.query.models import VlmModel
from chartsight.questions.families import FamilyConfig, build_family_questions
from chartsight.questions.files import read_questions
from chartsight.questions.gold import enumerate_asks
from chartsight.questions.label_model import QuestionGrammar
from chartsight.questions.labels import read_film_labels
from chartsight.questions.templates import read_templates
from chartsight.records import open_record
from chartsight.records.copy import copy_record
from chartsight.schema import Look

pytest_plugins = ["tests.fixtures_hospital"]

FINDING = "Is there any abnormality?"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture(scope="module")
def films(tiny_record: Path) -> int:
    with open_record(tiny_record) as record:
        return int(record.connection.execute("SELECT count(*) FROM tb_cxr").fetchall()[0][0])


def truth(record: Path, attribute: str) -> set[int]:
    """Studies that show a finding, from the labels without any SQL of ours."""
    with open_record(record) as opened:
        labels = read_film_labels(opened.connection, label_sources=("imagenome",))
    codes = labels.truth(attribute)
    return {film.study_id for film, code in zip(labels.films, codes, strict=True) if code == 1}


def test_the_labels_answer_a_count(tiny_record: Path, films: int) -> None:
    text = f'SELECT count(*) AS n FROM tb_cxr AS c WHERE FUNC_VQA("{FINDING}", c.study_id) = TRUE'
    answer = answer_query(tiny_record, text)
    assert answer.result.rows.to_pydict() == {"n": [len(truth(tiny_record, "abnormality"))]}
    assert answer.result.made == films == len(answer.evidence)
    assert {row.evidence_kind for row in answer.evidence} == {"label"}
    assert answer.explanation.sentence.startswith(f"{films} studies x 1 question, 0 cached")
    assert answer.pairing == "synthetic"


def test_all_that_our_templates_ask_is_understood(tiny_record: Path) -> None:
    with open_record(tiny_record) as opened:
        labels = read_film_labels(opened.connection, label_sources=("imagenome",))
    templates = read_templates()
    grammar = QuestionGrammar(labels, templates)
    asked = 0
    for template in templates.templates:
        for ask in list(enumerate_asks(template, labels))[:2]:
            for number in range(1, len(template.phrasings) + 1):
                found = grammar.parse(templates.render_phrasing(template, number, ask.slots))
                assert found is not None and (found.template.gold, dict(found.slots)) == (
                    template.gold,
                    dict(ask.slots),
                )
                asked += 1
    assert asked > 200


@pytest.mark.parametrize(
    ("question", "template", "slots"),
    [
        ("does the left lung show any evidence of pneumothorax?", "verify-attribute-in-object",
         {"attribute": "pneumothorax", "object": "left lung"}),
        ("is cardiomegaly present?", "verify-attribute", {"attribute": "enlarged cardiac silhouette"}),
        ("is there pneumonia or pneumothorax or atelectasis?", None, {}),
        ("how is the weather?", None, {}),
    ],
)  # fmt: skip
def test_other_words_for_one_finding_are_understood(
    tiny_record: Path, question: str, template: str | None, slots: dict[str, str]
) -> None:
    with open_record(tiny_record) as opened:
        labels = read_film_labels(opened.connection, label_sources=("imagenome",))
    found = QuestionGrammar(labels).parse(question)
    assert (None if found is None else found.template.id) == template
    assert found is None or dict(found.slots) == slots


def test_the_last_film_lists_its_findings(tiny_record: Path) -> None:
    text = (
        'SELECT FUNC_VQA("What are all the findings on this film?", t.study_id) FROM '
        "(SELECT c.study_id FROM tb_cxr AS c ORDER BY c.studydatetime DESC LIMIT 1) AS t"
    )
    answer = answer_query(tiny_record, text)
    (look,) = answer.result.looks
    assert sorted(answer.result.rows.column(0).to_pylist()) == sorted(look.answer.value or ())  # type: ignore[arg-type]


def test_change_between_two_films_is_one_look(tiny_record: Path) -> None:
    text = (
        "SELECT b.study_id FROM tb_cxr AS a JOIN tb_cxr AS b ON a.subject_id = b.subject_id "
        'AND a.studydatetime < b.studydatetime WHERE FUNC_VQA("Is lung opacity newly seen?", a.study_id, b.study_id)'
    )
    shown = truth(tiny_record, "lung opacity")
    answer = answer_query(tiny_record, text)
    pairs = [each.look.study_ids for each in answer.result.looks]
    assert sorted(answer.result.rows["study_id"].to_pylist()) == sorted(
        later for earlier, later in pairs if earlier not in shown and later in shown
    )


def test_a_model_looks_once_and_answers_from_the_store_after(
    tiny_record: Path, starter_folder: Path, tmp_path: Path, films: int
) -> None:
    text = f'SELECT count(*) AS n FROM tb_cxr AS c WHERE FUNC_VQA("{FINDING}", c.study_id) = TRUE'
    config = QueryConfig(model=str(starter_folder), answers=tmp_path / "answers.jsonl")
    first = answer_query(tiny_record, text, config)
    second = answer_query(tiny_record, text, config)
    assert (first.result.made, second.result.made, second.result.cached) == (films, 0, films)
    assert first.result.rows == second.result.rows
    assert {row.evidence_kind for row in first.evidence} == {"model"}
    assert all(len(row.answer_key) == 64 for row in first.evidence)
    cost = explain_query(tiny_record, text, config)
    assert (cost.looks, cost.sentence) == (0, f"{films} studies x 1 question, {films} cached, 0 looks, about 0 s")


def test_a_look_has_the_key_of_the_same_question_of_predict(
    tiny_record: Path, tiny_questions: Path, starter_folder: Path
) -> None:
    from chartsight.prediction import put_questions
    from chartsight.questions.files import read_questions
    from chartsight.vlm.checkpoint import load_vlm

    index = read_film_index(tiny_record)
    question = next(each for each in read_questions(tiny_questions) if each.looks_at_one_film)
    (asked,) = put_questions([question], "full", index, load_vlm(starter_folder), 0)
    look = Look(question.study_ids, question.image_ids, question.visual_question or question.question, "boolean")
    assert VlmModel(starter_folder, index).key(look) == asked.key


def test_a_model_of_one_film_is_not_asked_to_compare(
    tiny_record: Path, starter_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "SELECT 1 FROM tb_cxr AS a, tb_cxr AS b WHERE FUNC_VQA('is it new?', a.study_id, b.study_id)"
    code, _, errors = run(capsys, "sql", tiny_record, text, "--model", starter_folder)
    assert code == 2
    assert "reads one film at a time" in errors and len(errors.splitlines()) == 1


# --------------------------------------------------------------------------------------------------- the command line

COUNT = f'SELECT count(*) AS n FROM tb_cxr AS c WHERE FUNC_VQA("{FINDING}", c.study_id) = TRUE'


def test_the_screen_shows_rows_evidence_looks_and_use(
    tiny_record: Path, films: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, errors = run(capsys, "sql", tiny_record, COUNT)
    assert (code, errors) == (0, "")
    flat = " ".join(shown.split())
    assert f"looks: {films} made, 0 cached" in flat
    assert "Research use only. Not a medical device. Not for clinical use." in flat
    assert "no clinical association may be read from this" in flat
    assert "evidence" in flat and FINDING.split()[0] in flat


def test_json_holds_everything(
    tiny_record: Path, films: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "evidence.json"
    code, shown, _ = run(capsys, "sql", tiny_record, COUNT, "--json", "--budget", 3, "--evidence", kept)
    found: dict[str, Any] = json.loads(shown)
    assert code == 0
    assert (found["looks"], found["stopped"], found["exact"]) == (
        {"made": 3, "cached": 0, "open": films - 3}, "budget", False,
    )  # fmt: skip
    (interval,) = found["intervals"]
    assert interval["high"] - interval["low"] == films - 3
    assert json.loads(kept.read_text()) == found["evidence"]


def test_explain_makes_no_look(
    tiny_record: Path, starter_folder: Path, tmp_path: Path, films: int, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "answers.jsonl"
    options = ("--model", starter_folder, "--answers", store, "--explain")
    code, shown, _ = run(capsys, "sql", tiny_record, COUNT, *options, "--json")
    assert code == 0 and not store.exists()
    assert json.loads(shown)["sentence"].startswith(f"{films} studies x 1 question, 0 cached, {films} looks")
    assert "picks rows" in run(capsys, "sql", tiny_record, COUNT, *options)[1]


def test_a_query_of_tables_alone_needs_no_model(tiny_record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "sql", tiny_record, "SELECT count(*) AS n FROM patients", "--json")
    assert code == 0
    assert json.loads(shown)["rows"] == [[4]]
    assert json.loads(shown)["cost_beforehand"] == "no looks: tables alone"


@pytest.mark.parametrize(
    ("query", "options", "said"),
    [
        ("SELECT", (), "query"),
        ("DELETE FROM patients", (), "SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", (), "a function stands for a table"),
        ("SELECT study FROM tb_cxr", (), "study"),
        ("SELECT FUNC_VQA('nodule', study_id) FROM tb_cxr", (), "no grammar knows"),
        ("SELECT 1 FROM tb_cxr WHERE FUNC_VQA('is the weather fine?', study_id)", (), "labels cannot be asked"),
        (COUNT, ("--model", "no-such-model"), "no model folder"),
        (COUNT, ("--budget", "-1"), "0 or more"),
        (COUNT, ("--mode", "published"), "SQLite"),
        (COUNT, ("--model", "starter", "--validation", "no-such-file.json"), "no such file"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_line(
    tiny_record: Path, query: str, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, errors = run(capsys, "sql", tiny_record, query, *options)
    assert code == 2
    assert said in errors and len(errors.splitlines()) == 1


def test_the_record_is_left_as_it_was(tiny_record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "record.duckdb"
    shutil.copy(tiny_record, copy)
    run(capsys, "sql", copy, COUNT)
    assert copy.read_bytes() == tiny_record.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["record.duckdb"]


def test_a_copy_in_sqlite_answers_alike_in_both_modes(tiny_record: Path, tmp_path: Path) -> None:
    copy = tmp_path / "record.sqlite"
    copy_record(tiny_record, copy, quiet=True)
    expected = {"n": [len(truth(tiny_record, "abnormality"))]}
    for mode in ("stable", "published"):
        answer = answer_query(copy, COUNT, QueryConfig(mode=mode, films=tiny_record))  # type: ignore[arg-type]
        assert (answer.result.rows.to_pydict(), answer.pairing) == (expected, "synthetic")
    with pytest.raises(QueryError) as found:
        answer_query(copy, COUNT)
    assert found.value.code == "films-elsewhere"
    assert answer_query(copy, "SELECT count(*) AS n FROM patients").result.rows.to_pydict() == {"n": [4]}


@pytest.mark.slow
def test_questions_of_all_families_have_the_gold_answer(tiny_record: Path, tmp_path: Path) -> None:
    """Gold is computed without the planner, by SQLite with the labels as a function."""
    out = tmp_path / "questions.parquet"
    build_family_questions(tiny_record, out, FamilyConfig(per_template=2, per_kind=1), quiet=True)
    asked = [each for each in read_questions(out) if "FUNC_VQA" in each.program.upper()]
    assert len(asked) > 20
    with open_engine(tiny_record) as engine, open_visual_model("labels", tiny_record) as visual:
        for each in asked:
            config = QueryConfig(now=each.now)
            found = answer_query(tiny_record, each.program, config, engine=engine, visual=visual)
            gold = json.loads(each.answer)
            values = [row[0] for row in table_values(found.result.rows) if row[0] is not None]
            assert sorted(map(float_or_text, values)) == sorted(
                map(float_or_text, gold if isinstance(gold, list) else [gold])
            ), each.program


def float_or_text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(int(value) if isinstance(value, bool) else value)
