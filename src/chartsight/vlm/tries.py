"""Closed answers as a tree of tokens: what they begin with alike is read once.

    left lung </s>         (last token of the prompt) ─┬─ left ─┬─ lung
    left clavicle </s>                                 │        └─ clavicle
    none </s>                                          └─ none

A node is a token that is read; the EOS of an answer is only looked for, in what its last node predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ROOT = -1  # the last token of the prompt


@dataclass(frozen=True)
class AnswerTrie:
    """A tree of answers.

    Args:
        tokens: Of each node; parents stand before their children.
        parents: The node before each, or `ROOT`.
        depths: Of each node: 0 for the first token of an answer.
        paths: For each answer, in the order given, its tokens: (node that predicts it, token), the last one is EOS.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]

    @cached_property
    def ways(self) -> NDArray[np.bool_]:
        """bool [N, N]: which nodes stand on the way to each, itself among them."""
        ways = np.eye(len(self.tokens), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent != ROOT:
                ways[node] |= ways[parent]
        return ways


def build_trie(answers: Sequence[Sequence[int]]) -> AnswerTrie:
    """The tree of answers, each as ids through EOS (`PromptTokenizer.answer_ids`)."""
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    child: dict[tuple[int, int], int] = {}
    paths = []
    for ids in answers:
        node, path = ROOT, []
        for depth, token in enumerate(ids):
            path.append((node, token))
            if depth == len(ids) - 1:
                break
            if (node, token) not in child:
                child[node, token] = len(tokens)
                tokens.append(token)
                parents.append(node)
                depths.append(depth)
            node = child[node, token]
        paths.append(tuple(path))
    return AnswerTrie(tuple(tokens), tuple(parents), tuple(depths), tuple(paths))
