"""Files that grow side by side."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self


class OpenFiles:
    """Base of what holds files open: `stack` has all of them, and leaving the block closes them, the last first."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, traceback)
