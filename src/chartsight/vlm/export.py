"""The way back: a Hugging Face LLaVA, or base and adapter, in the original layout that LLaVA's own code reads.

    OUT/model*.safetensors                      under the original's names; the vision tower only when it was tuned
    OUT/config.json, tokenizer*, ...            as they were before the conversion, and what has changed since
    OUT/adapter_model.safetensors,              the LoRA form (`lora`): LLaMA only, and the folder's name must say llava
        non_lora_trainables.bin                 and lora, because the original goes by it

Rows that were added to the vocabulary are cut off. Original, there and back, is equal bit by bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.runs import Run, check_apart, new_output, sha256_file, write_json
from chartsight.schema import SCHEMA_VERSION
from chartsight.vlm.check import check_logits
from chartsight.vlm.checkpoint import (
    CARD,
    CONVERSION,
    ModelCard,
    base_folder,
    check_architecture,
    fingerprint,
    image_features,
    load_vlm,
    model_folder,
    read_card,
)
from chartsight.vlm.convert import KEPT, ORIGINAL, check_tensors
from chartsight.vlm.layouts.lora import merged, read_adapter, read_lora, write_original_lora
from chartsight.vlm.layouts.names import (
    TOWER,
    VOCABULARY,
    from_hugging_face,
    from_original,
    to_original,
    unknown_tensors,
)
from chartsight.vlm.layouts.settings import CONFIG, layout_of, original_settings, read_settings
from chartsight.vlm.layouts.tokenizer import FILES
from chartsight.vlm.reading import OriginalReading
from chartsight.vlm.weights import SHARD_BYTES, StoredTensor, Weights, changed, digest, read_weights, write_weights

if TYPE_CHECKING:
    from transformers import LlavaConfig

EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True)
class ExportConfig:
    """What the user says of the way back.

    Args:
        base: The converted model that a trained one began from, for settings and tokenizer that it did not keep.
        tower: What the original shall call the vision tower; None as it did before.
        lora: Write an adapter as the original's LoRA folder instead of folding it in.
        shard_bytes: Most that is held, and most that a shard has.
        check: Compare the logits of source and result; the source is then loaded whole.
    """

    base: Path | None = None
    tower: str | None = None
    lora: bool = False
    shard_bytes: int = SHARD_BYTES
    check: bool = False


def is_exportable(source: str | Path) -> bool:
    """Whether `source` is a Hugging Face LLaVA or an adapter of ours: what goes back, not there."""
    folder = Path(source)
    if any((place / CARD).is_file() for place in (folder, folder / "model")):
        return True
    return layout_of(folder) == "hugging-face"


def export(source: str | Path, out: Path, config: ExportConfig, *, force: bool = False, quiet: bool = False) -> Run:
    """`source` in the original layout, at `out`.

    Raises:
        CheckpointError: It cannot be said exactly in the original layout.
        OutputError: `out` exists, or the disk is full; nothing half-written is left.
    """
    folder = Path(source) if (Path(source) / CONFIG).is_file() else model_folder(source)
    card = read_card(folder) if (folder / CARD).is_file() else None
    run = Run("convert", {**vars(config), "source": str(source)})
    whole, lora, base_card = folder, None, None
    if card is not None:
        run.terms, run.pairing = card.terms, card.pairing
        if card.base is not None:
            whole = model_folder(base_folder(folder, card))
            base_card = read_card(whole)
            if fingerprint(whole) != card.base_fingerprint:
                raise CheckpointError(
                    "other-base", folder, f"its base {card.base} has fingerprint {fingerprint(whole)}",
                    str(card.base_fingerprint),
                )  # fmt: skip
            lora = read_adapter(folder)
    if config.lora and lora is None:
        raise CheckpointError("no-adapter", folder, "is a whole model", "an adapter, for --lora")
    check_apart(out, folder, whole)
    form = "original-lora" if config.lora else "original"
    llava = _read_config(whole)
    told, features = base_card or card, image_features(llava)
    if told is not None and told.image_tokens != features:
        raise CheckpointError(
            "other-features", whole / CARD, f"says {told.image_tokens} image tokens", f"{features}, as its tower gives"
        )
    stored = original_names(whole, llava)
    weights = merged(stored, lora) if lora is not None else stored
    for path in sorted({tensor.file for tensor in weights.values()} | set(lora.files if lora is not None else ())):
        run.read(path)
    kept = _kept(whole, config)
    if not kept:
        kept = whole
    before = read_settings(kept / CONFIG) if kept != whole else {}
    notes: list[str] = []
    tower_name, is_tuned = _tower(weights, card, kept, before, config, llava, notes)
    weights = _without_extra_rows(weights, whole, llava, notes)
    all_weights = weights
    base_name = base_card.name if base_card is not None else ""
    if not is_tuned:
        weights = {name: each for name, each in weights.items() if not _is_tower(name)}
    settings = {
        **_settings(llava, before, tower_name, is_tuned, weights),
        "torch_dtype": str(weights[EMBEDDING].dtype).removeprefix("torch."),
    }
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        if config.lora and lora is not None:
            _check_lora(out, llava, notes)
            beside = {
                name: each for name, each in weights.items() if "mm_projector" in name or (is_tuned and _is_tower(name))
            }
            write_original_lora(partial, lora, beside, base_name)
        else:
            write_weights(partial, weights, limit=config.shard_bytes, quiet=quiet)
        for name in KEPT[1:] if not config.lora else ():
            if (kept / name).is_file():
                shutil.copyfile(kept / name, partial / name)
        write_json(partial / CONFIG, settings)
        write_json(
            partial / CONVERSION,
            {
                "schema_version": SCHEMA_VERSION, "from": "hugging-face", "to": form,
                "inputs": [{"file": Path(each["path"]).name, "sha256": each["sha256"]} for each in run.inputs],
                "outputs": {
                    path.name: sha256_file(path)
                    for path in sorted(partial.iterdir())
                    if path.suffix in {".safetensors", ".bin"}
                },
                "tower": {"name": tower_name, "is_tuned": is_tuned},
                "notes": notes,
            },
        )  # fmt: skip
        if config.check:
            # A tower that was not written is the source's: nothing of it can have changed.
            tower = (
                weights if is_tuned else {to_clip(name): each for name, each in all_weights.items() if _is_tower(name)}
            )
            written = read_settings(partial / CONVERSION)
            written["check"] = check_logits(
                OriginalReading(
                    settings, stored if config.lora else read_weights(partial), tower, llava.vision_config.to_dict(),
                    settings["vocab_size"], read_lora(partial, Path(base_name)) if config.lora else None,
                ),
                load_vlm(folder), folder,
            )  # fmt: skip
            write_json(partial / CONVERSION, written)
            run.outputs.append({"check": written["check"]})
        run.outputs.append({"notes": notes})
        run.kept = {"tensors": len(weights)}
        run.write(partial)
    return run


def _read_config(folder: Path) -> LlavaConfig:
    from transformers import LlavaConfig

    check_architecture(folder)
    stored = read_settings(folder / CONFIG)
    vision, text = (dict(stored.get(key) or {}).get("model_type") for key in ("vision_config", "text_config"))
    if vision not in {"clip_vision_model", None} or text not in {"llama", "mistral", None}:
        raise CheckpointError(
            "wrong-architecture", folder / CONFIG, f"a tower of type {vision} and a language model of type {text}",
            "CLIP and LLaMA or Mistral; the original layout has no other",
        )  # fmt: skip
    config = LlavaConfig.from_pretrained(folder, local_files_only=True)
    if config.projector_hidden_act != "gelu" or not config.multimodal_projector_bias:
        raise CheckpointError(
            "other-setting", folder / CONFIG, "its projector is none of mlp2x_gelu", "gelu, with bias"
        )
    return config


def original_names(folder: Path, config: LlavaConfig) -> dict[str, StoredTensor]:
    """Tensors of a Hugging Face LLaVA under the original's names.

    Raises:
        CheckpointError: Some are unknown, missing or misshapen.
    """
    named: dict[str, StoredTensor] = {}
    unknown = []
    for key, tensor in read_weights(folder).items():
        try:
            name = from_hugging_face(key)
        except KeyError:
            unknown.append(key)
            continue
        if name is not None:
            named[name] = tensor
    if unknown:
        raise unknown_tensors(folder, unknown, "tensors of LlavaForConditionalGeneration")
    check_tensors(folder, named, config)
    return {to_original(name): tensor for name, tensor in named.items()}


def _kept(whole: Path, config: ExportConfig) -> Path | None:
    """Where settings and tokenizer of the original are; None when nothing of them was kept."""
    for folder in [whole] + ([] if config.base is None else [config.base]):
        if (folder / ORIGINAL / CONFIG).is_file():
            return folder / ORIGINAL
    if (whole / FILES[0]).is_file():
        return None
    raise CheckpointError(
        "no-tokenizer", whole, "kept no tokenizer.model, which the original reads", "a converted model",
        "--base FOLDER names the converted model that it was trained from",
    )  # fmt: skip


def _is_tower(name: str) -> bool:
    return str(from_original(name)).startswith(TOWER)


def _tower(
    weights: Weights, card: ModelCard | None, kept: Path, before: Mapping[str, Any], config: ExportConfig,
    llava: LlavaConfig, notes: list[str],
) -> tuple[str, bool]:  # fmt: skip
    """What the original calls the tower, and whether it must stand in the checkpoint."""
    name = config.tower or (card.tower if card is not None else None) or before.get("mm_vision_tower")
    if not name:
        raise CheckpointError(
            "missing-tower", kept, "does not say what its vision tower was called", "--tower NAME",
            "such as openai/clip-vit-large-patch14-336",
        )  # fmt: skip
    tower = {str(from_original(key)): each for key, each in weights.items() if _is_tower(key)}
    conversion = kept.parent / CONVERSION
    source = dict(read_settings(conversion).get("tower") or {}).get("source") if conversion.is_file() else None
    is_known = card is not None and card.tower_sha256 == digest(tower.items())
    is_tuned = not is_known or source == "checkpoint"
    if is_tuned and llava.text_config.model_type == "mistral":
        notes.append(
            "the tower stands in the checkpoint, but LLaVA-Med's own code loads mm_vision_tower whatever stands there"
        )
    return str(name), is_tuned


def _without_extra_rows(
    weights: dict[str, StoredTensor], whole: Path, llava: LlavaConfig, notes: list[str]
) -> dict[str, StoredTensor]:
    """Rows that were added for the image token are cut off, with all behind them."""
    from transformers import AutoTokenizer

    image, rows = llava.image_token_id, llava.text_config.vocab_size
    try:
        tokenizer = AutoTokenizer.from_pretrained(whole, local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError("no-tokenizer", whole, "its tokenizer is missing or damaged", "a whole model") from error
    if image < tokenizer.vocab_size or image >= rows:
        return weights
    notes.append(f"{rows - image} rows from the image token on are cut off")
    llava.text_config.vocab_size = image
    cut = {to_original(name) for name in VOCABULARY} & weights.keys()
    return {
        name: changed(each, lambda tensor: tensor[:image], (image, *each.shape[1:])) if name in cut else each
        for name, each in weights.items()
    }


def _settings(
    llava: LlavaConfig, before: Mapping[str, Any], tower: str, is_tuned: bool, weights: Weights
) -> dict[str, Any]:
    llava.text_config.vocab_size = weights[EMBEDDING].shape[0]
    return original_settings(llava, before, tower=tower, is_tuned=is_tuned)


def _check_lora(out: Path, llava: LlavaConfig, notes: list[str]) -> None:
    if llava.text_config.model_type != "llama":
        raise CheckpointError(
            "no-lora",
            out,
            "the original reads adapters of LLaMA only",
            "a LLaVA-1.5",
            "leave --lora out: it is folded in",
        )
    if not all(word in out.name.lower() for word in ("llava", "lora")):
        notes.append("the original's loader goes by the folder's name: call it something with llava and lora")


def to_clip(name: str) -> str:
    """CLIP's own name of a tensor of the tower."""
    return "vision_model." + str(from_original(name)).removeprefix(TOWER)
