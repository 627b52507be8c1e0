"""What stands on top of the large recipes is what the doctor predicts, machine by machine, and what it says to type."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartsight.comparison import CompareRecipe
from chartsight.recipes import read_recipe
from chartsight.training.forecast import ARCHITECTURES, MACHINES, Load, forecast
from chartsight.training.recipe import AnswerRecipe

RECIPES = Path(__file__).parents[2] / "recipes"
LARGE = sorted(
    path
    for folder in ("llava", "llava-med-curriculum", "poster")
    for path in (RECIPES / folder).rglob("*.yaml")
    if path.name != "compare.yaml"
)
COMPARED = sorted((RECIPES / "poster").rglob("compare.yaml"))
SAID = re.compile(
    r"for (?P<model>\S+), (?P<questions>[\d,]+) questions, (?P<per_film>[\d.]+) a film,\n"
    r"# (?P<words>\d+) tokens each, (?P<answer>\d+) of them the answer's:\n"
)
LINE = re.compile(r"^#   (?P<machine>.+?)(?: with(?P<sets>(?: --set \S+)+))?: (?P<rest>.*GiB.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", LARGE, ids=lambda path: str(path.relative_to(RECIPES)))
def test_the_top_of_a_recipe_is_its_forecast(path: Path) -> None:
    text = path.read_text("utf-8")
    said = SAID.search(text)
    assert said is not None, "says for which questions"
    arch = ARCHITECTURES[said["model"]]
    per_film = float(said["per_film"])
    rows = math.ceil(int(said["questions"].replace(",", "")) / per_film)
    lines = list(LINE.finditer(text))
    assert [line["machine"] for line in lines] == [machine.name for machine in MACHINES]
    for line, machine in zip(lines, MACHINES, strict=True):
        changes: dict[str, Any] = dict(each.split("=") for each in re.findall(r"--set (\S+)", line["sets"] or ""))
        recipe = read_recipe(AnswerRecipe, path, {key: yaml.safe_load(value) for key, value in changes.items()})
        load = Load.assumed(arch.image_tokens if recipe.film else 0, per_film, int(said["words"]), int(said["answer"]))
        assert f"{machine.name}: {line['rest']}" == forecast(arch, recipe, load, rows, machine).sentence()


@pytest.mark.parametrize("path", [*LARGE, *COMPARED], ids=lambda path: str(path.relative_to(RECIPES)))
def test_a_command_on_top_names_the_recipe_it_stands_in(path: Path) -> None:
    named = re.findall(r"(?:chartsight|-m chartsight) (?:doctor|train|compare) (recipes/\S+)", path.read_text("utf-8"))
    assert str(path.relative_to(RECIPES.parent)) in named
    assert all((RECIPES.parent / each).is_file() for each in named)


@pytest.mark.parametrize("path", COMPARED, ids=lambda path: str(path.relative_to(RECIPES)))
def test_what_is_compared_is_what_the_recipes_beside_it_make(path: Path) -> None:
    compared = read_recipe(CompareRecipe, path)
    text = path.read_text("utf-8") + "".join(each.read_text("utf-8") for each in path.parent.glob("t*.yaml"))
    for model in compared.models:
        made = re.sub(r"-[123]$", "-$seed", model.path)
        assert model.path.startswith("models/") or made in text or f"{model.path}\n" in text
