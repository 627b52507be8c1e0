"""Steps cut by tokens: nothing is lost or learned otherwise; layers are computed twice only when they must."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chartsight.errors import CheckpointError, RecipeError
from chartsight.training import run as training
from chartsight.training import trainer
from chartsight.training.memory_probe import BATCHES
from chartsight.training.micro_batches import PROCESSOR_TOKENS, KeptBytes, split_rows, token_budget, width_step_on
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, collate_rows, padded_width
from chartsight.training.run import train_answers
from chartsight.vlm.checkpoint import Vlm, load_vlm, save_vlm
from chartsight.vlm.starter import StarterSize, build_starter

from .test_run import losses, metrics, weights

Recipes = Callable[..., AnswerRecipe]
LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=12)


def row(length: int) -> FilmRow:
    ids = (5,) * length
    return FilmRow((), ids, ids, ids, (0,), (2,), (0,), 1)


@given(LENGTHS, st.one_of(st.none(), st.integers(64, 2000)), st.integers(1, 12))
def test_every_row_once_in_order_within_the_budget(lengths: list[int], tokens: int | None, parts: int) -> None:
    rows = [row(length) for length in lengths]
    parts = min(parts, len(rows))
    batches = split_rows(rows, tokens, parts)
    assert [each for batch in batches for each in batch] == rows
    assert len(batches) >= parts and all(batches)
    if tokens is not None:
        assert all(len(batch) == 1 or len(batch) * padded_width(batch) <= tokens for batch in batches)


def test_few_widths_where_a_kernel_is_kept_for_each_and_no_padding_where_none_is() -> None:
    processor, card = torch.device("cpu"), torch.device("cuda")
    assert width_step_on(processor, bfloat16=False) == 1
    assert width_step_on(processor, bfloat16=True) == 64
    assert width_step_on(card, bfloat16=True) == 8
    rows = [row(70), row(65)]
    assert [padded_width(rows, step) for step in (1, 8, 64)] == [70, 72, 128]
    assert collate_rows(rows, 0, 8).input_ids.shape == (2, 72)
    assert len(split_rows(rows, 144, width_step=8)) == 1
    assert len(split_rows(rows, 144, width_step=64)) == 2


def test_room_for_as_many_tokens_as_there_is() -> None:
    assert token_budget(free=1_000_000, learning=10_000, bytes_a_token=100) == (800_000 - 120_000) // 100
    assert token_budget(free=1_000, learning=10_000, bytes_a_token=100) == 0


def test_kept_bytes_are_counted_once_and_without_weights() -> None:
    layer = torch.nn.Linear(32, 32)
    inputs = torch.randn(8, 32, requires_grad=True)
    with KeptBytes(layer) as kept:
        outputs = layer(inputs).exp()
        (outputs + outputs * 2).sum()
    assert kept.total == 2 * 8 * 32 * 4, "the inputs and the exponentials"


def test_a_step_in_pieces_is_the_step(answer_recipe: Recipes, tmp_path: Path) -> None:
    for name, tokens in (("whole", None), ("pieces", 400)):
        recipe = answer_recipe(rows_per_step=8, tokens_per_batch=tokens, evaluate={"every_steps": 12, "questions": 6})
        train_answers(recipe, tmp_path / name, quiet=True)
    assert json.loads((tmp_path / "pieces" / BATCHES).read_text())["tokens"] == 400
    assert losses(tmp_path / "pieces") == pytest.approx(losses(tmp_path / "whole"), abs=1e-5)
    whole, pieces = weights(tmp_path / "whole"), weights(tmp_path / "pieces")
    assert all(torch.allclose(whole[name], pieces[name], atol=1e-3) for name in whole)


def short(recipes: Recipes, **choices: Any) -> AnswerRecipe:
    return recipes(steps=3, evaluate={"every_steps": 3, "questions": 4}, **choices)


def test_memory_is_probed_and_layers_are_computed_twice_only_when_they_must(
    answer_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, free: int, **choices: Any) -> dict[str, Any]:
        monkeypatch.setattr(trainer, "free_bytes", lambda device: free)
        recipe = short(answer_recipe, tokens_per_batch="auto", **choices)
        train_answers(recipe, tmp_path / name, quiet=True)
        return dict(json.loads((tmp_path / name / BATCHES).read_text()))

    ample = run("ample", 10**9, checkpointing="auto")
    assert not ample["checkpointing"] and ample["tokens"] == PROCESSOR_TOKENS
    longest = 160
    tight = int(ample["bytes_a_token"] * longest)  # less than one row takes, and more than it takes twice computed
    small = run("tight", tight, checkpointing="auto")
    assert small["checkpointing"] and small["bytes_a_token"] < 0.8 * ample["bytes_a_token"]
    assert losses(tmp_path / "tight") == pytest.approx(losses(tmp_path / "ample"), abs=1e-5)
    with pytest.raises(RecipeError, match="tokens fit, and the longest row has"):
        run("none", 10_000, checkpointing="auto")
    with pytest.raises(RecipeError, match="tokens fit, and the longest row has"):
        run("never", tight, checkpointing="never")


def test_what_was_probed_is_kept_for_a_run_that_goes_on(
    answer_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = answer_recipe(tokens_per_batch="auto", checkpointing="auto")
    monkeypatch.setattr(trainer, "free_bytes", lambda device: 2_000_000)
    train_answers(recipe, tmp_path / "whole", quiet=True)

    class Interrupted(training.FilmTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            if self.state.global_step == 6:
                raise KeyboardInterrupt
            return super().training_step(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "FilmTrainer", Interrupted)
        train_answers(recipe, tmp_path / "resumed", quiet=True)
    monkeypatch.setattr(trainer, "free_bytes", lambda device: 10**9)  # another machine has more room
    train_answers(recipe, tmp_path / "resumed", resume=True, quiet=True)
    assert (tmp_path / "resumed" / BATCHES).read_bytes() == (tmp_path / "whole" / BATCHES).read_bytes()
    assert metrics(tmp_path / "resumed") == metrics(tmp_path / "whole")
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "resumed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


# ------------------------------------------------------------------------------------------------- kinds of adapters


def test_dropout_takes_the_plain_path_and_says_so(
    answer_recipe: Recipes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = short(answer_recipe, lora={"rank": 4, "alpha": 8, "dropout": 0.3}, limit=60)
    run = train_answers(recipe, tmp_path / "dropout")
    assert run.kept["rows"] == run.kept["train questions"] and run.kept["questions a row, at most"] == 1
    assert "every question has a row of its own" in " ".join(capsys.readouterr().err.split())
    without = short(answer_recipe, branches_per_row=1, limit=60)
    train_answers(without, tmp_path / "without", quiet=True)
    assert losses(tmp_path / "dropout") != losses(tmp_path / "without")


def test_dora_has_magnitudes_and_loads_as_it_was(answer_recipe: Recipes, tmp_path: Path) -> None:
    train_answers(short(answer_recipe, lora={"rank": 4, "alpha": 8, "dora": True}), tmp_path / "dora", quiet=True)
    adapted = load_vlm(tmp_path / "dora", merge=False)
    assert any("lora_magnitude_vector" in name for name, _ in adapted.model.named_parameters())
    load_vlm(tmp_path / "dora")


def test_adapters_stand_on_the_language_model_alone(answer_recipe: Recipes, tmp_path: Path, taught: Path) -> None:
    adapted = load_vlm(taught, merge=False)
    named = [name for name, _ in adapted.model.named_parameters() if "lora_" in name]
    assert len(named) == 2 * 7 * 2, "two weights on seven layers of each of two blocks"
    assert all(".language_model.layers." in name for name in named)


def test_a_base_in_bfloat16_is_learned_over_in_float32(answer_recipe: Recipes, tmp_path: Path) -> None:
    recipe = short(
        answer_recipe, weights="bfloat16", precision="auto", cache_tower=False, tokens_per_batch="auto"
    )  # fmt: skip
    train_answers(recipe, tmp_path / "half", quiet=True)
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "half" / "model" / "adapter_model.safetensors")
    assert {each.dtype for each in stored.values()} == {torch.float32}
    exact = short(answer_recipe)
    train_answers(exact, tmp_path / "exact", quiet=True)
    assert losses(tmp_path / "half") == pytest.approx(losses(tmp_path / "exact"), rel=0.05)


def test_four_bits_are_not_spread_over_processes(answer_recipe: Recipes) -> None:
    with pytest.raises(ValidationError, match="nf4 with ddp, bfloat16 with fsdp2"):
        answer_recipe(weights="nf4", precision="auto", parallel="fsdp2")
    answer_recipe(weights="nf4", precision="auto", parallel="ddp")
    answer_recipe(weights="bfloat16", precision="auto", parallel="fsdp2")


def test_four_bits_need_their_library(answer_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="pip install bitsandbytes"):
        train_answers(short(answer_recipe, weights="nf4", precision="auto"), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


def test_over_four_bits_adapters_learn(answer_recipe: Recipes, tmp_path: Path, starter: Vlm) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (the extra qlora)")
    # Four bits come in blocks of 64, wider than the tiny starter.
    size = StarterSize(hidden=64, layers=2, heads=2, mlp=128, tower_widths=(8, 8, 16, 16), tower_blocks=(0, 1, 1, 1))
    save_vlm(build_starter(starter.tokenizer, starter.card, size, seed=1), tmp_path / "base")
    held = load_vlm(tmp_path / "base", weights="nf4").model
    four = {name for name, each in held.named_modules() if type(each).__name__ == "Linear4bit"}
    assert four and all(".language_model.layers." in name for name in four), "tower, projector and output stay"
    recipe = short(answer_recipe, base=str(tmp_path / "base"), precision="auto", cache_tower=False)
    for held_as in ("nf4", "bfloat16"):
        train_answers(recipe.model_copy(update={"weights": held_as}), tmp_path / held_as, quiet=True)
    assert losses(tmp_path / "nf4") == pytest.approx(losses(tmp_path / "bfloat16"), rel=0.05)
    load_vlm(tmp_path / "nf4")


def test_a_tracker_that_is_not_installed_is_one_line(answer_recipe: Recipes, tmp_path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("trackio") is not None:
        pytest.skip("trackio is installed here")
    with pytest.raises(RecipeError, match="pip install trackio"):
        train_answers(short(answer_recipe, report_to=["trackio"]), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


def test_epochs_become_steps(answer_recipe: Recipes, tmp_path: Path) -> None:
    recipe = answer_recipe(steps=None, epochs=0.5, limit=60, evaluate={"every_steps": 50, "questions": 4})
    run = train_answers(recipe, tmp_path / "out", quiet=True)
    wanted = recipe.steps_of(run.kept["rows"])
    assert wanted == -(-run.kept["rows"] // 2 // recipe.rows_per_step) or wanted >= 1
    state = json.loads(next((tmp_path / "out" / "checkpoints").glob("*/trainer_state.json")).read_text())
    assert state["global_step"] == wanted
