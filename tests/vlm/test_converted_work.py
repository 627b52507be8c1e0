"""A converted model is a model like any other: it answers, is compared and is trained by the verbs as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chartsight.cli import main
from tests.fixtures_llava import Checkpoints

pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_llava"]


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    assert ended.value.code == 0


@pytest.mark.parametrize("name", ["llava", "llava-med"])
def test_it_answers_questions_of_the_synthetic_hospital(
    converted: Callable[[str], Path], tiny_questions: Path, tmp_path: Path, name: str
) -> None:
    import pyarrow.parquet as pq

    out = tmp_path / "predictions.parquet"
    run("predict", converted(name), tiny_questions, out, "--split", "all", "--limit", "6", "--quiet")
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == 6
    assert all(row["n_tokens"] >= 1 for row in rows)
    assert len({row["answer_key"] for row in rows}) == 6


def test_from_weights_on_disk_to_a_comparison(
    checkpoints: Checkpoints, tiny_questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three commands of docs/llava.md: convert, train, compare."""
    source = checkpoints["llava"]
    run("convert", source, tmp_path / "llava", "--terms", "synthetic", "--check", "--quiet", "--json")
    assert json.loads(capsys.readouterr().out)["check"]["largest_difference"] < 5e-5
    recipe = {
        "kind": "answers", "name": "tuned", "base": str(tmp_path / "llava"), "questions": str(tiny_questions),
        "steps": 1, "rows_per_step": 2, "branches_per_row": 2, "limit": 8, "lora": {"rank": 2, "alpha": 4},
        "learning_rates": {"language_model": 1e-3, "projector": 1e-3}, "precision": "float32",
        "evaluate": {"every_steps": 1, "questions": 2}, "seed": 5,
    }  # fmt: skip
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    run("train", tmp_path / "tune.yaml", tmp_path / "tuned", "--quiet")
    run(
        "predict",
        tmp_path / "tuned",
        tiny_questions,
        tmp_path / "p.parquet",
        "--split",
        "all",
        "--limit",
        "4",
        "--quiet",
    )
    run("convert", tmp_path / "tuned", tmp_path / "llava-lora-tuned", "--lora", "--check", "--quiet")
    assert (tmp_path / "llava-lora-tuned" / "non_lora_trainables.bin").is_file()
    compared = {
        "questions": str(tiny_questions), "split": "test", "limit": 12, "conditions": ["full", "blank"],
        "bootstrap": 200, "models": [
            {"name": "llava", "path": str(tmp_path / "llava"), "role": "baseline"},
            {"name": "tuned", "path": str(tmp_path / "tuned"), "role": "tuned"},
        ],
    }  # fmt: skip
    (tmp_path / "compare.yaml").write_text(yaml.safe_dump(compared), "utf-8")
    run("compare", tmp_path / "compare.yaml", tmp_path / "report", "--quiet")
    assert (tmp_path / "report" / "report.html").is_file()
