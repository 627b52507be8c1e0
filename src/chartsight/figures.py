"""Figures that were measured: on the terminal, as JSON, as SVG, and in a section of a page that programs rewrite.

<!-- first-light -->
whatever stood here is replaced; everything outside the two markers stays
<!-- /first-light -->
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chartsight.errors import ChartsightError
from chartsight.runs import machine, new_output, package_versions

VERSIONS_SHOWN = ("python", "torch", "transformers", "duckdb", "numpy")  # those that move a figure


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        what: In words.
        value: In `unit`.
        unit: films/s, rows/s, MB.
        note: How it was measured.
    """

    what: str
    value: float
    unit: str
    note: str

    @property
    def shown(self) -> str:
        """Three digits are all that such a figure carries."""
        return f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:.3g} {self.unit}"


class Stopwatch:
    """Seconds of a `with` block."""

    def __enter__(self) -> Stopwatch:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started


@dataclass(frozen=True)
class Section:
    """The part of a page between its two markers.

    Args:
        name: Of the markers.
    """

    name: str

    @property
    def start(self) -> str:
        """The line before the section."""
        return f"<!-- {self.name} -->"

    @property
    def end(self) -> str:
        """The line after the section."""
        return f"<!-- /{self.name} -->"

    def split(self, page: Path) -> tuple[str, str]:
        """What stands before and after the section, without the markers.

        Raises:
            ChartsightError: The page or its markers are missing.
        """
        text = page.read_text("utf-8") if page.is_file() else ""
        before, start, rest = text.partition(self.start)
        _, end, after = rest.partition(self.end)
        if not start or not end:
            wanted = f"{self.start} and {self.end} on lines of their own"
            raise ChartsightError("no-markers", page, "has no section to fill", wanted)
        return before, after

    def write(self, page: Path, text: str) -> None:
        """`text` in the place of what stood between the markers of `page`; all else stays.

        Raises:
            ChartsightError: The page or its markers are missing.
        """
        before, after = self.split(page)
        with new_output(page, replace=True) as partial:
            partial.write_text(f"{before}{self.start}\n{text.rstrip()}\n{self.end}{after}", "utf-8")


def describe_machine() -> str:
    """One line: processor, cores, memory, versions that move a figure."""
    here, versions = machine(), package_versions()
    memory = f", {here['memory_gib']} GiB" if "memory_gib" in here else ""
    named = ", ".join(f"{name} {versions[name]}" for name in VERSIONS_SHOWN if name in versions)
    return f"{here['processor']}, {here['cores']} cores{memory}, {here['system']}; {named}"


def render_section(command: str, figures: Sequence[Figure]) -> str:
    """A section in Markdown: the command, the day, the machine, and a table of the figures."""
    day, version = datetime.now(UTC).date().isoformat(), package_versions()["chartsight"]
    lines = [
        f"`{command}` on {day}, chartsight {version}: {describe_machine()}.", "",
        "| what | figure | how |", "|---|---:|---|",
        *(f"| {each.what} | {each.shown} | {each.note} |" for each in figures),
    ]  # fmt: skip
    return "\n".join(lines)


def show_figures(figures: Sequence[Figure], *, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """The figures on standard output: a table, or JSON with the machine and whatever `more` holds."""
    if as_json:
        shown = {"machine": machine(), "figures": [asdict(each) for each in figures], **(more or {})}
        print(json.dumps(shown, indent=2))
        return
    table = Table(title=describe_machine(), title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_column("how")
    for each in figures:
        table.add_row(each.what, each.shown, each.note)
    Console().print(table)


def render_svg(figure: Any, label: str, variables: Mapping[str, str]) -> str:
    """A matplotlib figure as an SVG element for a page: themed, labelled, without a fixed size, without the time.

    Args:
        figure: A `matplotlib.figure.Figure`.
        label: What it shows, for who cannot see it; no two figures of a page have the same.
        variables: Stand-in colour → the page's CSS variable that it becomes.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chartsight"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'xlink:href="#', 'href="#', svg)
    svg = re.sub(r'<svg width="[^"]*" height="[^"]*"', f'<svg role="img" aria-label="{label}"', svg, count=1)
    svg = re.sub(r"(font: [\d.]+px) [^;\"]*", r"\1 system-ui, sans-serif", svg)
    # Ids are drawn from the figure alone: two figures on one page must not share them.
    mark = re.sub(r"\W+", "-", label.lower())
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{mark}-", svg)
    for colour, variable in variables.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.strip()
