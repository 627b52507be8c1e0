"""Attention whose mask says the last tokens alone gives what a mask over all gives, and stock attention else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from chartsight.training.attention import NAME, attend_branches, attend_by_branches
from chartsight.training.rows import RowBatch
from chartsight.vlm.answering import FilmQuestions, answer_films
from chartsight.vlm.checkpoint import Vlm, load_vlm, save_vlm

from .test_rows import SHARES, adapted, collate, largest_difference, loss_and_gradients, shared_and_separate


def as_trained(batch: RowBatch) -> RowBatch:
    """The batch with the mask that the trainer gives."""
    return replace(batch, attention_mask=batch.mask_of_branches)


@pytest.mark.parametrize("shares", [*SHARES, (1,)])
def test_loss_and_gradients_are_those_of_separate_rows_on_stock_attention(starter: Vlm, shares: Sequence[int]) -> None:
    starter.model.double().requires_grad_(True)
    shared, separate = shared_and_separate(starter, shares)
    expected, expected_gradients = loss_and_gradients(starter, collate(starter, separate))
    assert attend_by_branches(starter.model)
    for rows in (shared, separate):
        batch = collate(starter, rows)
        assert 0 < batch.causal <= batch.input_ids.shape[1]
        loss, gradients = loss_and_gradients(starter, as_trained(batch))
        assert loss == pytest.approx(expected, abs=1e-9)
        assert largest_difference(gradients, expected_gradients) < 1e-6


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks for a renamed property
@pytest.mark.parametrize("way", ["full", "lora"])
def test_in_float32_they_agree_to_rounding(starter: Vlm, way: str) -> None:
    vlm = replace(starter, model=starter.model.requires_grad_(True)) if way == "full" else adapted(starter)
    shared, separate = shared_and_separate(vlm, (1, 6, 2))
    expected, expected_gradients = loss_and_gradients(vlm, collate(vlm, separate))
    largest = max(float(each.abs().max()) for each in expected_gradients.values())
    assert attend_by_branches(vlm.model)
    batch = as_trained(collate(vlm, shared))
    loss, gradients = loss_and_gradients(vlm, batch)
    assert abs(loss - expected) <= 1e-6
    assert largest_difference(gradients, expected_gradients) <= 1e-5 * largest
    # The planted fault: branches are taken for the beginning, and see the questions before them.
    wrong, wrong_gradients = loss_and_gradients(vlm, replace(batch, attention_mask=batch.attention_mask[:, :, -1:]))
    assert abs(wrong - expected) > 1e-4
    assert largest_difference(wrong_gradients, expected_gradients) > 1e-3 * largest


def test_the_beginning_that_all_rows_have_is_causal_and_a_row_of_its_own_wholly(starter: Vlm) -> None:
    shared, separate = shared_and_separate(starter, (2, 3))
    batch = collate(starter, shared)
    width = batch.input_ids.shape[1]
    assert batch.causal == min(row.branch.count(0) for row in shared)
    assert batch.mask_of_branches.shape == (2, 1, width - batch.causal, width)
    plain = torch.ones(width, width, dtype=torch.bool).tril()[: batch.causal]
    assert torch.equal(batch.attention_mask[:, 0, : batch.causal], plain.expand(2, -1, -1)), "what is left out of it"
    alone = collate(starter, separate)
    assert alone.mask_of_branches.shape == (5, 1, 0, alone.input_ids.shape[1])


class Layer(nn.Module):
    """As much of an attention layer as transformers looks at."""

    is_causal = True
    num_key_value_groups = 2


@pytest.mark.parametrize("last", [0, 1, 5, 11, 12])
def test_any_number_of_masked_tokens_and_fewer_key_heads(last: int) -> None:
    drawn = torch.Generator().manual_seed(last)
    query = torch.randn(2, 4, 12, 8, generator=drawn, dtype=torch.float64, requires_grad=True)
    key, value = (torch.randn(2, 2, 12, 8, generator=drawn, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mask = torch.ones(2, 1, 12, 12, dtype=torch.bool).tril()
    if last:
        mask[1, 0, -1, 2:5] = False
    upstream = torch.randn(2, 12, 4, 8, generator=drawn, dtype=torch.float64)

    def attend(how: Any, mask: Tensor) -> tuple[Tensor, ...]:
        result, _ = how(Layer(), query, key, value, mask, scaling=8**-0.5)
        return (result, *torch.autograd.grad(result, (query, key, value), upstream))

    found = attend(attend_branches, mask[:, :, 12 - last :])
    for one, other in zip(found, attend(sdpa_attention_forward, mask), strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_answers_stay_what_they_were_and_no_trace_of_it_is_saved(starter: Vlm, tmp_path: Any) -> None:
    import numpy as np

    film = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    items = [FilmQuestions(film, ("is there a ring?", "how many circles are there?"))]
    before = list(answer_films(starter, items, max_new_tokens=6))
    assert attend_by_branches(starter.model)
    assert list(answer_films(starter, items, max_new_tokens=6)) == before
    save_vlm(starter, tmp_path / "saved")
    assert NAME not in (tmp_path / "saved" / "config.json").read_text("utf-8")
    assert load_vlm(tmp_path / "saved").model.config.text_config._attn_implementation == "sdpa"


def test_a_model_on_another_attention_is_left_as_it_is(starter: Vlm) -> None:
    starter.model.set_attn_implementation("eager")
    assert not attend_by_branches(starter.model)
    assert starter.model.config.text_config._attn_implementation == "eager"
