"""Learning curves for the starters' card: `python -m chartsight.starters.curves runs/starters curves.svg`.

    RUN/LESSON/metrics.jsonl   a tower's epochs (loss, valid_auroc), or steps (loss) and validations (valid_*)

A panel a lesson, in the order of their numbers: the loss of train and valid, and what counts on the valid split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from chartsight.errors import ChartsightError
from chartsight.exits import run_alone

Points = tuple[tuple[float, float], ...]
LOSS, VALID_LOSS = "loss", "valid loss"
COLOURS = {LOSS: "0.65", VALID_LOSS: "0.2"}
RIGHT_COLOUR = "tab:blue"


@dataclass(frozen=True)
class Curves:
    """What one lesson's log says.

    Args:
        lesson: Name of its folder.
        unit: `epoch` or `step`.
        losses: Name → (unit, loss).
        measure: What counts on the valid split, in words.
        measured: (unit, measure), between 0 and 1.
    """

    lesson: str
    unit: str
    losses: Mapping[str, Points]
    measure: str
    measured: Points


def read_curves(path: Path) -> Curves:
    """The curves of a lesson's metrics.jsonl.

    Raises:
        ChartsightError: A line is no JSON object, or neither an epoch nor a step.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            rows.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ChartsightError("bad-log", f"{path}:{number}", "is no JSON object", "a line a measurement") from error
    unit = next((name for name in ("epoch", "step") if rows and all(name in row for row in rows)), None)
    if unit is None:
        raise ChartsightError("bad-log", path, "has lines without `epoch` or `step`", "a log of training")

    def points(key: str) -> Points:
        return tuple((float(row[unit]), float(row[key])) for row in rows if key in row)

    losses = {name: found for name, key in ((LOSS, "loss"), (VALID_LOSS, "valid_loss")) if (found := points(key))}
    measure, key = ("AUROC", "valid_auroc") if unit == "epoch" else ("accuracy", "valid_accuracy")
    return Curves(path.parent.name, unit, losses, measure, points(key))


def read_lessons(work: Path) -> list[Curves]:
    """The curves of every lesson in a folder of lessons that left a log.

    Raises:
        ChartsightError: There is none.
    """
    logs = sorted(work.glob("*/metrics.jsonl"), key=lambda path: int("0" + path.parent.name.partition("-")[0]))
    if not logs:
        raise ChartsightError("no-logs", work, "holds no lesson with a metrics.jsonl", "the folder of `make starters`")
    return [read_curves(path) for path in logs]


def draw(lessons: Sequence[Curves], path: Path) -> None:
    """A panel a lesson, as SVG."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(3.6 * len(lessons), 3.1), layout="constrained")
    for nth, curves in enumerate(lessons):
        left = figure.add_subplot(1, len(lessons), nth + 1)
        for name, points in curves.losses.items():
            left.plot(*zip(*points, strict=True), color=COLOURS[name], linewidth=1, label=name)
        left.set(title=curves.lesson, xlabel=curves.unit, yscale="log")
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        left.yaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if nth == 0:
            left.set_ylabel("loss (log scale)")
        right = left.twinx()
        if curves.measured:  # a lesson that is still learning may not have been looked at yet
            right.plot(*zip(*curves.measured, strict=True), color=RIGHT_COLOUR, marker="o", markersize=3)
        right.set_ylabel(f"{curves.measure}, valid", color=RIGHT_COLOUR)
        right.set_ylim(0.5, 1.0)
        if nth == len(lessons) - 1:
            left.legend(fontsize=7, loc="upper center")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chartsight"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def curves(
    work: Annotated[Path, typer.Argument(help="Folder of the lessons, as `make starters` leaves it.")],
    out: Annotated[Path, typer.Argument(help="SVG; replaced.")],
) -> None:
    """Draw the lessons' learning curves."""
    draw(read_lessons(work), out)


if __name__ == "__main__":
    run_alone(curves)
