"""Made-up checkpoints in the original layouts: LLaVA-1.5 (whole and LoRA), LLaVA-Med v1.5, CLIP, and a tokenizer.

Tiny random weights, spread so widely that every layer moves the logits: a wrong setting shows.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

WIDTH, LAYERS, HEADS, MLP = 32, 3, 4, 48
TOWER_WIDTH, TOWER_LAYERS, SIDE, PATCH = 24, 3, 28, 14
IMAGE_TOKENS = (SIDE // PATCH) ** 2
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
CORPUS = (
    "A chat between a curious user and an artificial intelligence assistant. USER: ASSISTANT: [INST] [/INST]",
    "Is there a pleural effusion in this chest radiograph? No, the lungs are clear. Yes, there is mild cardiomegaly.",
    "Which findings are present, and where in the chest are they? The heart is enlarged; no pneumothorax is seen.",
    "yes no none left right lung base apex device tube tip catheter opacity consolidation edema atelectasis 0123456789",
)


def write_tokenizer(folder: Path, pieces: int = 400, legacy: bool | None = False) -> None:
    """A SentencePiece tokenizer with bytes, as LLaMA's; `legacy` None leaves the setting out."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4), model_writer=model, vocab_size=pieces, model_type="bpe", byte_fallback=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, split_digits=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, hard_vocab_limit=True, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    settings = {
        "tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "add_bos_token": True, "add_eos_token": False, "model_max_length": 2048, "padding_side": "right",
        "clean_up_tokenization_spaces": False, **({} if legacy is None else {"legacy": legacy}),
    }  # fmt: skip
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), "utf-8")


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Random tensors: norms around one, everything else wide enough to matter."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        tensors[name] = 1 + 0.2 * values if is_norm else 0.2 * values
    return tensors


def clip_shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    wide = 2 * TOWER_WIDTH
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.class_embedding": (TOWER_WIDTH,),
        "embeddings.patch_embedding.weight": (TOWER_WIDTH, 3, PATCH, PATCH),
        "embeddings.position_embedding.weight": (IMAGE_TOKENS + 1, TOWER_WIDTH),
    }
    for norm in ("pre_layrnorm", "post_layernorm"):
        shapes |= {f"{norm}.weight": (TOWER_WIDTH,), f"{norm}.bias": (TOWER_WIDTH,)}
    for n in range(TOWER_LAYERS):
        layer = f"encoder.layers.{n}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{layer}self_attn.{part}.weight": (TOWER_WIDTH, TOWER_WIDTH)}
            shapes |= {f"{layer}self_attn.{part}.bias": (TOWER_WIDTH,)}
        for norm in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{layer}{norm}.weight": (TOWER_WIDTH,), f"{layer}{norm}.bias": (TOWER_WIDTH,)}
        shapes |= {f"{layer}mlp.fc1.weight": (wide, TOWER_WIDTH), f"{layer}mlp.fc1.bias": (wide,)}
        shapes |= {f"{layer}mlp.fc2.weight": (TOWER_WIDTH, wide), f"{layer}mlp.fc2.bias": (TOWER_WIDTH,)}
    return {prefix + name: shape for name, shape in shapes.items()}


def write_clip(folder: Path, seed: int = 1) -> Path:
    """An external tower as OpenAI uploaded it: a whole CLIP in a `.bin`, of which the vision half is meant."""
    folder.mkdir(parents=True)
    tensors = drawn(clip_shapes("vision_model."), seed)
    tensors["text_model.embeddings.token_embedding.weight"] = torch.zeros(5, 4)
    tensors["vision_model.embeddings.position_ids"] = torch.arange(IMAGE_TOKENS + 1)[None]
    tensors |= {"text_projection.weight": torch.zeros(4, 4), "visual_projection.weight": torch.zeros(4, TOWER_WIDTH)}
    tensors["logit_scale"] = torch.tensor(2.6)
    torch.save(tensors, folder / "pytorch_model.bin")
    vision = {
        "model_type": "clip_vision_model", "hidden_size": TOWER_WIDTH, "intermediate_size": 2 * TOWER_WIDTH,
        "num_hidden_layers": TOWER_LAYERS, "num_attention_heads": 2, "num_channels": 3, "image_size": SIDE,
        "patch_size": PATCH, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "projection_dim": 4,
    }  # fmt: skip
    write_json(folder / "config.json", {"architectures": ["CLIPModel"], "model_type": "clip", "vision_config": vision})
    write_json(
        folder / "preprocessor_config.json", {"image_mean": MEAN, "image_std": STD, "size": SIDE, "crop_size": SIDE}
    )
    return folder


