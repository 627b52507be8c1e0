"""Many questions of one film, answered together: the film and the prompt's beginning are read once.

    prefill    p0 p1 # # # # \\n                    once a film; the keys and values are kept
    branches             . . q1 q1 q1 | a1 ...      all questions in one batch, left-padded between prefix and question
                         q2 q2 q2 q2  | a2 ...

Greedy, token for token what one question at a time gives (tests/vlm/test_answering.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chartsight.vlm.checkpoint import Vlm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FilmQuestions:
    """One film (or none) and everything that is asked of it.

    Args:
        film: What `encode` takes: uint8 [size, size], padded to the model's size, by default. None asks without a film.
        questions: Non-empty.
    """

    film: Any
    questions: tuple[str, ...]


@dataclass(frozen=True)
class RawAnswer:
    """What the model wrote.

    Args:
        text: Through EOS or the token limit.
        n_tokens: Generated tokens, EOS included.
        first_token: Probability of each candidate first word that was asked for, e.g. {"yes": .8, "no": .1}; words
            whose first tokens are the same token are left out, as that token's probability is neither's.
    """

    text: str
    n_tokens: int
    first_token: dict[str, float]


def common_prefix_length(rows: Sequence[Sequence[int]]) -> int:
    """How many leading ids all rows share, leaving each row at least one of its own."""
    shortest = min(map(len, rows))
    for position in range(shortest - 1):
        if any(left[position] != right[position] for left, right in pairwise(rows)):
            return position
    return shortest - 1


def encode_films(vlm: Vlm, films: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Projected image features, float [B, image_tokens, D], of B padded films uint8 [size, size]."""
    import numpy as np

    pixel_values = vlm.card.preprocessing.pixel_values(np.stack(films)).to(vlm.device, vlm.model.dtype)
    return torch.stack(list(vlm.model.get_image_features(pixel_values).pooler_output))


@torch.inference_mode()
def answer_films(
    vlm: Vlm,
    items: Sequence[FilmQuestions],
    *,
    max_new_tokens: int = 48,
    candidates: Sequence[str] = ("yes", "no"),
    max_branches: int = 128,
    encode: Callable[[Vlm, Sequence[Any]], Tensor] = encode_films,
) -> Iterator[list[RawAnswer]]:
    """Greedy answers: one list an item, in order.

    Args:
        vlm: As loaded.
        items: All with a film, or all without one.
        max_new_tokens: Generation stops there at the latest.
        candidates: Words whose probability as the first token is reported.
        max_branches: Questions decoded at once; films are gathered until they have that many.
        encode: Films of one batch → projected features, float [B, image_tokens, D].
    """
    batch: list[FilmQuestions] = []
    for item in [*items, None]:
        full = item is not None and sum(len(each.questions) for each in batch) + len(item.questions) > max_branches
        if batch and (item is None or full):
            films = [each.film for each in batch if each.film is not None]
            features = encode(vlm, films) if films else None
            yield from _answer_batch(vlm, batch, features, max_new_tokens, candidates)
            batch = []
        if item is not None:
            batch.append(item)


def _answer_batch(
    vlm: Vlm, batch: Sequence[FilmQuestions], features: Tensor | None, max_new_tokens: int, candidates: Sequence[str]
) -> Iterator[list[RawAnswer]]:
    n_images = 0 if features is None else 1
    prompts = [[vlm.prompts.prompt_ids(question, n_images) for question in item.questions] for item in batch]
    flat = [ids for rows in prompts for ids in rows]
    owner = torch.tensor([film for film, rows in enumerate(prompts) for _ in rows])
    # Every prompt begins alike (system sentence, image, newline), so one prefix length serves the whole batch.
    length = common_prefix_length(flat) if len(flat) > 1 else len(flat[0]) - 1
    device = vlm.device
    prefix = torch.tensor([rows[0][:length] for rows in prompts], device=device)
    kwargs: dict[str, Any] = {}
    if features is not None:
        kwargs["mm_encoder_outputs"] = {"image": _encoded(features)}
    cache = vlm.model(input_ids=prefix, use_cache=True, logits_to_keep=1, **kwargs).past_key_values
    cache.batch_select_indices(owner.to(device))

    width = max(map(len, flat)) - length
    pad = vlm.tokenizer.pad_token_id
    suffix = torch.tensor([[pad] * (width - len(ids) + length) + ids[length:] for ids in flat], device=device)
    own = torch.tensor([[0] * (width - len(ids) + length) + [1] * (len(ids) - length) for ids in flat], device=device)
    attention = torch.cat([torch.ones(len(flat), length, dtype=own.dtype, device=device), own], dim=1)
    texts, counts, first = _decode(vlm, cache, suffix, attention, length, max_new_tokens, candidates)
    start = 0
    for rows in prompts:
        end = start + len(rows)
        yield [RawAnswer(texts[i], counts[i], first[i]) for i in range(start, end)]
        start = end


def _decode(
    vlm: Vlm,
    cache: Any,
    suffix: Tensor,
    attention: Tensor,
    length: int,
    max_new_tokens: int,
    candidates: Sequence[str],
) -> tuple[list[str], list[int], list[dict[str, float]]]:
    """Greedy decoding of all branches from their last prompt token on."""
    positions = (attention.cumsum(1) - 1).clamp(min=0)[:, length:]
    eos = vlm.tokenizer.eos_token_id
    begins = {word: vlm.prompts.answer_ids(word)[0] for word in candidates}
    words = {word: token for word, token in begins.items() if list(begins.values()).count(token) == 1}
    ids = suffix
    written: list[list[int]] = [[] for _ in suffix]
    open_rows = torch.arange(len(suffix), device=suffix.device)  # which answers the rows of the batch belong to
    first: list[dict[str, float]] = []
    for _ in range(max_new_tokens):
        output = vlm.model(
            input_ids=ids, attention_mask=attention, position_ids=positions, past_key_values=cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        logits = output.logits[:, -1].float()
        # No text holds the image id; a model that learned beside it may still give it weight.
        logits[:, vlm.prompts.image_token_id] = -torch.inf
        if not first:
            chances = logits.softmax(-1)
            columns = {word: chances[:, token].tolist() for word, token in words.items()}
            first = [{word: round(column[i], 6) for word, column in columns.items()} for i in range(len(suffix))]
        token = logits.argmax(-1)
        for row, chosen in zip(open_rows.tolist(), token.tolist(), strict=True):
            if not written[row] or written[row][-1] != eos:
                written[row].append(chosen)
        alive = torch.tensor([written[row][-1] != eos for row in open_rows.tolist()], device=suffix.device)
        if not alive.any():
            break
        ids, positions = token[:, None], positions[:, -1:] + 1
        attention = torch.cat([attention, torch.ones_like(token[:, None], dtype=attention.dtype)], dim=1)
        if 2 * int(alive.sum()) <= len(alive):
            # Most answers are two tokens long; the few long ones need not drag the finished along.
            kept = alive.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            ids, positions, attention, open_rows = ids[kept], positions[kept], attention[kept], open_rows[kept]
    return [vlm.prompts.decode(row) for row in written], [len(row) for row in written], first


def _encoded(features: Tensor) -> Any:
    """Projected features as the object that `LlavaModel.forward(mm_encoder_outputs=...)` takes."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    return BaseModelOutputWithPooling(pooler_output=list(features))
