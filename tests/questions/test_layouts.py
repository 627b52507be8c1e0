"""The layouts of public image sets: what is downloaded, small and invented."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chartsight.errors import OutputError, QuestionError
from chartsight.imaging.film_index import read_film_index
from chartsight.questions import film_index_of, read_questions
from chartsight.questions.importers import ImportConfig, import_questions
from chartsight.questions.layouts import json_array
from chartsight.questions.layouts.json_array import read_json_array
from chartsight.questions.layouts.path_vqa import read_plain_pickle
from chartsight.runs import Run
from chartsight.schema import Question


def draw(path: Path, seed: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 24), dtype=np.uint8)).save(path)
    return path.read_bytes()


def imported(folder: Path, source: Path, format: Any, **choices: Any) -> tuple[Run, list[Question]]:
    out = folder / "out" / "questions.parquet"
    run = import_questions(source, out, ImportConfig(format=format, **choices), quiet=True)
    questions = read_questions(out)
    read_film_index(film_index_of(out)).films({image for q in questions for image in q.image_ids})
    return run, questions


def rad_item(qid: str, image: str, answer: Any, phrase_type: str = "freeform", **more: Any) -> dict[str, Any]:
    return {
        "qid": qid, "phrase_type": phrase_type, "qid_linked_id": "03f4", "image_name": image, "image_organ": "HEAD",
        "image_case_url": f"https://example.org/case?id={image[:-5]}", "evaluation": "not evaluated",
        "question": f"Is there an infarct, {qid}?", "question_rephrase": "NULL", "question_type": "PRES",
        "answer": answer, "answer_type": "CLOSED", **more,
    }  # fmt: skip


def test_vqa_rad(tmp_path: Path) -> None:
    for n in range(4):
        draw(tmp_path / "rad" / "VQA_RAD Image Folder" / f"synpic{n // 2}{n}.jpg", n)
    items = [
        rad_item("1", "synpic00.jpg", "Yes"), rad_item("2", "synpic00.jpg", "no ", "test_freeform"),
        rad_item("3", "synpic01.jpg", 2, "test_para"), rad_item("4", "synpic12.jpg", "Right  lobe", "para"),
        rad_item("5", "synpic13.jpg", "3"), rad_item("6", "absent.jpg", "Yes"), rad_item("7", "synpic13.jpg", ""),
        rad_item("8", "../../secret.jpg", "Yes"), "nothing",
    ]  # fmt: skip
    (tmp_path / "rad" / "VQA_RAD Dataset Public.json").write_text(json.dumps(items))
    run, questions = imported(tmp_path, tmp_path / "rad", "vqa-rad")
    found = {json.loads(q.parameters)["id"]: (q.split, q.answer_type, json.loads(q.answer)) for q in questions}
    assert found == {
        "1": ("train", "boolean", True), "2": ("test", "boolean", False), "3": ("test", "count", 2),
        "4": ("train", "text", "Right lobe"), "5": ("train", "count", 3),
    }  # fmt: skip
    assert run.dropped == {"image: missing-film": 2, "no answer": 1, "not a JSON object": 1}
    assert run.terms == "open"
    overlap = run.faults["split-overlap"]
    assert overlap["ids"] == ["1", "2", "3"]  # an image in both, and another image of the same case
    assert overlap["values"]["image"]["train-test"] == overlap["values"]["patient"]["train-test"] == 1
    assert json.loads(questions[0].parameters)["image_organ"] == "HEAD"
    config = ImportConfig(format="vqa-rad", split="patient", test_share=0.5)
    import_questions(tmp_path / "rad", tmp_path / "anew.parquet", config, quiet=True)
    anew = read_questions(tmp_path / "anew.parquet")
    assert len({(q.subject_id, q.split) for q in anew}) == 2


def test_slake(tmp_path: Path) -> None:
    for n in range(3):
        draw(tmp_path / "Slake1.0" / "imgs" / f"xmlab{n}" / "source.jpg", n)

    def slake_item(qid: int, image: str, answer: str, language: str = "en") -> dict[str, Any]:
        return {"img_id": 1, "img_name": image, "question": f"Which organ, {qid}?", "answer": answer, "qid": qid,
                "q_lang": language, "location": "Lung", "modality": "X-Ray", "answer_type": "OPEN",
                "base_type": "vqa", "content_type": "Organ", "triple": ["vhead", "_", "_"]}  # fmt: skip

    files = {
        "train": [slake_item(0, "xmlab0/source.jpg", "Lung, Heart"), slake_item(1, "xmlab0/source.jpg", "肺", "zh")],
        "validate": [slake_item(2, "xmlab1/source.jpg", "Yes")],
        "test": [slake_item(3, "xmlab2/source.jpg", "No"), slake_item(4, "/etc/passwd", "No")],
    }
    for name, items in files.items():
        (tmp_path / "Slake1.0" / f"{name}.json").write_text(json.dumps(items, ensure_ascii=False), "utf-8")
    run, questions = imported(tmp_path, tmp_path / "Slake1.0", "slake")
    found = {json.loads(q.parameters)["id"]: (q.split, q.image_ids, json.loads(q.answer)) for q in questions}
    assert found == {
        "0": ("train", ("imgs/xmlab0/source.jpg",), "Lung, Heart"), "2": ("valid", ("imgs/xmlab1/source.jpg",), True),
        "3": ("test", ("imgs/xmlab2/source.jpg",), False),
    }  # fmt: skip
    assert run.dropped == {"a question in another language than en": 1, "no image": 1}
    assert run.faults == {} and {q.template_id for q in questions} == {"slake/organ"}


@pytest.mark.parametrize("layout", ["vqa", "qa"])
def test_path_vqa_pickles(tmp_path: Path, layout: str) -> None:
    for split in ("train", "val"):
        draw(tmp_path / "pvqa" / "images" / split / f"{split}_0001.jpg", len(split))
        image, question = f"{split}_0001", "Where are the cells?"
        lxmert = {"img_id": image, "sent": question, "label": {"in the canals": 1}, "question_id": 7,
                  "question_type": "where", "answer_type": "other"}  # fmt: skip
        plain = {"image": image, "question": question, "answer": "in the canals"}
        file = tmp_path / "pvqa" / "qas" / (f"{split}_vqa.pkl" if layout == "vqa" else f"{split}/{split}_qa.pkl")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps([lxmert if layout == "vqa" else plain, {"image": "../x"}]))
    run, questions = imported(tmp_path, tmp_path / "pvqa", "path-vqa")
    assert [(q.split, q.image_ids[0], json.loads(q.answer)) for q in questions] == [
        ("train", "images/train/train_0001.jpg", "in the canals"),
        ("valid", "images/val/val_0001.jpg", "in the canals"),
    ]  # fmt: skip
    assert run.dropped == {"no image": 2} and run.terms == "private"


class Exploit:
    """What a pickle of a stranger may hold: a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for n, content in enumerate((pickle.dumps([Exploit()]), b"\x80\x04garbage", b"")):
        file = tmp_path / f"train_vqa{n}.pkl"
        file.write_bytes(content)
        with pytest.raises(QuestionError, match="Parquet files of the data set"):
            read_plain_pickle(file)
        with pytest.raises(QuestionError, match="lists, dictionaries"):
            import_questions(file, tmp_path / "out.parquet", ImportConfig(format="path-vqa"), quiet=True)
    assert not (tmp_path / "pwned").exists() and not list(tmp_path.glob("out*"))
    pickle.loads((tmp_path / "train_vqa0.pkl").read_bytes())  # the planted fault: the plain loader does run it
    assert (tmp_path / "pwned").exists()


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", image), ("question", pa.string()), ("answer", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


