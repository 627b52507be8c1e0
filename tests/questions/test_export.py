"""Exports: the right film, the right words, nothing left out in silence, and layouts that their readers read."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from chartsight.errors import GateError, OutputError, QuestionError
from chartsight.questions import film_index_of, read_questions
from chartsight.questions.answer_text import read_answer
from chartsight.questions.export import ExportConfig, export_questions, film_bytes
from chartsight.questions.files import write_questions
from chartsight.questions.importers import ImportConfig, import_questions
from chartsight.schema import Question

from .released_files import (
    PATIENTS,
    STUDIES,
    choose_item,
    frontal_of,
    group_item,
    lab_item,
    list_item,
    picc_item,
    write_items,
    write_record,
)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EHRXQA's layout: six patients in train, one in valid, one in test, and questions about no film."""
    folder = tmp_path_factory.mktemp("export")
    record = write_record(folder)
    asked = [
        *(picc_item(n, study, [n % 2]) for n, study in enumerate(STUDIES[:12])),
        list_item(20, STUDIES[0], ["hernia", "scoliosis"]), list_item(21, STUDIES[1], []),
        choose_item(22, STUDIES[2], ["goiter", "hernia"]), lab_item(23, PATIENTS[0], [1.5]), group_item(24, "20s", [1]),
    ]  # fmt: skip
    write_items(folder / "r" / "train.json", asked)
    write_items(folder / "r" / "valid.json", [picc_item(n, s, [n % 2], "valid") for n, s in enumerate(STUDIES[12:14])])
    write_items(folder / "r" / "test.json", [picc_item(n, s, [n % 2], "test") for n, s in enumerate(STUDIES[14:])])
    config = ImportConfig(format="ehrxqa", record=record, terms="synthetic")
    import_questions(folder / "r", folder / "questions.parquet", config, quiet=True)
    return folder / "questions.parquet"


def by_id(path: Path) -> dict[str, Question]:
    return {question.question_id: question for question in read_questions(path)}


def rows_of(folder: Path, *splits: str) -> list[Any]:
    return [row for split in splits for row in json.loads((folder / f"{split}.json").read_text())]


def test_llava_conversations(released: Path, tmp_path: Path) -> None:
    run = export_questions(released, tmp_path / "llava", quiet=True)
    questions = by_id(released)
    facts = json.loads((tmp_path / "llava" / "export.json").read_text())
    rows = rows_of(tmp_path / "llava", "train", "valid", "test")
    assert len(rows) == run.kept["questions"] == 19
    assert run.dropped == {"about no film": 2} == facts["dropped"]
    for row in rows:
        question = questions[row["id"]]
        human, model = row["conversations"]
        assert (human["from"], model["from"]) == ("human", "gpt")
        assert human["value"] == f"<image>\n{question.visual_question}"
        assert (Path(facts["image_folder"]) / row["image"]).is_file()
        assert row["image"] == f"{frontal_of(question.study_ids[0])}.png"  # never the lateral, which sorts first
        assert read_answer(model["value"], question.answer_type) == json.loads(question.answer)
        assert not any(str(each) in human["value"] for each in (*question.study_ids, question.subject_id))
    assert {row["conversations"][1]["value"] for row in rows} == {
        "yes",
        "no",
        "none",
        "hernia, scoliosis",
        "goiter, hernia",
    }
    asked = [json.loads(line) for line in (tmp_path / "llava" / "test.questions.jsonl").read_text().splitlines()]
    assert [each["question_id"] for each in asked] == [row["id"] for row in rows_of(tmp_path / "llava", "test")]
    assert all(each["text"] and "<image>" not in each["text"] for each in asked)


def test_an_export_says_what_a_reader_must_know(released: Path, tmp_path: Path) -> None:
    export_questions(released, tmp_path / "llava", quiet=True)
    facts = json.loads((tmp_path / "llava" / "export.json").read_text())
    assert facts["blind_baselines"]["test"] == {"accuracy": 0.5, "n": 2, "from": "train's commonest answers"}
    assert set(facts["metrics"]) == {"boolean", "set"} and facts["pairing"] == "ehrxqa-shuffled"
    page = (tmp_path / "llava" / "README.md").read_text()
    for words in ("no clinical association", "2: about no film", "50.0 %", "share no patient", "Research use only"):
        assert words in page
    manifest = json.loads((tmp_path / "llava" / "run.json").read_text())
    assert manifest["counts"]["kept"]["questions"] == 19 and manifest["pairing"] == "ehrxqa-shuffled"


