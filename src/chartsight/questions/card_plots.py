"""Figures of a data card as inline SVG that follow the page's light or dark colours. Same numbers, same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chartsight.figures import render_svg
from chartsight.schema import Split

# Stand-in colours that become the page's variables afterwards.
TEXT, SOFT, LINE, ACCENT, WARN = "#010203", "#040506", "#070809", "#0a0001", "#0a0002"
VARIABLES = {TEXT: "--text", SOFT: "--soft", LINE: "--line", ACCENT: "--accent", WARN: "--warn-line"}
WIDTH = 9.2  # inches; the SVG scales, this only sets the size of text against lines
ROW = 0.34  # inches a bar
MOST_BARS = 14


def plot_guessers(priors: Mapping[str, Any]) -> str | None:
    """What each guesser scores on the scored split, in percent; None where nothing is scored."""
    named = [
        ("one answer to everything", priors["overall_majority"]["accuracy"]),
        ("one answer to each template", priors["per_template_majority"]["accuracy"]),
        ("one answer to each template with its slots", priors["per_slots_majority"]["accuracy"]),
        ("reads the question (TF-IDF, logistic regression)", priors["question_only"]["accuracy"]),
    ]
    bars = [(name, 100 * value) for name, value in named if value is not None]
    label = f"of {priors['scored_on']} answered right without looking, %"
    return _bars(bars, label, "What a guesser scores", limit=100) if bars else None


def plot_answers(counts: Sequence[tuple[str, int]]) -> str | None:
    """The commonest answers, as a share of all questions in percent."""
    total = sum(n for _, n in counts)
    bars = [(name if len(name) <= 44 else name[:43] + "…", 100 * n / total) for name, n in counts[:MOST_BARS]]
    return _bars(bars, "share of all questions, %", "The commonest answers") if bars else None


def plot_templates(templates: Sequence[Mapping[str, Any]], scored: Split) -> str | None:
    """Every template: entropy of its answers, its prior on the scored split; a dot's area is its questions there."""
    rows = [row for row in templates if row["accuracy"] is not None and row[scored]]
    if len(rows) < 3:
        return None
    figure, axes = _figure(3.6)
    most = max(row[scored] for row in rows)
    axes.scatter(
        [row["entropy_bits"] for row in rows], [100 * row["accuracy"] for row in rows],
        s=[12 + 160 * row[scored] / most for row in rows], color=ACCENT, alpha=0.55, linewidths=0,
    )  # fmt: skip
    axes.set_ylim(-3, 103)
    axes.set_xlim(left=-0.05)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_xlabel("entropy of a template's answers, bits")
    axes.set_ylabel(f"its commonest answer is right on {scored}, %")
    return render_svg(figure, "Entropy and prior of every template", VARIABLES)


def _bars(bars: Sequence[tuple[str, float]], label: str, title: str, limit: float | None = None) -> str:
    figure, axes = _figure(0.75 + ROW * len(bars))
    places = [-n for n in range(len(bars))]
    axes.barh(places, [value for _, value in bars], height=0.62, color=ACCENT)
    for place, (_, value) in zip(places, bars, strict=True):
        axes.annotate(
            f"{value:.1f}", (value, place), xytext=(5, 0), textcoords="offset points", va="center", color=TEXT
        )
    axes.set_yticks(places, [_plain(name) for name, _ in bars])
    axes.set_xlim(0, limit or max(1.0, 1.12 * max(value for _, value in bars)))
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_xlabel(label)
    return render_svg(figure, title, VARIABLES)


def _plain(name: str) -> str:
    return name.replace("$", r"\$")  # matplotlib takes a pair of them for mathematics


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.tick_params(colors=TEXT, labelsize=10, length=0)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(SOFT)
    return figure, axes
