"""Trials: every cell is a starter that can be built; one cell goes through, is kept, and is put into the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.errors import RecipeError
from chartsight.recipes import read_recipe
from chartsight.starters.build import RECIPES
from chartsight.starters.recipe import LessonsRecipe
from chartsight.starters.trials import CELLS, LANGUAGE, TOWER, Budget, lessons_of, render_trials, run_trials
from chartsight.vlm.starter import build_starter, starter_card, train_tokenizer

TINY = Budget(scenes=40, patients=4, sample_patients=1, epochs=1, language_steps=2, questions=8)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_a_starter_and_two_of_them_fit_the_limit(name: str) -> None:
    size = replace(read_recipe(LessonsRecipe, RECIPES / "0-lessons.yaml").size, **CELLS[name])
    card = starter_card(name, "untrained", size.size_px)
    vlm = build_starter(train_tokenizer(["a film of a chest"] * 3, size.vocabulary), card, size, seed=0)
    grid = size.size_px // 16
    assert vlm.card.image_tokens == grid * grid == vlm.model.config.image_seq_length
    assert sum(each.numel() for each in vlm.model.parameters()) * 2 * 2 < 40e6


def test_an_unknown_cell_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="as in the recipe"):
        run_trials(tmp_path, ["huge"], TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "lessons"),
    [
        ("as in the recipe", (TOWER, LANGUAGE)),
        ("192 px", (TOWER,)),
        ("wide tower", (TOWER,)),
        ("1,024 pieces", (LANGUAGE,)),
    ],
)
def test_a_cell_takes_the_lesson_that_its_change_is_about(name: str, lessons: tuple[str, ...]) -> None:
    assert lessons_of(name) == lessons


@pytest.mark.slow
@pytest.mark.parametrize("name", ["as in the recipe", "192 px", "1,024 pieces"])
def test_a_cell_goes_through_and_is_kept(tmp_path: Path, name: str) -> None:
    [trial] = run_trials(tmp_path, [name], TINY, quiet=True)
    assert (trial.tower_area is not None) == (TOWER in lessons_of(name))
    assert (trial.language_loss is not None) == (trial.word_loss is not None) == (LANGUAGE in lessons_of(name))
    assert trial.image_tokens == (144 if name == "192 px" else 100) and trial.tokens_a_word > 1
    assert trial.core_minutes > 0
    stored = tmp_path / name.replace(" ", "-") / "trial.json"
    stored.write_text(json.dumps({**json.loads(stored.read_text("utf-8")), "megabytes": 0.25}), "utf-8")
    [again] = run_trials(tmp_path, [name], TINY, quiet=True)
    assert again == replace(trial, megabytes=0.25), "not taught twice"
    assert f"| {name} | 0.2 | " in render_trials([again], TINY)
