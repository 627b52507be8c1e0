"""Model folders load exactly or not at all, and their fingerprint follows what can move an answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from chartsight.errors import CheckpointError
from chartsight.vlm.checkpoint import (
    ADAPTER,
    CARD,
    Vlm,
    fingerprint,
    list_models,
    load_vlm,
    model_folder,
    read_card,
    save_vlm,
)
from chartsight.vlm.starter import StarterSize, build_starter, train_tokenizer

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(starter_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny starter that a test may spoil."""
    return Path(shutil.copytree(starter_folder, tmp_path / "copy"))


@pytest.fixture
def adapter(taught: Path, starter_folder: Path, tmp_path: Path) -> Path:
    """A copy of the adapter and of its base, in the same places relative to each other."""
    shutil.copytree(taught / "model", tmp_path / "runs" / "taught" / "model")
    relative = Path(str(read_card(taught / "model").base))
    shutil.copytree(starter_folder, (tmp_path / "runs" / "taught" / "model" / relative).resolve())
    return tmp_path / "runs" / "taught"


def logits(vlm: Vlm) -> Tensor:
    ids = torch.tensor([vlm.prompts.prompt_ids("is there a ring in the centre?", 1)])
    pixels = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64)
    with torch.no_grad():
        return vlm.model(input_ids=ids, pixel_values=pixels).logits.clone()


