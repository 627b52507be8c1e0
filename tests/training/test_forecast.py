"""Predictions against what the arithmetic of others gives, and against what is really kept in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from chartsight.training.attention import NAME, attend_branches
from chartsight.training.forecast import (
    ARCHITECTURES,
    EIGHT_A100,
    GIB,
    H200,
    ONE_24_GB,
    Architecture,
    Load,
    activation_bytes,
    architecture_of,
    flops_per_row,
    forecast,
    weight_bytes,
)
from chartsight.training.micro_batches import KeptBytes
from chartsight.training.recipe import AnswerRecipe
from chartsight.vlm.checkpoint import Vlm

ONE_QUESTION = Load(636, 636, 1, 6, 636)


def recipe(**choices: Any) -> AnswerRecipe:
    usual = {"name": "x", "questions": "q.parquet", "lora": {"rank": 128}, "weights": "bfloat16", "steps": 1}
    return AnswerRecipe.model_validate({**usual, **choices})


# Counted on stock transformers and PEFT for 576 + 60 tokens, 6 answer rows.
@pytest.mark.parametrize(
    ("name", "choices", "tflop"),
    [
        ("llava-1.5-13b", {}, 35.29),
        ("llava-1.5-7b", {}, 18.40),
        ("llava-med-v1.5", {}, 19.74),
        ("llava-1.5-13b", {"lora": {"rank": 16}}, 33.62),
        ("llava-1.5-13b", {"cache_tower": False}, 35.67),
        ("llava-1.5-13b", {"train": {"language_model": "full"}, "weights": "float32"}, 50.14),
    ],
)
def test_flops_are_those_that_were_counted(name: str, choices: dict[str, Any], tflop: float) -> None:
    found = flops_per_row(ARCHITECTURES[name], recipe(**choices), ONE_QUESTION) / 1e12
    assert found == pytest.approx(tflop, rel=0.02)


def test_thirteen_billion_is_thirteen_billion() -> None:
    arch = ARCHITECTURES["llava-1.5-13b"]
    assert arch.blocks == pytest.approx(12.69e9, rel=1e-3)
    assert arch.language_model + arch.projector + arch.tower == pytest.approx(13.35e9, rel=2e-3)


def test_sharing_a_film_costs_what_its_tokens_cost() -> None:
    arch = ARCHITECTURES["llava-1.5-13b"]
    shared = Load.assumed(576, 8)
    one = flops_per_row(arch, recipe(), Load.assumed(576, 1))
    eight = flops_per_row(arch, recipe(), shared) / 8
    assert one / eight == pytest.approx(8 * 636 / shared.tokens, rel=0.03)


@pytest.mark.parametrize("train", [{"language_model": "lora"}, {"language_model": "full"}], ids=str)
@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("kv", [4, 2])
@pytest.mark.parametrize("masked", [0, 128])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks for a renamed property
def test_what_autograd_keeps(bfloat16: bool, train: dict[str, str], kv: int, masked: int) -> None:
    """On a small Llama as wide as it takes for the shares to be those of a large one."""
    from peft import LoraConfig, get_peft_model
    from transformers import AttentionInterface, AttentionMaskInterface, LlamaConfig, LlamaForCausalLM
    from transformers.masking_utils import sdpa_mask

    hidden, mlp, heads, length, rank = 256, 688, 4, 512, 16
    AttentionInterface.register(NAME, attend_branches)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    kept = []
    for layers in (1, 3):
        config = LlamaConfig(
            vocab_size=64, hidden_size=hidden, intermediate_size=mlp, num_hidden_layers=layers,
            num_attention_heads=heads, num_key_value_heads=kv, max_position_embeddings=1024, attn_implementation=NAME,
        )  # fmt: skip
        model: Any = LlamaForCausalLM(config)
        if train["language_model"] == "lora":
            model.to(torch.bfloat16 if bfloat16 else torch.float32).requires_grad_(False)
            layer = r".*\.(q|k|v|o|gate|up|down)_proj"
            model = get_peft_model(model, LoraConfig(r=rank, target_modules=layer, lora_dropout=0.0))
        inputs = torch.randn(1, length, hidden, requires_grad=True)
        mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()[:, :, length - masked :]
        with KeptBytes(model) as counted, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            model(inputs_embeds=inputs, attention_mask=mask, use_cache=False, logits_to_keep=1)
        # A weight that learns is cast once a step; that is counted with the weights.
        learning = sum(each.numel() for each in model.parameters() if each.requires_grad)
        kept.append(counted.total - (2 * learning if bfloat16 else 0))
    arch = Architecture(1, hidden, mlp, kv * hidden // heads, 64, False, 0, 1, 0)
    choices = {"train": train, "lora": {"rank": rank}, "weights": "float32"}
    predicted = activation_bytes(arch, recipe(**choices), masked, bfloat16=bfloat16)
    assert (kept[1] - kept[0]) / 2 / length == pytest.approx(predicted, rel=0.02)


def test_the_starter_is_as_large_as_its_configuration_says(starter: Vlm) -> None:
    arch = architecture_of(starter.model.config, starter.card.image_tokens)
    weights = sum(each.numel() for each in starter.model.parameters())
    assert arch.language_model + arch.projector + arch.tower == pytest.approx(weights, rel=0.05)


def test_what_fits_where() -> None:
    lora, full = recipe(), recipe(train={"language_model": "full"}, weights="float32")
    arch = ARCHITECTURES["llava-1.5-13b"]
    assert weight_bytes(arch, lora) / GIB == pytest.approx(34, abs=1.5), "26 of weights, 7 to 8 of LoRA and Adam"
    row = Load.assumed(576, 8)
    assert forecast(arch, lora, row, 100, H200).fits
    assert not forecast(arch, lora, row, 100, ONE_24_GB).fits
    assert not forecast(arch, full, row, 100, H200).fits
    spread = full.model_copy(update={"parallel": "fsdp2"})
    assert weight_bytes(arch, spread, 8) == weight_bytes(arch, full) / 8
    assert forecast(arch, spread, row, 100, EIGHT_A100).fits
    four_bits = recipe(weights="nf4", lora={"rank": 16}, rows_per_step=1, tokens_per_batch="auto", checkpointing="auto")
    found = forecast(arch, four_bits, row, 100, ONE_24_GB)
    assert found.fits and found.tokens_at_once >= row.longest


def test_checkpointing_is_predicted_only_where_it_is_needed() -> None:
    arch, row = ARCHITECTURES["llava-1.5-13b"], Load.assumed(576, 60)
    choices = {"tokens_per_batch": "auto", "checkpointing": "auto", "rows_per_step": 1, "weights": "nf4"}
    assert not forecast(arch, recipe(**choices), row, 100, H200).checkpointing
    small = forecast(arch, recipe(**choices, lora={"rank": 16}), row, 100, ONE_24_GB)
    assert small.checkpointing and small.fits
    assert small.tflop_a_question > forecast(arch, recipe(**choices), row, 100, H200).tflop_a_question * 1.2


def test_epochs_are_counted_in_rows(tmp_path: Path) -> None:
    arch, row = ARCHITECTURES["llava-1.5-7b"], Load.assumed(576, 8)
    one = forecast(arch, recipe(steps=None, epochs=1, rows_per_step=8), row, 800, H200)
    three = forecast(arch, recipe(steps=None, epochs=3, rows_per_step=8), row, 800, H200)
    assert three.hours[0] == pytest.approx(3 * one.hours[0])
    assert one.hours[0] > one.hours[1] > 0
