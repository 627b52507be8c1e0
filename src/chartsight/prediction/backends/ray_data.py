"""Answers by many machines: Ray Data hands batches of films to workers, each with the model in its memory.

    RAY_ADDRESS=head:6379 chartsight predict MODEL QUESTIONS OUT --engine ray --workers 16

Films travel with their questions; the model's folder has to be readable under the same path on every machine. Without
a cluster the workers are processes of this machine. Answers come back as they are made, and are kept by this process
alone: a killed run goes on where it was, on as many workers as there are then.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import ChartsightError, CheckpointError
from chartsight.prediction.backends import FilmAsks, Identity, Stored
from chartsight.prediction.backends.local import LocalBackEnd, batches

if TYPE_CHECKING:
    from chartsight.vlm.answering import Example

QUESTIONS_A_TASK = 128  # small enough that the last worker is not waited for long


class RayBackEnd:
    """A model folder on the workers of a Ray cluster.

    Args:
        model: A shipped name, a model folder or a training run.
        device: Of every worker: cpu, cuda, ...; its GPU when it has one.
        workers: How many, each with a processor, or a GPU where `device` says so.

    Raises:
        CheckpointError: There is no such model.
        ChartsightError: Ray is not installed.
    """

    def __init__(self, model: str | Path, device: str | None = None, workers: int = 2) -> None:
        try:
            import ray.data  # noqa: F401
        except ImportError:
            raise ChartsightError(
                "no-ray", "--engine ray", "Ray Data is not installed", "the extra ray", "pip install 'chartsight[ray]'"
            ) from None
        if workers < 1:
            raise ChartsightError("bad-workers", "workers", str(workers), "at least 1")
        self.local = LocalBackEnd(model, device)
        self.identity: Identity = self.local.identity
        self.workers = workers

    def answer(self, films: Sequence[FilmAsks], examples: Sequence[Example]) -> Iterator[Sequence[Stored]]:
        """See `BackEnd`.

        Raises:
            CheckpointError: A worker finds another model under the same path.
        """
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        tasks = [{"asks": pickle.dumps(batch)} for batch in batches(films, QUESTIONS_A_TASK)]
        if not tasks:
            return
        started = not ray.is_initialized()
        if started:
            # Without an address Ray would join whatever cluster once ran on this machine.
            alone: dict[str, Any] = {"address": "local", "num_cpus": self.workers, "include_dashboard": False}
            chosen = {} if "RAY_ADDRESS" in os.environ else alone
            ray.init(log_to_driver=False, logging_level="ERROR", **chosen)
        DataContext.get_current().enable_progress_bars = False
        wants_gpu = (self.local.device or "").startswith("cuda")
        try:
            answered = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
                _Worker,
                fn_constructor_args=(
                    str(Path(self.local.model).resolve() if Path(self.local.model).exists() else self.local.model),
                    self.local.device, self.identity.fingerprint, pickle.dumps(list(examples)),
                ),
                batch_size=1, compute=ActorPoolStrategy(size=min(self.workers, len(tasks))), num_cpus=1,
                num_gpus=1 if wants_gpu else 0,
            )  # fmt: skip
            for row in answered.iter_rows():
                stored = json.loads(row["stored"])
                if isinstance(stored, dict):
                    raise CheckpointError(**stored)
                yield [(key, answer) for key, answer in stored]
        finally:
            if started:
                ray.shutdown()


class _Worker:
    """A model on one worker; what it answers travels as JSON, as it will be stored."""

    def __init__(self, model: str, device: str | None, fingerprint: str, examples: bytes) -> None:
        self.back_end: LocalBackEnd | None = None
        self.examples: list[Example] = pickle.loads(examples)
        self.mistake: dict[str, Any] = {}
        try:
            self.back_end = LocalBackEnd(model, device)
            if (found := self.back_end.identity.fingerprint) != fingerprint:
                raise CheckpointError("other-model", model, f"on a worker has fingerprint {found}", fingerprint)
            self.back_end.loaded()
        except ChartsightError as error:
            self.mistake = error.as_dict()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        if self.back_end is None or self.mistake:
            return {"stored": [json.dumps(self.mistake)] * len(batch["asks"])}
        told = []
        for asks in batch["asks"]:
            try:
                found = [each for part in self.back_end.answer(pickle.loads(asks), self.examples) for each in part]
                told.append(json.dumps(found))
            except ChartsightError as error:
                told.append(json.dumps(error.as_dict()))
        return {"stored": told}
