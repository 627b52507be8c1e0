"""When a translator is sure enough: a logistic curve over what it saw, and a threshold, fitted on a part kept apart."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Calibration:
    """Chance that the nearest phrasing is the right one, and below which chance a question is refused.

    Args:
        intercept: Of the curve.
        score: Weight of the nearest template's score.
        margin: Weight of its distance to the next one.
        unknown: Weight of the share of words that nobody knows.
        threshold: Refused below it.
    """

    intercept: float
    score: float
    margin: float
    unknown: float
    threshold: float

    def confidence(self, score: float, margin: float, unknown: float) -> float:
        """0 to 1."""
        logit = self.intercept + self.score * score + self.margin * margin + self.unknown * unknown
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


@cache
def read_calibration() -> Calibration:
    """The one that comes with the package; `benchmarks/ask.py --calibrate` fits it."""
    held = json.loads((resources.files("chartsight.translate") / "calibration.json").read_text("utf-8"))
    return Calibration(**{name: held[name] for name in Calibration.__dataclass_fields__})
