"""What stops a figure from being used: leaks, unreadable answers, a model that needs no film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Gate:
    """One gate.

    Args:
        name: patient leak, unparsed, batch flips, question only, yes-bias.
        model: Its name; empty for a gate of the questions.
        level: `red` fails the run (exit code 3), `amber` warns.
        value: What was found; nan where it could not be.
        limit: What is allowed.
        passed: Whether it holds.
    """

    name: str
    model: str
    level: Literal["red", "amber"]
    value: float
    limit: float
    passed: bool
