"""Questions of all nine kinds, from a synthetic hospital: gold against a plain second computation, splits, balance."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chartsight.cli import app
from chartsight.errors import QuestionError
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.neuralsql.engines import open_engine
from chartsight.neuralsql.families import read_families
from chartsight.neuralsql.families.templates import KINDS
from chartsight.query import QueryConfig, answer_query
from chartsight.query.answer import table_values
from chartsight.questions import FamilyConfig, build_family_questions, read_questions
from chartsight.questions.families import find_constant_slot, read_rows
from chartsight.records import build_record
from chartsight.schema import Question
from tests.fixtures_hospital import sources
from tests.questions.plain_answers import ANSWERS, PlainHospital, answer_plainly

FAMILIES = read_families()
CONFIG = FamilyConfig(per_template=4, per_kind=0, min_support=2)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("families") / "hospital"
    build_hospital(out, HospitalConfig(patients=40, seed=11, film_size_px=64), workers=1, quiet=True)
    return out


@pytest.fixture(scope="module")
def record(hospital: Path) -> Path:
    out = hospital.with_name("record.duckdb")
    build_record(out, sources(hospital), quiet=True)
    return out


@pytest.fixture(scope="module")
def built(record: Path) -> Path:
    out = record.with_name("questions.parquet")
    build_family_questions(record, out, CONFIG, quiet=True)
    return out


@pytest.fixture(scope="module")
def questions(built: Path) -> list[Question]:
    return read_questions(built)


def agrees(question: Question, plain: object) -> bool:
    gold = json.loads(question.answer)
    if isinstance(plain, (set, frozenset)):
        return bool(gold == sorted(str(each) for each in plain))
    if isinstance(gold, float):
        return isinstance(plain, (int, float)) and math.isclose(gold, plain, rel_tol=1e-5, abs_tol=1e-6)
    return bool(gold == plain) and isinstance(gold, bool) == isinstance(plain, bool)


def compare(hospital: Path, questions: list[Question]) -> dict[str, list[tuple[str, str, object]]]:
    """Template → (question, gold, plain answer) of all that differ."""
    plain = PlainHospital(hospital)
    wrong: dict[str, list[tuple[str, str, object]]] = defaultdict(list)
    for question in questions:
        if question.answerable:
            slots = json.loads(question.parameters)["slots"]
            assert question.now is not None
            value = answer_plainly(plain, question.template_id, slots, datetime.fromisoformat(question.now))
            if not agrees(question, value):
                wrong[question.template_id].append((question.question, question.answer, value))
    return wrong


def test_every_family_is_answered_a_second_time() -> None:
    assert set(ANSWERS) == {template.id for template in FAMILIES.templates if template.is_answerable}


def test_gold_equals_a_plain_computation_from_the_hospitals_own_files(
    hospital: Path, questions: list[Question]
) -> None:
    assert len(questions) > 300
    assert compare(hospital, questions) == {}


@pytest.mark.slow
def test_the_planner_on_duckdb_gives_the_gold_answers(record: Path, questions: list[Question], tmp_path: Path) -> None:
    """One question of each family, looked at through the whole of `chartsight sql`, with labels as its model."""
    asked: dict[str, Question] = {}
    for question in questions:
        if question.answerable:
            asked.setdefault(question.template_id, question)
    assert len(asked) > 100
    wrong = []
    with open_engine(record) as engine:
        for template_id, question in asked.items():
            config = QueryConfig(now=question.now, answers=tmp_path / "answers")
            found = answer_query(record, question.program, config, engine=engine)
            rows = [tuple(row) for row in table_values(found.result.rows)]
            if not found.result.is_exact or not agrees(question, read_rows(rows, FAMILIES[template_id])):
                wrong.append((question.program, question.answer, rows))
    assert wrong == []


@pytest.mark.slow
def test_gold_equals_a_plain_computation_for_200_questions_a_kind(tmp_path: Path) -> None:
    hospital = tmp_path / "hospital"
    build_hospital(hospital, HospitalConfig(patients=200, seed=7, film_size_px=64), workers=1, quiet=True)
    build_record(tmp_path / "record.duckdb", sources(hospital), quiet=True)
    config = FamilyConfig(per_template=30)
    build_family_questions(tmp_path / "record.duckdb", tmp_path / "questions.parquet", config, quiet=True)
    questions = [each for each in read_questions(tmp_path / "questions.parquet") if each.answerable]
    assert all(n >= 200 for n in Counter(each.kind for each in questions).values())
    assert {each.kind for each in questions} == set(KINDS)
    assert compare(hospital, questions) == {}


def test_all_nine_kinds_are_asked(questions: list[Question]) -> None:
    assert {question.kind for question in questions} == set(KINDS)
    assert sum(not question.answerable for question in questions) >= 10


def test_patients_stand_in_one_split_and_held_out_words_in_test(questions: list[Question]) -> None:
    splits: dict[object, set[str]] = defaultdict(set)
    for question in questions:
        if question.subject_id is not None:
            splits[question.subject_id].add(question.split)
        for study in question.study_ids:
            splits["study", study].add(question.split)
        if question.phrasing_id.endswith("/5"):
            assert question.split == "test"
    assert all(len(each) == 1 for each in splits.values())
    assert {question.split for question in questions} == {"train", "valid", "test"}
    assert any(question.phrasing_id.endswith("/5") for question in questions)


def test_a_question_about_many_names_nobody(questions: list[Question]) -> None:
    for question in questions:
        if question.scope in ("group", "none"):
            assert question.subject_id is None
            assert question.study_ids == ()
            if question.answerable:
                assert "subject_id = 1" not in question.program


def test_booleans_are_balanced_and_no_slot_is_constant(questions: list[Question]) -> None:
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.template_id].append(question)
    for name, group in groups.items():
        assert find_constant_slot(group, FAMILIES[name]) is None
        if group[0].answer_type == "boolean":
            yes = sum(question.answer == "true" for question in group)
            assert 0.3 <= yes / len(group) <= 0.7, name


def test_a_constant_slot_is_found() -> None:
    template = FAMILIES["image-table-group/count-by-age"]
    slots = [{"decade": "20s", "finding": finding, "calendar": ""} for finding in ("pneumothorax", "hernia")]
    asked = [_asked(each) for each in slots]
    assert find_constant_slot(asked, template) == "decade"
    assert (
        find_constant_slot([asked[0], _asked({**slots[1], "decade": "30s", "calendar": "in 2150"})], template) is None
    )


def _asked(slots: dict[str, str]) -> Question:
    empty = dict.fromkeys(Question.__dataclass_fields__, "")
    return Question(**{**empty, "parameters": json.dumps({"slots": slots})})  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_bytes(record: Path, tmp_path: Path) -> None:
    config = FamilyConfig(kinds=("image/two", "table/none"), per_template=4, per_kind=0, min_support=2)
    for name in ("a", "b"):
        build_family_questions(record, tmp_path / f"{name}.parquet", config, quiet=True)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert {each.kind for each in read_questions(tmp_path / "a.parquet")} == {"image/two", "table/none"}


def test_an_unanswerable_question_has_no_program_and_no_answer(questions: list[Question]) -> None:
    patients = {question.subject_id for question in questions if question.answerable}
    for question in questions:
        if question.answerable:
            continue
        assert question.program == ""
        assert question.answer == "null"
        if question.template_id == "unanswerable/no-such-patient":
            assert int(json.loads(question.parameters)["slots"]["patient"]) not in patients


def test_families_with_more_to_ask_make_up_for_the_others(record: Path, tmp_path: Path) -> None:
    config = FamilyConfig(kinds=("table/none",), per_template=2, per_kind=60)
    build_family_questions(record, tmp_path / "none.parquet", config, quiet=True)
    counts = Counter(each.template_id for each in read_questions(tmp_path / "none.parquet"))
    assert 60 <= counts.total() < 80
    assert max(counts.values()) > 2


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(QuestionError, match="table/many"):
        FamilyConfig(kinds=("table/many",))


def test_the_command_line_builds_some_kinds(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "two.parquet"
    asked = ["questions", "build", str(record), str(out), "--kinds", "image/two, table/none", "--per-template", "2",
             "--per-kind", "0", "--quiet", "--json"]  # fmt: skip
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    kept = json.loads(shown.stdout)["kept"]
    assert kept["questions"] == kept["image/two"] + kept["table/none"]
    card = json.loads((tmp_path / "two.card.json").read_text())
    assert card["leakage"]["is_clean"]
    assert card["quality"]["contradicted"] == 0
    manifest = json.loads((tmp_path / "two.parquet.run.json").read_text())
    assert manifest["config"]["kinds"] == ["image/two", "table/none"]
