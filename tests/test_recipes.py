"""Recipes are read strictly: a mistake names the key, the line or the neighbour that was meant."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from chartsight.comparison import CompareRecipe
from chartsight.demo import open_data_steps, synthetic_steps
from chartsight.errors import RecipeError
from chartsight.hospital.recipe import HospitalRecipe
from chartsight.recipes import Recipe, read_keys, read_recipe
from chartsight.starters.recipe import LessonsRecipe
from chartsight.training.recipe import AnswerRecipe, TowerRecipe, WordsRecipe

ROOT = Path(__file__).parents[1]


class Glass(Recipe):
    colour: str = "green"
    thickness_mm: float = Field(default=3.0, gt=0)


class Window(Recipe):
    name: str
    panes: int = 1
    glass: Glass = Glass()
    shutters: tuple[Glass, ...] = ()

    @model_validator(mode="after")
    def _opens(self) -> Window:
        if self.panes == 13:
            raise ValueError("thirteen panes bring bad luck")
        return self


def written(folder: Path, text: str) -> Path:
    path = folder / "window.yaml"
    path.write_text(text, "utf-8")
    return path


def mistake(folder: Path, text: str, **overrides: Any) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        read_recipe(Window, written(folder, text), overrides)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_recipe_is_a_typed_value_that_does_not_change(tmp_path: Path) -> None:
    window = read_recipe(Window, written(tmp_path, "name: east\nglass: {colour: blue}\n"))
    assert window == Window(name="east", glass=Glass(colour="blue"))
    with pytest.raises(ValueError, match="frozen"):
        window.name = "west"  # type: ignore[misc]


def test_an_unknown_key_names_its_nearest_neighbour(tmp_path: Path) -> None:
    error = mistake(tmp_path, "name: east\npains: 2\n")
    assert (error.code, error.found, error.hint) == ("unknown-key", "unknown key pains", "did you mean panes?")
    assert error.where.endswith("window.yaml")
    assert error.expected == "one of glass, name, panes, shutters"


def test_an_unknown_key_below_another(tmp_path: Path) -> None:
    error = mistake(tmp_path, "name: east\nglass: {color: blue}\n")
    assert (error.found, error.hint) == ("unknown key glass.color", "did you mean colour?")
    error = mistake(tmp_path, "name: east\nshutters: [{colour: red}, {thicknes_mm: 2}]\n")
    assert (error.found, error.hint) == ("unknown key shutters.1.thicknes_mm", "did you mean thickness_mm?")


def test_a_key_like_no_other_gets_no_suggestion(tmp_path: Path) -> None:
    assert mistake(tmp_path, "name: east\nzzz: 2\n").hint == ""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("panes: 2\n", "missing-key", "lacks name"),
        ("name: east\npanes: many\n", "bad-value", "panes is 'many'; expected a valid integer"),
        ("name: east\nglass: {thickness_mm: -1}\n", "bad-value", "glass.thickness_mm is -1; expected greater than 0"),
        ("name: east\nglass: blue\n", "bad-value", "glass is 'blue'"),
        ("name: east\npanes: 13\n", "bad-value", "thirteen panes bring bad luck"),
        ("- a\n- b\n", "bad-yaml", "holds no keys"),
        ("", "bad-yaml", "holds no keys"),
        ("name: &east [*east]\n", "bad-yaml", "contains itself"),
        ("name: east\nname: west\n", "repeated-key", "name is said twice"),
        ("name: east\nglass: {thickness_mm: 1, thickness_mm: 2}\n", "repeated-key", "thickness_mm is said twice"),
        ("name: ${CHARTSIGHT_TEST_UNSET}/east\n", "unset-variable", "CHARTSIGHT_TEST_UNSET is not set"),
    ],
)
def test_other_mistakes(tmp_path: Path, text: str, code: str, words: str) -> None:
    error = mistake(tmp_path, text)
    assert error.code == code
    assert words in str(error)


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    assert str(mistake(tmp_path, "nam: east\npains: 2\n")).count("; 2 more") == 1


@pytest.mark.parametrize(("text", "line"), [("name: east\nglass: {colour: blue\n", 3), ("name: a\npanes: b: c\n", 2)])
def test_bad_yaml_names_its_line(tmp_path: Path, text: str, line: int) -> None:
    error = mistake(tmp_path, text)
    assert error.code == "bad-yaml" and error.where.endswith(f"window.yaml:{line}")


def test_a_colon_in_a_value_gets_a_hint(tmp_path: Path) -> None:
    assert mistake(tmp_path, "name: real films: NIH\n").hint == "quote a value that holds a colon"


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(RecipeError) as caught:
            read_recipe(Window, path)
        assert caught.value.code == "missing-file"
    (tmp_path / "latin.yaml").write_bytes("name: östlich\n".encode("latin-1"))
    with pytest.raises(RecipeError) as caught:
        read_keys(tmp_path / "latin.yaml")
    assert caught.value.code == "bad-yaml"


# ----------------------------------------------------------------------------------------------- overrides, environment


def test_overrides_replace_and_add(tmp_path: Path) -> None:
    path = written(tmp_path, "name: east\nglass: {colour: blue}\n")
    window = read_recipe(Window, path, {"panes": 4, "glass.thickness_mm": 6})
    assert window == Window(name="east", panes=4, glass=Glass(colour="blue", thickness_mm=6))
    assert read_recipe(Window, written(tmp_path, "name: west\n"), {"glass.colour": "red"}).glass.colour == "red"


def test_an_override_is_checked_like_the_file(tmp_path: Path) -> None:
    assert mistake(tmp_path, "name: east\n", **{"glass.color": "red"}).found == "unknown key glass.color"
    error = mistake(tmp_path, "name: east\n", **{"name.first": "red"})
    assert (error.where, error.found) == ("name.first", "name has no keys below it")


def test_the_environment_fills_values_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE", "north: panes: 3\nglass")
    path = written(tmp_path, "name: ${HOUSE}/east\nshutters: [{colour: '${HOUSE}'}]\n")
    window = read_recipe(Window, path)
    assert window.name == "north: panes: 3\nglass/east"
    assert window.shutters == (Glass(colour="north: panes: 3\nglass"),)
    assert window.panes == 1


def test_a_bare_dollar_is_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE", "north")
    assert read_recipe(Window, written(tmp_path, "name: $HOUSE costs 5$\n")).name == "$HOUSE costs 5$"


@given(st.dictionaries(st.sampled_from(["name", "panes", "glass", "shutters", "x", "1"]), st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)))  # fmt: skip
def test_any_yaml_gives_a_recipe_or_one_line(tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]) -> None:
    path = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(value))
    try:
        assert isinstance(read_recipe(Window, path), Window)
    except RecipeError as error:
        assert "\n" not in str(error)


# ---------------------------------------------------------------------------------------- the repository's recipes


def kind_of(path: Path) -> type[Recipe]:
    if path.parent.name == "hospitals":
        return HospitalRecipe
    stored = read_keys(path)
    if "models" in stored:
        return CompareRecipe
    kinds: dict[str, type[Recipe]] = {"tower": TowerRecipe, "words": WordsRecipe, "lessons": LessonsRecipe}
    return kinds.get(stored.get("kind", ""), AnswerRecipe)


RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_recipe_of_the_repository_is_one(path: Path) -> None:
    read_recipe(kind_of(path), path)
    assert path.read_text("utf-8").startswith("# "), "what it is stands on top"


def named_recipes(steps: list[tuple[str, list[str]]]) -> list[Path]:
    return [ROOT / word for _, arguments in steps for word in arguments if word.endswith(".yaml")]


@pytest.mark.parametrize("demo", ["demo", "demo-open-data"])
def test_the_demo_finds_its_recipes_and_they_fit_together(demo: str) -> None:
    out = Path(demo)
    steps = synthetic_steps(out) if demo == "demo" else open_data_steps(out, Path("data"))
    tuned, twin, compared = named_recipes(steps)
    one, other = read_recipe(AnswerRecipe, tuned), read_recipe(AnswerRecipe, twin)
    same = {"name": "", "description": "", "film": True}
    assert one.model_copy(update=same) == other.model_copy(update=same), "the twin differs by the film only"
    assert one.film and not other.film
    comparison = read_recipe(CompareRecipe, compared)
    assert comparison.questions == one.questions == out / "questions.parquet"
    made = {words[-1] for _, words in steps}
    for model in comparison.models:
        assert model.path in {"starter", "starter-med"} | made
        assert model.training is None or str(model.training) in made
    assert {model.role for model in comparison.models} == {"baseline", "medical", "tuned", "twin"}


def test_the_repository_tracks_the_recipes() -> None:
    """A pattern of .gitignore once hid the demo's recipes from every clone."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    done = subprocess.run(["git", "check-ignore", *map(str, RECIPES)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("key", ["seed=-1", "seed=4294967296", "learning_rates.projector=.inf", "weight_decay=.nan"])
def test_numbers_that_torch_cannot_take(tmp_path: Path, key: str) -> None:
    (tmp_path / "r.yaml").write_text("name: a\nquestions: q.parquet\n")
    name, text = key.split("=")
    with pytest.raises(RecipeError, match=name):
        read_recipe(AnswerRecipe, tmp_path / "r.yaml", {name: yaml.safe_load(text)})
