"""What a checkpoint in the original layout computes, written out: the other side of `convert --check`.

It reads the original's own names and settings and shares nothing with the conversion (no map of names, no model class),
so that a mistake of the one is not a mistake of the other. One layer is in memory at a time; float32.
Against the original's own code it differs by at most 2e-5 (`make parity`).

Source: haotian-liu/LLaVA c121f04 (`encode_images`, `prepare_inputs_labels_for_multimodal`); LLaMA, Mistral and CLIP of
transformers 4.37.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from chartsight.errors import CheckpointError

if TYPE_CHECKING:
    from chartsight.vlm.layouts.lora import OriginalLora
    from chartsight.vlm.weights import Weights

IMAGE = -200  # how the original writes one image
_EMBEDDED = "model.vision_tower.vision_tower.vision_model."
_CLIP = "vision_model."


@dataclass(frozen=True)
class OriginalReading:
    """A checkpoint as the original's code reads it.

    Args:
        settings: Its `config.json`.
        weights: Its tensors, by its own names; the base's when there is an adapter.
        tower: Tensors of the vision tower that is used, as they are called where they are.
        vision: Settings of that tower.
        rows: Of the vocabulary that are used.
        lora: An adapter, applied beside the weights and not folded into them.
    """

    settings: Mapping[str, Any]
    weights: Weights
    tower: Weights
    vision: Mapping[str, Any]
    rows: int
    lora: OriginalLora | None = None

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], pixel_values: Tensor | None) -> Tensor:
        """float32 [length, rows]: -200 in `ids` is an image, and becomes as many positions as it has features.

        Args:
            ids: One sequence.
            pixel_values: float32 [images, 3, size, size], in reading order; None without an image.
        """
        table = self._read("model.embed_tokens.weight")
        features = [] if pixel_values is None else list(self._project(self._see(pixel_values)))
        parts = []
        for token in ids:
            parts.append(features.pop(0) if token == IMAGE else table[token][None])
        hidden = self._language(torch.cat(parts))
        head = "model.embed_tokens.weight" if self.settings.get("tie_word_embeddings") else "lm_head.weight"
        return self._linear(self._rms(hidden, "model.norm.weight"), head)[:, : self.rows]

    def _read(self, name: str) -> Tensor:
        beside = self.lora.beside if self.lora is not None else {}
        return (beside[name] if name in beside else self.weights[name]).read().float()

    def _linear(self, hidden: Tensor, name: str) -> Tensor:
        result = hidden @ self._read(name).T
        if self.lora is not None and name in self.lora.pairs:
            a, b = (each.read().float() for each in self.lora.pairs[name])
            result = result + self.lora.scale * ((hidden @ a.T) @ b.T)
        return result

    def _rms(self, hidden: Tensor, name: str) -> Tensor:
        scaled = hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.settings["rms_norm_eps"])
        return scaled * self._read(name)

    # ---------------------------------------------------------------------------------------------- the language model

    def _language(self, hidden: Tensor) -> Tensor:
        cos, sin = self._rotations(len(hidden))
        window = self.settings.get("sliding_window")
        place = torch.arange(len(hidden))
        ahead = place[:, None] - place[None, :]
        unseen = (ahead < 0) | ((ahead >= window) if window else torch.zeros_like(ahead, dtype=torch.bool))
        for n in range(self.settings["num_hidden_layers"]):
            layer = f"model.layers.{n}."
            hidden = hidden + self._attend(self._rms(hidden, f"{layer}input_layernorm.weight"), layer, cos, sin, unseen)
            inner = self._rms(hidden, f"{layer}post_attention_layernorm.weight")
            gate = functional.silu(self._linear(inner, f"{layer}mlp.gate_proj.weight"))
            raised = gate * self._linear(inner, f"{layer}mlp.up_proj.weight")
            hidden = hidden + self._linear(raised, f"{layer}mlp.down_proj.weight")
        return hidden

    def _rotations(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine, float32 [length, head_dim]."""
        scaling = self.settings.get("rope_scaling") or {}
        kind = scaling.get("type", scaling.get("rope_type", "default"))
        if kind not in {"default", "linear"}:
            raise CheckpointError("no-check", "rope_scaling", f"is of type {kind}", "default or linear, for --check")
        size = self._head_dim()
        theta = float(self.settings.get("rope_theta", 10000.0))
        slow = 1.0 / theta ** (torch.arange(0, size, 2).float() / size)
        place = torch.arange(length).float() / float(scaling.get("factor", 1.0))
        angles = torch.outer(place, slow).repeat(1, 2)
        return angles.cos(), angles.sin()

    def _head_dim(self) -> int:
        return int(
            self.settings.get("head_dim") or self.settings["hidden_size"] // self.settings["num_attention_heads"]
        )

    def _attend(self, hidden: Tensor, layer: str, cos: Tensor, sin: Tensor, unseen: Tensor) -> Tensor:
        size, length = self._head_dim(), len(hidden)

        def heads(letter: str) -> Tensor:
            projected = self._linear(hidden, f"{layer}self_attn.{letter}_proj.weight")
            return projected.view(length, -1, size).transpose(0, 1)

        def turned(each: Tensor) -> Tensor:
            left, right = each.chunk(2, dim=-1)
            return each * cos + torch.cat([-right, left], dim=-1) * sin

        query, key, value = turned(heads("q")), turned(heads("k")), heads("v")
        groups = query.shape[0] // key.shape[0]  # a key serves so many queries
        key, value = key.repeat_interleave(groups, 0), value.repeat_interleave(groups, 0)
        scores = (query @ key.transpose(1, 2) / size**0.5).masked_fill(unseen, -torch.inf)
        seen = (scores.softmax(-1) @ value).transpose(0, 1).reshape(length, -1)
        return self._linear(seen, f"{layer}self_attn.o_proj.weight")

    # --------------------------------------------------------------------------------------------- tower and projector

    def _project(self, features: Tensor) -> Tensor:
        hidden = features @ self._read("model.mm_projector.0.weight").T + self._read("model.mm_projector.0.bias")
        hidden = functional.gelu(hidden)
        return hidden @ self._read("model.mm_projector.2.weight").T + self._read("model.mm_projector.2.bias")

    def _part(self, name: str) -> Tensor:
        for key in (_EMBEDDED + name, _CLIP + name, name):
            if key in self.tower:
                return self.tower[key].read().float()
        raise CheckpointError("other-weights", "vision tower", f"lacks {name}", "a CLIP")

    def _affine(self, hidden: Tensor, name: str) -> Tensor:
        return hidden @ self._part(f"{name}.weight").T + self._part(f"{name}.bias")

    def _norm(self, hidden: Tensor, name: str) -> Tensor:
        weight, bias = self._part(f"{name}.weight"), self._part(f"{name}.bias")
        return functional.layer_norm(hidden, weight.shape, weight, bias, self.vision.get("layer_norm_eps", 1e-5))

    def _see(self, pixel_values: Tensor) -> Tensor:
        """Features of the chosen layer, float32 [images, features, width]."""
        kernel = self._part("embeddings.patch_embedding.weight")
        patches = functional.conv2d(pixel_values, kernel, stride=self.vision["patch_size"]).flatten(2).transpose(1, 2)
        first = self._part("embeddings.class_embedding").expand(len(patches), 1, -1)
        hidden = torch.cat([first, patches], dim=1) + self._part("embeddings.position_embedding.weight")
        hidden = self._norm(hidden, "pre_layrnorm")
        last = self.settings["mm_vision_select_layer"]
        for n in range(last if last >= 0 else self.vision["num_hidden_layers"] + 1 + last):
            layer = f"encoder.layers.{n}."
            hidden = hidden + self._look(self._norm(hidden, f"{layer}layer_norm1"), f"{layer}self_attn.")
            raised = self._affine(self._norm(hidden, f"{layer}layer_norm2"), f"{layer}mlp.fc1")
            hidden = hidden + self._affine(self._bend(raised), f"{layer}mlp.fc2")
        return hidden if self.settings.get("mm_vision_select_feature", "patch") == "cls_patch" else hidden[:, 1:]

    def _bend(self, hidden: Tensor) -> Tensor:
        kind = self.vision.get("hidden_act", "quick_gelu")
        if kind not in {"quick_gelu", "gelu"}:
            raise CheckpointError(
                "no-check", "vision tower", f"hidden_act is {kind}", "quick_gelu or gelu, for --check"
            )
        return hidden * torch.sigmoid(1.702 * hidden) if kind == "quick_gelu" else functional.gelu(hidden)

    def _look(self, hidden: Tensor, layer: str) -> Tensor:
        images, length, width = hidden.shape
        size = width // int(self.vision["num_attention_heads"])

        def heads(letter: str) -> Tensor:
            return self._affine(hidden, f"{layer}{letter}_proj").view(images, length, -1, size).transpose(1, 2)

        scores = heads("q") @ heads("k").transpose(2, 3) / size**0.5
        seen = (scores.softmax(-1) @ heads("v")).transpose(1, 2).reshape(images, length, width)
        return self._affine(seen, f"{layer}out_proj")
