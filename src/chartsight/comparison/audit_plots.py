"""The audits' figures as inline SVG, in the colours of the page: what fine-tuning bought, what a model does without the
film or with another one, for whom it works, whether its chances mean what they say.

Every function takes findings of `chartsight.audit` and how the models are called and coloured (`Shown`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chartsight.audit import AuditReport, ModelAudit
from chartsight.audit.decomposition import Decomposition
from chartsight.audit.quadrants import QUADRANTS
from chartsight.audit.subgroups import SubgroupGaps
from chartsight.comparison.plots import (
    INK,
    LINE,
    MUTED,
    ROLE_SERIES,
    WIDTH,
    item_link,
    new_axes,
    plot_interval,
    render,
    style_axes,
)
from chartsight.comparison.recipe import Role
from chartsight.evaluation import Interval

QUADRANT_COLOURS = {"ideal": "#0b0001", "fragile": "#0b0002", "dangerous": "#0b0003", "worst": "#0b0004"}
QUADRANT_VARIABLES = {colour: f"--{name}" for name, colour in QUADRANT_COLOURS.items()}
CONTROL_MARKERS = {"twin": "s", "no film": "x", "words": "+"}


@dataclass(frozen=True)
class Shown:
    """How a model stands on the page: its name in links, its title, its role's colour."""

    name: str
    title: str
    role: Role


