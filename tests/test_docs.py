"""The pages name what there is: modules, columns, dials, verbs. What a page says about them is read by people."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from chartsight.cli import app
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.lateral.anatomy import OUTLINED
from chartsight.hospital.masks import MASKS_SCHEMA
from chartsight.hospital.truth import READINGS_SCHEMA, TECHNIQUES_SCHEMA, TRUTH_SCHEMA
from chartsight.questions.curate import RULES
from chartsight.questions.faults import MEANINGS
from chartsight.questions.importers import FORMATS
from chartsight.questions.refusals import REFUSALS
from chartsight.review.ratings import RATINGS_SCHEMA

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "chartsight"


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


@pytest.mark.parametrize(
    ("room", "start", "end"),
    [
        ("hospital", "### Inside `hospital/`", "### Inside `questions/`"),
        ("questions", "### Inside `questions/`", "### Inside `starters/`"),
        ("starters", "### Inside `starters/`", "## Who may import whom"),
        ("evaluation", "| `evaluation/` |", "\n"),
        ("review", "| `review/` |", "\n"),
        ("comparison", "| `comparison/` |", "\n"),
    ],
)
def test_the_architecture_names_every_module(room: str, start: str, end: str) -> None:
    named = set(re.findall(r"`([a-z0-9_]+)`", between(page("docs/architecture.md"), start, end)))
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert modules <= named, f"not named: {sorted(modules - named)}"


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("truth", TRUTH_SCHEMA), ("masks", MASKS_SCHEMA), ("readings", READINGS_SCHEMA),
        ("techniques", TECHNIQUES_SCHEMA),
    ],
)  # fmt: skip
def test_the_contracts_name_every_column(file: str, schema: Any) -> None:
    words = re.findall(r"\w+", between(page("docs/contracts.md"), f"| `{file}.parquet` |", "\n"))
    assert not [column for column in schema.names if column not in words]


def test_the_page_of_questions_names_every_fault_check_rule_format_and_option() -> None:
    text = page("docs/questions.md")
    command: Any = typer.main.get_command(app)
    verbs = command.commands["questions"].commands
    assert all(f"`{name}`" in text for name in (*MEANINGS, *REFUSALS, *RULES, *FORMATS))
    for verb in ("import", "card", "curate", "export"):
        options = {max(option.opts, key=len) for option in verbs[verb].params if option.opts[0].startswith("-")}
        common = {"--help", "--seed", "--force", "--quiet", "--json", "--ties"}
        assert not [option for option in options - common if option not in text], verb
    layouts = {path.stem for path in (PACKAGE / "questions" / "layouts").glob("*.py")} - {"__init__"}
    assert not [name for name in layouts if f"`{name}`" not in page("docs/architecture.md")]


def test_the_page_of_reviews_names_every_option_and_the_contracts_every_column() -> None:
    text = page("docs/review.md")
    command: Any = typer.main.get_command(app)
    for verb in command.commands["review"].commands.values():
        options = {max(option.opts, key=len) for option in verb.params if option.opts[0].startswith("-")}
        assert not [option for option in options - {"--help", "--force", "--json"} if f"`{option}" not in text]
    words = set(re.findall(r"\w+", between(page("docs/contracts.md"), "| a review's folder |", "| model folder |")))
    assert not [name for name in RATINGS_SCHEMA.names if name not in words]


def test_the_contracts_name_every_verb_and_the_options_of_a_hospital() -> None:
    text = page("docs/contracts.md")
    command: Any = typer.main.get_command(app)
    for verb, each in command.commands.items():
        assert f"`{verb}" in text, verb
        if verb.startswith("hospital"):
            options = {max(option.opts, key=len) for option in each.params if option.opts[0].startswith("-")}
            missing = {option for option in options - {"--help"} if f"`{option}" not in text}
            assert not missing


def test_the_hospital_s_page_names_every_dial_and_every_place_of_a_lateral_film() -> None:
    text = page("docs/hospital.md")
    assert not [each.name for each in fields(HospitalConfig) if f"`{each.name}`" not in text]
    sentence = " ".join(between(text, "objects\nhave a place:", "OUTLINED").split())
    assert not [name for name in OUTLINED if name.removeprefix("left ").removeprefix("right ") not in sentence]


def test_every_recipe_of_a_hospital_is_on_its_page() -> None:
    text = page("docs/hospital.md")
    assert not [path.stem for path in (ROOT / "recipes" / "hospitals").glob("*.yaml") if f"`{path.stem}`" not in text]
