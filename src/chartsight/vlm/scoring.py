"""Exact probabilities of allowed answers: one forward for all questions of a batch and all answers of each.

    row      . q1 q1 q1 | yes no            behind the film's prefix: the question, then the tree of its answers
    sees     the prefix, its question and, within the tree, the nodes on its own way

The log-probability of an answer is the sum over its tokens, EOS included. Whole answers with their ends exclude each
other, so that these are probabilities as they stand: they are not divided by length, which would make them none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.tries import AnswerTrie

LOGITS_AT_ONCE = 1 << 25  # numbers: 128 MiB in float32


def score_branches(
    vlm: Vlm, cache: Any, suffix: Tensor, attention: Tensor, length: int, tries: Sequence[AnswerTrie]
) -> list[list[float]]:
    """Log-probability of each answer of each row, in the order of its tree.

    Args:
        vlm: As loaded.
        cache: Keys and values of the prefix, one row a question; it is written to.
        suffix: int [B, W], left-padded: what follows the prefix.
        attention: int [B, length + W], 0 where padded.
        length: Of the prefix.
        tries: One a row.
    """
    rows, width = suffix.shape
    most = max(len(trie.tokens) for trie in tries)
    last = attention.sum(1, keepdim=True) - 1  # the position of the last token of each prompt
    pad = vlm.tokenizer.pad_token_id
    nodes = torch.tensor([[*trie.tokens, *[pad] * (most - len(trie.tokens))] for trie in tries], device=suffix.device)
    depths = torch.tensor([[*trie.depths, *[0] * (most - len(trie.depths))] for trie in tries], device=suffix.device)
    ids = torch.cat([suffix, nodes.to(suffix.dtype).view(rows, most)], dim=1)
    own_positions = (attention.cumsum(1) - 1).clamp(min=0)[:, length:]
    positions = torch.cat([own_positions, last + 1 + depths.to(last.dtype).view(rows, most)], dim=1)
    output = vlm.model.model(
        input_ids=ids, attention_mask=_tree_mask(attention, length, width, tries, most, vlm.model.dtype),
        position_ids=positions, past_key_values=cache, use_cache=True,
    )  # fmt: skip
    hidden = output.last_hidden_state[:, width - 1 :]  # the last token of the prompt, then the nodes

    steps = [(row, node + 1, token) for row, trie in enumerate(tries) for path in trie.paths for node, token in path]
    places = sorted({(row, place) for row, place, _ in steps})
    number = {place: n for n, place in enumerate(places)}
    of_row, of_place = (torch.tensor(each, device=hidden.device) for each in zip(*places, strict=True))
    wanted = torch.tensor([number[row, place] for row, place, _ in steps], device=hidden.device)
    tokens = torch.tensor([token for _, _, token in steps], device=hidden.device)
    chunk = max(1, LOGITS_AT_ONCE // vlm.model.lm_head.out_features)
    found = torch.empty(len(steps), dtype=torch.float64, device=hidden.device)
    for start in range(0, len(places), chunk):
        chosen = slice(start, start + chunk)
        logits = vlm.model.lm_head(hidden[of_row[chosen], of_place[chosen]])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        logits[:, vlm.prompts.image_token_id] = -torch.inf  # as in generation
        chances = logits.log_softmax(-1)
        here = (wanted >= start) & (wanted < start + chunk)
        found[here] = chances[wanted[here] - start, tokens[here]].double()
    each = iter(found.tolist())
    return [[sum(next(each) for _ in path) for path in trie.paths] for trie in tries]


def _tree_mask(
    attention: Tensor, length: int, width: int, tries: Sequence[AnswerTrie], most: int, dtype: torch.dtype
) -> Tensor:
    """What each token of question and tree may look at: 0, else the least number; [B, 1, W + N, length + W + N]."""
    rows = len(tries)
    may = torch.zeros(rows, width + most, length + width + most, dtype=torch.bool)
    read = attention.bool().cpu()
    may[:, :, : length + width] = read[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    may[:, :width, length : length + width] &= causal
    for row, trie in enumerate(tries):
        for node in range(len(trie.tokens)):
            may[row, width + node, [length + width + each for each in trie.ancestors(node)]] = True
    mask = torch.zeros(may.shape, dtype=dtype).masked_fill_(~may, torch.finfo(dtype).min)
    return mask[:, None].to(attention.device)
