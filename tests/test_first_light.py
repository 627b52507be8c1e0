"""The benchmark's page: only the section between the markers changes. The figures themselves are not tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.first_light import END, START, Figure, render_markdown, speed, split_page, write_section

from chartsight.errors import ChartsightError

FIGURES = [Figure("draw films, 1 process", 12.34, "films/s", "46 films"), Figure("import", 412751.2, "rows/s", "demo")]


def test_a_section_carries_command_day_machine_and_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{START}\nold\n{END}\n\nthe end\n")
    for _ in range(2):  # a second time changes nothing
        write_section(page, render_markdown(FIGURES, "2026-01-31"))
        text = page.read_text("utf-8")
        assert text.startswith(f"# Title\n\n{START}\n") and text.endswith(f"{END}\n\nthe end\n")
    assert "old" not in text and text.count(START) == text.count(END) == 1
    for words in (
        "--write docs/performance.md",
        "2026-01-31",
        "cores",
        "python 3.",
        "| import | 412,751 rows/s | demo |",
    ):
        assert words in text
    assert "| draw films, 1 process | 12.3 films/s | 46 films |" in text


@pytest.mark.parametrize("text", ["", START, f"{END}\n{START}"])
def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ChartsightError, match="has no section to fill"):
        write_section(page, render_markdown(FIGURES, "2026-01-31"))
    assert page.read_text() == text
    with pytest.raises(ChartsightError):
        split_page(tmp_path / "none.md")


def test_the_page_of_the_repository_has_its_section() -> None:
    split_page(Path(__file__).parents[1] / "docs" / "performance.md")


def test_three_digits() -> None:
    assert [speed(Figure("", value, "x/s", "")) for value in (0.12345, 99.94, 1234.5)] == [
        "0.123 x/s", "99.9 x/s", "1,234 x/s",
    ]  # fmt: skip
