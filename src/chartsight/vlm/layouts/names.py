"""Names of tensors: the original LLaVA's, CLIP's, three of Hugging Face's, and the one that converted folders use.

    original                                                hub
    lm_head.weight                                          language_model.lm_head.weight
    model.embed_tokens, model.layers.N, model.norm          language_model.model. + the rest
    model.mm_projector.0, .2                                multi_modal_projector.linear_1, .linear_2
    model.vision_tower.vision_tower.vision_model.X          vision_tower.vision_model.X

The hub's names are those of the published llava-hf models, which every release of transformers, and vLLM, reads.
transformers 5 calls the same tensors otherwise in memory, and writes them in a third way.
"""

from __future__ import annotations

import re

from chartsight.errors import CheckpointError

# Buffers that older releases stored, and CLIP's other half.
_DROPPED = re.compile(r"(.*\.)?(rotary_emb\.inv_freq|embeddings\.position_ids)")
_CLIP_TEXT = re.compile(r"text_model\..*|(text|visual)_projection\..*|logit_scale")
_LANGUAGE = re.compile(r"model\.((embed_tokens|layers\.\d+|norm)\..*)")
_PROJECTOR = re.compile(r"model\.mm_projector\.([02])\.(weight|bias)")
_TOWER = "model.vision_tower.vision_tower.vision_model."
_CLIP_PARTS = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")

TEXT = "language_model.model."
HEAD = "language_model.lm_head.weight"
EMBEDDING = f"{TEXT}embed_tokens.weight"
TOWER = "vision_tower.vision_model."
PROJECTOR = "multi_modal_projector.linear_"
VOCABULARY = frozenset({HEAD, EMBEDDING})  # one row a token
_LINEAR = {"0": "1", "2": "2"}


def from_original(key: str) -> str | None:
    """The hub's name of an original tensor; None for a buffer that is computed anew.

    Raises:
        KeyError: It is none of LLaVA's.
    """
    if _DROPPED.fullmatch(key):
        return None
    if key == "lm_head.weight":
        return HEAD
    if found := _LANGUAGE.fullmatch(key):
        return TEXT + found[1]
    if found := _PROJECTOR.fullmatch(key):
        return f"{PROJECTOR}{_LINEAR[found[1]]}.{found[2]}"
    if key.startswith(_TOWER):
        return TOWER + key.removeprefix(_TOWER)
    raise KeyError(key)


def to_original(name: str) -> str:
    """The original's name of a tensor with the hub's.

    Raises:
        KeyError: It is none of the hub's.
    """
    if name == HEAD:
        return "lm_head.weight"
    if name.startswith(TEXT):
        return "model." + name.removeprefix(TEXT)
    if name.startswith(PROJECTOR):
        number, _, kind = name.removeprefix(PROJECTOR).partition(".")
        return f"model.mm_projector.{'0' if number == '1' else '2'}.{kind}"
    if name.startswith(TOWER):
        return _TOWER + name.removeprefix(TOWER)
    raise KeyError(name)


def from_clip(key: str) -> str | None:
    """The hub's name of a tensor of a CLIP folder; None for its text half and for buffers.

    Raises:
        KeyError: It is none of CLIP's.
    """
    if _DROPPED.fullmatch(key) or _CLIP_TEXT.fullmatch(key):
        return None
    inner = key.removeprefix("vision_model.")
    if inner.startswith(_CLIP_PARTS):
        return TOWER + inner
    raise KeyError(key)


def from_hugging_face(key: str) -> str | None:
    """The hub's name of a tensor under any of Hugging Face's three namings; None for a buffer.

    Raises:
        KeyError: It is none of them.
    """
    if _DROPPED.fullmatch(key):
        return None
    inner = key.removeprefix("model.")
    if inner in {"lm_head.weight", "language_model.lm_head.weight"}:
        return HEAD
    if found := re.fullmatch(r"language_model\.(model\.)?((embed_tokens|layers\.\d+|norm)\..*)", inner):
        return TEXT + found[2]
    if re.fullmatch(r"multi_modal_projector\.linear_[12]\.(weight|bias)", inner):
        return inner
    if inner.startswith("vision_tower."):
        part = inner.removeprefix("vision_tower.").removeprefix("vision_model.")
        if part.startswith(_CLIP_PARTS):
            return TOWER + part
    raise KeyError(key)


def in_memory(name: str) -> str:
    """What transformers 5 calls a tensor with the hub's name."""
    if name == HEAD:
        return "lm_head.weight"
    if name.startswith(TEXT):
        return "model.language_model." + name.removeprefix(TEXT)
    if name.startswith(TOWER):
        return "model.vision_tower." + name.removeprefix(TOWER)
    return "model." + name


def unknown_tensors(where: object, keys: list[str], expected: str) -> CheckpointError:
    """The line for tensors that no map knows."""
    from chartsight.vlm.weights import listed

    return CheckpointError("unknown-tensors", where, f"holds {listed(keys)}", expected)
