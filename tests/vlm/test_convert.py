"""Original layouts to Hugging Face's: what is computed stays the same, and what cannot be is refused in one line."""

from __future__ import annotations

import errno
import json
import pickle
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from chartsight.errors import ChartsightError, CheckpointError, GateError, OutputError
from chartsight.imaging.pixels import pad_to_square
from chartsight.vlm import convert as conversion
from chartsight.vlm.checkpoint import CARD, CONVERSION, fingerprint, load_vlm, read_card
from chartsight.vlm.command import run_convert
from chartsight.vlm.prompts import prompt_template
from tests.fixtures_llava import (
    IMAGE_TOKENS,
    PROJECTOR,
    SIDE,
    Checkpoints,
    drawn,
    text_shapes,
    write_checkpoint,
    write_clip,
    write_json,
    write_language_model,
    write_lora,
)

pytest_plugins = ["tests.fixtures_llava"]

EVERY = ["llava", "llava-embedded", "llava-med", "llava-lora"]
Converted = Callable[[str], Path]


@pytest.fixture
def spoiled(checkpoints: Checkpoints, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a checkpoint, beside a copy of the tower, that a test may change."""

    def copied(name: str) -> Path:
        shutil.copytree(checkpoints["clip"], tmp_path / "clip")
        return Path(shutil.copytree(checkpoints[name], tmp_path / name))

    return copied


def edit(path: Path, **changes: Any) -> None:
    stored = json.loads(path.read_text("utf-8"))
    write_json(path, {key: value for key, value in {**stored, **changes}.items() if value != "absent"})


def refused(source: Path, **options: Any) -> ChartsightError:
    """The one line, when nothing is left behind."""
    out = source.parent / "out"
    before = sorted(source.parent.iterdir())
    with pytest.raises(ChartsightError) as caught:
        run_convert(source, out, quiet=True, **options)
    assert "\n" not in str(caught.value)
    assert sorted(source.parent.iterdir()) == before, "half-written"
    return caught.value


def told(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((folder / CONVERSION).read_text("utf-8"))
    return stored


# ------------------------------------------------------------------------------------------------------- what is right


@pytest.mark.parametrize("name", EVERY)
def test_the_logits_are_those_of_the_original(converted: Converted, name: str) -> None:
    """The other side is the original's computation written out, on its own names, with the adapter beside."""
    check = told(converted(name))["check"]
    assert check["largest_difference"] <= 5e-5
    assert check["largest_logit"] > 1, "otherwise nothing is compared"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("vision_feature_layer", -1), ("projector_hidden_act", "gelu_pytorch_tanh"), ("rms_norm_eps", 1e-6),
        ("rope_theta", 5e5), ("layer_norm_eps", 1e-3), ("hidden_act", "gelu"),
    ],
)  # fmt: skip
def test_a_wrong_setting_fails_the_check(
    spoiled: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, setting: str, value: Any
) -> None:
    right = conversion.hugging_face_config

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        config = right(*arguments, **keywords)
        if setting == "rope_theta":
            config.text_config.rope_parameters["rope_theta"] = value
        else:
            of = {"rms_norm_eps": config.text_config, "layer_norm_eps": config.vision_config}
            of["hidden_act"] = config.vision_config
            setattr(of.get(setting, config), setting, value)
        return config

    monkeypatch.setattr(conversion, "hugging_face_config", wrong)
    error = refused(spoiled("llava-med"), check=True)
    assert isinstance(error, GateError) and error.exit_code == 3
    assert "logits" in str(error)


def test_what_the_configuration_says(converted: Converted) -> None:
    config = json.loads((converted("llava-med") / "config.json").read_text("utf-8"))
    text = config["text_config"]
    assert text["sliding_window"] is None, "short inputs cannot show it"
    assert text["rope_parameters"] == {"rope_theta": 1e6, "rope_type": "default"}
    assert (text["rms_norm_eps"], text["num_key_value_heads"], text["vocab_size"]) == (1e-5, 2, 400)
    assert config["vision_config"]["hidden_act"] == "quick_gelu"
    assert (config["vision_feature_layer"], config["vision_feature_select_strategy"]) == (-2, "default")
    assert config["image_seq_length"] == IMAGE_TOKENS
    generation = json.loads((converted("llava-med") / "generation_config.json").read_text("utf-8"))
    assert generation["suppress_tokens"] == [config["image_token_index"]]
    assert generation["eos_token_id"] == 2 and generation["pad_token_id"] == 0


