"""`config.json` of the original LLaVA and LLaVA-Med to Hugging Face's, and back.

What would be guessed is asked for: a setting whose absence means one value there and another here stops the conversion.
Source: haotian-liu/LLaVA c121f04, microsoft/LLaVA-Med d406e3f; both under transformers 4.37.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartsight.errors import CheckpointError
from chartsight.vlm.weights import INDEXES, WHOLE

if TYPE_CHECKING:
    from transformers import LlavaConfig

CONFIG = "config.json"
PROJECTOR_ALONE = "mm_projector.bin"  # what the original's first stage of training leaves
ARCHITECTURES = {"LlavaLlamaForCausalLM": "llama", "LlavaMistralForCausalLM": "mistral"}
HUGGING_FACE = "LlavaForConditionalGeneration"
TEMPLATE_OF = {"llama": "vicuna_v1", "mistral": "mistral_instruct"}
NEEDED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "rms_norm_eps",
    "max_position_embeddings", "mm_vision_select_layer",
)  # fmt: skip
NEEDED_OF_MISTRAL = ("num_key_value_heads", "sliding_window", "rope_theta")
SELECT = {"patch": "default", "cls_patch": "full"}

# What the original can be set to, and what of that Hugging Face's LLaVA computes: name, value when absent, values.
# Left out is what moves nothing here: mm_patch_merge_type without anyres, pretraining_tp but for rounding.
ONLY: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("mm_projector_type", "linear", ("mlp2x_gelu",)),
    ("mm_vision_select_feature", "patch", tuple(SELECT)),
    ("mm_resampler_type", None, (None,)),
    ("image_aspect_ratio", None, ("pad",)),
    ("mm_use_im_start_end", False, (False,)),
    ("s2", False, (False,)),
    ("hidden_act", "silu", ("silu",)),
    ("attention_bias", False, (False,)),
    ("mlp_bias", False, (False,)),
)

_CLIP_LARGE = {
    "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "num_channels": 3, "patch_size": 14, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
    "projection_dim": 768,
}  # fmt: skip
KNOWN_TOWERS: Mapping[str, Mapping[str, Any]] = {
    "openai/clip-vit-large-patch14-336": {**_CLIP_LARGE, "image_size": 336},
    "openai/clip-vit-large-patch14": {**_CLIP_LARGE, "image_size": 224},
}
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Layout = Literal["original", "original-lora", "original-projector", "hugging-face", "language-model"]


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CheckpointError: There is none.
    """
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError("no-config", path, "is missing", "the whole checkpoint") from None
    except (OSError, ValueError):
        raise CheckpointError("bad-config", path, "is no JSON", "the checkpoint's own") from None
    if not isinstance(stored, dict):
        raise CheckpointError("bad-config", path, "holds no keys", "the checkpoint's own")
    return stored


def architecture(folder: Path, settings: Mapping[str, Any]) -> str:
    """The one architecture that `config.json` names; read as plain JSON, because AutoConfig mistakes the older ones."""
    named = settings.get("architectures")
    if isinstance(named, list) and len(named) == 1:
        return str(named[0])
    raise CheckpointError("no-architecture", folder / CONFIG, f"architectures is {named!r}", "one name")


def layout_of(folder: Path) -> Layout:
    """How a model folder is laid out: what it holds and `config.json` says, never what the folder is called.

    Raises:
        CheckpointError: It is none of LLaVA's.
    """
    if not folder.is_dir():
        raise CheckpointError("no-model", folder, "is no folder", "a checkpoint")
    named = architecture(folder, read_settings(folder / CONFIG))
    if named in ARCHITECTURES:
        if (folder / "non_lora_trainables.bin").is_file() and (folder / "adapter_config.json").is_file():
            return "original-lora"
        is_whole = any((folder / name).is_file() for name in (*WHOLE, *INDEXES))
        return "original-projector" if (folder / PROJECTOR_ALONE).is_file() and not is_whole else "original"
    if named == HUGGING_FACE:
        return "hugging-face"
    if named in {"LlamaForCausalLM", "MistralForCausalLM"}:
        return "language-model"
    expected = " or ".join((*ARCHITECTURES, HUGGING_FACE))
    raise CheckpointError("wrong-architecture", folder / CONFIG, f"architectures is [{named!r}]", expected)


def check_settings(where: Path, settings: Mapping[str, Any]) -> str:
    """`llama` or `mistral`, when Hugging Face's LLaVA can compute what `settings` say.

    Raises:
        CheckpointError: It cannot, or a setting is missing that would be guessed.
    """
    family = ARCHITECTURES[architecture(where.parent, settings)]
    needed = NEEDED + (NEEDED_OF_MISTRAL if family == "mistral" else ())
    if missing := [key for key in needed if key not in settings]:
        raise CheckpointError(
            "missing-setting",
            where,
            f"lacks {', '.join(missing)}",
            "all settings; releases differ in what absence means",
        )
    for key, absent, offered in ONLY:
        if (value := settings.get(key, absent)) not in offered:
            said = "is missing" if key not in settings else f"is {json.dumps(value)}"
            raise CheckpointError(
                "other-setting", where, f"{key} {said}", " or ".join(json.dumps(each) for each in offered),
                "Hugging Face's LLaVA computes nothing else",
            )  # fmt: skip
    return family


