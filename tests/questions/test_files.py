from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight.errors import OutputError, QuestionError
from chartsight.questions.files import film_index_of, read_question_metadata, read_questions, write_questions
from chartsight.schema import SCHEMA_VERSION, Question


def test_questions_survive_the_file(questions: list[Question], tmp_path: Path) -> None:
    write_questions(tmp_path / "a.parquet", questions[::-1], {"seed": "7"})
    assert read_questions(tmp_path / "a.parquet") == questions
    assert read_question_metadata(tmp_path / "a.parquet")["seed"] == "7"


def test_the_strictest_terms_and_pairing_are_the_files(questions: list[Question], tmp_path: Path) -> None:
    mixed = [*questions[:5], replace(questions[5], terms="share-alike", pairing="synthetic")]
    write_questions(tmp_path / "a.parquet", mixed, {})
    metadata = read_question_metadata(tmp_path / "a.parquet")
    assert (metadata["terms"], metadata["pairing"]) == ("share-alike", "synthetic")


def test_the_film_index_moves_with_the_questions(questions: list[Question], tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "record.duckdb").touch()
    write_questions(
        tmp_path / "here" / "q.parquet", questions[:3], {"film_index": str(tmp_path / "here" / "record.duckdb")}
    )
    (tmp_path / "here").rename(tmp_path / "there")
    assert film_index_of(tmp_path / "there" / "q.parquet") == tmp_path / "there" / "record.duckdb"
    (tmp_path / "there" / "record.duckdb").unlink()
    with pytest.raises(QuestionError, match="no such file"):
        film_index_of(tmp_path / "there" / "q.parquet")


def test_a_question_stands_there_once(questions: list[Question], tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="same id"):
        write_questions(tmp_path / "a.parquet", [questions[0], questions[0]], {})
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_unasked(questions: list[Question], tmp_path: Path) -> None:
    write_questions(tmp_path / "a.parquet", questions[:2], {})
    with pytest.raises(OutputError, match="exists already"):
        write_questions(tmp_path / "a.parquet", questions, {})
    assert len(read_questions(tmp_path / "a.parquet")) == 2


def test_other_files_are_refused_in_one_line(questions: list[Question], tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no such file"):
        read_questions(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("question,answer\n")
    with pytest.raises(QuestionError, match="no Parquet file"):
        read_questions(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(QuestionError, match="no question set"):
        read_questions(tmp_path / "other.parquet")
    write_questions(tmp_path / "newer.parquet", questions[:2], {"schema_version": str(SCHEMA_VERSION + 1)})
    with pytest.raises(QuestionError, match="upgrade"):
        read_questions(tmp_path / "newer.parquet")


def test_a_damaged_file_is_refused_in_one_line(questions: list[Question], tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_questions(path, questions, {})
    stored = bytearray(path.read_bytes())
    stored[100 : len(stored) // 2] = b"\xff" * (len(stored) // 2 - 100)
    (tmp_path / "b.parquet").write_bytes(stored)
    with pytest.raises(QuestionError, match=r"b\.parquet: is damaged"):
        read_questions(tmp_path / "b.parquet")
    table = pq.read_table(path)
    strange = {**table.schema.metadata, b"chartsight.schema_version": b"one"}
    pq.write_table(table.replace_schema_metadata(strange), path)
    with pytest.raises(QuestionError, match="is no question set"):
        read_questions(path)


def test_an_answer_that_is_no_json_names_its_question(questions: list[Question], tmp_path: Path) -> None:
    write_questions(tmp_path / "a.parquet", [replace(questions[0], answer="left lung")], {})
    with pytest.raises(QuestionError, match=questions[0].question_id) as caught:
        read_questions(tmp_path / "a.parquet")
    assert caught.value.code == "bad-answer"
