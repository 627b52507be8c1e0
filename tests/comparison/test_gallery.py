"""The items on the page: what it holds, what a link to a number shows, and that nothing leaves the file."""

from __future__ import annotations

import html as html_text
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, ComparisonResult, compare
from chartsight.comparison.gallery import build_gallery, shared_answer
from chartsight.comparison.items import build_items, read_items
from chartsight.comparison.predictions import collect_answers
from chartsight.questions.files import read_questions
from tests.comparison.made_up import always_the_same, guesses, sees, stand_in

CHROMIUM = Path("/usr/bin/chromium")
HABITS = {"sees": sees, "guess": guesses, "twin": always_the_same}


def recipe_of(questions: Path) -> CompareRecipe:
    models = (
        ComparedModel(name="baseline", path="guess", role="baseline"),
        ComparedModel(name="tuned", path="sees", role="tuned", label="fine-tuned"),
        ComparedModel(name="twin", path="twin", role="twin"),
    )
    return CompareRecipe(questions=questions, models=models, bootstrap=100)


@pytest.fixture(scope="module")
def compared(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    return compare(recipe_of(questions), tmp_path_factory.mktemp("gallery") / "out", predict=stand_in(HABITS))


def payload_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="gallery-data">(.*?)</script>', html, re.S)
    assert found is not None
    payload: dict[str, Any] = json.loads(found[1])
    return payload


def test_the_page_holds_every_answer(compared: ComparisonResult) -> None:
    html = compared.report.read_text("utf-8")
    payload, table = payload_of(html), read_items(compared.items_parquet)
    assert payload["ids"] == table["question_id"].to_pylist()
    tuned = payload["models"][1]
    by_name = {each["name"]: each for each in tuned["conditions"]}
    assert list(by_name)[:3] == ["full", "shuffled", "blank"]
    right = [code == "1" for code in by_name["full"]["verdict"]]
    assert right == table["tuned.full.correct"].to_pylist()
    texts = [payload["texts"][place] for place in by_name["blank"]["said"]]
    assert texts == table["tuned.blank.text"].to_pylist()
    assert "\\u003cin view>" in html and "<in view>" not in html  # no answer can end the script element


def test_a_page_that_is_shared_holds_no_identifier_film_or_free_text(questions: Path, tmp_path: Path) -> None:
    recipe = recipe_of(questions)
    habits = {**HABITS, "sees": lambda *_: "yes, says Dr. Miller"}
    chosen = [each for each in read_questions(questions) if each.split == "test"]
    collected = collect_answers(recipe, chosen, tmp_path, stand_in(habits))
    asked = collected.asked
    items = build_items(recipe, asked, [None] * len(asked), collected.answers)
    open_page = build_gallery(recipe, items, range(20), "open")
    assert "Dr. Miller" in open_page.payload and asked[0].question_id in open_page.payload and open_page.films
    shared = build_gallery(recipe, items, range(20), "open", shareable=True)
    assert "Miller" not in shared.payload and asked[0].question_id not in shared.payload
    assert not shared.films and set(shared.film_of) == {None}
    assert build_gallery(recipe, items, range(20), "synthetic", shareable=True).films


def test_only_words_of_the_vocabulary_are_shared() -> None:
    assert shared_answer("left lung; pleural effusion") == "left lung; pleural effusion"
    assert shared_answer("Mrs Smith; atelectasis; Mr Jones") == "(another word); atelectasis"
    assert (shared_answer("12"), shared_answer("(unparsed)"), shared_answer("2105-03-01")) == (
        "12", "(unparsed)", "(another word)",
    )  # fmt: skip


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


def opened(browser: Any, path: Path, query: str = "", **options: Any) -> tuple[Any, list[str]]:
    """A page from disk without a network, and what went wrong on it."""
    page = browser.new_context(offline=True, **options).new_page()
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri() + query)
    return page, faults


def said_count(page: Any) -> int:
    return int(page.inner_text(".chips strong").split(" of ")[0].replace(",", ""))


@pytest.mark.browser
def test_every_number_with_a_link_leads_to_as_many_items(browser: Any, compared: ComparisonResult) -> None:
    page, faults = opened(browser, compared.report)
    links, wrong = follow_links(page, compared.report, read_items(compared.items_parquet).to_pylist())
    assert len(links) > 100 and wrong == [] and faults == []