def test_the_template_s_words_by_choice(released: Path, built: Path, tmp_path: Path) -> None:
    export_questions(released, tmp_path / "llava", ExportConfig(text="template"), quiet=True)
    prompts = {row["conversations"][0]["value"] for row in rows_of(tmp_path / "llava", "train")}
    assert "<image>\nis there picc in the svc?" in prompts
    assert not any(study in prompt for prompt in prompts for study in map(str, STUDIES))
    without_films = [replace(q, image_ids=(), study_ids=()) for q in read_questions(built)[:20]]
    write_questions(tmp_path / "q.parquet", without_films, {})
    export_questions(tmp_path / "q.parquet", tmp_path / "j", ExportConfig("jsonl", text="template"), quiet=True)
    (line, *_) = (tmp_path / "j" / "train.jsonl").read_text().splitlines()
    house = by_id(tmp_path / "q.parquet")[json.loads(line)["id"]]
    assert all(value in json.loads(line)["question"] for value in json.loads(house.parameters).values())
    foreign = [replace(q, source="import:x", parameters="{}") for q in without_films]
    write_questions(tmp_path / "f.parquet", foreign, {})
    with pytest.raises(QuestionError, match="no words of a template"):
        export_questions(tmp_path / "f.parquet", tmp_path / "k", ExportConfig("jsonl", text="template"), quiet=True)
    assert not (tmp_path / "k").exists()


def test_the_poster_subset(released: Path, tmp_path: Path) -> None:
    run = export_questions(released, tmp_path / "poster", ExportConfig(subset="poster"), quiet=True)
    assert run.kept["questions"] == 19 and run.dropped == {}
    questions = by_id(released)
    assert {questions[row["id"]].kind for row in rows_of(tmp_path / "poster", "train")} == {"image/one"}
    other = [question for question in questions.values() if not question.image_ids]
    write_questions(tmp_path / "q.parquet", other, {})
    with pytest.raises(QuestionError, match="nothing of it"):
        export_questions(tmp_path / "q.parquet", tmp_path / "x", ExportConfig(subset="poster"), quiet=True)


def test_json_lines_come_back_by_import(released: Path, tmp_path: Path) -> None:
    run = export_questions(released, tmp_path / "jsonl", ExportConfig("jsonl"), quiet=True)
    assert run.kept["questions"] == 21 and run.dropped == {}
    facts = json.loads((tmp_path / "jsonl" / "export.json").read_text())
    lines = "".join((tmp_path / "jsonl" / f"{split}.jsonl").read_text() for split in ("train", "valid", "test"))
    (tmp_path / "all.jsonl").write_text(lines)
    config = ImportConfig(images=Path(facts["image_folder"]))
    again = import_questions(tmp_path / "all.jsonl", tmp_path / "again.parquet", config, quiet=True)
    assert again.dropped == {"no image": 2}
    before = by_id(released)
    for question in read_questions(tmp_path / "again.parquet"):
        old = before[json.loads(question.parameters)["id"]]
        assert (question.answer_type, json.loads(question.answer)) == (old.answer_type, json.loads(old.answer))
        assert (question.split, question.visual_question) == (old.split, old.visual_question)
    assert not any(f'"{patient}"' in lines for patient in map(str, PATIENTS))


def test_a_hugging_face_folder(released: Path, tmp_path: Path) -> None:
    export_questions(released, tmp_path / "hf", ExportConfig("hf"), quiet=True)
    header = yaml.safe_load((tmp_path / "hf" / "README.md").read_text().split("---")[1])
    named = {each["split"]: each["path"] for each in header["configs"][0]["data_files"]}
    assert set(named) == {"train", "validation", "test"}
    questions = by_id(released)
    for split, pattern in named.items():
        (path,) = (tmp_path / "hf").glob(pattern)
        table = pq.read_table(path)
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert set(features) == set(table.column_names) and features["image"] == {"_type": "Image"}
        for row in table.to_pylist():
            question = questions[row["question_id"]]
            assert {"validation": "valid"}.get(split, split) == question.split
            assert read_answer(row["answer"], row["answer_type"]) == json.loads(question.answer)
            assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (32, 40)
            assert row["patient"].startswith("p-") and str(question.subject_id) not in row["patient"]


def test_a_film_with_many_questions_is_stored_once(released: Path, tmp_path: Path) -> None:
    one = next(question for question in read_questions(released) if question.image_ids)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    (tmp_path / "q.jsonl").write_text(
        "".join(
            json.dumps({"image": "noise.png", "question": f"Is it number {n}?", "answer": "yes"}) + "\n"
            for n in range(50)
        )
    )
    import_questions(tmp_path / "q.jsonl", tmp_path / "q.parquet", quiet=True)
    export_questions(tmp_path / "q.parquet", tmp_path / "hf", ExportConfig("hf"), quiet=True)
    size = sum(path.stat().st_size for path in (tmp_path / "hf" / "data").iterdir())
    assert size < 1.5 * (tmp_path / "noise.png").stat().st_size
    assert one.image_ids


