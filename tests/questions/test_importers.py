from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import GateError, OutputError, QuestionError
from chartsight.imaging.film_index import read_film_index
from chartsight.questions import film_index_of, read_questions
from chartsight.questions.imported import RowProblem, parse_answer
from chartsight.questions.importers import ImportConfig, import_questions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve small images that differ, one file that is no image, one image of a single pixel."""
    (tmp_path / "images").mkdir()
    for n in range(12):
        pixels = np.random.default_rng(n).integers(0, 255, (32, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{n:02d}.png")
    (tmp_path / "images" / "text.png").write_text("no image")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "images" / "dot.png")
    return tmp_path


def write_lines(path: Path, rows: list[object]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(n: int, **more: object) -> dict[str, object]:
    return {"image": f"images/{n:02d}.png", "question": "Is there a fracture?", "answer": "yes", **more}


def test_a_folder_of_images_and_questions_becomes_a_question_set(folder: Path) -> None:
    rows = [row(n, patient_id=f"p{n // 3}") for n in range(12)]
    rows.append(row(0, question="<image>\nWhat is seen?", answer=["nodule", "effusion"], patient_id="p0", id="x1"))
    run = import_questions(
        write_lines(folder / "q.jsonl", rows), folder / "out.parquet", ImportConfig(terms="open"), quiet=True
    )
    questions = read_questions(folder / "out.parquet")
    assert run.kept["questions"] == len(questions) == 13
    assert {q.answer for q in questions if q.answer_type == "boolean"} == {"true"}
    listed = next(q for q in questions if q.answer_type == "set")
    assert (listed.visual_question, json.loads(listed.answer)) == ("What is seen?", ["effusion", "nodule"])
    assert json.loads(listed.parameters) == {"id": "x1"}
    index = read_film_index(film_index_of(folder / "out.parquet"))
    assert len(index.films({image for q in questions for image in q.image_ids})) == 12
    by_patient = {q.subject_id: q.split for q in questions}
    assert len(by_patient) == 4
    assert all(by_patient[q.subject_id] == q.split for q in questions)
    assert {film.subject_id for film in index.values()} == set(by_patient)
    assert (folder / "out.card.html").is_file()


def test_the_same_file_gives_the_same_bytes(folder: Path) -> None:
    file = write_lines(folder / "q.jsonl", [row(n) for n in range(12)])
    for name in ("a", "b"):
        import_questions(file, folder / name / "out.parquet", quiet=True)
    for name in ("out.parquet", "out.films.parquet"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()


def test_without_patients_the_image_is_what_is_split_by(folder: Path) -> None:
    rows = [row(n, question=f"Question {q}?") for n in range(12) for q in "abc"]
    import_questions(write_lines(folder / "q.jsonl", rows), folder / "out.parquet", quiet=True)
    questions = read_questions(folder / "out.parquet")
    assert {question.subject_id for question in questions} == {None}
    assert {question.split for question in questions} == {"train", "valid", "test"}
    splits = {(question.image_ids, question.split) for question in questions}
    assert len(splits) == 12


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"image": "images/00.png", "question": "How many?", "answer": NaN}', "the answer is no number"),
        ('{"image": "images/00.png", "question": "How many?", "answer": 1e999}', "the answer is no number"),
        ('{"image": "images/00.png", "question": "How many?", "answer": ' + "9" * 5000 + "}", "not JSON"),
        ('{"image": "images/\\u0000.png", "question": "How many?", "answer": 1}', "no file is called so"),
        ('{"image": "images/00.png", "question": "How \\ud800?", "answer": 1}', "text that is no Unicode"),
        ('{"image": "images/00.png", "question": "How many?", "answer": ["\\udfff"]}', "text that is no Unicode"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_hostile_line_costs_itself_alone(folder: Path, line: str, reason: str) -> None:
    good = json.dumps(row(1))
    (folder / "q.jsonl").write_text(f"\ufeff{good}\n{line}\n", "utf-8")  # a mark as Windows writes it
    run = import_questions(folder / "q.jsonl", folder / "out.parquet", quiet=True)
    assert [(each["reason"], each["row"]) for each in run.dropped_rows] == [(reason, 2)]
    assert len(read_questions(folder / "out.parquet")) == 1


def test_bad_lines_are_listed_and_the_rest_is_kept(folder: Path) -> None:
    bad: dict[str, object] = {
        "not JSON": '{"image": "images/00.png", ',
        "not a JSON object": "[1, 2]",
        "no image": {"question": "What?", "answer": "yes"},
        "no question": row(1, question=" <image> "),
        "no answer": row(1, answer=None),
        "image: missing-film": row(1, image="images/absent.png"),
        "image: not-an-image": row(1, image="images/text.png"),
        "image: too-small": row(1, image="images/dot.png"),
        "unknown split": row(1, split="holdout"),
        "unknown answer_type": row(1, answer_type="essay"),
        "the answer is no boolean": row(1, answer="perhaps", answer_type="boolean"),
        "the answer is no count": row(1, answer=1.5, answer_type="count"),
        "the answer is no number": row(20, answer=10**400, answer_type="number"),
        "an answer outside allowed_answers": row(1, answer="red", allowed_answers=["left", "right"]),
        "the question names the patient": row(1, patient_id="MRN-0815", question="Has MRN-0815 a fracture?"),
        "the same image twice": {"images": ["images/01.png", "images/01.png"], "question": "New?", "answer": "no"},
    }
    file = write_lines(folder / "q.jsonl", [row(0), *bad.values(), "", row(2), row(2)])
    run = import_questions(file, folder / "out.parquet", quiet=True)
    assert len(read_questions(folder / "out.parquet")) == 2
    lines = {each["reason"]: each["row"] for each in run.dropped_rows}
    images = {reason: line for reason, line in lines.items() if reason.startswith("image: ")}
    expected = {reason: line for line, reason in enumerate(bad, 2)}
    assert sorted(images.values()) == sorted(line for reason, line in expected.items() if reason.startswith("image: "))
    others = {reason: line for reason, line in expected.items() if not reason.startswith("image: ")}
    assert {reason: line for reason, line in lines.items() if reason not in images} == {
        **others, "repeated question": len(bad) + 4,
    }  # fmt: skip
    manifest = json.loads((folder / "out.parquet.run.json").read_text())
    assert sum(manifest["counts"]["dropped"].values()) == len(bad) + 1
    assert "0815" not in json.dumps(manifest["dropped_rows"])


def test_a_files_own_splits_are_kept_and_checked(folder: Path) -> None:
    rows = [row(0, split="training"), row(1, split="val"), row(2, split="test"), row(0, question="And here?")]
    import_questions(write_lines(folder / "q.jsonl", rows), folder / "out.parquet", quiet=True)
    split_of = {(q.image_ids[0], q.visual_question): q.split for q in read_questions(folder / "out.parquet")}
    assert split_of == {
        ("images/00.png", "Is there a fracture?"): "train", ("images/01.png", "Is there a fracture?"): "valid",
        ("images/02.png", "Is there a fracture?"): "test", ("images/00.png", "And here?"): "train",
    }  # fmt: skip
    leaking = write_lines(
        folder / "l.jsonl", [row(0, split="train", patient_id="a"), row(1, split="test", patient_id="a")]
    )
    with pytest.raises(GateError, match="patient"):
        import_questions(leaking, folder / "leak.parquet", quiet=True)
    assert not list(folder.glob("leak*"))
    import_questions(leaking, folder / "anew.parquet", ImportConfig(split="patient"), quiet=True)


def test_images_of_one_question_share_their_split(folder: Path) -> None:
    rows = [{"images": [f"images/{n:02d}.png", f"images/{n + 1:02d}.png"], "question": "New?", "answer": "no"}
            for n in range(11)]  # fmt: skip
    import_questions(write_lines(folder / "q.jsonl", rows), folder / "out.parquet", quiet=True)
    questions = read_questions(folder / "out.parquet")
    assert {question.kind for question in questions} == {"image/two"}
    assert len({question.split for question in questions}) == 1


@pytest.mark.parametrize(
    ("answer", "declared", "allowed", "kind", "value"),
    [
        (True, None, (), "boolean", True),
        ("No.", None, (), "boolean", False),
        (["b", "a", "b"], None, (), "set", ["a", "b"]),
        ([], None, (), "set", []),
        (3, None, (), "count", 3),
        (1.5, None, (), "number", 1.5),
        ("left", None, ("left", "right"), "choice", "left"),
        ("a mass", None, (), "text", "a mass"),
        ("yes", "text", (), "text", "yes"),
    ],
)
def test_the_type_follows_the_answer(
    answer: object, declared: object, allowed: tuple[str, ...], kind: str, value: object
) -> None:
    assert parse_answer(answer, declared, allowed) == (kind, value)


def test_a_boolean_is_no_count() -> None:
    with pytest.raises(RowProblem):
        parse_answer(True, "count", ())


def test_mistakes_are_one_clear_line(folder: Path) -> None:
    file = write_lines(folder / "q.jsonl", [row(n) for n in range(3)])
    with pytest.raises(QuestionError, match="jsonl"):
        ImportConfig(format="csv")  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="no such file"):
        import_questions(folder / "absent.jsonl", folder / "out.parquet")
    with pytest.raises(QuestionError, match="no such folder"):
        import_questions(file, folder / "out.parquet", ImportConfig(images=folder / "absent"))
    with pytest.raises(QuestionError, match="one of synthetic"):
        ImportConfig(terms="free")  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="no usable item"):
        import_questions(write_lines(folder / "bad.jsonl", ["{", "{"]), folder / "out.parquet")
    assert not list(folder.glob("out*"))
    import_questions(file, folder / "out.parquet", quiet=True)
    with pytest.raises(OutputError, match="exists already"):
        import_questions(file, folder / "out.parquet", quiet=True)
    import_questions(file, folder / "out.parquet", quiet=True, force=True)
