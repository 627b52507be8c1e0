"""A merged model answers as its adapter does, and an adapter that does nothing is not merged."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from chartsight.cli import main
from chartsight.errors import CheckpointError, GateError, OutputError
from chartsight.runs import read_manifest
from chartsight.vlm import merge as merging
from chartsight.vlm.checkpoint import ADAPTER, CARD, load_vlm, read_card
from chartsight.vlm.merge import merge_adapter


def test_a_merged_model_is_its_adapter(taught: Path, tmp_path: Path) -> None:
    from transformers import LlavaForConditionalGeneration

    run, check = merge_adapter(taught, tmp_path / "merged")
    assert check.largest_difference <= 1e-4 and check.moved > 0.01 and check.greedy_agree == 1
    card = read_card(tmp_path / "merged")
    assert card.base is None and card.base_fingerprint is None and card.name == "tiny-taught"
    adapted, merged = load_vlm(taught).model.state_dict(), load_vlm(tmp_path / "merged").model.state_dict()
    assert all(torch.equal(adapted[name], merged[name]) for name in adapted)
    stock = LlavaForConditionalGeneration.from_pretrained(tmp_path / "merged").state_dict()
    assert all(torch.equal(stock[name], merged[name]) for name in stock)
    manifest = read_manifest(tmp_path / "merged")
    assert manifest is not None and manifest["outputs"][0]["largest_difference"] == check.largest_difference
    assert (tmp_path / "merged" / merging.ITEM_ODDS).is_file() == (taught / "model" / merging.ITEM_ODDS).is_file()
    assert run.terms == card.terms


def test_half_as_large_is_told_and_not_judged(taught: Path, tmp_path: Path) -> None:
    _, check = merge_adapter(taught, tmp_path / "half", dtype="bfloat16")
    assert check.largest_difference > 1e-4 and check.greedy_agree > 0.5
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path / "half", load_base(taught))]
    assert sizes[0] < 0.6 * sizes[1]


def load_base(taught: Path) -> Path:
    return (taught / "model" / str(read_card(taught / "model").base)).resolve()


def copied(taught: Path, folder: Path) -> Path:
    copy = Path(shutil.copytree(taught / "model", folder / "copy"))
    card = json.loads((copy / CARD).read_text("utf-8"))
    (copy / CARD).write_text(json.dumps({**card, "base": str(load_base(taught))}), "utf-8")
    return copy


def test_an_adapter_without_effect_is_refused(taught: Path, tmp_path: Path) -> None:
    copy = copied(taught, tmp_path)
    weights = load_file(copy / ADAPTER)
    base = load_vlm(load_base(taught)).model.state_dict()
    for name in weights:
        if "lora_B" in name:
            weights[name].zero_()
        elif "projector" in name:
            weights[name] = base[name.removeprefix("base_model.model.")]
    save_file(weights, copy / ADAPTER)
    with pytest.raises(GateError) as caught:
        merge_adapter(copy, tmp_path / "out")
    assert caught.value.code == "no-effect" and not (tmp_path / "out").exists()


def test_a_merge_that_goes_wrong_leaves_nothing(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiling(vlm: object, folder: Path, dtype: object = None) -> None:
        base = load_vlm(load_base(taught))
        save(replace(base, card=vlm.card), folder, dtype)  # type: ignore[attr-defined]

    save = merging.save_vlm
    monkeypatch.setattr(merging, "save_vlm", spoiling)  # the base itself, under the adapter's name
    with pytest.raises(GateError) as caught:
        merge_adapter(taught, tmp_path / "out")
    assert caught.value.code == "parity" and list(tmp_path.iterdir()) == []


def test_what_cannot_be_merged(taught: Path, starter_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds whole weights"):
        merge_adapter(starter_folder, tmp_path / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError):
        merge_adapter(taught, tmp_path / "there")


def test_the_verb(taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "merge", str(taught), str(tmp_path / "merged"), "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["greedy_agree"] == 1
