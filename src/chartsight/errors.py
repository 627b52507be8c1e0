"""One error for everything a user can cause: what was found, what was expected, where, and what to do.

The command line prints it as one line and exits with 2; a traceback is a bug. Values of patients (names, results, free
text) never stand in a message; identifiers of rows and files may.
"""

from __future__ import annotations

from typing import Any


class ChartsightError(Exception):
    """A mistake that the caller can mend.

    Args:
        code: Stable, kebab-case, for programs: ``missing-file``.
        where: File, table, column, key or argument.
        found: What stands there, without patient values.
        expected: What should stand there; empty when `found` says it all.
        hint: What to do next; empty when it is obvious.
    """

    exit_code = 2

    def __init__(self, code: str, where: object, found: str, expected: str = "", hint: str = "") -> None:
        self.code = code
        self.where = str(where)
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        line = f"{self.where}: {self.found}"
        if self.expected:
            line += f"; expected {self.expected}"
        if self.hint:
            line += f" ({self.hint})"
        return " ".join(line.split())

    def __reduce__(self) -> tuple[Any, ...]:
        """So that an error is the same in the process that hears of it."""
        return error_from, (type(self), self.__dict__.copy())

    def as_dict(self) -> dict[str, Any]:
        """The five facts, for ``--json``."""
        return {
            "code": self.code,
            "where": self.where,
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint,
        }


def error_from(kind: type[ChartsightError], facts: dict[str, Any]) -> ChartsightError:
    """An error of these facts, as another process found it."""
    error = kind.__new__(kind)
    error.__dict__.update(facts)
    Exception.__init__(error, str(error))
    return error


class OutputError(ChartsightError):
    """An output that cannot be written: it exists, its folder does not, or the disk is full."""


class RecordError(ChartsightError):
    """Source tables or a record that cannot be read."""


class FilmError(ChartsightError):
    """A film (any image) that cannot be read."""


class QuestionError(ChartsightError):
    """Questions that cannot be built, read or split."""


class QueryError(ChartsightError):
    """A query that cannot be run, or does more than read.

    Args:
        code: As of every error.
        where: `query` of most; `at` says better where.
        found: What stands there, without patient values.
        expected: What should stand there.
        hint: A suggestion, such as the nearest known name.
        line: Of the query, from 1; None when the error is about the whole query or its run.
        column: Of that line, from 1.
        fragment: The words of the query that are meant.
    """

    def __init__(
        self, code: str, where: object, found: str, expected: str = "", hint: str = "", *, line: int | None = None,
        column: int | None = None, fragment: str = "",
    ) -> None:  # fmt: skip
        self.line, self.column, self.fragment = line, column, fragment
        place = "" if line is None else f", line {line}" + ("" if column is None else f", column {column}")
        super().__init__(code, f"{where}{place}", found, expected, hint)

    @property
    def suggestion(self) -> str:
        """What the query may have meant; the hint under its other name."""
        return self.hint

    def as_dict(self) -> dict[str, Any]:
        """The five facts, and the place in the query."""
        return {**super().as_dict(), "line": self.line, "column": self.column, "fragment": self.fragment}


class RecipeError(ChartsightError):
    """A recipe with an unknown key, a wrong type or an impossible value."""


class CheckpointError(ChartsightError):
    """A model folder that cannot be loaded exactly."""


class ReviewError(ChartsightError):
    """A comparison that cannot be given to reviewers, or ratings that cannot be read."""


class GateError(ChartsightError):
    """A check that stops the run although nobody mistyped: leakage, parity, an image that is not looked at."""

    exit_code = 3
