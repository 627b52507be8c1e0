"""Questions of a film side by side in one row behind it: the film's keys and values stand there once for all of them.

    kept       p0 p1 # # # # \\n                                  a film's prefix: length L
    row                         q1 q1 | q2 q2 q2 | q3 q3 a a      each question a branch, with the tree of its answers
    position   0 ...        L-1 L ...   L ...      L ...          every branch goes on where the prefix ended
    sees                        the prefix and its own branch; in a tree the nodes on its own way

So do training rows (`training.rows`). A film whose questions take more tokens than its prefix has several rows: what
branches do not see of each other is computed all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.tries import AnswerTrie


@dataclass(frozen=True)
class Branch:
    """One question behind its film's prefix.

    Args:
        film: Whose prefix, its number in the batch.
        ids: What follows the prefix, through the last token before the answer; not empty.
        trie: Of its allowed answers; None when it is written.
    """

    film: int
    ids: Sequence[int]
    trie: AnswerTrie | None = None

    @property
    def n_tokens(self) -> int:
        """Of the question and of its tree."""
        return len(self.ids) + (len(self.trie.tokens) if self.trie else 0)


@dataclass(frozen=True)
class Packed:
    """Branches in rows.

    Args:
        films: Of each row.
        row: Of each branch.
        start: Where each branch begins in its row.
        ids: int [R, S], padded on the right.
        positions: int [R, S].
        may: bool [R, S, L + S]: what each token may look at.
    """

    films: tuple[int, ...]
    row: tuple[int, ...]
    start: tuple[int, ...]
    ids: Tensor
    positions: Tensor
    may: Tensor


def pack_branches(branches: Sequence[Branch], length: int, pad: int) -> Packed:
    """Branches in rows of at most `length` tokens each, or of one branch; those of a film stand together, in order.

    Args:
        branches: Sorted by film.
        length: Of the prefix.
        pad: Id that fills the rows up.
    """
    films: list[int] = []
    taken: list[int] = []
    row, start = [], []
    for branch in branches:
        if not films or films[-1] != branch.film or taken[-1] + branch.n_tokens > length:
            films.append(branch.film)
            taken.append(0)
        row.append(len(films) - 1)
        start.append(taken[-1])
        taken[-1] += branch.n_tokens
    width = max(taken)
    ids = torch.full((len(films), width), pad)
    positions = torch.zeros(len(films), width, dtype=torch.long)
    may = torch.zeros(len(films), width, length + width, dtype=torch.bool)
    may[:, :, :length] = True
    for branch, at, first in zip(branches, row, start, strict=True):
        n, end = len(branch.ids), first + branch.n_tokens
        tokens, depths = list(branch.ids), list(range(n))
        own = torch.zeros(branch.n_tokens, branch.n_tokens, dtype=torch.bool)
        own[:n, :n] = torch.ones(n, n, dtype=torch.bool).tril()
        if branch.trie is not None and branch.trie.tokens:
            tokens += branch.trie.tokens
            depths += [n + depth for depth in branch.trie.depths]
            own[n:, :n] = True
            own[n:, n:] = torch.tensor(branch.trie.ways)
        ids[at, first:end] = torch.tensor(tokens)
        positions[at, first:end] = length + torch.tensor(depths)
        may[at, first:end, length + first : length + end] = own
    return Packed(tuple(films), tuple(row), tuple(start), ids, positions, may)


def read_branches(vlm: Vlm, cache: Any, packed: Packed, n_films: int) -> Tensor:
    """What the language model makes of each token, float [R, S, D]; `cache` then holds one row each of `packed`.

    Args:
        vlm: As loaded.
        cache: Keys and values of the prefix, one row a film.
        packed: All branches.
        n_films: Rows of the cache.
    """
    if packed.films != tuple(range(n_films)):
        cache.batch_select_indices(torch.tensor(packed.films, device=vlm.device))
    return attend(vlm, cache, packed.ids, packed.positions, packed.may)


def attend(vlm: Vlm, cache: Any, ids: Tensor, positions: Tensor, may: Tensor) -> Tensor:
    """Hidden states, float [R, S, D], of tokens that look at what they may, behind what the cache holds."""
    mask = torch.zeros(may.shape, dtype=vlm.model.dtype).masked_fill_(~may, torch.finfo(vlm.model.dtype).min)
    output = _llava(vlm).model(
        input_ids=ids.to(vlm.device), attention_mask=mask[:, None].to(vlm.device),
        position_ids=positions.to(vlm.device), past_key_values=cache, use_cache=True,
    )  # fmt: skip
    hidden: Tensor = output.last_hidden_state
    return hidden


def next_logits(vlm: Vlm, hidden: Tensor) -> Tensor:
    """Logits of the next token, float32 or wider [N, V], from hidden states [N, D]; what no text is is ruled out."""
    logits: Tensor = _llava(vlm).lm_head(hidden)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    # No text holds these ids; a model that learned beside them may still give them weight.
    logits[:, vlm.silent_ids] = -torch.inf
    return logits


def _llava(vlm: Vlm) -> Any:
    """The model itself: while it is trained, adapters stand around it, and in it."""
    return vlm.model.get_base_model() if hasattr(vlm.model, "get_base_model") else vlm.model
