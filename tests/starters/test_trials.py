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
from chartsight.starters.trials import CELLS, Budget, render_trials, run_trials
from chartsight.vlm.starter import build_starter, starter_card, train_tokenizer

TINY = Budget(
    scenes=40, patients=4, sample_patients=1, epochs=1, language_steps=2, reading_steps=2, instruction_steps=2,
    questions=8,
)  # fmt: skip


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


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 2])
def test_a_cell_goes_through_and_is_kept(tmp_path: Path, steps: int) -> None:
    """With all lessons, and with tower and language alone."""
    budget = replace(TINY, reading_steps=steps, instruction_steps=steps)
    [trial] = run_trials(tmp_path, ["192 px"], budget, quiet=True)
    assert trial.image_tokens == 144 and trial.tokens_a_word > 1
    for accuracy in (trial.reading, trial.accuracy):
        assert (accuracy is not None and 0 <= accuracy <= 1) if steps else accuracy is None
    assert trial.minutes > 0 and trial.language_loss > 0
    stored = tmp_path / "192-px" / "trial.json"
    stored.write_text(json.dumps({**json.loads(stored.read_text("utf-8")), "accuracy": 0.25}), "utf-8")
    [again] = run_trials(tmp_path, ["192 px"], budget, quiet=True)
    assert again == replace(trial, accuracy=0.25), "not taught twice"
    assert "| 192 px | " in render_trials([again], budget)
