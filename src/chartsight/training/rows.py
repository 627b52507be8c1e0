"""Rows that share their film: all questions of one film in one row, each blind to the others.

    row        p0 p1 # # # # \\n | q1 q1 a1 a1 | q2 q2 q2 a2 | ...      (# = image feature)
    branch     0                | 1           | 2           |
    position   0 ... P-1        | P P+1 ...   | P P+1 ...   |          every branch restarts at P
    sees       branch 0 and its own branch, causally: mask[i, j] = j <= i and branch[j] in {0, branch[i]}
    kept       the position before each answer token and before its EOS (EOS itself is never an input)

Exactly the loss and gradients of one row a question (tests/training/test_rows.py), at a fraction of the tokens.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chartsight.errors import QuestionError
from chartsight.vlm.answering import common_prefix_length

# Rows are padded to a multiple of this when a processor multiplies in bfloat16: its kernels are kept for every shape
# that they meet. With a width of its own for each batch a run of 80 steps held 3.1 GB, with these 1.8 GB, in the same
# time (2 cores, 2026-11-24).
WIDTH_STEP = 64


@dataclass(frozen=True)
class TokenisedQuestion:
    """One question as ids.

    Args:
        question_id: For errors.
        prompt_ids: BOS through the last token before the answer.
        answer_ids: The answer through EOS; all of it carries loss.
    """

    question_id: str
    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]


@dataclass(frozen=True)
class FilmRow:
    """One film's questions as one row of T tokens.

    Args:
        image_ids: Whose features fill the image positions, in reading order; empty for a row without a film.
        input_ids: [T].
        position_ids: [T]; every branch restarts after the prefix.
        branch: [T]; 0 is the prefix.
        kept: Indices into the row whose next token is an answer token, ascending, [N].
        targets: That next token, [N].
        question_of_target: Which question of this row it belongs to, 0 to K - 1, [N].
        n_questions: K.
    """

    image_ids: tuple[str, ...]
    input_ids: tuple[int, ...]
    position_ids: tuple[int, ...]
    branch: tuple[int, ...]
    kept: tuple[int, ...]
    targets: tuple[int, ...]
    question_of_target: tuple[int, ...]
    n_questions: int


def build_row(image_ids: tuple[str, ...], questions: Sequence[TokenisedQuestion], image_token_id: int) -> FilmRow:
    """One row of all `questions`, which ask about the same films.

    Raises:
        QuestionError: The prompts part ways before the last image token: they are not about the same film.
    """
    prompts = [question.prompt_ids for question in questions]
    length = common_prefix_length(prompts) if len(prompts) > 1 else len(prompts[0]) - 1
    prefix = prompts[0][:length]
    for question in questions:
        if image_token_id in question.prompt_ids[length:]:
            raise QuestionError("image-in-branch", question.question_id, "its film stands after the shared beginning")
    ids, positions, branch = list(prefix), list(range(length)), [0] * length
    kept: list[int] = []
    targets: list[int] = []
    owner: list[int] = []
    for index, question in enumerate(questions):
        own = question.prompt_ids[length:]
        inputs = own + question.answer_ids[:-1]
        first = len(ids) + len(own) - 1
        kept += range(first, first + len(question.answer_ids))
        targets += question.answer_ids
        owner += [index] * len(question.answer_ids)
        ids += inputs
        positions += range(length, length + len(inputs))
        branch += [index + 1] * len(inputs)
    return FilmRow(
        image_ids,
        tuple(ids),
        tuple(positions),
        tuple(branch),
        tuple(kept),
        tuple(targets),
        tuple(owner),
        len(questions),
    )


@dataclass(frozen=True)
class RowBatch:
    """Rows side by side, padded on the right.

    Args:
        image_ids: Of all rows, in reading order; empty when the rows have no film.
        input_ids: int64 [B, T].
        position_ids: int64 [B, T].
        attention_mask: bool [B, 1, T, T] (true = may look), or bool [B, T] when every row has a single branch.
        causal: The first so many tokens look at all before them, in every row: the beginning that all have, and the
            whole row when every row has a single branch (nothing stands behind padding).
        logits_to_keep: bool [B, T], true at N positions.
        targets: int64 [N], in reading order of `logits_to_keep`.
        question_of_target: int64 [N], numbered over the batch.
        n_questions: Over the batch.
    """

    image_ids: tuple[str, ...]
    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    causal: int
    logits_to_keep: Tensor
    targets: Tensor
    question_of_target: Tensor
    n_questions: int

    @property
    def mask_of_branches(self) -> Tensor:
        """bool [B, 1, T - causal, T]: of the other tokens alone, as `training.attention` takes it."""
        if self.attention_mask.dim() == 2:
            return self.attention_mask[:, None, None, :].expand(-1, -1, 0, -1)
        return self.attention_mask[:, :, self.causal :]


def branch_mask(branch: Tensor, is_token: Tensor) -> Tensor:
    """Who may look at whom: bool [B, 1, T, T].

    A token sees the prefix (branch 0) and its own branch, never the future. Padding sees itself only, because a row of
    the softmax without any position is NaN.

        branch  0 0 1 1 2        token 4 (branch 2) sees 0, 1 and itself
        sees    x x . . x

    Args:
        branch: int [B, T].
        is_token: bool [B, T], false at padding.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    own = branch[:, None, :] == branch[:, :, None]
    prefix = (branch == 0)[:, None, :]
    mask = causal & (own | prefix) & is_token[:, None, :]
    return (mask | torch.eye(length, dtype=torch.bool, device=branch.device))[:, None]