def edit_json(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    stored = json.loads(path.read_text("utf-8"))
    edit(stored)
    path.write_text(json.dumps(stored), "utf-8")


def edit_weights(path: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    stored = load_file(path)
    edit(stored)
    save_file(stored, path, metadata={"format": "pt"})


def refused(folder: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load_vlm(folder)
    assert "\n" not in str(caught.value)
    return caught.value


# -------------------------------------------------------------------------------------------------------- whole weights


def test_saved_and_loaded_is_the_same_model(starter: Vlm, tmp_path: Path) -> None:
    save_vlm(starter, tmp_path / "again")
    again = load_vlm(tmp_path / "again")
    assert torch.equal(logits(again), logits(starter))
    assert again.card == starter.card
    save_vlm(again, tmp_path / "once more")
    assert fingerprint(tmp_path / "once more") == again.fingerprint
    assert again.prompts.prompt_ids("any ring?", 1) == starter.prompts.prompt_ids("any ring?", 1)
    assert not again.model.training


def test_bfloat16_halves_the_file_and_is_read_in_float32(starter: Vlm, tmp_path: Path) -> None:
    save_vlm(starter, tmp_path / "whole")
    save_vlm(starter, tmp_path / "half", torch.bfloat16)
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert starter.model.dtype == torch.float32, "the model that was saved is as it was"
    half = load_vlm(tmp_path / "half")
    assert half.model.dtype == torch.float32
    assert torch.allclose(logits(half), logits(starter), atol=0.2)
    assert not torch.equal(logits(half), logits(starter))


def test_the_same_seed_is_the_same_starter(starter: Vlm) -> None:
    size = StarterSize(hidden=32, layers=1, heads=2, mlp=32, tower_widths=(8, 8, 8, 8))

    def built(seed: int) -> dict[str, Tensor]:
        return build_starter(starter.tokenizer, starter.card, size, seed).model.state_dict()

    first, again, other = built(1), built(1), built(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_tokenizer_does_not_depend_on_the_order_of_its_texts() -> None:
    texts = ["is there a ring?", " yes", "is there a bar?", " no", "where is the ring?"]
    one, other = train_tokenizer(texts, 300), train_tokenizer(reversed(texts), 300)
    assert one.get_vocab() == other.get_vocab()


# ------------------------------------------------------------------------------------------------------ what is refused


def without_norm(weights: dict[str, Tensor]) -> None:
    del weights["language_model.model.norm.weight"]


def with_a_stranger(weights: dict[str, Tensor]) -> None:
    weights["language_model.model.layers.7.mlp.up_proj.weight"] = torch.zeros(48, 32)


def with_another_shape(weights: dict[str, Tensor]) -> None:
    weights["language_model.model.norm.weight"] = torch.zeros(31)


@pytest.mark.parametrize(
    ("edit", "said"),
    [(without_norm, "missing keys"), (with_a_stranger, "unexpected keys"), (with_another_shape, "norm.weight")],
)
def test_weights_load_strictly(folder: Path, edit: Callable[[dict[str, Tensor]], None], said: str) -> None:
    edit_weights(folder / WEIGHTS, edit)
    error = refused(folder)
    assert said in str(error)
    assert error.code == "other-weights"


def test_weights_that_are_gone_or_cut_off(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    error = refused(folder)
    assert error.code == "bad-shard" and str(error).startswith(str(folder / WEIGHTS))
    (folder / WEIGHTS).unlink()
    assert refused(folder).code == "no-weights"
    (folder / WEIGHTS).write_bytes(whole)
    (folder / "tokenizer.json").unlink()
    assert refused(folder).code == "bad-weights"


def test_a_card_with_an_unknown_or_a_missing_key(folder: Path) -> None:
    edit_json(folder / CARD, lambda card: card.update(flavour="vanilla"))
    assert "flavour" in str(refused(folder))
    edit_json(folder / CARD, lambda card: (card.pop("flavour"), card.pop("image_tokens")))
    assert "image_tokens" in str(refused(folder))
    edit_json(folder / CARD, lambda card: (card.update(image_tokens=16), card["preprocessing"].update(flip=True)))
    assert "flip" in str(refused(folder))


@pytest.mark.parametrize("text", ["{", "[]", '"a card"', '{"schema_version": 1, "preprocessing": []}'])
def test_a_card_that_is_none(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text, "utf-8")
    assert refused(folder).code == "bad-card"


def test_a_card_of_a_newer_version(folder: Path) -> None:
    edit_json(folder / CARD, lambda card: card.update(schema_version=99))
    assert refused(folder).code == "newer-schema"


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        model_folder(tmp_path / "nothing")
    assert caught.value.code == "no-model"
    for name in list_models():
        assert name in str(caught.value)


# ------------------------------------------------------------------------------------------------------------- adapters


def test_an_adapter_is_read_without_a_warning(taught: Path, recwarn: pytest.WarningsRecorder) -> None:
    load_vlm(taught)
    assert [str(each.message) for each in recwarn] == []


def test_an_adapter_is_read_beside_its_base(adapter: Path, taught: Path) -> None:
    """Moved together, found together: the card's base is relative to the adapter."""
    moved, original = load_vlm(adapter), load_vlm(taught)
    assert moved.fingerprint == original.fingerprint
    assert torch.equal(logits(moved), logits(original))


def test_merged_and_beside_its_base_say_the_same(adapter: Path, starter: Vlm) -> None:
    merged, beside = load_vlm(adapter), load_vlm(adapter, merge=False)
    assert torch.allclose(logits(merged), logits(beside), atol=1e-4)
    assert (logits(merged) - logits(starter)).abs().max() > 0.1, "it has learned something"
    assert merged.card.base_fingerprint == starter.fingerprint


def base_of(adapter: Path) -> Path:
    return (adapter / "model" / str(read_card(adapter / "model").base)).resolve()


def test_another_base_is_refused(adapter: Path) -> None:
    edit_weights(base_of(adapter) / WEIGHTS, lambda weights: weights["language_model.model.norm.weight"].add_(0.01))
    error = refused(adapter)
    assert error.code == "other-base"
    assert read_card(adapter / "model").base_fingerprint in str(error)


def test_a_base_of_another_template_is_another_base(adapter: Path) -> None:
    edit_json(base_of(adapter) / CARD, lambda card: card.update(template="vicuna_v1"))
    assert refused(adapter).code == "other-base"


def test_a_base_that_is_gone_is_named(adapter: Path) -> None:
    shutil.rmtree(base_of(adapter))
    assert "tiny" in str(refused(adapter))


def test_an_adapter_with_a_key_too_many_or_too_few(adapter: Path) -> None:
    path = adapter / "model" / ADAPTER
    name = next(name for name in load_file(path) if "lora_B" in name)
    edit_weights(path, lambda weights: weights.update({name.replace("layers.", "layers.7"): weights[name].clone()}))
    assert refused(adapter).code == "adapter-unmatched"
    edit_weights(path, lambda weights: [weights.pop(each) for each in list(weights) if "layers.7" in each])
    load_vlm(adapter)
    edit_weights(path, lambda weights: weights.pop(name))
    assert refused(adapter).code == "adapter-unmatched"


def test_an_adapter_whose_weights_are_gone(adapter: Path) -> None:
    path = adapter / "model" / ADAPTER
    path.write_bytes(path.read_bytes()[:-8])
    error = refused(adapter)
    assert error.code == "bad-shard" and str(error).startswith(str(path))
    path.unlink()
    assert refused(adapter).code == "missing-shard"


def test_an_adapter_without_its_configuration_asks_no_network(adapter: Path) -> None:
    (adapter / "model" / "adapter_config.json").unlink()
    assert refused(adapter).code == "bad-weights"


# ---------------------------------------------------------------------------------------------------------- fingerprint


def test_the_fingerprint_follows_the_folder_and_ignores_its_name(folder: Path, starter_folder: Path) -> None:
    edit_json(folder / CARD, lambda card: card.update(name="other", description="Another sentence."))
    assert fingerprint(folder) == fingerprint(starter_folder)
    assert fingerprint(folder.rename(folder.with_name("elsewhere"))) == fingerprint(starter_folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: edit_weights(
            folder / WEIGHTS, lambda weights: weights["language_model.model.norm.weight"][0].add_(1e-6)
        ),
        lambda folder: edit_json(folder / CARD, lambda card: card.update(template="vicuna_v1")),
        lambda folder: edit_json(folder / CARD, lambda card: card.update(reads_film=False)),
        lambda folder: edit_json(folder / CARD, lambda card: card["preprocessing"].update(fill=3)),
        lambda folder: edit_json(folder / "config.json", lambda config: config.update(image_token_id=4)),
        lambda folder: edit_json(folder / "tokenizer.json", lambda stored: stored["model"]["merges"].pop()),
    ],
    ids=["one weight", "template", "reads_film", "padding", "config", "tokenizer"],
)
def test_the_fingerprint_moves_with_what_moves_answers(folder: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(folder)
    change(folder)
    assert fingerprint(folder) != before


def test_terms_and_pairing_are_kept(starter: Vlm, tmp_path: Path) -> None:
    card = replace(starter.card, terms="credentialed", pairing="ehrxqa-shuffled")
    save_vlm(replace(starter, card=card), tmp_path / "model")
    assert read_card(tmp_path / "model") == card
    assert load_vlm(tmp_path).card.terms == "credentialed", "a run's folder is found by its `model`"


# ------------------------------------------------------------------------------------------------------- shipped models


@pytest.mark.parametrize("name", ["starter", "starter-med"])
def test_a_shipped_model_loads_and_says_what_it_is(name: str) -> None:
    if name not in list_models():
        pytest.skip(f"{name} is not shipped in this checkout: `make starters` makes it")
    vlm = load_vlm(name)
    assert vlm.card.name == name
    assert "stand-in" in vlm.card.description.lower()
    assert vlm.card.terms == "synthetic"
    assert sum(path.stat().st_size for path in model_folder(name).iterdir()) < 10e6
    grid = vlm.card.preprocessing.size_px // 16
    assert vlm.card.image_tokens == grid * grid
