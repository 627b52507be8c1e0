"""Answers that can be written in the form asked for only: one of some names, or a list of them.

    list     none </s>   |   name (", " name)* </s>       names in their order, none twice
    one      name </s>

A `Grammar` says which tokens may come next. Names are tokenised as a model is taught to write them, once as the first
of a list and once behind a comma; a tokenizer that would write a list otherwise than name by name is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chartsight.errors import CheckpointError
from chartsight.vlm.tokens import PromptTokenizer

SEPARATOR = ", "


@dataclass(frozen=True)
class Scored:
    """The answer is that of `answers` which the model gives the highest probability, exactly.

    Args:
        answers: Distinct, as a model is taught to write them.
    """

    answers: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """The answer is written greedily, in this form only.

    Args:
        names: Distinct, as a model is taught to write them, in the order of a list.
        empty: How an empty list is written; None when one name has to be written.
        many: A list of names; else one name.
    """

    names: tuple[str, ...]
    empty: str | None = None
    many: bool = False


@dataclass(frozen=True)
class Weighed:
    """Nothing is written: only how likely each candidate word is to begin the answer counts."""


Rule = Scored | Written | Weighed


@dataclass(frozen=True)
class Thread:
    """A way to go on: the tokens that are left of it, and the name that they end; None when they end the answer."""

    tokens: tuple[int, ...]
    name: int | None


State = tuple[Thread, ...]  # every way that is still open; none when the answer has ended


class Grammar:
    """Which tokens may come next.

    Args:
        first: Ids of each name at the beginning of an answer.
        later: Ids of each name in a list, with the separator before it; empty for one name.
        end: Ids after the last name, through EOS.
        empty: Ids of the whole empty answer, through EOS; None when it is not allowed.
    """

    def __init__(
        self, first: Sequence[tuple[int, ...]], later: Sequence[tuple[int, ...]], end: tuple[int, ...],
        empty: tuple[int, ...] | None,
    ) -> None:  # fmt: skip
        self._later, self._end = later, Thread(end, None)
        self.start: State = tuple(Thread(ids, name) for name, ids in enumerate(first))
        if empty is not None:
            self.start += (Thread(empty, None),)
        self._next: dict[State, Mapping[int, State]] = {}

    def next(self, state: State) -> Mapping[int, State]:
        """Each token that may come, and what may come after it; empty at the end."""
        if state not in self._next:
            ways: dict[int, State] = {}
            for thread in state:
                token, *rest = thread.tokens
                ways[token] = ways.get(token, ()) + self._after(Thread(tuple(rest), thread.name))
            self._next[state] = ways
        return self._next[state]

    def _after(self, thread: Thread) -> State:
        if thread.tokens:
            return (thread,)
        if thread.name is None:
            return ()
        later = range(thread.name + 1, len(self._later))
        return (self._end, *(Thread(self._later[name], name) for name in later))


def build_grammar(prompts: PromptTokenizer, rule: Written) -> Grammar:
    """The grammar of a rule for a tokenizer.

    Raises:
        CheckpointError: The tokenizer writes a list otherwise than name by name.
    """
    first = [_ids(prompts, name) for name in rule.names]
    whole = [tuple(prompts.answer_ids(name)) for name in rule.names]
    ends = {_rest(ids, name, rule) for ids, name in zip(whole, first, strict=True)}
    later: list[tuple[int, ...]] = []
    if rule.many:
        for behind, name in enumerate(rule.names):
            before = rule.names[(behind + 1) % len(rule.names)]
            both = _ids(prompts, f"{before}{SEPARATOR}{name}")
            later.append(_rest(both, _ids(prompts, before), rule))
        listed = tuple(prompts.answer_ids(SEPARATOR.join(rule.names)))
        joined = (*first[0], *(token for ids in later[1:] for token in ids))
        ends.add(_rest(listed, joined, rule))
    if len(ends) != 1:
        raise _unwritable(rule)
    empty = None if rule.empty is None else tuple(prompts.answer_ids(rule.empty))
    return Grammar(first, later, ends.pop(), empty)


def _ids(prompts: PromptTokenizer, text: str) -> tuple[int, ...]:
    """Of text at the beginning of an answer, with nothing after it."""
    return tuple(prompts.answer_ids(text, ended=False))


def _rest(ids: tuple[int, ...], beginning: tuple[int, ...], rule: Written) -> tuple[int, ...]:
    if ids[: len(beginning)] != beginning:
        raise _unwritable(rule)
    return ids[len(beginning) :]


def _unwritable(rule: Written) -> CheckpointError:
    return CheckpointError(
        "no-grammar", "tokenizer", f"writes lists of {len(rule.names)} names otherwise than name by name",
        "a tokenizer that parts words at commas", "have lists generated freely or decided name by name",
    )  # fmt: skip
