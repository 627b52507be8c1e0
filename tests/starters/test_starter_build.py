"""The whole path from nothing to two starters, in small: `python -m chartsight.starters.build`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from chartsight.errors import OutputError, RecipeError
from chartsight.recipes import read_recipe
from chartsight.starters.build import RECIPES, SMALL, STAND_IN, build_starters, draw_lessons
from chartsight.starters.recipe import LESSON_SEEDS, LessonsRecipe
from chartsight.vlm.answering import FilmQuestions, answer_films
from chartsight.vlm.checkpoint import ADAPTER, load_vlm

LESSONS = RECIPES / "0-lessons.yaml"


@pytest.mark.slow
def test_two_starters_from_nothing_and_again_from_what_is_there(tmp_path: Path) -> None:
    recipe = read_recipe(LessonsRecipe, LESSONS, SMALL)
    made = build_starters(tmp_path, recipe, steps=2, quiet=True)
    assert set(made) == {"starter", "starter-med"}
    film = np.zeros((128, 128), dtype=np.uint8)
    for name, folder in made.items():
        vlm = load_vlm(folder)
        assert vlm.card.name == name and vlm.card.description == STAND_IN[name]
        assert "stand-in" in vlm.card.description.lower()
        assert vlm.card.terms == "synthetic" and vlm.card.base is None
        assert not (folder / ADAPTER).exists()
        assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
        [[answer]] = answer_films(vlm, [FilmQuestions(film, ("is there a ring?",))], max_new_tokens=4)
        assert answer.n_tokens >= 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[0-9]*-*/run.json")}
    weights = {name: (folder / "model.safetensors").read_bytes() for name, folder in made.items()}
    assert len(before) == 14 and weights["starter"] != weights["starter-med"]
    again = build_starters(tmp_path, recipe, steps=2, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "no lesson is taught twice"
    assert {name: (folder / "model.safetensors").read_bytes() for name, folder in again.items()} == weights


@pytest.mark.parametrize("key", ["scene_seed", "other_hospital.seed", "further_hospital.seed"])
@pytest.mark.parametrize("seed", [7, 0, 310_001, 910_001, LESSON_SEEDS[-1] + 1])
def test_seeds_of_examinations_are_refused(key: str, seed: int) -> None:
    with pytest.raises(RecipeError, match=f"seed {seed} may be one that starters are examined on"):
        read_recipe(LessonsRecipe, LESSONS, {key: seed})


def test_two_hospitals_of_one_seed_are_refused() -> None:
    with pytest.raises(RecipeError, match="patients that are drawn already"):
        read_recipe(LessonsRecipe, LESSONS, {"other_hospital.seed": 20_300, "further_hospital.seed": 20_301})


def test_what_examines_starters_draws_with_other_seeds() -> None:
    """The demo, the tests of this folder, the benchmarks and the reference classifier."""
    from chartsight.hospital import HospitalConfig
    from chartsight.starters import reference

    root = Path(__file__).parents[2]
    elsewhere = [HospitalConfig().seed, *(plan.seed for plan in (reference.FIT, reference.FRESH, reference.CHECK))]
    for path in [*(root / "benchmarks").glob("*.py"), *(root / "src" / "chartsight" / "demo.py",)]:
        for declared in re.findall(r"^\w*SEEDS? = (.+)$", path.read_text("utf-8"), re.MULTILINE):
            elsewhere += [int(each.replace("_", "")) for each in re.findall(r"[\d_]+", declared)]
    assert elsewhere and not set(elsewhere) & set(LESSON_SEEDS)


def test_other_lessons_are_not_mixed_with_these(tmp_path: Path) -> None:
    (tmp_path / "lessons.json").write_text('{"scenes": 3}', "utf-8")
    with pytest.raises(OutputError, match="another recipe"):
        draw_lessons(tmp_path, read_recipe(LessonsRecipe, LESSONS, SMALL), quiet=True)
