"""A step is the same with one process and with two, whole models (DDP) or parts of one (FSDP2), over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from chartsight.training.recipe import AnswerRecipe
from chartsight.vlm.checkpoint import load_vlm

from .test_run import losses, metrics

Recipes = Callable[..., AnswerRecipe]
PROGRAM = Path(__file__).with_name("learn_in_processes.py")


def learn(recipe: AnswerRecipe, out: Path, processes: int, *flags: str, wanted: int = 0) -> Path:
    """`recipe` learned in a program of its own, in so many processes."""
    file = out.with_suffix(".json")
    file.write_text(recipe.model_dump_json(), "utf-8")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), str(PROGRAM), str(file), str(out), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert (done.returncode != 0) == bool(wanted), done.stderr[-20_000:]
    return out


def learned(out: Path, step: int = 2) -> dict[str, Tensor]:
    return dict(load_file(out / "checkpoints" / f"checkpoint-{step}" / "learned.safetensors"))


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


LORA: dict[str, Any] = {"language_model": "lora", "projector": "full", "tower": "frozen"}
FULL: dict[str, Any] = {"language_model": "full", "projector": "full", "tower": "full"}


def one_step(recipes: Recipes, **choices: Any) -> AnswerRecipe:
    """Two, for the schedule begins at a rate of 0."""
    usual = {"steps": 2, "rows_per_step": 6, "evaluate": {"every_steps": 2, "questions": 6}}
    return recipes(**{**usual, **choices})


@pytest.mark.parametrize("train", [LORA, pytest.param(FULL, marks=pytest.mark.slow)], ids=["lora", "full"])
@pytest.mark.parametrize("parallel", ["ddp", "fsdp2", "fsdp2, one reads"])
def test_one_step_of_two_processes_is_the_step_of_one(
    answer_recipe: Recipes, tmp_path: Path, parallel: str, train: dict[str, str]
) -> None:
    """Rows of different numbers of questions: a mean of the processes' means would differ."""
    parallel, _, one_reads = parallel.partition(", ")
    choices = {"train": train, "max_grad_norm": 1e6, "cache_tower": not one_reads}
    alone = learn(one_step(answer_recipe, **choices), tmp_path / "alone", 1)
    # In pieces: gradients have to be gathered over them before they are exchanged.
    pieces = {"tokens_per_batch": 200} if parallel == "fsdp2" else {}
    both = learn(one_step(answer_recipe, parallel=parallel, **choices, **pieces), tmp_path / "both", 2)
    seen = json.loads((both / "seen.json").read_text("utf-8"))
    assert seen["processes"] == 2
    weights = seen["read"][0]
    both_read = parallel == "ddp" or (train == LORA and not one_reads)
    assert weights and seen["read"] == [weights, weights if both_read else 0]
    if parallel == "fsdp2":
        assert seen["held whole"] == [], "asked for parts and not given whole models"
        assert seen["wrapper"] != "DistributedDataParallel"
    else:
        assert seen["spread"] == 0 and seen["wrapper"] == "DistributedDataParallel"
    stored = [set(load_file(next((out / "model").glob("*.safetensors")))) for out in (alone, both)]
    assert stored[0] == stored[1], "what is tied is stored once"
    assert largest_difference(learned(alone), learned(both)) < 1e-5
    assert losses(both) == pytest.approx(losses(alone), abs=1e-5)
    one, other, base = (
        dict(load_vlm(folder).model.state_dict()) for folder in (alone, both, answer_recipe().base)
    )  # fmt: skip
    assert largest_difference(one, other) < 1e-5
    assert largest_difference(base, other) > 1e-3, "the step is large enough to be seen"


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp2"])
def test_two_processes_go_on_as_if_nothing_had_been(answer_recipe: Recipes, tmp_path: Path, parallel: str) -> None:
    recipe = answer_recipe(steps=5, parallel=parallel, evaluate={"every_steps": 2, "questions": 6})
    whole = learn(recipe, tmp_path / "whole", 2, "--adam")
    resumed = learn(recipe, tmp_path / "resumed", 2, "--adam", "--interrupt", wanted=1)
    learn(recipe, resumed, 2, "--adam", "--resume")
    assert metrics(resumed) == metrics(whole)
    one, other = load_vlm(whole).model.state_dict(), load_vlm(resumed).model.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
