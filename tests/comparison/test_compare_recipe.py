from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, read_compare_recipe
from chartsight.errors import RecipeError

GOOD = """
questions: questions.parquet
models:
  - {name: baseline, path: starter, role: baseline, note: a small stand-in}
  - {name: tuned, path: runs/tuned, role: tuned, training: runs/tuned}
bootstrap: 500
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "questions.parquet").write_bytes(b"")
    (tmp_path / "runs/tuned").mkdir(parents=True)
    (tmp_path / "runs/tuned/metrics.jsonl").write_text("")
    return tmp_path


def read(folder: Path, text: str) -> CompareRecipe:
    (folder / "compare.yaml").write_text(text)
    return read_compare_recipe(folder / "compare.yaml")


def test_paths_beside_the_recipe_are_found_and_shipped_names_stay(folder: Path) -> None:
    recipe = read(folder, GOOD)
    baseline, tuned = recipe.models
    assert recipe.questions == folder / "questions.parquet"
    assert baseline.source == "starter"
    assert tuned.source == tuned.training == folder / "runs/tuned"
    assert recipe.conditions == ("full", "shuffled", "blank")
    assert (recipe.split, recipe.bootstrap) == ("test", 500)


@pytest.mark.parametrize(
    ("old", "new", "code", "part"),
    [
        ("bootstrap", "bootstraps", "unknown-key", "bootstrap"),
        ("note:", "notes:", "unknown-key", "did you mean note?"),
        ("role: baseline", "role: base", "bad-value", "models.0.role"),
        ("name: tuned", "name: baseline", "repeated-model", "baseline"),
        ("path: runs/tuned", "path: runs/tunde", "missing-model", "models.1.path"),
        ("training: runs/tuned", "training: runs", "missing-training", "metrics.jsonl"),
        ("questions.parquet", "answers.parquet", "missing-file", "answers.parquet"),
        ("name: tuned", "name: ../tuned", "bad-value", "models.1.name"),
        ("bootstrap: 500", "conditions: [shuffled]", "no-full", "full"),
        ("bootstrap: 500", "conditions: [full, full]", "repeated-condition", "once"),
        ("bootstrap: 500", "conditions: [full, upside_down]", "bad-value", "conditions"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(folder: Path, old: str, new: str, code: str, part: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(folder, GOOD.replace(old, new))
    assert caught.value.code == code
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_twin_is_asked_under_the_plain_condition_only() -> None:
    twin = ComparedModel(name="twin", path="twin", role="twin")
    assert twin.asked_under(("full", "shuffled", "blank")) == ("full",)


def test_importing_the_comparison_loads_no_model_library() -> None:
    code = (
        "import sys, chartsight.comparison, chartsight.evaluation; "
        "print([name for name in ('torch', 'transformers', 'pandas', 'matplotlib', 'duckdb') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