def text_shapes(rows: int, kv_heads: int) -> dict[str, tuple[int, ...]]:
    narrow = WIDTH // HEADS * kv_heads
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (rows, WIDTH)}
    for n in range(LAYERS):
        layer = f"model.layers.{n}."
        for part, out in (("q", WIDTH), ("k", narrow), ("v", narrow), ("o", WIDTH)):
            shapes[f"{layer}self_attn.{part}_proj.weight"] = (out, WIDTH)
        shapes |= {f"{layer}mlp.{part}_proj.weight": (MLP, WIDTH) for part in ("gate", "up")}
        shapes[f"{layer}mlp.down_proj.weight"] = (WIDTH, MLP)
        shapes |= {f"{layer}{norm}.weight": (WIDTH,) for norm in ("input_layernorm", "post_attention_layernorm")}
    return {**shapes, "model.norm.weight": (WIDTH,), "lm_head.weight": (rows, WIDTH)}


PROJECTOR = {
    "model.mm_projector.0.weight": (WIDTH, TOWER_WIDTH),
    "model.mm_projector.0.bias": (WIDTH,),
    "model.mm_projector.2.weight": (WIDTH, WIDTH),
    "model.mm_projector.2.bias": (WIDTH,),
}
TEXT_SETTINGS: dict[str, Any] = {
    "vocab_size": 400, "hidden_size": WIDTH, "intermediate_size": MLP, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "rms_norm_eps": 1e-5, "max_position_embeddings": 2048,
    "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
}  # fmt: skip
LLAVA_SETTINGS: dict[str, Any] = {
    "image_aspect_ratio": "pad", "mm_hidden_size": TOWER_WIDTH, "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_patch_token": False, "mm_use_im_start_end": False, "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2, "mm_vision_tower": "clip", "tokenizer_model_max_length": 2048,
}  # fmt: skip
MISTRAL_SETTINGS: dict[str, Any] = {"num_key_value_heads": 2, "rope_theta": 1e6, "sliding_window": None}


def write_checkpoint(
    folder: Path, family: str = "llama", *, embedded: bool = False, shards: int = 1, suffix: str = "safetensors",
    seed: int = 7, dtype: torch.dtype = torch.float32, legacy: bool | None = False, rows: int = 400, **settings: Any,
) -> Path:  # fmt: skip
    """A checkpoint in the original layout, of LLaVA-1.5 (`llama`) or LLaVA-Med v1.5 (`mistral`)."""
    folder.mkdir(parents=True)
    own = MISTRAL_SETTINGS if family == "mistral" else {}
    kv_heads = int(own.get("num_key_value_heads", HEADS))
    tensors = drawn({**text_shapes(rows, kv_heads), **PROJECTOR}, seed)
    if embedded:
        tensors |= drawn(clip_shapes("model.vision_tower.vision_tower.vision_model."), seed + 100)
    if suffix == "bin":
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(WIDTH // HEADS // 2)
    write_tensors(folder, {name: each.to(dtype) for name, each in tensors.items()}, shards, suffix)
    name = "Llama" if family == "llama" else "Mistral"
    said = {
        "architectures": [f"Llava{name}ForCausalLM"], "model_type": f"llava_{family}", **TEXT_SETTINGS,
        "vocab_size": rows, **LLAVA_SETTINGS, **own, **settings,
    }  # fmt: skip
    write_json(folder / "config.json", {key: value for key, value in said.items() if value != "absent"})
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2})
    write_tokenizer(folder, legacy=legacy)
    return folder