def plot_decomposition(decompositions: Sequence[Decomposition], models: Sequence[Shown]) -> str:
    """The gain of every fine-tuned model, cut in two ways that each add up to it."""
    title = {model.name: model.title for model in models}
    rows: list[tuple[str, Any, str, bool]] = []
    for each in decompositions:
        colour = ROLE_SERIES[_role(models, each.tuned)][0]
        rows += [
            (f"{title[each.tuned]} − {title[each.base]}", each.gain, colour, True),
            ("   text part", each.text_part, INK, False),
            ("+ image part", each.image_part, colour, True),
            ("   where the prior is right", each.aligned_term, INK, False),
            ("+ where it is wrong", each.opposed_term, colour, True),
        ]
    figure, axes = new_axes(0.9 + 0.32 * len(rows))
    for row, (_, interval, colour, is_filled) in enumerate(rows):
        if row % 5 == 0:
            axes.axhspan(-row - 0.5, -row + 0.5, color=LINE, alpha=0.5, linewidth=0)
        if not math.isnan(interval.estimate):
            axes.barh(-row, 100 * interval.estimate, height=0.5, color=colour, alpha=0.28, linewidth=0)
        plot_interval(axes, interval, -row, colour, "o", filled=is_filled, size=5)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks([-row for row in range(len(rows))], [label for label, *_ in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel("points of accuracy   (each pair adds up to the gain above it)")
    return render(figure, "What fine-tuning bought", QUADRANT_VARIABLES)


def plot_controls(audits: Sequence[ModelAudit], models: Sequence[Shown]) -> str:
    """Accuracy with the film against every way of answering without it; the gap to the best is the image part."""
    figure, axes = new_axes(1.0 + 0.42 * len(audits))
    for row, audit in enumerate(audits):
        colour, marker = ROLE_SERIES[_role(models, audit.name)]
        best = max((each.accuracy.estimate for each in audit.question_only.controls), default=math.nan)
        if not math.isnan(best):
            axes.plot([100 * best, 100 * audit.accuracy.estimate], [-row, -row], color=colour, alpha=0.3, linewidth=7)
        plot_interval(axes, audit.accuracy, -row, colour, marker, filled=True)
        for place, control in enumerate(audit.question_only.controls, 1):
            mark = CONTROL_MARKERS[control.kind]
            plot_interval(axes, control.accuracy, -row - 0.13 * place, INK, mark, filled=False, size=7)
    _name_rows(axes, audits, models)
    axes.set_xlabel("accuracy, %   (filled: with the film · □ text-only twin · × the same weights, no film · + words)")
    return render(figure, "With the film and without it", QUADRANT_VARIABLES)


def plot_quadrants(audits: Sequence[ModelAudit], models: Sequence[Shown]) -> str:
    """Shares of the four quadrants, with the accuracy in each."""
    having = [audit for audit in audits if audit.quadrants is not None]
    figure, axes = new_axes(1.1 + 0.42 * len(having))
    for row, audit in enumerate(having):
        assert audit.quadrants is not None
        left = 0.0
        for share in audit.quadrants.shares:
            width = 0.0 if math.isnan(share.share.estimate) else 100 * share.share.estimate
            axes.barh(
                -row, width, left=left, height=0.62, color=QUADRANT_COLOURS[share.quadrant], linewidth=0,
                label=share.quadrant if row == 0 else None,
            )  # fmt: skip
            if width > 8 and not math.isnan(share.accuracy.estimate):
                note = f"{width:.0f}% · {100 * share.accuracy.estimate:.0f}% right"
                text = note if width > 17 else f"{width:.0f}%"
                axes.text(
                    left + width / 2, -row, text, ha="center", va="center", fontsize=8.5, color="#0b0009",
                    url=item_link(f"{audit.name}.quadrant={share.quadrant}"),
                )  # fmt: skip
            left += width
    _name_rows(axes, having, models)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the questions")
    axes.legend(
        frameon=False, labelcolor=INK, fontsize=9, ncols=len(QUADRANTS), loc="lower center", bbox_to_anchor=(0.5, 1.0)
    )
    return render(figure, "Four quadrants", {**QUADRANT_VARIABLES, "#0b0009": "--on-quadrant"})


def plot_swap(audits: Sequence[ModelAudit], models: Sequence[Shown]) -> str:
    """What a model does with a film whose right answer is another one: follow it, stick, be right with both."""
    having = [(audit, swap) for audit in audits if audit.swap is not None and (swap := audit.swap.group("all"))]
    parts = ("follow", "stick", "grounding", "stability")
    figure, axes = new_axes(0.9 + 0.26 * len(parts) * len(having))
    labels = []
    for row, (audit, swap) in enumerate(having):
        colour, marker = ROLE_SERIES[_role(models, audit.name)]
        matched = audit.swap.group("matched") if audit.swap is not None else None
        for place, part in enumerate(parts):
            y = -(row * (len(parts) + 0.6) + place)
            plot_interval(axes, getattr(swap, part), y, colour, marker, filled=part != "stick", size=6)
            if matched is not None and part != "stability":
                plot_interval(axes, getattr(matched, part), y - 0.3, colour, marker, filled=False, size=5)
            labels.append((y, f"{_title(models, audit.name)}: {part}" if place == 0 else part, audit.name, part))
    axes.axvline(25, color=INK, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.set_yticks([y for y, *_ in labels], [text for _, text, *_ in labels])
    for tick, (_, _, name, part) in zip(axes.get_yticklabels(), labels, strict=True):
        wanted = {"follow": "follow", "stick": "stick", "grounding": "follow", "stability": "alike"}[part]
        tick.set_url(item_link(f"{name}.swap={wanted}" + (f"&{name}.full=right" if part == "grounding" else "")))
    axes.set_xlim(-2, 102)
    axes.set_xlabel("% of swapped questions   (hollow: same confounders · dotted: a coin's grounding)")
    return render(figure, "Another film with a known answer", QUADRANT_VARIABLES)


def plot_reliability(audits: Sequence[ModelAudit], models: Sequence[Shown]) -> str:
    """Chance of yes against how often yes is right, in tenths of the questions."""
    figure, axes = _square()
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for audit in audits:
        bins = audit.calibration.bins
        if not bins:
            continue
        colour, marker = ROLE_SERIES[_role(models, audit.name)]
        x = [100 * each.chance for each in bins]
        for place, each in zip(x, bins, strict=True):
            axes.plot([place, place], [100 * each.yes.low, 100 * each.yes.high], color=colour, linewidth=1, alpha=0.7)
        axes.plot(
            x, [100 * each.yes.estimate for each in bins], color=colour, marker=marker, markersize=5, linewidth=1.5,
            label=_title(models, audit.name),
        )  # fmt: skip
    axes.set_xlabel("chance of yes, %")
    axes.set_ylabel("yes is right, %")
    figure.legend(frameon=False, labelcolor=INK, fontsize=9, loc="outside lower center", ncols=2)
    return render(figure, "Reliability diagram", QUADRANT_VARIABLES)


def plot_risk_coverage(audits: Sequence[ModelAudit], models: Sequence[Shown]) -> str:
    """Share wrong among the surest questions, from few to all."""
    figure, axes = _square()
    for audit in audits:
        curve = audit.selective.curve
        if not curve:
            continue
        colour, _ = ROLE_SERIES[_role(models, audit.name)]
        axes.plot(
            [100 * point.coverage for point in curve], [100 * point.risk for point in curve], color=colour,
            linewidth=1.8, label=_title(models, audit.name),
        )  # fmt: skip
    axes.axvline(80, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 100)
    axes.set_xlabel("answered, the surest first, %")
    axes.set_ylabel("wrong among them, %")
    figure.legend(frameon=False, labelcolor=INK, fontsize=9, loc="outside lower center", ncols=2)
    return render(figure, "Risk and coverage", QUADRANT_VARIABLES)


def plot_subgroups(audit: ModelAudit, model: Shown, features: Sequence[SubgroupGaps]) -> str:
    """Accuracy of one model by group: raw, and at one mix of questions."""
    rows: list[tuple[str, str, Interval | None, Interval | None, int]] = []
    for feature in features:
        rows += [(feature.feature, each.value, each.raw, each.standardised, each.n) for each in feature.groups]
    figure, axes = new_axes(0.9 + 0.3 * len(rows))
    colour, marker = ROLE_SERIES[model.role]
    before = ""
    for row, (name, _, raw, standardised, _) in enumerate(rows):
        if name != before and row:
            axes.axhline(-row + 0.5, color=LINE, linewidth=1)
        before = name
        if raw is None:
            axes.text(0.01, -row, "too few to show", transform=axes.get_yaxis_transform(), va="center", fontsize=8.5,
                      color=MUTED)  # fmt: skip
            continue
        plot_interval(axes, raw, -row + 0.14, colour, marker, filled=True, size=6)
        if standardised is not None:
            plot_interval(axes, standardised, -row - 0.16, colour, marker, filled=False, size=6)
    axes.axvline(100 * audit.accuracy.estimate, color=INK, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.set_yticks(
        [-row for row in range(len(rows))], [f"{name}: {value}  (n={n:,})" for name, value, _, _, n in rows]
    )
    for tick, (name, value, *_) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_url(item_link(f"{name}={value}"))
    axes.set_ylim(-len(rows) + 0.5, 0.5)
    axes.set_xlabel("accuracy, %   (filled: raw · hollow: at the same mix of questions · dotted: over all)")
    return render(figure, f"Subgroups of {model.title}", QUADRANT_VARIABLES)


def plots_of(report: AuditReport, models: Sequence[Shown], subject: str) -> dict[str, str]:
    """All figures that these findings allow, by name."""
    audits = report.models
    shown = next(model for model in models if model.name == subject)
    audit = report.model(subject)
    features = [each for each in audit.subgroups if any(group.raw is not None for group in each.groups)]
    figures = {"controls": plot_controls(audits, models)}
    if report.decompositions:
        figures["decomposition"] = plot_decomposition(report.decompositions, models)
    if any(each.quadrants is not None for each in audits):
        figures["quadrants"] = plot_quadrants(audits, models)
    if any(each.swap is not None and each.swap.group("all") for each in audits):
        figures["swap"] = plot_swap(audits, models)
    if any(each.calibration.bins for each in audits):
        figures["reliability"] = plot_reliability(audits, models)
    if any(each.selective.curve for each in audits):
        figures["risk"] = plot_risk_coverage(audits, models)
    if features:
        figures["subgroups"] = plot_subgroups(audit, shown, features)
    return figures


def _square() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH * 0.5, WIDTH * 0.48), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    axes.grid(color=LINE, linewidth=0.8)
    return figure, axes


def _name_rows(axes: Any, audits: Sequence[ModelAudit], models: Sequence[Shown]) -> None:
    axes.set_yticks([-row for row in range(len(audits))], [_title(models, audit.name) for audit in audits])
    axes.set_ylim(-len(audits) + 0.4, 0.6)


def _role(models: Sequence[Shown], name: str) -> Role:
    return next(model.role for model in models if model.name == name)


def _title(models: Sequence[Shown], name: str) -> str:
    return next(model.title for model in models if model.name == name)
