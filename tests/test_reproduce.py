"""`make reproduce` on an invented VQA-RAD and tiny random LLaVAs: both answers, both scorers, killed and gone on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from benchmarks import reproduce
from PIL import Image
from typer.testing import CliRunner

from chartsight.errors import ChartsightError
from chartsight.questions.files import read_questions
from tests.fixtures_llava import Checkpoints

pytest_plugins = ["tests.fixtures_llava"]

TOKENS = "6"


@pytest.fixture(scope="module")
def vqa_rad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authors' layout: four grey images, six test questions and one for training."""
    folder = tmp_path_factory.mktemp("vqa-rad")
    images = folder / "VQA_RAD Image Folder"
    images.mkdir()
    generator = np.random.default_rng(3)
    for n in range(4):
        grey = generator.integers(0, 256, (40, 28 + 4 * n), dtype=np.uint8)
        Image.fromarray(grey).convert("RGB").save(images / f"synpic{n}.png")
    asked: list[tuple[int, str, Any, str, str]] = [
        (0, "Is there an effusion?", "Yes", "CLOSED", "test_freeform"),
        (0, "Where is the opacity?", "Right lower lobe", "OPEN", "test_freeform"),
        (1, "Is the heart enlarged?", "No", "CLOSED ", "test_para"),
        (2, "Is it left or right?", "Left", "CLOSED", "test_freeform"),
        (2, "How many nodules?", 2, "OPEN", "test_para"),
        (3, "Which device is seen?", "A catheter tip", "OPEN", "test_freeform"),
        (3, "Is there a tube?", "Yes", "CLOSED", "freeform"),
    ]
    items = [
        {
            "qid": str(n), "phrase_type": phrase, "image_name": f"synpic{image}.png", "image_organ": "CHEST",
            "image_case_url": f"https://example.org/case?id={image}", "question": question, "question_type": "PRES",
            "answer": answer, "answer_type": kind,
        }
        for n, (image, question, answer, kind, phrase) in enumerate(asked, 1)
    ]  # fmt: skip
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps(items))
    return folder


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(reproduce.main)
    done = CliRunner().invoke(app, [*map(str, arguments), "--quiet"])
    if isinstance(done.exception, ChartsightError):
        return done.exception.exit_code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def columns_of(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    told = json.loads((out / "reproduce.json").read_text())
    return {(each["model"], each["answers"]): each for each in told["columns"]}


@pytest.fixture(scope="module")
def done(vqa_rad: Path, converted: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reproduce") / "out"
    models = [converted("llava"), converted("llava-med")]
    code, text = run(*models, "--vqa-rad", vqa_rad, "--out", out, "--max-new-tokens", TOKENS)
    assert code == 0, text
    return out


def kept(out: Path, name: str) -> dict[str, str]:
    lines = [json.loads(line) for line in (out / f"{name}-hf.original.jsonl").read_text().splitlines()]
    return {line["id"]: line["text"] for line in lines[1:]}


def test_two_columns_a_model_over_the_test_split(done: Path) -> None:
    columns = columns_of(done)
    assert list(columns) == [
        (f"{model}-hf", answers) for model in ("llava", "llava-med") for answers in ("original", "ours")
    ]
    for each in columns.values():
        assert (each["n_closed"], each["n_open"]) == (3, 3)
        assert each["closed"]["n"] == each["open_exact"]["n"] == 3
    ours = columns["llava-hf", "ours"]
    assert ours["closed_run_eval"] in {0, 1 / 3, 2 / 3}, "“left” holds neither yes nor no"
    page = (done / "reproduce.md").read_text()
    assert "| original: open, recall |" in page and "| ours: closed, accuracy |" in page and "84.19" in page
    assert (done / "run.json").is_file()


def test_the_original_s_answers_are_ours_where_both_write_freely(done: Path, vqa_rad: Path) -> None:
    """Grey images, so that colour is no difference: stock `generate` and the shared film say the same tokens."""
    import pyarrow.parquet as pq

    known = {each.question_id: json.loads(each.parameters)["id"] for each in read_questions(done / "questions.parquet")}
    for name in ("llava", "llava-med"):
        rows = pq.read_table(done / f"{name}-hf.parquet").to_pylist()
        ours = {known[row["question_id"]]: row["raw_text"] for row in rows}
        theirs = kept(done, name)
        assert set(ours) == set(theirs) == {"1", "2", "3", "4", "5", "6"}
        for item in ("2", "4", "6"):  # 5 is a number, which ours writes in digits
            assert theirs[item] and ours[item].startswith(theirs[item])
        assert ours["1"] in {"yes", "no"}


def test_scores_are_those_of_the_answers(done: Path, vqa_rad: Path, tmp_path: Path) -> None:
    """Answers planted in the place of the model's: the gold for every question, and then nonsense."""
    items = reproduce.read_items(vqa_rad, None, tmp_path / "images")
    known = {
        str(json.loads(each.parameters)["id"]): each
        for each in read_questions(done / "questions.parquet")
    }  # fmt: skip
    for texts, share in (({item.item_id: f"{item.gold}." for item in items}, 1.0), ({"1": "x", "2": "x"}, 0.0)):
        verdicts = {each: reproduce.score_text(known[each], text) for each, text in texts.items()}
        column = reproduce.score("m", "original", items, texts, known, verdicts)
        assert column.closed.estimate == column.open_exact.estimate == column.open_scores["recall"] == share
        assert column.closed_run_eval_batch == share
    assert reproduce.score("m", "original", items, {"3": "no", "4": "left"}, known, {}).closed_run_eval == 0.5


def test_a_killed_run_goes_on_and_another_is_refused(
    done: Path, vqa_rad: Path, converted: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    out = tmp_path / "out"
    shutil.copytree(done, out)
    answers = out / "llava-hf.original.jsonl"
    before = answers.read_bytes()
    lines = before.splitlines(keepends=True)
    answers.write_bytes(b"".join(lines[:4]) + lines[4][:9])
    asked = []
    plainly = reproduce.answer_as_original

    def counted(vlm: Any, items: Any, longest: int) -> Any:
        asked.extend(items)
        return plainly(vlm, items, longest)

    monkeypatch.setattr(reproduce, "answer_as_original", counted)
    again = [converted("llava"), "--vqa-rad", vqa_rad, "--out", out, "--max-new-tokens"]
    assert run(*again, TOKENS)[0] == 0
    assert answers.read_bytes() == before and len(asked) == 3
    code, text = run(*again, 7)
    assert code == 2 and "another model or limit" in text


def test_mistakes_are_one_line(vqa_rad: Path, checkpoints: Checkpoints, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for model, source, told in (
        (checkpoints["llava"], vqa_rad, "original layout.*chartsight convert"),
        (tmp_path / "absent", vqa_rad, "absent"),
        ("starter", vqa_rad, "is no LLaVA"),
    ):
        code, text = run(model, "--vqa-rad", source, "--out", out)
        assert code == 2 and "\n" not in text.strip()
        assert re.search(told, text), text
    assert not out.exists()


def test_a_set_without_test_questions_is_refused(
    vqa_rad: Path, converted: Callable[[str], Path], tmp_path: Path
) -> None:
    model = converted("llava")
    code, text = run(model, "--vqa-rad", tmp_path / "absent", "--out", tmp_path / "out")
    assert code == 2 and "absent" in text and not (tmp_path / "out").exists()
    items = json.loads((vqa_rad / "VQA_RAD Dataset Public.json").read_text())
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps(items[-1:]))
    code, text = run(model, "--vqa-rad", folder, "--images", vqa_rad / "VQA_RAD Image Folder", "--out", tmp_path / "o")
    assert code == 2 and "no usable closed question in its test split" in text
