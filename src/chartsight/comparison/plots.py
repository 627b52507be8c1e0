"""Figures as inline SVG that follow the page's light or dark colours.

Matplotlib draws with stand-in colours; afterwards each becomes a CSS variable of the page (`--ink`, `--series-0`, ...).
Text stays text. Same numbers, same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from chartsight.comparison.analysis import Analysis
from chartsight.comparison.curves import Curve
from chartsight.comparison.groups import GroupResult
from chartsight.comparison.recipe import Role
from chartsight.comparison.wording import film_words
from chartsight.figures import render_svg

INK, MUTED, LINE = "#010203", "#040506", "#070809"
# Okabe and Ito's colours keep apart for colour-blind readers; a marker of its own says the same without colour.
ROLE_SERIES: dict[Role, tuple[str, str]] = {
    "tuned": ("#0a0001", "o"),
    "twin": ("#0a0002", "s"),
    "baseline": ("#0a0003", "D"),
    "medical": ("#0a0004", "^"),
    "other": ("#0a0005", "v"),
}
CSS_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line"} | {
    colour: f"--{role}" for role, (colour, _) in ROLE_SERIES.items()
}
WIDTH = 9.2  # inches; the SVG scales, this only sets the size of text against lines
ROW = 0.30  # inches a line of a forest plot
SMOOTHED_POINTS = 200


def plot_overview(analysis: Analysis) -> str:
    """Accuracy of every model with the right, a shuffled and a blank film, against the template prior."""
    figure, axes = new_axes(1.05 + 0.46 * len(analysis.models))
    for row, result in enumerate(analysis.models):
        colour, marker = ROLE_SERIES[result.model.role]
        y = -row
        plot_interval(axes, result.accuracy, y, colour, marker, filled=True)
        for under, offset, mark in (
            (result.under("shuffled"), -0.2, marker),
            (result.under("blank"), -0.36, "x"),
        ):
            if under is not None:
                plot_interval(axes, under.accuracy, y + offset, colour, mark, filled=False)
    _prior_line(axes, analysis)
    axes.set_yticks([-row for row in range(len(analysis.models))], [result.model.title for result in analysis.models])
    axes.set_ylim(-len(analysis.models) + 0.35, 0.5)
    axes.set_xlabel("accuracy, %   (filled: the film · hollow: another patient's film · ×: blank film · dotted: prior)")
    return render(figure, "Accuracy of each model under each condition")


def plot_differences(analysis: Analysis) -> str:
    """Paired differences of the fine-tuned model, in points, against a line at 0."""
    rows = [
        (f"{_title(analysis, each.first)} − {_title(analysis, each.second)}", each.interval, each.second)
        for each in analysis.differences
    ]
    subject = analysis.with_role("tuned")
    if subject is not None:
        rows += [
            (f"{subject.model.title}: its film − {film_words(under.condition)}", under.drop, subject.model.name)
            for under in subject.conditions
        ]
    figure, axes = new_axes(1.0 + 0.36 * len(rows))
    for row, (_, interval, name) in enumerate(rows):
        colour, marker = ROLE_SERIES[next(each.model.role for each in analysis.models if each.model.name == name)]
        plot_interval(axes, interval, -row, colour, marker, filled=interval.excludes_zero)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks([-row for row in range(len(rows))], [label for label, _, _ in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel("difference in accuracy, points   (filled: the interval excludes 0)")
    return render(figure, "Paired differences in accuracy")


def plot_groups(analysis: Analysis, groups: Sequence[GroupResult]) -> str:
    """Accuracy of every model in each group of questions; a bar marks the group's prior."""
    models = analysis.models
    height = ROW * max(1.0, 0.45 * len(models))
    figure, axes = new_axes(0.9 + height * len(groups))
    spread = 0.62 / max(1, len(models) - 1)
    for row, group in enumerate(groups):
        if row % 2:
            axes.axhspan(-row - 0.5, -row + 0.5, color=LINE, alpha=0.35, linewidth=0)
        for place, result in enumerate(models):
            colour, marker = ROLE_SERIES[result.model.role]
            y = -row + 0.31 - place * spread if len(models) > 1 else -row
            plot_interval(axes, group.accuracy[result.model.name], y, colour, marker, filled=True, size=4)
        if not math.isnan(group.prior):
            axes.plot(
                [100 * group.prior] * 2, [-row - 0.4, -row + 0.4], color=INK, linewidth=1.6, linestyle=(0, (1, 1))
            )
    axes.set_yticks([-row for row in range(len(groups))], [f"{group.name}  (n={group.n:,})" for group in groups])
    keys = {"template": "template", "answer type": "type", "kind": "kind"}
    for tick, group in zip(axes.get_yticklabels(), groups, strict=True):
        tick.set_url(item_link(f"{keys[group.section]}={quote_plus(group.name)}"))
    axes.set_ylim(-len(groups) + 0.5, 0.5)
    axes.set_xlabel("accuracy, %   (dotted: the template's majority answer in training)")
    return render(figure, "Accuracy by group of questions")


