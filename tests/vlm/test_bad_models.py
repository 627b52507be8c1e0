"""What can be wrong with a model's folder, through every verb that reads one: one line that names the file, exit 2.

`doctor` ends with 3 where a gate of its own fails (other image tokens than features). Nothing is left behind by any.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file, save_file

from chartsight.cli import main
from tests.fixtures_llava import Checkpoints, write_checkpoint

pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_llava"]

WHOLE, ADAPTER, CARD = "model.safetensors", "adapter_model.safetensors", "chartsight.json"
VERBS = ("predict", "train", "doctor", "convert", "merge")

Command = Callable[[str, Path], list[object]]


@pytest.fixture
def command(tiny_questions: Path, tmp_path: Path) -> Command:
    """The arguments of a verb that reads a model."""

    def of(verb: str, model: Path) -> list[object]:
        out = tmp_path / "out"
        if verb == "predict":
            return ["predict", model, tiny_questions, out, "--split", "all", "--limit", "4", "--quiet"]
        if verb == "convert":
            return ["convert", model, out, "--quiet"]
        if verb == "merge":
            return ["models", "merge", model, out]
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(recipe_over(model, tiny_questions)), "utf-8")
        return [verb, recipe, *([out] if verb == "train" else []), "--quiet"]

    return of


def recipe_over(model: Path, questions: Path) -> dict[str, Any]:
    return {
        "kind": "answers", "name": "tuned", "base": str(model), "questions": str(questions), "steps": 1,
        "rows_per_step": 2, "branches_per_row": 2, "limit": 8, "lora": {"rank": 2, "alpha": 4},
        "learning_rates": {"language_model": 1e-3, "projector": 1e-3}, "precision": "float32",
        "evaluate": {"every_steps": 1, "questions": 2}, "seed": 5,
    }  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[object], code: int = 2) -> str:
    before = sorted(folder.rglob("*"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    printed = capsys.readouterr()
    assert ended.value.code == code, printed.err
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1, printed.err
    assert sorted(folder.rglob("*")) == before, "something was left behind"
    return printed.err


@pytest.fixture(scope="module")
def adapter(converted: Callable[[str], Path], tiny_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA over the converted LLaVA; its card names the base by an absolute path."""
    folder = tmp_path_factory.mktemp("adapter")
    base = converted("llava")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe_over(base, tiny_questions)), "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["train", str(folder / "recipe.yaml"), str(folder / "run"), "--quiet"])
    assert ended.value.code == 0
    edit(folder / "run" / "model" / CARD, base=str(base))
    return folder / "run"


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def without_tower(model: Path) -> None:
    kept = {name: each for name, each in load_file(model / WHOLE).items() if "vision_tower" not in name}
    save_file(kept, model / WHOLE, metadata={"format": "pt"})


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut short": (lambda model: cut(model / WHOLE), f"bad/{WHOLE}: cannot be read"),
    "gone": (lambda model: (model / WHOLE).unlink(), "bad: holds no weights"),
    "architecture": (
        lambda model: edit(model / "config.json", architectures=["GPT2LMHeadModel"]),
        "bad/config.json: architectures is ['GPT2LMHeadModel']; expected LlavaForConditionalGeneration",
    ),
    "tower": (without_tower, "vision_tower"),
    "image tokens": (lambda model: edit(model / CARD, image_tokens=9), "says 9 image tokens"),
    "features": (
        lambda model: edit(model / "config.json", vision_feature_select_strategy="full"), "says 4 image tokens"
    ),
    "tokenizer": (lambda model: [path.unlink() for path in model.glob("tokenizer*")] and None, "tokenizer"),
}  # fmt: skip


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "merge"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_whole_model(
    verb: str, fault: str, command: Command, converted: Callable[[str], Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bad = Path(shutil.copytree(converted("llava"), tmp_path / "bad"))
    spoil, told = FAULTS[fault]
    spoil(bad)
    gate = verb == "doctor" and fault in {"image tokens", "features"}
    assert told in refused(capsys, tmp_path, command(verb, bad), 3 if gate else 2)


ADAPTER_FAULTS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "cut short": (lambda model, _: cut(model / ADAPTER), f"{ADAPTER}: cannot be read"),
    "gone": (lambda model, _: (model / ADAPTER).unlink(), f"{ADAPTER}: is missing"),
    "another base": (lambda model, other: edit(model / CARD, base=str(other)), "has fingerprint"),
    "no base": (lambda model, other: edit(model / CARD, base=str(other / "absent")), "absent: no model folder"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", ADAPTER_FAULTS)
def test_an_adapter(
    verb: str, fault: str, command: Command, adapter: Path, converted: Callable[[str], Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bad = Path(shutil.copytree(adapter, tmp_path / "bad"))
    spoil, told = ADAPTER_FAULTS[fault]
    spoil(bad / "model", converted("llava-embedded"))
    assert told in refused(capsys, tmp_path, command(verb, bad))


def test_a_sample_whose_answer_would_be_cut(
    converted: Callable[[str], Path], tiny_questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(recipe_over(converted("llava"), tiny_questions) | {"max_length": 20}), "utf-8")
    told = refused(capsys, tmp_path, ["train", recipe, tmp_path / "out", "--quiet"])
    assert "the answer stands last; expected at most 20" in told
    assert "the answer stands last" in refused(capsys, tmp_path, ["doctor", recipe, "--quiet"], 3)


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_a_shard_in_the_original_layout(
    family: str, checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `.bin` and a safetensors shard, cut short and empty; the second one, so that the first was read already."""
    suffix = "bin" if family == "llama" else "safetensors"
    bad = write_checkpoint(tmp_path / "bad", family, suffix=suffix, shards=2)
    shard = sorted(bad.glob(f"*.{suffix}"))[1]
    arguments: list[object] = ["convert", bad, tmp_path / "out", "--tower", checkpoints["clip"], "--quiet"]
    for spoil in (cut, lambda path: path.write_bytes(b"")):
        spoil(shard)
        assert f"bad/{shard.name}: cannot be read" in refused(capsys, tmp_path, arguments)


LIMITED = """
import resource, sys
from chartsight.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("verb", "most_bytes"), [("convert", 40_000), ("merge", 40_000), ("predict", 900)])
def test_a_file_that_may_not_grow(verb: str, most_bytes: int, command: Command, adapter: Path, tmp_path: Path) -> None:
    """What is left of `predict` are the answers that were kept: they are not asked again."""
    arguments = command(verb, adapter)
    if verb == "predict":  # its films are kept elsewhere, and would be what does not fit
        with pytest.raises(SystemExit):
            main([str(each) for each in arguments])
        for path in tmp_path.iterdir():
            path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(most_bytes), *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"error: {tmp_path / 'out'}"), done.stderr
    assert "the disk is full" in done.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= ({"out.answers.jsonl"} if verb == "predict" else set())
