"""Many questions of one film, answered together: the film and the prompt's beginning are read once.

    prefill    p0 p1 # # # # \\n                                  once a film; the keys and values are kept
    branches                     q1 q1 q1 | q2 q2 | q3 q3 q3 q3     its questions side by side in a row (`branches`)
    answers                      a1 a2 a3, then the next token of each that has not ended, ...

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
from chartsight.vlm.branches import Branch, attend, next_logits, pack_branches, read_branches
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.grammars import Grammar, Rule, Scored, Weighed, Written, build_grammar
from chartsight.vlm.prompts import Turn
from chartsight.vlm.scoring import score_answers
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
    # Every prompt begins alike (system sentence, examples, image, newline): one prefix length for the whole batch.
    length = common_prefix_length(flat) if len(flat) > 1 else len(flat[0]) - 1
    prefix = torch.tensor([rows[0][shown.length : length] for rows in prompts], device=vlm.device)
    prefilled = _prefill(vlm, prefix, features, shown.cache(len(batch)))
    films = [film for film, rows in enumerate(prompts) for _ in rows]
    scored = {n: rule for n, rule in enumerate(rules) if isinstance(rule, Scored)}
    written = {n: rule for n, rule in enumerate(rules) if not isinstance(rule, Scored)}
    answers: dict[int, RawAnswer] = {}
    if scored:
        kept = copy.deepcopy(prefilled) if written else prefilled
        behind = [(films[n], flat[n][length:]) for n in scored]
        found = _score(vlm, kept, behind, length, len(batch), list(scored.values()))
        answers |= dict(zip(scored, found, strict=True))
    if written:
        behind = [(films[n], flat[n][length:]) for n in written]
        grammars = _grammars(vlm, list(written.values()))
        limits = [1 if isinstance(rule, Weighed) else max_new_tokens for rule in written.values()]
        found = _write(vlm, prefilled, behind, length, len(batch), grammars, limits, candidates)
        answers |= dict(zip(written, found, strict=True))
    start = 0
    for rows in prompts:
        yield [answers[n] for n in range(start, start + len(rows))]
        start += len(rows)


def _prefill(vlm: Vlm, prefix: Tensor, features: Tensor | None, before: Any) -> Any:
    """Keys and values of a prefix, int [B, T], behind those that are there already."""
    kwargs: dict[str, Any] = {}
    if features is not None:
        kwargs["mm_encoder_outputs"] = {"image": _encoded(features)}
    if before is not None:
        kwargs["past_key_values"] = before
    return vlm.model(input_ids=prefix, use_cache=True, logits_to_keep=1, **kwargs).past_key_values


Behind = Sequence[tuple[int, list[int]]]  # of each question: its film, and what follows the prefix


def _score(vlm: Vlm, cache: Any, behind: Behind, length: int, n_films: int, rules: Sequence[Scored]) -> list[RawAnswer]:
    """The likeliest allowed answer of each question, the first of those that are equally likely."""
    trees = {rule: build_trie([vlm.prompts.answer_ids(text) for text in rule.answers]) for rule in set(rules)}
    branches = [Branch(film, ids, trees[rule]) for (film, ids), rule in zip(behind, rules, strict=True)]
    packed = pack_branches(branches, length, vlm.tokenizer.pad_token_id)
    found = score_answers(vlm, read_branches(vlm, cache, packed, n_films), packed, branches)
    answers = []
    for rule, chances in zip(rules, found, strict=True):
        best = max(range(len(chances)), key=chances.__getitem__)
        n_tokens = len(trees[rule].paths[best])
        answers.append(RawAnswer(rule.answers[best], n_tokens, {}, dict(zip(rule.answers, chances, strict=True))))
    return answers


def _grammars(vlm: Vlm, rules: Sequence[Written | Weighed | None]) -> list[Grammar | None]:
    built = {rule: build_grammar(vlm.prompts, rule) for rule in set(rules) if isinstance(rule, Written)}
    return [built[rule] if isinstance(rule, Written) else None for rule in rules]


def _write(
    vlm: Vlm, cache: Any, behind: Behind, length: int, n_films: int, grammars: Sequence[Grammar | None],
    limits: Sequence[int], candidates: Sequence[str],
) -> list[RawAnswer]:  # fmt: skip
    """What the model writes greedily to each question, freely up to its limit or in the form of its grammar."""
    branches = [Branch(film, ids) for film, ids in behind]
    packed = pack_branches(branches, length, vlm.tokenizer.pad_token_id)
    hidden = read_branches(vlm, cache, packed, n_films)
    ends = [at + len(branch.ids) for at, branch in zip(packed.start, branches, strict=True)]
    rows = torch.tensor(packed.row, device=hidden.device)
    logits = next_logits(vlm, hidden[rows, torch.tensor(ends, device=hidden.device) - 1])
    first = _first_words(vlm, logits, candidates)
    sees = torch.zeros(len(branches), packed.may.shape[-1], dtype=torch.bool)  # by branch, over what its row holds
    sees[:, :length] = True
    for n, (at, end) in enumerate(zip(packed.start, ends, strict=True)):
        sees[n, length + at : length + end] = True
    eos = vlm.tokenizer.eos_token_id
    written: list[list[int]] = [[] for _ in branches]
    ways = {n: grammar.next(grammar.start) for n, grammar in enumerate(grammars) if grammar is not None}
    held = list(range(len(packed.films)))  # the rows that the cache holds
    alive = list(range(len(branches)))
    while True:
        _keep_to(logits, alive, ways)
        for n, token in zip(alive, logits.argmax(-1).tolist(), strict=True):
            written[n].append(token)
            if (grammar := grammars[n]) is not None:
                ways[n] = grammar.next(ways[n][token])
        alive = [
            n for n in alive if written[n][-1] != eos and (n in ways or len(written[n]) < limits[n])
        ]  # what a grammar writes ends by itself
        if not alive:
            break
        # Most answers are two tokens long; the few long ones need not drag the finished along.
        of_row: dict[int, list[int]] = {}
        for n in alive:
            of_row.setdefault(packed.row[n], []).append(n)
        if len(of_row) < len(held):
            cache.batch_select_indices(torch.tensor([held.index(row) for row in of_row], device=vlm.device))
            held = list(of_row)
        slots = max(map(len, of_row.values()))
        ids = torch.full((len(held), slots), vlm.tokenizer.pad_token_id)
        positions = torch.zeros(len(held), slots, dtype=torch.long)
        may = torch.zeros(len(held), slots, sees.shape[1] + slots, dtype=torch.bool)
        may[:, :, :length] = True
        new = torch.zeros(len(branches), slots, dtype=torch.bool)
        places = [(row, slot, n) for row, held_row in enumerate(held) for slot, n in enumerate(of_row[held_row])]
        for row, slot, n in places:
            ids[row, slot] = written[n][-1]
            positions[row, slot] = length + len(branches[n].ids) + len(written[n]) - 1
            new[n, slot] = True
        sees = torch.cat([sees, new], dim=1)
        at_row, at_slot, alive = (list(each) for each in zip(*places, strict=True))
        may[at_row, at_slot] = sees[alive]
        hidden = attend(vlm, cache, ids, positions, may)
        logits = next_logits(vlm, hidden[at_row, at_slot])
    return [
        RawAnswer(vlm.prompts.decode(tokens), len(tokens), chances)
        for tokens, chances in zip(written, first, strict=True)
    ]


def _first_words(vlm: Vlm, logits: Tensor, candidates: Sequence[str]) -> list[dict[str, float]]:
    """Probability of each candidate as the first word, by question."""
    begins = {word: vlm.prompts.answer_ids(word)[0] for word in candidates}
    words = {word: token for word, token in begins.items() if list(begins.values()).count(token) == 1}
    chances = logits.softmax(-1)
    columns = {word: chances[:, token].tolist() for word, token in words.items()}
    return [{word: round(column[n], 6) for word, column in columns.items()} for n in range(len(logits))]


def _keep_to(logits: Tensor, questions: Sequence[int], ways: Mapping[int, Mapping[int, Any]]) -> None:
    """Nothing but the tokens that may come next, for the questions that have a grammar."""
    for place, n in enumerate(questions):
        if allowed := ways.get(n):
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
