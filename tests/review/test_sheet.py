"""The sheet in a real browser, without a network, driven by keys alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chartsight.review import ReviewConfig, export_review, import_ratings, read_ratings
from tests.review.made_up import sheet_content

CHROMIUM = Path("/usr/bin/chromium")
STYLE = Path(__file__).parents[2] / "src" / "chartsight" / "review" / "sheet.css"

# --------------------------------------------------------------------------------------------------- without a browser


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb. Source: WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_what_they_stand_on(theme: str) -> None:
    block = re.search(rf'data-theme="{theme}"\] \{{(.*?)\}}', STYLE.read_text("utf-8"), re.S)
    assert block is not None
    colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block[1]))
    pairs = [("ink", "paper"), ("ink", "card"), ("muted", "paper"), ("muted", "card"), ("accent-ink", "accent")]
    pairs += [("closed", "closed-back"), ("done", "card"), ("ink", "accent-back"), ("muted", "accent-back")]
    for front, back in pairs:
        light, dark = sorted((luminance(colour[front]), luminance(colour[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


# ------------------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    if not CHROMIUM.is_file():
        pytest.skip(f"no Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def small(compared: Path, tmp_path: Path) -> Path:
    """A review of six items for one rater, two of them seen twice."""
    config = ReviewConfig(items=8, raters=("r1",), repeats=0.25, film_pixels=96)
    export_review(compared, tmp_path / "small", config)
    return tmp_path / "small"


def opened(browser: Any, sheet: Path, **options: Any) -> tuple[Any, list[str]]:
    """A page with the sheet, and what went wrong on it: errors, requests beyond the file."""
    page = browser.new_context(offline=True, accept_downloads=True, **options).new_page()
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    page.goto(sheet.as_uri())
    return page, faults


def rate_item(page: Any, answers: int, *, verdict: str = "1") -> None:
    """One item by keys alone: film, then every answer, then preference and confidence."""
    page.keyboard.press("1")
    for _ in range(answers):
        for key in (verdict, "2", "2", "1", "Enter"):  # correctness, support, harm, a tag, on to the next row
            page.keyboard.press(key)
    if answers > 1:
        page.keyboard.press("t")
    page.keyboard.press("4")


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.keyboard.press("s")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.mark.browser
def test_a_whole_review_by_keys_from_draft_to_imported_ratings(browser: Any, small: Path, tmp_path: Path) -> None:
    content = sheet_content(small / "sheet-r1.html")
    page, faults = opened(browser, small / "sheet-r1.html")
    for number, item in enumerate(content["items"]):
        assert page.inner_text("#question") == item["question"]
        rate_item(page, len(item["answers"]))
        assert page.inner_text("#left") == "item finished"
        if number == 2:  # a page that is closed by mistake
            page.reload()
            assert "draft is back" in page.inner_text("#notice")
            assert page.inner_text("#question") == item["question"]
        page.keyboard.press("n")
    assert "All items are rated" in page.inner_text("main")
    half = saved(page, tmp_path)
    assert json.loads(half.read_text("utf-8"))["phase"] == "blind"
    page.keyboard.press("Enter")  # the button that has the focus: lock
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    originals = [item for item in content["items"] if not item["again"]]
    for _ in originals:
        assert page.inner_text(".gold h3") == "Gold answer"
        assert page.locator("main fieldset").count() == 1  # what was rated blind can no longer be changed
        page.keyboard.press("2")
        page.keyboard.press("Enter")
    assert "All done" in page.inner_text("main")
    assert faults == []
    import_ratings(small, tmp_path / "ratings.parquet", [saved(page, tmp_path)])
    rows, _ = read_ratings(tmp_path / "ratings.parquet")
    assert {row["correctness"] for row in rows} == {"correct"}
    assert {tuple(row["tags"]) for row in rows} == {("hallucinated",)}
    assert {(row["film"], row["harm"], row["support"], row["confidence"]) for row in rows} == {
        ("adequate", "minor", "unsupported", "4")
    }
    assert {row["gold"] for row in rows if not row["is_repeat"]} == {"wrong"}
    assert {row["gold"] for row in rows if row["is_repeat"]} == {None}
    assert {row["preference"] for row in rows} <= {"both", None}
    assert len({row["position"] for row in rows}) == len(content["items"])


@pytest.mark.browser
def test_keys_undo_prefer_and_walk(browser: Any, small: Path, tmp_path: Path) -> None:
    content = sheet_content(small / "sheet-r1.html")
    two = next(item for item in content["items"] if len(item["answers"]) == 2)
    page, faults = opened(browser, small / "sheet-r1.html")
    for _ in range(two["n"] - 1):
        page.keyboard.press("n")
    page.keyboard.press("3")
    page.keyboard.press("b")
    page.keyboard.press("x")
    page.keyboard.press("u")
    page.keyboard.press("m")
    page.keyboard.type("seen 1 time, n b x")  # keys of the sheet are letters here
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    assert "invert(1)" in page.locator(".glass img").get_attribute("style")
    page.keyboard.press("+")
    assert "scale(1.25)" in page.locator(".glass img").get_attribute("style")
    page.keyboard.press("n")
    page.keyboard.press("p")
    own = json.loads(saved(page, tmp_path).read_text("utf-8"))["items"][str(two["n"])]
    assert (own["film"], own["preference"], own["comment"]) == ("inadequate", "B", "seen 1 time, n b x")
    page.keyboard.press("?")
    assert page.locator("dialog#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    assert f"{len(content['items'])} of {len(content['items'])} items are not finished" in page.inner_text("main")
    assert faults == []


@pytest.mark.browser
def test_a_file_is_taken_up_elsewhere_and_another_sheet_s_is_not(browser: Any, small: Path, tmp_path: Path) -> None:
    page, _ = opened(browser, small / "sheet-r1.html")
    page.keyboard.press("2")
    path = saved(page, tmp_path)
    page, faults = opened(browser, small / "sheet-r1.html")  # another browser: no draft
    page.keyboard.press("l")
    page.set_input_files("input[type=file]", path)
    page.wait_for_function("document.getElementById('notice').textContent.includes('are here now')")
    page.keyboard.press("g")
    assert page.locator("input:checked").count() == 1
    other = json.loads(path.read_text("utf-8")) | {"sheet_id": "another"}
    path.write_text(json.dumps(other), "utf-8")
    page.keyboard.press("l")
    page.set_input_files("input[type=file]", path)
    page.wait_for_function("document.getElementById('notice').textContent.includes('no ratings of this sheet')")
    assert faults == []


@pytest.mark.browser
def test_it_reads_well_to_a_screen_reader_and_on_a_phone(browser: Any, small: Path) -> None:
    page, faults = opened(browser, small / "sheet-r1.html", viewport={"width": 390, "height": 800})
    assert page.locator("html").get_attribute("lang") == "en"
    for box in page.locator("fieldset").all():
        assert box.locator("legend").inner_text()
        assert box.locator("label").count() == box.locator("input").count() > 1
    assert page.locator(".glass img").get_attribute("alt") == "Film of item 1, PA view"
    assert page.get_by_role("radio", name="yes, adequate").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing to scroll sideways
    named = "[...document.querySelectorAll('button')].every((b) => b.getAttribute('aria-label') || b.innerText.trim())"
    assert page.evaluate(named)
    assert page.evaluate("document.activeElement.tagName") == "INPUT"  # the first question has the keys at once
    page.click("#theme-button")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert faults == []


@pytest.mark.browser
def test_a_sheet_to_share_asks_nothing_about_films(browser: Any, compared: Path, tmp_path: Path) -> None:
    config = ReviewConfig(items=4, raters=("r1",), repeats=0, shareable=True, models=("taught",))
    export_review(compared, tmp_path / "shared", config)
    page, faults = opened(browser, tmp_path / "shared" / "sheet-r1.html")
    assert page.locator("img").count() == 0
    legends = page.locator("legend").all_inner_texts()
    assert len(legends) == 4 and not [legend for legend in legends if "film" in legend]
    assert faults == []