def read_vision(folder: Path) -> dict[str, Any]:
    """Settings of the vision half of a CLIP folder.

    Raises:
        CheckpointError: It is no CLIP.
    """
    settings = read_settings(folder / CONFIG)
    if settings.get("model_type") == "clip" and isinstance(settings.get("vision_config"), dict):
        return dict(settings["vision_config"])
    if settings.get("model_type") == "clip_vision_model":
        return settings
    raise CheckpointError("no-clip", folder / CONFIG, f"model_type is {settings.get('model_type')!r}", "clip")


def hugging_face_config(
    settings: Mapping[str, Any], family: str, vision: Mapping[str, Any], *, rows: int, image_token_id: int, pad_id: int
) -> LlavaConfig:
    """The configuration of a converted model.

    Args:
        settings: Of the original, checked.
        family: llama or mistral.
        vision: Settings of the CLIP tower.
        rows: Of the vocabulary.
        image_token_id: The id that stands for an image feature.
        pad_id: Of the tokenizer.
    """
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, MistralConfig

    scaling = dict(settings.get("rope_scaling") or {})
    scaling["rope_type"] = scaling.pop("type", scaling.get("rope_type", "default"))
    text: dict[str, Any] = {
        "vocab_size": rows,
        "hidden_act": "silu",
        "num_key_value_heads": settings.get("num_key_value_heads") or settings["num_attention_heads"],
        "rope_parameters": {**scaling, "rope_theta": float(settings.get("rope_theta", 10000.0))},
        "tie_word_embeddings": bool(settings.get("tie_word_embeddings", False)),
        "initializer_range": settings.get("initializer_range", 0.02),
        "bos_token_id": settings.get("bos_token_id", 1),
        "eos_token_id": settings.get("eos_token_id", 2),
        "pad_token_id": pad_id,
    }
    for key in NEEDED[1:-1]:
        text[key] = settings[key]
    if settings.get("head_dim"):
        text["head_dim"] = settings["head_dim"]
    if family == "mistral":
        text["sliding_window"] = settings["sliding_window"]  # null too: the class would put 4096 in its place
    keys = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels", "image_size",
        "patch_size", "hidden_act", "layer_norm_eps", "projection_dim",
    )  # fmt: skip
    tower = CLIPVisionConfig(**{key: vision[key] for key in keys if key in vision})
    strategy = SELECT[settings.get("mm_vision_select_feature", "patch")]
    return LlavaConfig(
        vision_config=tower,
        text_config=MistralConfig(**text) if family == "mistral" else LlamaConfig(**text),
        image_token_id=image_token_id,
        projector_hidden_act="gelu",
        vision_feature_layer=settings["mm_vision_select_layer"],
        vision_feature_select_strategy=strategy,
        image_seq_length=image_tokens(tower.image_size, tower.patch_size, strategy),
        tie_word_embeddings=text["tie_word_embeddings"],
        architectures=[HUGGING_FACE],
    )


def image_tokens(image_size: int, patch_size: int, strategy: str) -> int:
    """Features of one image: its patches, and CLS under `full`."""
    return int(image_size // patch_size) ** 2 + (strategy == "full")


def original_settings(config: LlavaConfig, before: Mapping[str, Any], *, tower: str, is_tuned: bool) -> dict[str, Any]:
    """`config.json` of the original layout.

    Args:
        config: Of the model.
        before: What the original said before it was converted; empty when it never was one.
        tower: What it calls the vision tower.
        is_tuned: The tower stands in the checkpoint, and is read from there.
    """
    text = config.text_config
    family = text.model_type
    rope = dict(text.rope_parameters)
    theta, kind = rope.pop("rope_theta"), rope.pop("rope_type", "default")
    settings = {
        **before,
        "architectures": [name for name, each in ARCHITECTURES.items() if each == family],
        "model_type": before.get("model_type", f"llava_{family}"),
        "vocab_size": text.vocab_size,
        "num_key_value_heads": text.num_key_value_heads,
        "hidden_act": text.hidden_act,
        "initializer_range": text.initializer_range,
        "rope_theta": theta,
        "rope_scaling": None if kind == "default" else {"type": kind, **rope},
        "tie_word_embeddings": text.tie_word_embeddings,
        "bos_token_id": text.bos_token_id,
        "eos_token_id": text.eos_token_id,
        "pad_token_id": text.pad_token_id,
        "use_cache": True,
        "use_mm_proj": True,
        "image_aspect_ratio": "pad",
        "mm_hidden_size": config.vision_config.hidden_size,
        "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": before.get("mm_patch_merge_type", "flat"),
        "mm_use_im_patch_token": False,  # absent it means true: a random row
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": {each: key for key, each in SELECT.items()}[config.vision_feature_select_strategy],
        "mm_vision_select_layer": config.vision_feature_layer,
        "mm_vision_tower": tower,
        "unfreeze_mm_vision_tower": is_tuned,
    }
    for key in NEEDED[1:-1]:
        settings[key] = getattr(text, key)
    if family == "mistral":
        settings["sliding_window"] = text.sliding_window
    return settings


def padding_colour(mean: tuple[float, ...]) -> tuple[int, ...]:
    """The mean colour, rounded down, as the original pads."""
    return tuple(int(255 * each) for each in mean)


def normalisation(folder: Path | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of a tower's films: its own, or CLIP's."""
    path = None if folder is None else folder / "preprocessor_config.json"
    if path is None or not path.is_file():
        return CLIP_MEAN, CLIP_STD
    stored = read_settings(path)
    mean, std = (
        tuple(map(float, stored.get(key, own))) for key, own in (("image_mean", CLIP_MEAN), ("image_std", CLIP_STD))
    )
    return mean, std
