"""A visual model with a store of answers: what was asked once is not asked again, by nobody.

model = StoredModel(VlmModel(...), AnswerStore(path))
model.known(looks)      # [VisualAnswer(...), None, ...], without asking
model.answer(looks)     # asks what the store lacks, and keeps each answer as it comes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Protocol

from chartsight.answers.store import AnswerStore
from chartsight.schema import Look, VisualAnswer

TIMED = 1000  # stored answers whose time stands for the next ones


class AskedModel(Protocol):
    """A model whose raw answers can be kept."""

    fingerprint: str

    def key(self, look: Look) -> str:
        """The identity of the answer to a look, by `answer_key`."""
        ...

    def ask(self, looks: Sequence[Look]) -> Iterator[Mapping[str, Any]]:
        """The raw answer of each look, in order, as it is stored."""
        ...

    def read(self, look: Look, stored: Mapping[str, Any]) -> VisualAnswer:
        """What a raw answer says to a look."""
        ...


class StoredModel:
    """See `schema.VisualModel`; `known` costs nothing.

    Args:
        model: That answers.
        store: Of its answers, and of others'.
    """

    def __init__(self, model: AskedModel, store: AnswerStore) -> None:
        self.model, self.store = model, store
        self.fingerprint = model.fingerprint

    def key(self, look: Look) -> str:
        """Of the answer to a look."""
        return self.model.key(look)

    def known(self, looks: Sequence[Look]) -> list[VisualAnswer | None]:
        """The stored answer of each look, or None."""
        found = [self.store.get(self.model.key(look)) for look in looks]
        return [None if each is None else self.model.read(look, each) for look, each in zip(looks, found, strict=True)]

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        """One answer a look, in order; each is on disk before it is given."""
        keys = [self.model.key(look) for look in looks]
        new = {key: look for key, look in zip(keys, looks, strict=True) if key not in self.store}
        asked = zip(new, self.model.ask(list(new.values())), strict=True)
        for key, look in zip(keys, looks, strict=True):
            while key not in self.store:
                self.store.append([next(asked)])
            yield self.model.read(look, self.store.get(key) or {})

    @property
    def seconds_a_look(self) -> float | None:
        """How long an answer of this model takes, from those that it gave; None before the first."""
        mine = [each["ms"] for each in self.store.last(TIMED) if each.get("model") == self.fingerprint and "ms" in each]
        return median(mine) / 1000 if mine else None