def masked_tokens(row: FilmRow) -> int:
    """How many tokens stand behind the beginning that the row's questions share; none when there is one question."""
    return len(row.branch) - bisect_right(row.branch, 0) if row.n_questions > 1 else 0


def padded_width(rows: Sequence[FilmRow], width_step: int = WIDTH_STEP) -> int:
    """Width of a batch of these rows: of the longest, and what is missing to a multiple of `width_step`."""
    return math.ceil(max(len(row.input_ids) for row in rows) / width_step) * width_step


def collate_rows(rows: Sequence[FilmRow], pad_id: int, width_step: int = WIDTH_STEP) -> RowBatch:
    """The rows as one batch, padded to a multiple of `width_step`.

    Raises:
        QuestionError: A row without a single answer token: it would teach nothing and say nothing.
    """
    width = padded_width(rows, width_step)
    shape = (len(rows), width)
    ids = torch.full(shape, pad_id)
    positions, branch = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    is_token, keep = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    targets: list[int] = []
    owner: list[int] = []
    n_questions = 0
    for index, row in enumerate(rows):
        if not row.targets:
            raise QuestionError("nothing-supervised", ", ".join(row.image_ids) or "row", "has no answer token")
        length = len(row.input_ids)
        ids[index, :length] = torch.tensor(row.input_ids)
        positions[index, :length] = torch.tensor(row.position_ids)
        branch[index, :length] = torch.tensor(row.branch)
        is_token[index, :length] = True
        keep[index, list(row.kept)] = True
        targets += row.targets
        owner += [n_questions + question for question in row.question_of_target]
        n_questions += row.n_questions
    # A single branch is ordinary causal attention: the fast kernels need no explicit mask.
    single = all(row.n_questions == 1 for row in rows)
    beginning = min(bisect_right(row.branch, 0) for row in rows)
    return RowBatch(
        image_ids=tuple(image_id for row in rows for image_id in row.image_ids),
        input_ids=ids,
        position_ids=positions,
        attention_mask=is_token if single else branch_mask(branch, is_token),
        causal=width if single else beginning,
        logits_to_keep=keep,
        targets=torch.tensor(targets),
        question_of_target=torch.tensor(owner),
        n_questions=n_questions,
    )
