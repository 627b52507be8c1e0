"""Exact probabilities of allowed answers: one forward for all questions of a batch and all answers of each.

    row      q1 q1 | yes no | q2 q2 q2 | left upper right         behind the film's prefix: each question and its tree

The log-probability of an answer is the sum over its tokens, EOS included. Whole answers with their ends exclude each
other, so that these are probabilities as they stand: they are not divided by length, which would make them none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chartsight.vlm.branches import Branch, Packed, next_logits
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.tries import AnswerTrie

LOGITS_AT_ONCE = 1 << 25  # numbers: 128 MiB in float32


def score_answers(vlm: Vlm, hidden: Tensor, packed: Packed, branches: Sequence[Branch]) -> list[list[float]]:
    """Log-probability of each answer of each branch, in the order of its tree.

    Args:
        vlm: As loaded.
        hidden: Of all tokens, float [R, S, D].
        packed: Where the branches stand.
        branches: Each with a tree.
    """
    tries: list[AnswerTrie] = [branch.trie for branch in branches if branch.trie is not None]
    # A node predicts from its own place, the root (-1) from the place before the first node: the question's end.
    steps = [
        (packed.row[n], packed.start[n] + len(branches[n].ids) + node, token)
        for n, trie in enumerate(tries)
        for path in trie.paths
        for node, token in path
    ]
    places = sorted({(row, place) for row, place, _ in steps})
    number = {place: n for n, place in enumerate(places)}
    of_row, of_place = (torch.tensor(each, device=hidden.device) for each in zip(*places, strict=True))
    wanted = torch.tensor([number[row, place] for row, place, _ in steps], device=hidden.device)
    tokens = torch.tensor([token for _, _, token in steps], device=hidden.device)
    chunk = max(1, LOGITS_AT_ONCE // vlm.model.config.get_text_config().vocab_size)
    found = torch.empty(len(steps), dtype=torch.float64, device=hidden.device)
    for first in range(0, len(places), chunk):
        chosen = slice(first, first + chunk)
        chances = next_logits(vlm, hidden[of_row[chosen], of_place[chosen]]).log_softmax(-1)
        here = (wanted >= first) & (wanted < first + chunk)
        found[here] = chances[wanted[here] - first, tokens[here]].double()
    each = iter(found.tolist())
    return [[sum(next(each) for _ in path) for path in trie.paths] for trie in tries]
