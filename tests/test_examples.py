"""The committed examples: whole pages, made to be shared, without a film of a person or an identifier."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chartsight.comparison import CompareRecipe
from chartsight.recipes import read_recipe

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
PAGES = sorted(EXAMPLES.glob("*.html"))


def test_there_is_an_example() -> None:
    assert PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_an_example_may_be_shared(path: Path) -> None:
    html = path.read_text("utf-8")
    assert "Made to be shared" in html and "Research use only" in html
    assert "data:image" not in html and "film left out" in html
    found = re.search(r'<script type="application/json" id="gallery-data">(.*?)</script>', html, re.S)
    assert found is not None
    payload = json.loads(found[1])
    assert payload["ids"] is None and set(payload["film"]) == {-1}
    assert "http://" not in html and "https://" not in html
    assert path.stat().st_size < 3_000_000


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_its_recipe_is_one(path: Path) -> None:
    recipe = read_recipe(CompareRecipe, path)
    assert recipe.audits is True and recipe.title in (EXAMPLES / f"{path.stem}.html").read_text("utf-8")
