"""Many questions of one film, answered together: the film and the prompt's beginning are read once.

    prefill    p0 p1 # # # # \\n                    once a film; the keys and values are kept
    branches             . . q1 q1 q1 | a1 ...      all questions in one batch, left-padded between prefix and question
                         q2 q2 q2 q2  | a2 ...

Greedy, token for token what one question at a time gives (tests/vlm/test_answering.py). A question with a rule is
answered by it: scored over its allowed answers (`scoring`), or written in a form that cannot be wrong (`grammars`).
Examples stand in front of every question and are read once for all films.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chartsight.errors import CheckpointError
from chartsight.vlm.any_model import ChatVlm, answer_plainly
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.grammars import Grammar, Rule, Scored, Written, build_grammar
from chartsight.vlm.prompts import Turn
from chartsight.vlm.scoring import score_branches
from chartsight.vlm.tries import build_trie

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FilmQuestions:
    """One film (or none) and everything that is asked of it.

    Args:
        film: What `encode` takes: uint8 [size, size], padded to the model's size, by default. None asks without a film.
        questions: Non-empty.
        rules: How each is answered, in the order of the questions; None, or no rules at all: freely.
    """

    film: Any
    questions: tuple[str, ...]
    rules: tuple[Rule | None, ...] = ()

    @property
    def asked(self) -> list[tuple[str, Rule | None]]:
        """Each question with its rule."""
        return list(zip(self.questions, self.rules or (None,) * len(self.questions), strict=True))


@dataclass(frozen=True)
class Example:
    """A question of another film with its answer, shown before what is asked.

    Args:
        film: As in `FilmQuestions`; None when it is asked without a film.
        question: As it was asked.
        answer: As a model is taught to write it.
    """

    film: Any
    question: str
    answer: str

    @property
    def turn(self) -> Turn:
        """Its place in the prompt."""
        return Turn(self.question, self.answer, 0 if self.film is None else 1)


@dataclass(frozen=True)
class RawAnswer:
    """What the model wrote, or which of the allowed answers it finds likeliest.

    Args:
        text: Through EOS or the token limit.
        n_tokens: Generated tokens, EOS included; of a scored answer its own tokens.
        first_token: Probability of each candidate first word that was asked for, e.g. {"yes": .8, "no": .1}; words
            whose first tokens are the same token are left out, as that token's probability is neither's. Empty when
            scored.
        log_probabilities: Of each allowed answer, its EOS included; empty when written.
    """

    text: str
    n_tokens: int
    first_token: dict[str, float]
    log_probabilities: dict[str, float] = field(default_factory=dict)


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
    examples: Sequence[Example] = (),
) -> Iterator[list[RawAnswer]]:
    """Answers: one list an item, in order.

    Args:
        vlm: As loaded; what is no LLaVA answers a question at a time (`any_model`).
        items: All with a film, or all without one.
        max_new_tokens: Free generation stops there at the latest; what a rule writes ends by itself.
        candidates: Words whose probability as the first token is reported.
        max_branches: Questions decoded at once; films are gathered until they have that many.
        encode: Films of one batch → projected features, float [B, image_tokens, D].
        examples: In front of every question; each with a film when the items have one, else without.

    Raises:
        CheckpointError: With its examples a prompt is longer than the model can read.
    """
    if isinstance(vlm, ChatVlm):
        yield from answer_plainly(vlm, items, max_new_tokens=max_new_tokens, candidates=candidates, examples=examples)
        return
    shown = _ExamplesRead(vlm, examples, encode)
    batch: list[FilmQuestions] = []
    for item in [*items, None]:
        full = item is not None and sum(len(each.questions) for each in batch) + len(item.questions) > max_branches
        if batch and (item is None or full):
            films = [each.film for each in batch if each.film is not None]
            features = encode(vlm, films) if films else None
            yield from _answer_batch(vlm, batch, features, shown, max_new_tokens, candidates)
            batch = []
        if item is not None:
            batch.append(item)


class _ExamplesRead:
    """The beginning that all prompts share because of the examples: its turns, its ids, its keys and values."""

    def __init__(self, vlm: Vlm, examples: Sequence[Example], encode: Callable[[Vlm, Sequence[Any]], Tensor]) -> None:
        self.turns = tuple(example.turn for example in examples)
        self.length = 0
        self._cache: Any = None
        if examples:
            ids = vlm.prompts.turn_ids(self.turns)
            films = [example.film for example in examples if example.film is not None]
            features = encode(vlm, films) if films else None
            _check_length(vlm, len(ids), len(examples))
            self.length = len(ids)
            self._cache = _prefill(vlm, torch.tensor([ids], device=vlm.device), features, None)

    def cache(self, films: int) -> Any:
        """Keys and values, once a film; None without examples."""
        if self._cache is None:
            return None
        kept = copy.deepcopy(self._cache)
        kept.batch_repeat_interleave(films)
        return kept


def _answer_batch(
    vlm: Vlm,
    batch: Sequence[FilmQuestions],
    features: Tensor | None,
    shown: _ExamplesRead,
    max_new_tokens: int,
    candidates: Sequence[str],
) -> Iterator[list[RawAnswer]]:
    n_images = 0 if features is None else 1
    prompts = [
        [vlm.prompts.prompt_ids(question, n_images, shown.turns) for question in each.questions] for each in batch
    ]
    rules = [rule for item in batch for _, rule in item.asked]
    flat = [ids for rows in prompts for ids in rows]
    if shown.turns:
        _check_length(vlm, max(map(len, flat)), len(shown.turns))
    owner = [film for film, rows in enumerate(prompts) for _ in rows]
    # Every prompt begins alike (system sentence, examples, image, newline): one prefix length for the whole batch.
    length = common_prefix_length(flat) if len(flat) > 1 else len(flat[0]) - 1
    prefix = torch.tensor([rows[0][shown.length : length] for rows in prompts], device=vlm.device)
    prefilled = _prefill(vlm, prefix, features, shown.cache(len(batch)))
    scored = {row: rule for row, rule in enumerate(rules) if isinstance(rule, Scored)}
    written = {row: rule for row, rule in enumerate(rules) if not isinstance(rule, Scored)}
    answers: dict[int, RawAnswer] = {}
    for rows_of, cache in (
        (scored, copy.deepcopy(prefilled) if scored and written else prefilled),
        (written, prefilled),
    ):
        if rows_of:
            cache.batch_select_indices(torch.tensor([owner[row] for row in rows_of], device=vlm.device))
            branches = _left_padded(vlm, [flat[row] for row in rows_of], length)
            if rows_of is scored:
                found = _score(vlm, cache, *branches, length, list(scored.values()))
            else:
                found = _write(vlm, cache, *branches, length, list(written.values()), max_new_tokens, candidates)
            answers |= dict(zip(rows_of, found, strict=True))
    start = 0
    for rows in prompts:
        yield [answers[row] for row in range(start, start + len(rows))]
        start += len(rows)


def _prefill(vlm: Vlm, prefix: Tensor, features: Tensor | None, before: Any) -> Any:
    """Keys and values of a prefix, int [B, T], behind those that are there already."""
    kwargs: dict[str, Any] = {}
    if features is not None:
        kwargs["mm_encoder_outputs"] = {"image": _encoded(features)}
    if before is not None:
        kwargs["past_key_values"] = before
    return vlm.model(input_ids=prefix, use_cache=True, logits_to_keep=1, **kwargs).past_key_values


def _left_padded(vlm: Vlm, rows: Sequence[list[int]], length: int) -> tuple[Tensor, Tensor]:
    """What follows the prefix, int [B, W], padded on the left, and its attention, int [B, length + W]."""
    width = max(map(len, rows)) - length
    pad = vlm.tokenizer.pad_token_id
    suffix = torch.tensor([[pad] * (width - len(ids) + length) + ids[length:] for ids in rows], device=vlm.device)
    own = torch.tensor(
        [[0] * (width - len(ids) + length) + [1] * (len(ids) - length) for ids in rows], device=vlm.device
    )
    return suffix, torch.cat([torch.ones(len(rows), length, dtype=own.dtype, device=vlm.device), own], dim=1)


def _score(
    vlm: Vlm, cache: Any, suffix: Tensor, attention: Tensor, length: int, rules: Sequence[Scored]
) -> list[RawAnswer]:
    """The likeliest allowed answer of each branch, the first of those that are equally likely."""
    trees = {rule: build_trie([vlm.prompts.answer_ids(text) for text in rule.answers]) for rule in set(rules)}
    found = score_branches(vlm, cache, suffix, attention, length, [trees[rule] for rule in rules])
    answers = []
    for rule, chances in zip(rules, found, strict=True):
        best = max(range(len(chances)), key=chances.__getitem__)
        n_tokens = len(trees[rule].paths[best])
        answers.append(RawAnswer(rule.answers[best], n_tokens, {}, dict(zip(rule.answers, chances, strict=True))))
    return answers


def _write(
    vlm: Vlm, cache: Any, suffix: Tensor, attention: Tensor, length: int, rules: Sequence[Written | None],
    max_new_tokens: int, candidates: Sequence[str],
) -> list[RawAnswer]:  # fmt: skip
    """What the model writes in each branch, freely or in the form of its rule."""
    built = {rule: build_grammar(vlm.prompts, rule) for rule in set(rules) if rule is not None}
    grammars = [None if rule is None else built[rule] for rule in rules]
    texts, counts, first = _decode(vlm, cache, suffix, attention, length, max_new_tokens, candidates, grammars)
    return [RawAnswer(*each) for each in zip(texts, counts, first, strict=True)]


def _decode(
    vlm: Vlm,
    cache: Any,
    suffix: Tensor,
    attention: Tensor,
    length: int,
    max_new_tokens: int,
    candidates: Sequence[str],
    grammars: Sequence[Grammar | None],
) -> tuple[list[str], list[int], list[dict[str, float]]]:
    """Greedy decoding of all branches from their last prompt token on."""
    positions = (attention.cumsum(1) - 1).clamp(min=0)[:, length:]
    eos = vlm.tokenizer.eos_token_id
    begins = {word: vlm.prompts.answer_ids(word)[0] for word in candidates}
    words = {word: token for word, token in begins.items() if list(begins.values()).count(token) == 1}
    ids = suffix
    written: list[list[int]] = [[] for _ in suffix]
    open_rows = torch.arange(len(suffix), device=suffix.device)  # which answers the rows of the batch belong to
    ways = {row: grammar.next(grammar.start) for row, grammar in enumerate(grammars) if grammar is not None}
    first: list[dict[str, float]] = []
    while True:
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
        if ways:
            _keep_to(logits, open_rows.tolist(), ways)
        token = logits.argmax(-1)
        for row, chosen in zip(open_rows.tolist(), token.tolist(), strict=True):
            if _is_open(written[row], eos, None if row in ways else max_new_tokens):
                written[row].append(chosen)
                if row in ways:
                    grammar = grammars[row]
                    assert grammar is not None
                    ways[row] = grammar.next(ways[row][chosen])
        alive = torch.tensor(
            [_is_open(written[row], eos, None if row in ways else max_new_tokens) for row in open_rows.tolist()],
            device=suffix.device,
        )
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


def _is_open(written: Sequence[int], eos: int, limit: int | None) -> bool:
    return not written or (written[-1] != eos and (limit is None or len(written) < limit))


def _keep_to(logits: Tensor, rows: Sequence[int], ways: Mapping[int, Mapping[int, Any]]) -> None:
    """Nothing but the tokens that may come next, in the rows that have a grammar and have not ended."""
    for place, row in enumerate(rows):
        if allowed := ways.get(row):
            chosen = torch.tensor(sorted(allowed), device=logits.device)
            kept = logits[place, chosen]
            logits[place] = -torch.inf
            logits[place, chosen] = kept


def _check_length(vlm: Vlm, length: int, shots: int) -> None:
    """What follows the prompt is short; what does not fit at all is said before the work."""
    most = int(vlm.model.config.get_text_config().max_position_embeddings)
    if length >= most:
        raise CheckpointError(
            "long-prompt", "shots", f"{shots} examples and a question are {length} tokens", f"fewer than {most}",
            "ask with fewer examples",
        )  # fmt: skip


def _encoded(features: Tensor) -> Any:
    """Projected features as the object that `LlavaModel.forward(mm_encoder_outputs=...)` takes."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    return BaseModelOutputWithPooling(pooler_output=list(features))
