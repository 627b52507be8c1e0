"""The way back: tensors as they were, bit by bit; what was learned since, in the original's names; deltas."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from benchmarks.llava_parity import round_trip
from safetensors.torch import load_file, save_file

from chartsight.errors import ChartsightError, CheckpointError, OutputError
from chartsight.vlm.checkpoint import load_vlm, save_vlm
from chartsight.vlm.command import run_convert
from chartsight.vlm.weights import read_weights
from tests.fixtures_llava import (
    PROJECTOR,
    Checkpoints,
    drawn,
    text_shapes,
    write_checkpoint,
    write_clip,
    write_json,
    write_lora,
    write_tensors,
)

if TYPE_CHECKING:
    from chartsight.training.recipe import AnswerRecipe

pytest_plugins = ["tests.fixtures_llava"]

Converted = Callable[[str], Path]


def settings_of(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    return stored


def refused(source: Path | str, out: Path, **options: Any) -> ChartsightError:
    with pytest.raises(ChartsightError) as caught:
        run_convert(Path(source), out, quiet=True, **options)
    assert "\n" not in str(caught.value) and not out.exists()
    return caught.value


@pytest.mark.parametrize("name", ["llava", "llava-embedded", "llava-med"])
def test_there_and_back_is_equal_bit_by_bit(
    checkpoints: Checkpoints, converted: Converted, tmp_path: Path, name: str
) -> None:
    run_convert(converted(name), tmp_path / "back", check=True, quiet=True)
    trip = round_trip(name, checkpoints[name], tmp_path / "back")
    assert not trip.differing and not trip.added
    if name == "llava-med":  # the tower inside is not the one that its code reads
        assert trip.missing and all("vision_tower" in key for key in trip.missing)
    else:
        assert trip.holds
    before, after = settings_of(checkpoints[name]), settings_of(tmp_path / "back")
    assert {key: after[key] for key in before if key not in {"pad_token_id"}} == before
    for file in ("tokenizer.model", "tokenizer_config.json", "generation_config.json"):
        assert (tmp_path / "back" / file).read_bytes() == (checkpoints[name] / file).read_bytes()


def test_a_round_trip_that_loses_a_bit_is_seen(checkpoints: Checkpoints, tmp_path: Path) -> None:
    shutil.copytree(checkpoints["llava-embedded"], tmp_path / "back")
    tensors = load_file(tmp_path / "back" / "model.safetensors")
    tensors["model.norm.weight"][0] += 1e-7
    tensors["more"] = tensors.pop("lm_head.weight")
    save_file(tensors, tmp_path / "back" / "model.safetensors")
    trip = round_trip("x", checkpoints["llava-embedded"], tmp_path / "back")
    assert (trip.differing, trip.missing, trip.added) == (("model.norm.weight",), ("lm_head.weight",), ("more",))


@pytest.mark.parametrize("name", ["llava", "llava-med"])
def test_back_and_there_again_is_the_same_model(converted: Converted, tmp_path: Path, name: str) -> None:
    write_clip(tmp_path / "clip")
    run_convert(converted(name), tmp_path / name, quiet=True)
    run_convert(tmp_path / name, tmp_path / "again", terms="synthetic", check=True, quiet=True)
    one, two = (load_file(folder / "model.safetensors") for folder in (converted(name), tmp_path / "again"))
    assert one.keys() == two.keys() and all(torch.equal(each, two[key]) for key, each in one.items())


def test_whatever_the_names_of_the_release(converted: Converted, tmp_path: Path) -> None:
    """As transformers 5 saves it, and as it calls it in memory."""
    vlm = load_vlm(converted("llava"))
    save_vlm(vlm, tmp_path / "saved")
    run_convert(tmp_path / "saved", tmp_path / "one", base=converted("llava"), quiet=True)
    shutil.copytree(converted("llava"), tmp_path / "memory")
    state = {name: each.contiguous() for name, each in vlm.model.state_dict().items()}
    save_file(state, tmp_path / "memory" / "model.safetensors", metadata={"format": "pt"})
    run_convert(tmp_path / "memory", tmp_path / "two", quiet=True)
    one, two = read_weights(tmp_path / "one"), read_weights(tmp_path / "two")
    assert one.keys() == two.keys() and "model.mm_projector.2.bias" in one
    assert not any("vision_tower" in key for key in one), "as it was: in float32 too it is the external one"
    assert refused(tmp_path / "saved", tmp_path / "three").code == "no-tokenizer"


def test_a_tuned_tower_goes_into_the_checkpoint(converted: Converted, tmp_path: Path) -> None:
    vlm = load_vlm(converted("llava"))
    with torch.no_grad():
        vlm.model.model.vision_tower.encoder.layers[0].mlp.fc1.bias[0] += 0.1
    save_vlm(vlm, tmp_path / "tuned")
    run_convert(tmp_path / "tuned", tmp_path / "back", base=converted("llava"), check=True, quiet=True)
    assert settings_of(tmp_path / "back")["unfreeze_mm_vision_tower"] is True
    assert sum("vision_tower" in key for key in read_weights(tmp_path / "back")) == 55
    write_clip(tmp_path / "clip")
    run_convert(tmp_path / "back", tmp_path / "again", check=True, quiet=True)
    told = json.loads((tmp_path / "again" / "conversion.json").read_text("utf-8"))
    assert told["tower"]["source"] == "checkpoint" and told["tower"]["difference"] > 0.09


def test_rows_that_were_added_are_cut_off(converted: Converted, tmp_path: Path) -> None:
    """As the published llava-hf models have them: the image token behind the vocabulary, then padding."""
    from transformers import AutoTokenizer

    vlm = load_vlm(converted("llava"))
    tokenizer = AutoTokenizer.from_pretrained(converted("llava") / "original", local_files_only=True)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    vlm.model.resize_token_embeddings(416)
    vlm.model.config.image_token_id = tokenizer.convert_tokens_to_ids("<image>")
    vlm.tokenizer = tokenizer
    save_vlm(vlm, tmp_path / "hub")
    assert settings_of(tmp_path / "hub")["image_token_index"] == 400
    run_convert(tmp_path / "hub", tmp_path / "back", base=converted("llava"), check=True, quiet=True)
    assert settings_of(tmp_path / "back")["vocab_size"] == 400
    weights = read_weights(tmp_path / "back")
    assert weights["lm_head.weight"].shape[0] == weights["model.embed_tokens.weight"].shape[0] == 400


def test_a_starter_has_no_original_layout(starter_folder: Path, tmp_path: Path) -> None:
    error = refused(starter_folder, tmp_path / "out")
    assert error.code == "wrong-architecture" and "chartsight_film_tower" in str(error)


# ------------------------------------------------------------------------------------------------------------- adapters


@pytest.fixture(scope="module")
def adapter(
    converted: Converted, answer_recipe: Callable[..., AnswerRecipe], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A training run from a converted model: LoRA and projector, a few steps."""
    from chartsight.training.run import train_answers

    out = tmp_path_factory.mktemp("runs") / "tuned"
    recipe = answer_recipe(base=str(converted("llava")), steps=2, limit=40, evaluate={"every_steps": 2, "questions": 6})
    train_answers(recipe, out, quiet=True)
    return out