def plot_curves(analysis: Analysis, curves: Sequence[Curve]) -> str:
    """Training and validation loss, and validation accuracy where the log has it."""
    from matplotlib.figure import Figure

    has_accuracy = any(curve.valid_accuracy for curve in curves)
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    panels = figure.subplots(1, 2 if has_accuracy else 1, squeeze=False)[0]
    for curve in curves:
        result = next(each for each in analysis.models if each.model.name == curve.model)
        colour, marker = ROLE_SERIES[result.model.role]
        if curve.loss:
            steps, values = zip(*_smoothed(curve.loss), strict=True)
            panels[0].plot(
                steps, values, color=colour, linewidth=1.1, alpha=0.65, label=f"{result.model.title}, training"
            )
        if curve.valid_loss:
            steps, values = zip(*curve.valid_loss, strict=True)
            panels[0].plot(
                steps, values, color=colour, linewidth=1.8, marker=marker, markersize=4,
                label=f"{result.model.title}, validation",
            )  # fmt: skip
        if curve.valid_accuracy:
            steps, values = zip(*curve.valid_accuracy, strict=True)
            panels[1].plot(
                steps, [100 * value for value in values], color=colour, linewidth=1.8, marker=marker, markersize=4,
                label=result.model.title,
            )  # fmt: skip
    for panel, name in zip(panels, ("loss", "validation accuracy, %"), strict=False):
        style_axes(panel)
        panel.set_xlabel("step")
        panel.set_ylabel(name)
        if panel.lines:
            panel.legend(frameon=False, labelcolor=INK, fontsize=9)
    return render(figure, "Training curves")


def _title(analysis: Analysis, name: str) -> str:
    return next(result.model.title for result in analysis.models if result.model.name == name)


def _smoothed(series: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `SMOOTHED_POINTS` points: means of neighbours."""
    width = -(-len(series) // SMOOTHED_POINTS)
    chunks = [series[start : start + width] for start in range(0, len(series), width)]
    return [(chunk[-1][0], sum(value for _, value in chunk) / len(chunk)) for chunk in chunks]


def item_link(query: str) -> str:
    """The address of a figure's part that leads to its items; `render` makes it one within the page."""
    return f"items?{query}"


def render(figure: Any, label: str, more: Mapping[str, str] | None = None) -> str:
    """The figure as an element of the page; `more` are further stand-in colours."""
    svg = render_svg(figure, label, {**CSS_VARIABLES, **(more or {})})
    return re.sub(r'xlink:href="items\?([^"]*)"(?: target="_blank")?', r'href="#items?\1"', svg)


def new_axes(height: float) -> tuple[Any, Any]:
    """A figure as wide as the page and so many inches high, with its axes in percent or points."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    return figure, axes


def style_axes(axes: Any) -> None:
    """Axes in the page's colours, with a line at the bottom only."""
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, labelsize=10, length=0)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(MUTED)


def plot_interval(
    axes: Any, interval: Any, y: float, colour: str, marker: str, *, filled: bool, size: float = 7
) -> None:
    """A point with its interval at height `y`, in percent; nothing where there is no number."""
    if math.isnan(interval.estimate):
        return
    if not math.isnan(interval.low):
        axes.plot([100 * interval.low, 100 * interval.high], [y, y], color=colour, linewidth=1.8 if filled else 1.1)
    axes.plot(
        [100 * interval.estimate], [y], color=colour, marker=marker, markersize=size if filled else size - 1.5,
        markerfacecolor=colour if filled else "none", markeredgecolor=colour, linestyle="none",
    )  # fmt: skip


def _prior_line(axes: Any, analysis: Analysis) -> None:
    if analysis.prior_accuracy is not None:
        axes.axvline(100 * analysis.prior_accuracy.estimate, color=INK, linewidth=1.4, linestyle=(0, (1, 2)))
