"""What an audit costs before it is run: tokens that a model must read and write, as multiples of one plain pass.

A film's prefix (prompt up to the question, image tokens included) is read once for everything that is asked of it under
any condition; each distinct ask is one branch behind it. What was asked before, or is asked under two conditions alike,
costs nothing again. Tokens are counted, not seconds: a token read is cheaper than one written, but every pass has both
in about the same proportion. Examples are read once for all films and not counted; of scored answers the right one
alone is.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chartsight.prediction.conditions import DECODING, Asked
from chartsight.questions.answer_text import render_answer
from chartsight.schema import Condition, FilmChange
from chartsight.vlm.grammars import Weighed

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

MOST_ANSWER_TOKENS = int(DECODING.partition("/")[2])


@dataclass(frozen=True)
class ConditionCost:
    """What one condition adds to those before it.

    Args:
        condition: Which.
        questions: That have a variant under it.
        films: Shown for the first time.
        film_tokens: To read of these.
        branches: Asks that were not made before.
        branch_tokens: To read behind the film, and to write.
    """

    condition: Condition
    questions: int
    films: int
    film_tokens: int
    branches: int
    branch_tokens: int

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.film_tokens + self.branch_tokens


@dataclass(frozen=True)
class CostEstimate:
    """The cost of one model under several conditions in one pass.

    Args:
        conditions: In the order in which they are counted, `full` first.
        plain_tokens: Of the plain pass alone: every question once, of its own film.
    """

    conditions: tuple[ConditionCost, ...]
    plain_tokens: int

    @property
    def tokens(self) -> int:
        """Of everything together."""
        return sum(each.tokens for each in self.conditions)

    @property
    def passes(self) -> float:
        """Of everything together, as multiples of the plain pass; nan when that asks nothing."""
        return self.passes_of(self.tokens)

    def passes_of(self, tokens: int) -> float:
        """Tokens as multiples of the plain pass."""
        return tokens / self.plain_tokens if self.plain_tokens else float("nan")

    def lines(self) -> list[str]:
        """In words, one condition a line and the sum."""
        told = [
            f"{each.condition}: {each.questions:,} questions, {each.films:,} more films to read, "
            f"{each.branches:,} more asks: {self.passes_of(each.tokens):.2f} plain passes"
            for each in self.conditions
        ]
        return [*told, f"all: {self.tokens:,} tokens, {self.passes:.2f} plain passes"]


def estimate_cost(
    vlm: Vlm, asked: Mapping[Condition, Sequence[Asked]], plain: Sequence[Asked], known: Container[str] = ()
) -> CostEstimate:
    """Counted with the model's own tokenizer; of answers, the tokens of the right ones stand for those to come.

    Args:
        vlm: Who is asked.
        asked: By condition; what two have in common is counted with the first, `full` before all others.
        plain: The questions as they are put under `full`.
        known: Keys of answers that are there already.
    """
    counter = _Counter(vlm, known)
    order = sorted(asked, key=lambda condition: condition != "full")
    counted = tuple(counter.add(condition, asked[condition]) for condition in order)
    return CostEstimate(counted, _Counter(vlm, ()).add("full", plain).tokens)


class _Counter:
    def __init__(self, vlm: Vlm, known: Container[str]) -> None:
        self.vlm, self.known = vlm, known
        self.seen_films: set[tuple[tuple[str, ...], FilmChange | None]] = set()
        self.seen_keys: set[str] = set()
        self._lengths: dict[tuple[str, int], int] = {}
        self._prefixes = {n: self._prefix(n) for n in (0, 1)}

    def add(self, condition: Condition, asked: Sequence[Asked]) -> ConditionCost:
        films = film_tokens = branches = branch_tokens = 0
        for ask in asked:
            n_images = len(ask.films)
            answer = self._answer(ask)
            for text, key in ask.put:
                if key in self.seen_keys or key in self.known:
                    continue
                self.seen_keys.add(key)
                if n_images and ask.shown not in self.seen_films:
                    self.seen_films.add(ask.shown)
                    films += 1
                    film_tokens += self._prefixes[n_images]
                branches += 1
                read = self._length(text, n_images) - (self._prefixes[n_images] if n_images else 0)
                branch_tokens += read + answer
        return ConditionCost(condition, len(asked), films, film_tokens, branches, branch_tokens)

    def _prefix(self, n_images: int) -> int:
        """Tokens before the question begins: what all prompts share."""
        one, other = (self.vlm.prompts.prompt_ids(text, n_images) for text in ("a", "z"))
        return next(n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)

    def _length(self, text: str, n_images: int) -> int:
        if (text, n_images) not in self._lengths:
            self._lengths[text, n_images] = len(self.vlm.prompts.prompt_ids(text, n_images))
        return self._lengths[text, n_images]

    def _answer(self, ask: Asked) -> int:
        if ask.parts:
            return 0 if isinstance(ask.rule, Weighed) else self._written("yes")
        return self._written(render_answer(ask.question.answer, ask.question.answer_type))

    def _written(self, answer: str) -> int:
        if (answer, -1) not in self._lengths:
            self._lengths[answer, -1] = min(len(self.vlm.prompts.answer_ids(answer)), MOST_ANSWER_TOKENS)
        return self._lengths[answer, -1]