@pytest.mark.parametrize("name", EVERY)
def test_the_card_says_how_the_model_is_asked(converted: Converted, name: str) -> None:
    card = read_card(converted(name))
    assert card.template == ("mistral_instruct" if name == "llava-med" else "vicuna_v1")
    assert card.preprocessing.fill == (122, 116, 104) and card.preprocessing.resampling == "bicubic"
    assert (card.image_tokens, card.preprocessing.size_px, card.tower) == (IMAGE_TOKENS, SIDE, "clip")
    assert card.terms == "synthetic"


@pytest.mark.parametrize("name", ["llava", "llava-med"])
def test_the_image_token_costs_no_row_and_no_text_makes_it(converted: Converted, name: str) -> None:
    vlm = load_vlm(converted(name))
    image = vlm.prompts.image_token_id
    assert image < vlm.model.config.text_config.vocab_size == 400
    assert len({image, *(getattr(vlm.tokenizer, f"{each}_token_id") for each in ("pad", "bos", "eos"))}) == 4
    ids = vlm.tokenizer("Größe <0xFF> \xff ÿ 日本 \N{LUNGS}")["input_ids"]
    assert image not in ids and vlm.tokenizer.unk_token_id not in ids


@pytest.mark.parametrize("name", ["llava", "llava-med"])
def test_the_stock_processor_asks_the_same(converted: Converted, name: str) -> None:
    """Whoever uses transformers alone gets the original's ids and pixels from the folder."""
    from PIL import Image
    from transformers import AutoProcessor

    vlm = load_vlm(converted(name))
    processor = AutoProcessor.from_pretrained(converted(name), local_files_only=True)
    question = "Is there a pleural effusion?"
    film = np.random.default_rng(1).integers(0, 256, (40, 61), dtype=np.uint8)
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = processor.apply_chat_template(messages)
    batch = processor(text=text, images=Image.fromarray(film).convert("RGB"), return_tensors="pt")
    assert batch["input_ids"][0].tolist() == vlm.prompts.prompt_ids(question, 1)
    square = pad_to_square(film, SIDE, vlm.card.preprocessing.fill, vlm.card.preprocessing.resampling)
    assert torch.equal(batch["pixel_values"], vlm.card.preprocessing.pixel_values(square[None]))
    messages += [{"role": "assistant", "content": [{"type": "text", "text": " No. "}]}]
    spoken = vlm.tokenizer(processor.apply_chat_template(messages))["input_ids"]
    once = vlm.prompts.conversation([(question, "No.")], 1)[0]
    place = once.index(vlm.prompts.image_token_id)
    assert spoken == once[:place] + once[place + IMAGE_TOKENS - 1 :], (
        "with one image token, not yet as many as features"
    )


