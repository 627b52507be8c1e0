"""Training curves, read from a run's log."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from chartsight.comparison.recipe import ComparedModel
from chartsight.errors import RecipeError


@dataclass(frozen=True)
class Curve:
    """A training run's log: (step, value) of each series that it holds."""

    model: str
    loss: tuple[tuple[float, float], ...]
    valid_loss: tuple[tuple[float, float], ...]
    valid_accuracy: tuple[tuple[float, float], ...]
    seconds: float | None


def read_curve(model: ComparedModel) -> Curve:
    """The training curves of a model, from its run's metrics.jsonl; a last line that a killed run cut off is left out.

    Raises:
        RecipeError: A line before the last is no JSON object.
    """
    assert model.training is not None
    path = Path(model.training) / "metrics.jsonl"
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds: float | None = None
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = float(entry["step"])
        except (ValueError, TypeError, KeyError):
            if number == len(lines):
                break
            raise RecipeError("bad-metrics", f"{path}:{number}", "is no JSON object with a step") from None
        for key in ("loss", "valid_loss", "valid_accuracy"):
            if entry.get(key) is not None:
                series[key].append((step, float(entry[key])))
        seconds = entry.get("seconds", seconds)
    return Curve(
        model=model.name,
        loss=tuple(series["loss"]),
        valid_loss=tuple(series["valid_loss"]),
        valid_accuracy=tuple(series["valid_accuracy"]),
        seconds=seconds,
    )