def test_films_of_16_bits(tmp_path: Path) -> None:
    deep = (np.random.default_rng(0).random((32, 32)) * 4095).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (tmp_path / "q.jsonl").write_text(
        json.dumps({"image": "deep.png", "question": "Is it so?", "answer": "yes"}) + "\n"
    )
    import_questions(tmp_path / "q.jsonl", tmp_path / "q.parquet", quiet=True)
    with pytest.raises(GateError, match="16 bits") as caught:
        export_questions(tmp_path / "q.parquet", tmp_path / "llava", quiet=True)
    assert caught.value.code == "deep-film" and not (tmp_path / "llava").exists()
    export_questions(tmp_path / "q.parquet", tmp_path / "hf", ExportConfig("hf"), quiet=True)
    from chartsight.imaging.film_index import read_film_index

    (film,) = read_film_index(film_index_of(tmp_path / "q.parquet")).values()
    shown = np.asarray(Image.open(io.BytesIO(film_bytes(film))))
    assert shown.dtype == np.uint8 and shown.max() > 200 and 100 < shown.mean() < 150


def test_the_same_set_gives_the_same_bytes(released: Path, tmp_path: Path) -> None:
    for format, name in (
        ("llava", "train.json"),
        ("jsonl", "train.jsonl"),
        ("hf", "data/train-00000-of-00001.parquet"),
    ):
        for copy in ("a", "b"):
            export_questions(released, tmp_path / copy / format, ExportConfig(format), quiet=True)  # type: ignore[arg-type]
        assert (tmp_path / "a" / format / name).read_bytes() == (tmp_path / "b" / format / name).read_bytes()


def planted(released: Path, folder: Path, **changes: Any) -> Path:
    """The question set with one question changed."""
    everything = read_questions(released)
    first = next(q for q in everything if q.study_ids == (STUDIES[0],) and q.answer_type == "boolean")
    others = [question for question in everything if question is not first]
    out = folder / "planted.parquet"
    write_questions(out, [replace(first, **changes), *others], {"film_index": str(film_index_of(released))})
    return out


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image_ids": (f"{STUDIES[0]}-aside",)}, "wrong-film"),
        ({"image_ids": (frontal_of(STUDIES[4]),)}, "wrong-film"),
        ({"visual_question": f"is there a picc in study {STUDIES[0]}?"}, "identifier-in-prompt"),
        ({"visual_question": "is there a picc on <image>?"}, "no-image-token"),
        ({"answer": '["b", "a"]', "answer_type": "set"}, "set-as-text"),
        ({"split": "test"}, "leakage"),
    ],
)
def test_a_planted_fault_stops_the_export(released: Path, tmp_path: Path, changes: Any, code: str) -> None:
    with pytest.raises(GateError) as caught:
        export_questions(planted(released, tmp_path, **changes), tmp_path / "out", quiet=True)
    assert caught.value.code == code and not (tmp_path / "out").exists()


def test_leakage_that_is_allowed_is_said(released: Path, tmp_path: Path) -> None:
    leaking = planted(released, tmp_path, split="test")
    export_questions(leaking, tmp_path / "out", ExportConfig(allow_leakage=True), quiet=True)
    page = (tmp_path / "out" / "README.md").read_text()
    assert "1 patient(s) in both train and test" in page and "no figure of these splits stands alone" in page


def test_a_limit_below_the_image_tokens_is_refused_and_a_long_answer_is_counted(released: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError) as caught:
        export_questions(released, tmp_path / "out", ExportConfig(max_length=512), quiet=True)
    assert caught.value.code == "answer-cut-off"
    run = export_questions(released, tmp_path / "out", ExportConfig(max_length=576 + 64 + 37), quiet=True)
    assert run.dropped["may not fit max_length"] > 0 and run.kept["questions"] + sum(run.dropped.values()) == 21


def test_another_set_s_manifest_is_refused(released: Path, tmp_path: Path) -> None:
    moved = planted(released, tmp_path)
    (tmp_path / "planted.parquet.run.json").write_text((released.parent / "questions.parquet.run.json").read_text())
    with pytest.raises(GateError) as caught:
        export_questions(moved, tmp_path / "out", quiet=True)
    assert caught.value.code == "another-set-s-log"


def test_mistakes_are_one_clear_line(released: Path, tmp_path: Path) -> None:
    for choices, message in (({"format": "coco"}, "llava"), ({"text": "x"}, "template"), ({"subset": "x"}, "poster")):
        with pytest.raises(QuestionError, match=message):
            ExportConfig(**choices)  # type: ignore[arg-type]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError):
        export_questions(released, tmp_path / "mine", quiet=True, force=True)
    with pytest.raises(OutputError):
        export_questions(released, released.parent, quiet=True, force=True)
    only_tables = [question for question in read_questions(released) if not question.image_ids]
    write_questions(tmp_path / "q.parquet", only_tables, {})
    with pytest.raises(QuestionError, match="about no film"):
        export_questions(tmp_path / "q.parquet", tmp_path / "x", quiet=True)


def test_a_long_number_is_no_identifier_where_patients_have_none(tmp_path: Path) -> None:
    Image.fromarray(np.eye(32, dtype=np.uint8) * 200).save(tmp_path / "a.png")
    row = {"image": "a.png", "question": "Is the TR 2000 ms?", "answer": "yes"}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    import_questions(tmp_path / "q.jsonl", tmp_path / "q.parquet", quiet=True)
    assert export_questions(tmp_path / "q.parquet", tmp_path / "out", quiet=True).kept["questions"] == 1
