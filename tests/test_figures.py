"""Measured figures: three digits, and a page in which only the section between the markers changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chartsight.errors import ChartsightError
from chartsight.figures import Figure, Section, render_section, show_figures

SECTION = Section("first-light")
FIGURES = [Figure("draw films, 1 process", 12.34, "films/s", "46 films"), Figure("import", 412751.2, "rows/s", "demo")]
PAGES = {
    "performance.md": ("first-light", "hospital"),
}


def test_a_section_carries_command_day_machine_and_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{SECTION.start}\nold\n{SECTION.end}\n\nthe end\n")
    for _ in range(2):  # a second time changes nothing
        SECTION.write(page, render_section("python bench.py --write page.md", FIGURES))
        text = page.read_text("utf-8")
        assert text.startswith(f"# Title\n\n{SECTION.start}\n") and text.endswith(f"{SECTION.end}\n\nthe end\n")
    assert "old" not in text and text.count(SECTION.start) == text.count(SECTION.end) == 1
    for words in ("`python bench.py --write page.md` on 2", "cores", "python 3.", "| import | 412,751 rows/s | demo |"):
        assert words in text
    assert "| draw films, 1 process | 12.3 films/s | 46 films |" in text


@pytest.mark.parametrize("text", ["", SECTION.start, f"{SECTION.end}\n{SECTION.start}"])
def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ChartsightError, match="has no section to fill"):
        SECTION.write(page, "new")
    assert page.read_text() == text
    with pytest.raises(ChartsightError):
        SECTION.split(tmp_path / "none.md")


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, names in PAGES.items() for name in names])
def test_the_pages_of_the_repository_have_their_sections(page: str, name: str) -> None:
    Section(name).split(Path(__file__).parents[1] / "docs" / page)


def test_three_digits() -> None:
    shown = [Figure("", value, "x/s", "").shown for value in (0.12345, 99.94, 1234.5)]
    assert shown == ["0.123 x/s", "99.9 x/s", "1,234 x/s"]


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_figures(FIGURES, as_json=True, more={"checks": []})
    shown = json.loads(capsys.readouterr().out)
    assert shown["figures"][1]["value"] == 412751.2 and shown["checks"] == [] and shown["machine"]["cores"] > 0