@pytest.mark.parametrize("format", ["vqa-rad", "path-vqa"])
def test_hugging_face_parquet(tmp_path: Path, format: str) -> None:
    data = [draw(tmp_path / f"{n}.png", n) for n in range(2)]
    buffer = io.BytesIO()
    Image.new("L", (24, 24)).save(buffer, "GIF")
    rows = [
        {"image": {"bytes": data[0], "path": "a.jpg"}, "question": "Is it?", "answer": "yes"},
        {"image": {"bytes": data[0], "path": "b.jpg"}, "question": "What?", "answer": "a nodule"},
        {"image": {"bytes": buffer.getvalue(), "path": None}, "question": "What?", "answer": "x"},
        {"image": None, "question": "What?", "answer": "x"},
    ]
    write_parquet(tmp_path / "hf/data/train-00000-of-00001.parquet", rows)
    write_parquet(tmp_path / "hf/data/test-00000-of-00001.parquet", [{**rows[0], "image": {"bytes": data[1]}}])
    run, questions = imported(tmp_path, tmp_path / "hf", format)
    assert [(q.split, json.loads(q.answer)) for q in sorted(questions, key=lambda q: (q.split, q.answer))] == [
        ("test", True), ("train", "a nodule"), ("train", True),
    ]  # fmt: skip
    assert run.dropped == {"image: neither JPEG nor PNG": 1, "no image": 1}
    unpacked = tmp_path / "out" / "questions.images"
    assert sorted(path.suffix for path in unpacked.iterdir()) == [".json", ".png", ".png"]
    config = ImportConfig(format=format)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="exists already"):
        import_questions(tmp_path / "hf", tmp_path / "out/questions.parquet", config, quiet=True)
    import_questions(tmp_path / "hf", tmp_path / "out/questions.parquet", config, quiet=True, force=True)
    (tmp_path / "mine" / "q.images").mkdir(parents=True)
    (tmp_path / "mine" / "q.images" / "holiday.jpg").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        import_questions(tmp_path / "hf", tmp_path / "mine/q.parquet", config, quiet=True, force=True)


# --------------------------------------------------------------------------------------------------- large JSON arrays


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
def test_an_array_is_read_item_by_item_whatever_the_chunk(tmp_path: Path, chunk: int, monkeypatch: Any) -> None:
    items = [{"a": "ü]"}, 12345, [1, [2]], "x,y", None, True, -1.5e3, {}]
    file = tmp_path / "a.json"
    monkeypatch.setattr(json_array, "CHUNK", chunk)
    for text in (json.dumps(items), json.dumps(items, indent=3, ensure_ascii=False), f"\ufeff {json.dumps(items)} \n"):
        file.write_text(text, "utf-8")
        assert list(read_json_array(file)) == list(enumerate(items, 1))
    file.write_text("[ ]")
    assert list(read_json_array(file)) == []


@pytest.mark.parametrize("text", ["", "{}", "[1, 2", '[{"a": 1}, {"b"', "[1 x]", "[" * 100_000, '["\\'])
def test_a_damaged_array_says_where(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(QuestionError, match=r"a\.json"):
        list(read_json_array(tmp_path / "a.json"))
