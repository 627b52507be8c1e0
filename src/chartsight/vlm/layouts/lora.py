"""Adapters: the original LLaVA's LoRA folder and our PEFT folder, read into one view, and written as either.

adapter_model.bin            base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight, ...
non_lora_trainables.bin      base_model.model.model.mm_projector.0.weight, ...
adapter_config.json, config.json
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.runs import write_json
from chartsight.vlm.layouts.names import from_hugging_face, from_original, in_memory, to_original, unknown_tensors
from chartsight.vlm.layouts.settings import CONFIG, layout_of, read_settings
from chartsight.vlm.weights import StoredTensor, Weights, listed, read_file, read_weights, write_weights_as

if TYPE_CHECKING:
    from torch import Tensor

ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
SETTINGS = "adapter_config.json"
BESIDE = "non_lora_trainables.bin"
_FACTOR = re.compile(r"base_model\.model\.(model\.layers\..+)\.lora_([AB])(\.default)?\.weight")
_PEFT_FACTOR = re.compile(r"base_model\.model\.model\.language_model\.(layers\..+)\.lora_([AB])\.weight")
_PLAIN: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("peft_type", ("LORA",)),
    ("bias", ("none", None)),
    ("fan_in_fan_out", (False, None)),
    ("use_dora", (False, None)),
    ("modules_to_save", (None, [])),
    ("rank_pattern", (None, {})),
    ("alpha_pattern", (None, {})),
)


@dataclass(frozen=True)
class OriginalLora:
    """An adapter of the original.

    Args:
        folder: Its own.
        base: As `adapter_config.json` calls it.
        rank: Of every pair.
        alpha: `lora_alpha`.
        scale: What B times A is multiplied by.
        pairs: A and B by the name of the weight that they change, in the original's names.
        beside: Tensors that replace the base's, in the original's names.
    """

    folder: Path
    base: str
    rank: int
    alpha: float
    scale: float
    pairs: Mapping[str, tuple[StoredTensor, StoredTensor]]
    beside: Weights

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that hold tensors."""
        tensors = (*(each for pair in self.pairs.values() for each in pair), *self.beside.values())
        return tuple(sorted({tensor.file for tensor in tensors}))


