"""Attention of rows that share their film: the beginning that all questions have needs no mask.

    tokens     p0 p1 # # # # \\n | q1 q1 a1 | q2 q2 a2
    looks at   all before it     | what the mask says
               T - R tokens      | R tokens: mask [B, 1, R, T]

A mask over all pairs has the kernels look at every pair, the future included. The beginning is plainly causal, which is
their fastest way, and only the branches behind it are masked. A row of one question needs no mask at all: padding
stands behind all of it. The same sums, so the same loss and gradients (tests/training/test_attention.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "chartsight_branches"


def attend_branches(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """What each token makes of those that it may look at, [B, T, heads, head size].

    Args:
        module: The attention layer.
        query: [B, heads, T, head size].
        key: [B, key heads, S, head size].
        value: [B, key heads, S, head size].
        attention_mask: [B, 1, R, S] of the last R tokens; those before, T - R of S = T, look at all before them. With
            R = T, or None, this is transformers' own attention.
        **kwargs: As the layer gives them: dropout, scaling and so on.
    """
    causal = 0 if attention_mask is None else query.shape[2] - attention_mask.shape[2]
    if causal == 0:
        whole, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return whole, None
    first, last = query[:, :, :causal], query[:, :, causal:]
    beginning, _ = sdpa_attention_forward(module, first, key[:, :, :causal], value[:, :, :causal], None, **kwargs)
    if last.shape[2] == 0:
        return beginning, None
    branches, _ = sdpa_attention_forward(module, last, key, value, attention_mask, **kwargs)
    return torch.cat([beginning, branches], dim=1), None


def attend_by_branches(model: Any) -> bool:
    """Have a model's language part take masks of the last tokens alone, beside all that it took before.

    Args:
        model: A LLaVA, with or without adapters around it.

    Returns:
        Whether it does: one that was loaded with another attention than transformers' usual one is left as it is.
    """
    text = model.config.text_config
    if text._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, attend_branches)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        text._attn_implementation = NAME
    return bool(text._attn_implementation == NAME)
