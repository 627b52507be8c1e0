"""One sentence a model, by a frozen rule: does it guess, read a shortcut, or see the finding?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictKind = Literal["guesses", "reads a shortcut", "sees the finding", "cannot be told"]


@dataclass(frozen=True)
class ModelVerdict:
    """What page one says of a model.

    Args:
        model: Its name.
        kind: By the rule.
        sentence: With the figures that decided.
        reasons: Each check in words, in the order of the rule.
        rule: Version and digest of the rule.
    """

    model: str
    kind: VerdictKind
    sentence: str
    reasons: tuple[str, ...]
    rule: str