def read_lora(folder: Path, base: Path, known_as: Collection[str] = ()) -> OriginalLora:
    """The adapter in `folder`, which must stand on `base` (by its name, or as it is `known_as`).

    Raises:
        CheckpointError: It is none that can be merged exactly, or names another base.
    """
    where = folder / SETTINGS
    settings = read_settings(where)
    for key, offered in _PLAIN:
        if settings.get(key) not in offered:
            raise CheckpointError("other-setting", where, f"{key} is {settings.get(key)!r}", f"{offered[0]!r}")
    try:
        rank, alpha = int(settings["r"]), float(settings["lora_alpha"])
        named = str(settings["base_model_name_or_path"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("missing-setting", where, f"lacks or misstates {error}", "PEFT's settings") from None
    if Path(named).name not in {base.resolve().name, base.name, *known_as}:
        raise CheckpointError(
            "other-base", where, f"is an adapter of {named}", f"that base, not {base}",
            "if they are the same weights, say so in base_model_name_or_path",
        )  # fmt: skip
    path = next((folder / name for name in ADAPTERS if (folder / name).is_file()), folder / ADAPTERS[0])
    factors: dict[str, dict[str, StoredTensor]] = {}
    unknown = []
    for key, tensor in read_file(path).items():
        if found := _FACTOR.fullmatch(key):
            factors.setdefault(f"{found[1]}.weight", {})[found[2]] = tensor
        else:
            unknown.append(key)
    if unknown:
        raise unknown_tensors(path, unknown, "pairs lora_A, lora_B of the language model's layers")
    if alone := [name for name, pair in factors.items() if len(pair) < 2]:
        raise CheckpointError("other-weights", path, f"has one half of {listed(alone)}", "lora_A and lora_B")
    if not factors:
        raise CheckpointError("other-weights", path, "adapts nothing", "pairs lora_A, lora_B")
    pairs = {name: (pair["A"], pair["B"]) for name, pair in factors.items()}
    if wrong := [name for name, (a, b) in pairs.items() if a.shape[0] != rank or b.shape[1] != rank]:
        raise CheckpointError("other-weights", path, f"{wrong[0]} has another rank", f"{rank}, by {SETTINGS}")
    scale = alpha / (rank**0.5 if settings.get("use_rslora") else rank)
    return OriginalLora(folder, named, rank, alpha, scale, pairs, _read_beside(folder / BESIDE))


def _read_beside(path: Path) -> dict[str, StoredTensor]:
    """What was trained beside the adapter, in the original's names."""
    beside = {}
    for key, tensor in read_file(path).items():
        name = key.removeprefix("base_model.")
        name = name.removeprefix("model.") if name.startswith(("model.model.", "model.lm_head.")) else name
        try:
            from_original(name)
        except KeyError:
            raise unknown_tensors(path, [key], "tensors of a LLaVA") from None
        beside[name] = tensor
    return beside


def language_weights(base: Path) -> dict[str, StoredTensor]:
    """Tensors of a base in the original's names: a Vicuna, a LLaVA in the original layout, or a converted one.

    Raises:
        CheckpointError: It is none of them.
    """
    layout = layout_of(base)
    if layout == "original-lora":
        raise CheckpointError("bad-base", base, "is an adapter itself", "a whole model")
    stored = read_weights(base)
    if layout != "hugging-face":
        return dict(stored)
    weights = {}
    for key, tensor in stored.items():
        try:
            name = from_hugging_face(key)
        except KeyError:
            raise unknown_tensors(base / CONFIG, [key], "tensors of a LLaVA") from None
        if name is not None:
            weights[to_original(name)] = tensor
    return weights


def merged(base: Weights, lora: OriginalLora) -> dict[str, StoredTensor]:
    """`base` with the adapter folded in as it is read: W + scale * B A, computed in float32.

    Raises:
        CheckpointError: The adapter does not fit: a weight that the base lacks, or of another shape.
    """
    weights = dict(base)
    for name, (a, b) in lora.pairs.items():
        shape = (b.shape[0], a.shape[1])
        if name not in base or base[name].shape != shape:
            found = "no such weight" if name not in base else f"{list(base[name].shape)}"
            raise CheckpointError(
                "other-base", lora.folder, f"changes {name} of {list(shape)}, and the base has {found}",
                f"its own base, {lora.base}",
            )  # fmt: skip
        weights[name] = StoredTensor(base[name].file, shape, base[name].dtype, _folded(base[name], a, b, lora.scale))
    weights.update(lora.beside)
    return weights


def _folded(base: StoredTensor, a: StoredTensor, b: StoredTensor, scale: float) -> Any:
    def read() -> Tensor:
        return (base.read().float() + scale * (b.read().float() @ a.read().float())).to(base.dtype)

    return read


def read_adapter(folder: Path) -> OriginalLora:
    """Our PEFT adapter in the original's names.

    Raises:
        CheckpointError: It adapts more than the language model, or cannot be read.
    """
    settings = read_settings(folder / SETTINGS)
    factors: dict[str, dict[str, StoredTensor]] = {}
    beside: dict[str, StoredTensor] = {}
    for key, tensor in read_file(folder / ADAPTERS[0]).items():
        if found := _PEFT_FACTOR.fullmatch(key):
            factors.setdefault(f"model.{found[1]}.weight", {})[found[2]] = tensor
            continue
        try:
            name = from_hugging_face(key.removeprefix("base_model.model."))
        except KeyError:
            raise unknown_tensors(folder / ADAPTERS[0], [key], "an adapter of the language model") from None
        if name is not None:
            beside[to_original(name)] = tensor
    pairs = {name: (pair["A"], pair["B"]) for name, pair in factors.items() if len(pair) == 2}
    if len(pairs) < len(factors) or not pairs:
        raise CheckpointError("other-weights", folder / ADAPTERS[0], "is no whole adapter", "lora_A and lora_B")
    rank, alpha = int(settings["r"]), float(settings["lora_alpha"])
    scale = alpha / (rank**0.5 if settings.get("use_rslora") else rank)
    return OriginalLora(folder, str(settings["base_model_name_or_path"]), rank, alpha, scale, pairs, beside)


def adapter_settings(lora: OriginalLora, base: str, target_modules: list[str], saved: list[str]) -> dict[str, Any]:
    """`adapter_config.json` of PEFT."""
    return {
        "peft_type": "LORA", "task_type": None, "base_model_name_or_path": base, "inference_mode": True, "r": lora.rank,
        "lora_alpha": lora.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False,
        "use_rslora": lora.scale != lora.alpha / lora.rank, "target_modules": target_modules,
        "modules_to_save": saved or None,
    }  # fmt: skip


def write_peft(folder: Path, lora: OriginalLora, base: str) -> None:
    """The adapter as PEFT reads it beside a converted base.

    Raises:
        CheckpointError: What was trained beside it is a part of a module, not all of it.
    """
    names = {name: in_memory(str(from_original(name))) for name in (*lora.pairs, *lora.beside)}
    tensors = {}
    for name, pair in lora.pairs.items():
        module = names[name].removesuffix(".weight")
        for letter, tensor in zip("AB", pair, strict=True):
            tensors[f"base_model.model.{module}.lora_{letter}.weight"] = tensor
    parts = ("multi_modal_projector", "vision_tower")
    saved = [part for part in parts if any(f".{part}." in f".{names[name]}." for name in lora.beside)]
    if other := [name for name in lora.beside if not any(f"model.{part}." in names[name] for part in parts)]:
        raise CheckpointError("other-weights", lora.folder / BESIDE, f"holds {listed(other)}", "projector and tower")
    for name, tensor in lora.beside.items():
        tensors[f"base_model.model.{names[name]}"] = tensor
    write_weights_as(folder / ADAPTERS[0], tensors)
    targets = sorted(names[name].removesuffix(".weight") for name in lora.pairs)
    write_json(folder / SETTINGS, adapter_settings(lora, base, targets, saved))


def write_original_lora(folder: Path, lora: OriginalLora, beside: Weights, base: str) -> None:
    """The adapter as the original's own code reads it: only LLaMA's, and the folder's name must say llava and lora."""
    import torch

    tensors = {
        f"base_model.model.{name.removesuffix('.weight')}.lora_{letter}.weight": tensor
        for name, pair in lora.pairs.items()
        for letter, tensor in zip("AB", pair, strict=True)
    }
    write_weights_as(folder / ADAPTERS[0], tensors)
    # By a pattern: CLIP has modules called q_proj, k_proj and v_proj too.
    kinds = "|".join(sorted({name.split(".")[-2] for name in lora.pairs}))
    settings = adapter_settings(lora, base, [], [])
    write_json(folder / SETTINGS, {**settings, "target_modules": rf"model\.layers\..*\.({kinds})"})
    torch.save({f"base_model.model.{name}": each.read().clone() for name, each in beside.items()}, folder / BESIDE)