def write_tensors(folder: Path, tensors: dict[str, Tensor], shards: int, suffix: str) -> None:
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    names = list(tensors)
    of = {}
    for n in range(shards):
        part = {name: tensors[name].contiguous() for name in names[n::shards]}
        file = f"{stem}.{suffix}" if shards == 1 else f"{stem}-{n + 1:05d}-of-{shards:05d}.{suffix}"
        if suffix == "safetensors":
            save_file(part, folder / file, metadata={"format": "pt"})
        else:
            torch.save(part, folder / file)
        of |= dict.fromkeys(part, file)
    if shards > 1:
        index = f"{stem}.{suffix}.index.json"
        write_json(folder / index, {"metadata": {"total_size": 0}, "weight_map": of})


def write_language_model(folder: Path, seed: int = 7) -> Path:
    """The Vicuna that an adapter stands on: a language model alone."""
    folder.mkdir(parents=True)
    write_tensors(folder, drawn(text_shapes(400, HEADS), seed), 2, "bin")
    write_json(folder / "config.json", {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **TEXT_SETTINGS})
    write_tokenizer(folder)
    return folder


def write_lora(folder: Path, base: Path, seed: int = 30, rank: int = 4, **settings: Any) -> Path:
    """The original's LoRA folder, as its training writes it; `base` is what its settings say."""
    folder.mkdir(parents=True)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in text_shapes(400, HEADS).items():
        if name.endswith("_proj.weight"):
            module = f"base_model.model.{name.removesuffix('.weight')}"
            shapes |= {f"{module}.lora_A.weight": (rank, shape[1]), f"{module}.lora_B.weight": (shape[0], rank)}
    torch.save(drawn(shapes, seed), folder / "adapter_model.bin")
    beside = {f"base_model.model.{name}": each for name, each in drawn(PROJECTOR, seed + 1).items()}
    torch.save(beside, folder / "non_lora_trainables.bin")
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 6, "bias": "none", "lora_dropout": 0.05}
    write_json(
        folder / "adapter_config.json", {**said, "base_model_name_or_path": f"somewhere/{base.name}", **settings}
    )
    write_json(
        folder / "config.json",
        {"architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava_llama", **TEXT_SETTINGS, **LLAVA_SETTINGS},
    )
    return folder


@dataclass(frozen=True)
class Checkpoints:
    """Where the made-up checkpoints lie: tests read them and never write."""

    root: Path

    def __getitem__(self, name: str) -> Path:
        return self.root / name


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """llava (two `.bin`), llava-embedded (tuned tower), llava-med, vicuna, llava-lora, and their tower, clip."""
    root = tmp_path_factory.mktemp("checkpoints")
    write_clip(root / "clip")
    write_checkpoint(root / "llava", suffix="bin", shards=2)
    write_checkpoint(root / "llava-embedded", embedded=True, unfreeze_mm_vision_tower=True, seed=8)
    write_checkpoint(root / "llava-med", "mistral", embedded=True, shards=2, legacy=True, seed=9)
    write_lora(root / "llava-lora", write_language_model(root / "vicuna"))
    return Checkpoints(root)


@pytest.fixture(scope="session")
def converted(checkpoints: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A converted checkpoint by the name of its source, made once; tests read it and never write."""
    from chartsight.vlm.command import run_convert

    root = tmp_path_factory.mktemp("converted")

    def made(name: str) -> Path:
        out = root / f"{name}-hf"
        if not out.exists():
            base = checkpoints["vicuna"] if name == "llava-lora" else None
            run_convert(checkpoints[name], out, base=base, terms="synthetic", check=True, quiet=True)
        return out

    return made