def test_a_setting_that_says_nothing_of_legacy_means_true(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    ids = {}
    for legacy in (None, True, False):
        source = write_checkpoint(tmp_path / f"llava-{legacy}", legacy=legacy)
        run_convert(source, tmp_path / f"out-{legacy}", quiet=True)
        prompts = load_vlm(tmp_path / f"out-{legacy}").prompts
        ids[legacy] = prompts.conversation([("Is it?", "yes"), ("Where?", "left")], 1)[0]
    assert ids[None] == ids[True] != ids[False]


def test_conversion_says_what_was_read_dropped_and_chosen(converted: Converted, checkpoints: Checkpoints) -> None:
    from chartsight.runs import sha256_file

    stored = told(converted("llava"))
    read = {each["file"]: each["sha256"] for each in stored["inputs"]}
    for name in ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"):
        assert read[name] == sha256_file(checkpoints["llava"] / name)
    assert stored["outputs"]["model.safetensors"] == sha256_file(converted("llava") / "model.safetensors")
    assert any("inv_freq" in note for note in stored["notes"])
    assert stored["tower"]["source"] == "external"


def test_the_same_checkpoint_is_the_same_folder(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_convert(checkpoints["llava-med"], tmp_path / name, quiet=True)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    for path in files:
        if path.name != "run.json":
            assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_shards_are_as_small_as_asked(checkpoints: Checkpoints, converted: Converted, tmp_path: Path) -> None:
    config = conversion.ConversionConfig(shard_bytes=40_000)
    conversion.convert(checkpoints["llava"], tmp_path / "out", config, quiet=True)
    shards = sorted((tmp_path / "out").glob("model-*.safetensors"))
    assert len(shards) > 3
    largest = max(each.nbytes for shard in shards for each in load_file(shard).values())
    assert all(sum(each.nbytes for each in load_file(shard).values()) <= max(40_000, largest) for shard in shards)
    whole = load_vlm(converted("llava")).model.state_dict()
    parts = load_vlm(tmp_path / "out").model.state_dict()
    assert all(torch.equal(parts[name], each) for name, each in whole.items())


def test_half_precision_stays_half(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    source = write_checkpoint(tmp_path / "llava", dtype=torch.float16, suffix="bin")
    run_convert(source, tmp_path / "out", check=True, quiet=True)
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert stored["language_model.lm_head.weight"].dtype == torch.float16
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["dtype"] == "float16"


# ------------------------------------------------------------------------------------------------------- which tower


@pytest.mark.parametrize(
    ("name", "flag", "wanted", "source"),
    [
        ("llava-embedded", True, None, "checkpoint"), ("llava-embedded", False, None, "external"),
        ("llava-embedded", "absent", None, "external"), ("llava-embedded", False, "checkpoint", "checkpoint"),
        ("llava-med", True, None, "external"), ("llava-med", "absent", "checkpoint", "checkpoint"),
        ("llava-embedded", True, "external", "external"),
    ],
)  # fmt: skip
def test_the_tower_follows_the_code_that_reads_it(
    spoiled: Callable[[str], Path], name: str, flag: Any, wanted: Any, source: str
) -> None:
    folder = spoiled(name)
    edit(folder / "config.json", unfreeze_mm_vision_tower=flag)
    out = folder.parent / "out"
    run_convert(folder, out, tower_from=wanted, check=True, quiet=True)
    assert told(out)["tower"]["source"] == source
    assert told(out)["tower"]["difference"] > 0.5, "both were at hand, and differ"
    key = "encoder.layers.0.mlp.fc1.weight"
    expected = {
        "external": torch.load(folder.parent / "clip" / "pytorch_model.bin", weights_only=True)[f"vision_model.{key}"],
        "checkpoint": conversion.read_weights(folder)[f"model.vision_tower.vision_tower.vision_model.{key}"].read(),
    }[source]
    assert torch.equal(load_file(out / "model.safetensors")[f"vision_tower.vision_model.{key}"], expected)


def test_a_tower_that_is_missing_is_named(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava")
    shutil.move(folder.parent / "clip", folder.parent / "elsewhere")
    error = refused(folder)
    assert error.code == "missing-tower" and " clip " in str(error) and "--tower" in str(error)
    run_convert(folder, folder.parent / "out", tower=str(folder.parent / "elsewhere"), check=True, quiet=True)
    assert refused(folder, tower=str(folder.parent / "nowhere"), force=True).code == "missing-tower"


def test_a_tuned_tower_that_is_not_there(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava")
    edit(folder / "config.json", unfreeze_mm_vision_tower=True)
    assert "holds no vision tower" in str(refused(folder))


def test_a_tower_of_settings_alone_serves_a_tuned_one_only(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava-embedded")
    (folder.parent / "clip" / "pytorch_model.bin").unlink()
    run_convert(folder, folder.parent / "tuned", check=True, quiet=True)
    assert told(folder.parent / "tuned")["tower"]["difference"] is None
    assert refused(folder, tower_from="external").code == "missing-tower"


def test_another_tower_has_other_shapes(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava")
    edit(folder.parent / "clip" / "config.json", vision_config={
        **json.loads((folder.parent / "clip" / "config.json").read_text("utf-8"))["vision_config"], "hidden_size": 32,
    })  # fmt: skip
    assert refused(folder).code == "other-weights"


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"architectures": ["LlavaMptForCausalLM"]}, "wrong-architecture", "LlavaMptForCausalLM"),
        ({"architectures": "absent"}, "no-architecture", "config.json"),
        ({"rms_norm_eps": "absent"}, "missing-setting", "rms_norm_eps"),
        ({"mm_projector_type": "absent"}, "other-setting", "mm_projector_type is missing"),
        ({"mm_projector_type": "mlp3x_gelu"}, "other-setting", "mlp3x_gelu"),
        ({"mm_use_im_start_end": True}, "other-setting", "mm_use_im_start_end"),
        ({"image_aspect_ratio": "anyres"}, "other-setting", "anyres"),
        ({"mm_resampler_type": "perceiver"}, "other-setting", "perceiver"),
        ({"num_hidden_layers": 4}, "other-weights", "layers.3"),
        ({"num_hidden_layers": 2}, "other-weights", "layers.2"),
        ({"intermediate_size": 64}, "other-weights", "mlp"),
        ({"mm_vision_tower": "gone"}, "missing-tower", "gone"),
    ],
)
def test_settings_that_are_refused(
    spoiled: Callable[[str], Path], changes: dict[str, Any], code: str, said: str
) -> None:
    folder = spoiled("llava")
    edit(folder / "config.json", **changes)
    error = refused(folder)
    assert error.code == code and said in str(error)


@pytest.mark.parametrize("key", ["num_key_value_heads", "sliding_window", "rope_theta"])
def test_what_mistral_must_say(spoiled: Callable[[str], Path], key: str) -> None:
    folder = spoiled("llava-med")
    edit(folder / "config.json", **{key: "absent"})
    error = refused(folder)
    assert error.code == "missing-setting" and key in str(error)


@pytest.mark.parametrize(("key", "code"), [("model.norm.weight", "other-weights"), (None, "unknown-tensors")])
def test_tensors_too_few_and_too_many(spoiled: Callable[[str], Path], key: str | None, code: str) -> None:
    folder = spoiled("llava-embedded")
    tensors = load_file(folder / "model.safetensors")
    if key is None:
        tensors["model.image_newline"] = torch.zeros(3)
    else:
        del tensors[key]
    save_file(tensors, folder / "model.safetensors")
    error = refused(folder)
    assert error.code == code
    assert (key or "model.image_newline").split(".")[1] in str(error)


@pytest.mark.parametrize("name", ["llava", "llava-med"])
def test_a_shard_that_is_cut_short_or_gone(spoiled: Callable[[str], Path], name: str) -> None:
    folder = spoiled(name)
    shard = next(iter(sorted(folder.glob("*-00002-of-*"))))
    whole = shard.read_bytes()
    for cut in (len(whole) - 40, len(whole) // 2, 100, 0):
        shard.write_bytes(whole[:cut])
        error = refused(folder)
        assert error.code == "bad-shard" and shard.name in str(error)
    shard.unlink()
    assert refused(folder).code == "missing-shard"
    shard.write_bytes(whole)
    next(iter(folder.glob("*.index.json"))).write_text("[]", "utf-8")
    assert refused(folder).code == "bad-index"


def test_an_index_and_its_shards_must_agree(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava-med")
    index = folder / "model.safetensors.index.json"
    stored = json.loads(index.read_text("utf-8"))
    stored["weight_map"]["model.norm.bias"] = stored["weight_map"]["model.norm.weight"]
    write_json(index, stored)
    assert "model.norm.bias" in str(refused(folder))
    stored["weight_map"] = {"model.norm.weight": "../elsewhere.safetensors"}
    write_json(index, stored)
    assert refused(folder).code == "bad-index"


class Code:
    """A pickle of it would make a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(
    spoiled: Callable[[str], Path], tmp_path: Path, is_zip: bool
) -> None:
    folder = spoiled("llava")
    shard = folder / "pytorch_model-00001-of-00002.bin"
    if is_zip:
        torch.save({"model.norm.weight": Code(tmp_path / "ran")}, shard)
    else:
        shard.write_bytes(pickle.dumps({"model.norm.weight": Code(tmp_path / "ran")}))
    error = refused(folder)
    assert not (tmp_path / "ran").exists()
    assert shard.name in str(error) and error.code in {"code-in-weights", "bad-shard"}
    assert (error.code == "code-in-weights") or not is_zip


def test_no_weights_no_tokenizer_no_folder(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava-embedded")
    (folder / "tokenizer.model").rename(folder / "kept")
    assert refused(folder).code == "no-tokenizer"
    (folder / "tokenizer.model").write_bytes(b"no model")
    assert refused(folder).code == "bad-tokenizer"
    (folder / "kept").replace(folder / "tokenizer.model")
    (folder / "model.safetensors").unlink()
    assert refused(folder).code == "no-weights"
    assert refused(folder / "nothing").code == "no-model"


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    with no_file_above(60_000), pytest.raises(OutputError) as caught:
        run_convert(checkpoints["llava"], tmp_path / "out", quiet=True)
    assert caught.value.code == "disk-full" and caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_disk_is_not_a_full_one(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, "write_weights", fails)
    with pytest.raises(OutputError, match="disk is full"):
        run_convert(checkpoints["llava"], tmp_path / "out", quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_an_output_stays(checkpoints: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError):
            run_convert(checkpoints["llava"], tmp_path / "out", force=force, quiet=True)
    with pytest.raises(OutputError, match="input"):
        run_convert(checkpoints["llava"], checkpoints["llava"], force=True, quiet=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"lora": True}, "--lora"), ({"template": "vicuna"}, "vicuna_v1"), ({"delta": True}, "--base"),
     ({"base": Path("base")}, "whole")],
)  # fmt: skip
def test_options_that_mean_nothing(spoiled: Callable[[str], Path], options: dict[str, Any], said: str) -> None:
    assert said in str(refused(spoiled("llava"), **options))


# -------------------------------------------------------------------------------------------------------- vocabulary


def test_rows_that_no_token_has_are_cut_as_the_original_does(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    source = write_checkpoint(tmp_path / "llava", rows=416)
    run_convert(source, tmp_path / "out", check=True, quiet=True)
    assert load_vlm(tmp_path / "out").model.config.text_config.vocab_size == 400
    assert any("16 rows" in note for note in told(tmp_path / "out")["notes"])


def test_a_patch_token_that_is_not_there_is_not_drawn_at_random(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    source = write_checkpoint(tmp_path / "llava", mm_use_im_patch_token="absent")
    run_convert(source, tmp_path / "out", check=True, quiet=True)
    assert any("mm_use_im_patch_token is missing" in note for note in told(tmp_path / "out")["notes"])
    assert load_vlm(tmp_path / "out").model.config.text_config.vocab_size == 400


# ------------------------------------------------------------------------------------------------------------ adapters


def test_an_adapter_of_another_base_is_refused(checkpoints: Checkpoints, tmp_path: Path) -> None:
    shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    other = write_language_model(tmp_path / "vicuna-13b", seed=99)
    lora = write_lora(tmp_path / "llava-lora", checkpoints["vicuna"])
    error = refused(lora, base=other)
    assert error.code == "other-base" and "vicuna" in str(error)
    assert refused(lora).code == "no-base"
    edit(lora / "adapter_config.json", base_model_name_or_path="vicuna-13b")
    config = json.loads((other / "config.json").read_text("utf-8"))
    tensors = drawn({name: (*shape[:-1], shape[-1] + 1) for name, shape in text_shapes(400, 4).items()}, 3)
    for shard in other.glob("*.bin"):
        shard.unlink()
    (other / "pytorch_model.bin.index.json").unlink()
    save_file(tensors, other / "model.safetensors")
    assert config["hidden_size"] == 32
    error = refused(lora, base=other)
    assert error.code == "other-base" and "self_attn" in str(error)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"use_dora": True}, "other-setting"), ({"r": 8}, "other-weights"), ({"r": "absent"}, "missing-setting")],
)
def test_an_adapter_that_is_no_plain_one(checkpoints: Checkpoints, tmp_path: Path, changes: Any, code: str) -> None:
    shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    lora = write_lora(tmp_path / "llava-lora", checkpoints["vicuna"])
    edit(lora / "adapter_config.json", **changes)
    assert refused(lora, base=checkpoints["vicuna"]).code == code


def test_an_adapter_on_a_converted_base_stays_one(
    checkpoints: Checkpoints, converted: Converted, tmp_path: Path
) -> None:
    """Its base is where it was; the answers are those of the adapter folded into the original base."""
    base = tmp_path / "llava"
    shutil.copytree(converted("llava"), base)
    lora = write_lora(tmp_path / "llava-lora", base)
    run_convert(lora, tmp_path / "adapter", base=base, terms="synthetic", check=True, quiet=True)
    card = read_card(tmp_path / "adapter")
    assert card.base == "../llava" and card.base_fingerprint == fingerprint(base)
    shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    run_convert(lora, tmp_path / "merged", base=checkpoints["llava"], terms="synthetic", check=True, quiet=True)
    adapter, merged = load_vlm(tmp_path / "adapter"), load_vlm(tmp_path / "merged")
    ids = torch.tensor([adapter.prompts.prompt_ids("Is there a pleural effusion?", 1)])
    pixels = torch.linspace(-1, 1, 3 * SIDE * SIDE).reshape(1, 3, SIDE, SIDE)
    with torch.no_grad():
        one, other = (each.model(input_ids=ids, pixel_values=pixels).logits for each in (adapter, merged))
    assert (one - other).abs().max() < 5e-5


def test_a_projector_alone_is_put_on_its_language_model(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """What the original's first stage leaves: `mm_projector.bin` and `config.json`."""
    shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    source = tmp_path / "llava-pretrain"
    source.mkdir()
    shutil.copy(checkpoints["llava-lora"] / "config.json", source)
    projector = drawn(PROJECTOR, 77)
    torch.save(projector, source / "mm_projector.bin")
    assert refused(source).code == "no-base"
    run_convert(source, tmp_path / "out", base=checkpoints["vicuna"], check=True, quiet=True)
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert torch.equal(stored["multi_modal_projector.linear_2.bias"], projector["model.mm_projector.2.bias"])
    assert told(tmp_path / "out")["from"] == "original-projector"


def test_tied_embeddings_and_files_of_older_torch(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip")
    source = write_checkpoint(tmp_path / "llava", tie_word_embeddings=True, suffix="bin")
    path = source / "pytorch_model.bin"
    tensors = torch.load(path, weights_only=True)
    del tensors["lm_head.weight"]
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    run_convert(source, tmp_path / "out", check=True, quiet=True)
    assert "language_model.lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")
    run_convert(tmp_path / "out", tmp_path / "back", check=True, quiet=True)
    assert conversion.read_weights(tmp_path / "back").keys() == {key for key in tensors if "inv_freq" not in key}


def test_settings_that_move_nothing_are_let_pass(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava")
    edit(folder / "config.json", mm_patch_merge_type="spatial_unpad", pretraining_tp=2, mm_projector_lr=2e-5)
    run_convert(folder, folder.parent / "out", check=True, quiet=True)


# ------------------------------------------------------------------------------------------------------- the templates


def test_another_template_is_kept(spoiled: Callable[[str], Path]) -> None:
    folder = spoiled("llava-med")
    run_convert(folder, folder.parent / "out", template="llava_med_vicuna_v1", name="mine", quiet=True)
    card = read_card(folder.parent / "out")
    assert (card.template, card.name) == ("llava_med_vicuna_v1", "mine")
    prompt_template(card.template)


def test_a_card_without_what_it_may_lack_is_as_before(converted: Converted) -> None:
    stored = json.loads((converted("llava") / CARD).read_text("utf-8"))
    assert stored["preprocessing"]["fill"] == [122, 116, 104]
    with pytest.raises(CheckpointError):
        load_vlm(converted("llava") / "original")