def follow_links(page: Any, report: Path, rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """All links of a page to items, and those that show others than the rows of its Parquet file say."""
    links = sorted({html_text.unescape(each) for each in re.findall(r'href="(#items\?[^"]+)"', report.read_text())})
    wrong = []
    for link in links:
        keys = dict(parse_qsl(link.removeprefix("#items?")))
        said = page.evaluate(
            """link => new Promise((done) => {
                 if (location.hash === link) location.hash = "";
                 addEventListener("hashchange", () => done([document.querySelector(".chips").innerText,
                                                             document.querySelector(".item").innerText]), {once: true});
                 location.hash = link; })""",
            link,
        )  # fmt: skip
        if "at" in keys:
            wrong += [] if keys["at"] in said[1] else [link]
            continue
        expected = sum(all(fits(row, key, value) for key, value in keys.items()) for row in rows)
        if not said[0].startswith(f"{expected:,} of") or "no such filter" in said[0]:
            wrong.append(link)
    return links, wrong


def fits(row: dict[str, Any], key: str, value: str) -> bool:
    """The same filter in Python, on the row of the Parquet file."""
    if key == "differ":
        return len({row[f"{name}.full.correct"] for name in value.split(",")}) == 2
    if key == "template":
        return bool(row["template_id"] == value)
    if f"facet.{key}" in row or key.endswith(".quadrant"):
        return bool(row[f"facet.{key}" if f"facet.{key}" in row else key] == value)
    if key == "ids":
        return row["question_id"] in value.split(",")
    if key == "type":
        return value.startswith({"boolean": "verify", "choice": "choose", "set": "query"}[row["answer_type"]])
    model, _, condition = key.rpartition(".")
    if row[f"{key}.correct"] is None:
        return False
    if value in ("other", "alike", "follow", "stick"):
        other = row[f"gold.{condition}"] is not None and row[f"gold.{condition}"] != row["gold"]
        same = row[f"{key}.answer"] == row[f"{model}.full.answer"]
        kept = {"other": True, "follow": row[f"{key}.correct"], "stick": same}
        return bool(other and kept[value]) if value != "alike" else row[f"gold.{condition}"] == row["gold"]
    if value == "same":
        return bool(row[f"{key}.answer"] == row[f"{model}.full.answer"])
    if value == "changed":
        return bool(row[f"{key}.answer"] != row[f"{model}.full.answer"])
    if value == "unread":
        return bool(row[f"{key}.outcome"] != "answered")
    assert value in ("right", "wrong"), (key, value, condition)
    return bool(row[f"{key}.correct"] == (value == "right"))


@pytest.mark.browser
def test_the_items_by_keys_and_the_address(browser: Any, compared: ComparisonResult) -> None:
    page, faults = opened(browser, compared.report, "#items?tuned.full=right&twin.full=wrong")
    chosen = said_count(page)
    assert 0 < chosen < 360 and page.locator(".item svg use").count() == 1
    first = page.inner_text(".item .id")
    page.keyboard.press("j")
    assert page.inner_text(".item .id") != first and " 2 of " in page.inner_text(".item .id")
    page.keyboard.press("k")
    assert page.inner_text(".item .id") == first
    page.keyboard.press("/")
    page.keyboard.type("effusion")
    page.wait_for_function("document.querySelectorAll('.chip[title]').length > 2")
    assert said_count(page) < chosen and "q=effusion" in page.url
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    assert said_count(page) == 360
    page.select_option('[id="filter-differ"]', "any")
    payload = payload_of(compared.report.read_text("utf-8"))
    codes = zip(*(model["conditions"][0]["verdict"] for model in payload["models"]), strict=True)
    assert said_count(page) == sum(len({code == "1" for code in each}) > 1 for each in codes)
    link = page.get_attribute(".item .id a", "href")
    again, more = opened(browser, compared.report, link)
    assert again.inner_text(".item .id").split(" ")[0] == page.inner_text(".item .id").split(" ")[0]
    assert faults == more == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_a_sheet_of_paper(browser: Any, compared: ComparisonResult, scheme: str) -> None:
    page, faults = opened(browser, compared.report, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.emulate_media(media="print")
    assert page.locator("#items").is_hidden() and page.locator("article.film").first.is_visible()
    assert faults == []
