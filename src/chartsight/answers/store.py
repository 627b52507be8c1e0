"""Answers as JSON lines, one a key, appended and synced as they come: a killed run loses at most its last batch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from chartsight.runs import disk_full, is_disk_full


def answer_key(
    *,
    image_digests: Sequence[str],
    preprocessing_digest: str,
    prompt: str,
    model_fingerprint: str,
    decoding: str,
    dtype: str,
    back_end: str,
) -> str:
    """The identity of an answer: everything that can move it, nothing that cannot. 64 hex digits.

    The digests of the images stand in it, not their names: a blank film under a real name is another key.
    """
    parts = [list(image_digests), preprocessing_digest, prompt, model_fingerprint, decoding, dtype, back_end]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


class AnswerStore:
    """A file of answers by key.

    Args:
        path: A JSONL file; made when the first answer comes. A last line that was cut off by a kill is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self._read()

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: object) -> bool:
        return key in self._answers

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The stored answer, or None."""
        return self._answers.get(key)

    def last(self, n: int) -> list[Mapping[str, Any]]:
        """The latest answers, at most `n`."""
        return list(islice(reversed(self._answers.values()), n))

    def append(self, answers: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep answers for good: on disk when this returns. A key that is known already is left as it is."""
        new = {key: dict(answer) for key, answer in answers if key not in self._answers}
        if not new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                for key, answer in new.items():
                    file.write(json.dumps({"key": key, **answer}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if is_disk_full(error):  # what was kept so far stays, and is not asked again
                raise disk_full(self.path) from error
            raise
        self._answers.update(new)

    def _read(self) -> None:
        whole = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                answer = json.loads(line)
                self._answers[answer.pop("key")] = answer
        if whole < self.path.stat().st_size:
            with self.path.open("r+b") as file:
                file.truncate(whole)
