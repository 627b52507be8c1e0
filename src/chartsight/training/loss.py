"""The loss of a batch of shared rows: every question weighs the same, whatever its length or its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def question_loss(
    logits: Tensor, targets: Tensor, question_of_target: Tensor, n_questions: int, denominator: float | Tensor
) -> Tensor:
    """Cross entropy: mean over a question's answer tokens, then over questions.

    Args:
        logits: float [N, V], the kept positions in reading order.
        targets: int64 [N].
        question_of_target: int64 [N], 0 to n_questions - 1.
        n_questions: Of this batch.
        denominator: Questions of the whole optimiser step, over accumulation and ranks; `n_questions` without either.

    Returns:
        A scalar; summed over the micro-batches of a step it is that step's mean over questions.
    """
    exact = torch.promote_types(logits.dtype, torch.float32)
    per_token = functional.cross_entropy(logits.to(exact), targets, reduction="none")
    nothing = torch.zeros(n_questions, device=logits.device, dtype=per_token.dtype)
    sums = nothing.index_add(0, question_of_target, per_token)
    counts = nothing.index_add(0, question_of_target, torch.ones_like(per_token))
    return (sums / counts).sum() / denominator