def test_a_training_run_goes_back_folded_in(adapter: Path, tmp_path: Path) -> None:
    run_convert(adapter, tmp_path / "back", check=True, quiet=True)
    told = json.loads((tmp_path / "back" / "conversion.json").read_text("utf-8"))
    assert told["check"]["largest_difference"] <= told["check"]["limit"]
    assert told["tower"]["is_tuned"] is False


def test_a_training_run_goes_back_as_the_originals_adapter(
    adapter: Path, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    out = tmp_path / "llava-lora-tuned"
    run_convert(adapter, out, lora=True, check=True, quiet=True)
    stored = load_file(out / "adapter_model.safetensors")
    assert all(key.startswith("base_model.model.model.layers.") for key in stored)
    beside = torch.load(out / "non_lora_trainables.bin", weights_only=True)
    assert set(beside) == {f"base_model.model.{name}" for name in PROJECTOR}
    said = json.loads((out / "adapter_config.json").read_text("utf-8"))
    assert said["base_model_name_or_path"] == "llava" and "layers" in said["target_modules"]
    # And there again, on the original base: the answers are those of the run.
    shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    run_convert(out, tmp_path / "again", base=checkpoints["llava"], terms="synthetic", check=True, quiet=True)
    again, before = load_vlm(tmp_path / "again"), load_vlm(adapter)
    ids = torch.tensor([before.prompts.prompt_ids("Is there a pleural effusion?", 0)])
    with torch.no_grad():
        assert (again.model(input_ids=ids).logits - before.model(input_ids=ids).logits).abs().max() < 5e-5


def test_an_original_adapter_there_and_back_is_equal_bit_by_bit(converted: Converted, tmp_path: Path) -> None:
    shutil.copytree(converted("llava"), tmp_path / "llava")
    lora = write_lora(tmp_path / "llava-lora", tmp_path / "llava")
    run_convert(lora, tmp_path / "adapter", base=tmp_path / "llava", terms="synthetic", quiet=True)
    run_convert(tmp_path / "adapter", tmp_path / "llava-lora-back", lora=True, check=True, quiet=True)
    before = torch.load(lora / "adapter_model.bin", weights_only=True)
    after = load_file(tmp_path / "llava-lora-back" / "adapter_model.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(each, after[key]) for key, each in before.items())
    one, two = (
        torch.load(folder / "non_lora_trainables.bin", weights_only=True)
        for folder in (lora, tmp_path / "llava-lora-back")
    )
    assert one.keys() == two.keys() and all(torch.equal(each, two[key]) for key, each in one.items())


def test_a_full_disk_leaves_nothing(adapter: Path, tmp_path: Path) -> None:
    from tests.vlm.test_convert import no_file_above

    for lora in (True, False):
        with no_file_above(9_000), pytest.raises(OutputError) as caught:
            run_convert(adapter, tmp_path / "llava-lora", lora=lora, quiet=True)
        assert caught.value.code == "disk-full"
        assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_llava_med_is_folded_in_only(converted: Converted, adapter: Path, tmp_path: Path) -> None:
    shutil.copytree(converted("llava-med"), tmp_path / "llava-med")
    assert refused(converted("llava"), tmp_path / "out", lora=True).code == "no-adapter"
    assert "mistral" in settings_of(tmp_path / "llava-med")["text_config"]["model_type"]


def test_an_adapter_whose_base_has_changed(adapter: Path, converted: Converted, tmp_path: Path) -> None:
    shutil.copytree(adapter / "model", tmp_path / "model")
    shutil.copytree(converted("llava"), tmp_path / "base")
    card = json.loads((tmp_path / "model" / "chartsight.json").read_text("utf-8"))
    write_json(tmp_path / "model" / "chartsight.json", {**card, "base": "../base"})
    tensors = load_file(tmp_path / "base" / "model.safetensors")
    tensors["language_model.model.norm.weight"] += 0.01
    save_file(tensors, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})
    assert refused(tmp_path / "model", tmp_path / "out").code == "other-base"


# --------------------------------------------------------------------------------------------------------------- deltas


def test_a_delta_is_added_to_its_llama(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """One more row in the vocabulary than the base has, as LLaVA-Med's v1 deltas have."""
    write_clip(tmp_path / "clip")
    whole = write_checkpoint(tmp_path / "whole", rows=401)
    base = drawn(text_shapes(400, 4), 7)
    parts = load_file(whole / "model.safetensors")
    expected = {key: each.clone() for key, each in parts.items()}
    for key, each in base.items():
        parts[key][: each.shape[0]] -= each
    shutil.copytree(whole, tmp_path / "delta")
    (tmp_path / "delta" / "model.safetensors").unlink()
    write_tensors(tmp_path / "delta", parts, 2, "bin")
    run_convert(tmp_path / "delta", tmp_path / "out", delta=True, base=checkpoints["vicuna"], quiet=True)
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.allclose(each, expected[key], atol=1e-6) for key, each in found.items())
    run_convert(tmp_path / "out", tmp_path / "converted", check=True, quiet=True)


def test_a_delta_of_another_llama(checkpoints: Checkpoints, tmp_path: Path) -> None:
    error = refused(checkpoints["llava-med"], tmp_path / "out", delta=True, base=checkpoints["vicuna"])
    assert error.code == "other-base" and "k_proj" in str(error)
    shutil.copytree(checkpoints["vicuna"], tmp_path / "small")
    error = refused(checkpoints["llava"], tmp_path / "out", delta=True, base=checkpoints["llava-lora"])
    assert isinstance(error, CheckpointError)
    shutil.copytree(checkpoints["llava"], tmp_path / "delta")
    for shard in (tmp_path / "delta").glob("pytorch_model*"):
        shard.unlink()
    parts = drawn({**text_shapes(400, 4), **PROJECTOR}, 7)
    del parts["model.norm.weight"]
    write_tensors(tmp_path / "delta", parts, 1, "safetensors")
    error = refused(tmp_path / "delta", tmp_path / "out", delta=True, base=checkpoints["vicuna"])
    assert error.code == "other-weights" and "model.norm.weight" in str(error)
