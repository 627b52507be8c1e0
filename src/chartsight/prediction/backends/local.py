"""Answers by this process: on its processor or its GPU, in batches, a film's questions together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.prediction.backends import FilmAsks, Identity, Stored
from chartsight.vlm.checkpoint import fingerprint, load_vlm, model_folder, read_card

if TYPE_CHECKING:
    from chartsight.vlm.answering import Example
    from chartsight.vlm.checkpoint import Vlm

QUESTIONS_A_BATCH = 512  # answers are synced to disk after so many


class LocalBackEnd:
    """A model folder, read when the first question comes that nobody has answered.

    Args:
        model: A shipped name, a model folder or a training run.
        device: cpu, cuda, ...; the GPU when there is one.

    Raises:
        CheckpointError: There is no such model.
    """

    def __init__(self, model: str | Path, device: str | None = None) -> None:
        folder = model_folder(model)
        self.model, self.device = model, device
        self.identity = Identity(fingerprint(folder), read_card(folder))
        self._vlm: Vlm | None = None

    def answer(self, films: Sequence[FilmAsks], examples: Sequence[Example]) -> Iterator[Sequence[Stored]]:
        """See `BackEnd`.

        Raises:
            CheckpointError: The model cannot be loaded exactly.
        """
        from chartsight.vlm.answering import FilmQuestions, answer_films

        for batch in batches(films):
            vlm = self.loaded()
            started = time.perf_counter()
            items = [
                FilmQuestions(each.film, tuple(ask.question for ask in each.asks), tuple(ask.rule for ask in each.asks))
                for each in batch
            ]
            shown = examples if batch[0].film is not None else [replace(each, film=None) for each in examples]
            answers = [answer for each in answer_films(vlm, items, examples=shown) for answer in each]
            latency = round((time.perf_counter() - started) * 1000 / len(answers), 2)
            asks = [ask for each in batch for ask in each.asks]
            yield [
                (
                    ask.key,
                    stored_answer(answer.text, answer.n_tokens, answer.first_token, answer.log_probabilities, latency),
                )
                for ask, answer in zip(asks, answers, strict=True)
            ]

    def loaded(self) -> Vlm:
        """The model, read once."""
        if self._vlm is None:
            import torch

            self._vlm = load_vlm(self.model, self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
            assert Identity.of(self._vlm) == self.identity
        return self._vlm


def stored_answer(
    text: str, n_tokens: int, first: dict[str, float], log_probabilities: dict[str, float], ms: float
) -> dict[str, Any]:
    """An answer as `AnswerStore` keeps it: the same from every back end."""
    stored: dict[str, Any] = {"text": text, "n_tokens": n_tokens, "first": first, "ms": ms}
    return stored | ({"log_probabilities": log_probabilities} if log_probabilities else {})


def batches(films: Sequence[FilmAsks], most: int | None = None) -> Iterator[list[FilmAsks]]:
    """Films with at most `most` questions together (`QUESTIONS_A_BATCH`), all with a film or all without one."""
    most = most or QUESTIONS_A_BATCH
    batch: list[FilmAsks] = []
    size = 0
    for each in films:
        for start in range(0, len(each.asks), most):
            part = replace(each, asks=each.asks[start : start + most])
            mixed = bool(batch) and (batch[0].film is None) != (part.film is None)
            if batch and (mixed or size + len(part.asks) > most):
                yield batch
                batch, size = [], 0
            batch.append(part)
            size += len(part.asks)
    if batch:
        yield batch
