"""The recipes of hospitals: each is read, each says what it changes, mistakes are one line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from chartsight.errors import RecipeError
from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.recipe import HospitalRecipe, hospital_config, read_hospital_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "hospitals"


def test_every_dial_can_stand_in_a_recipe() -> None:
    assert set(HospitalRecipe.model_fields) == {each.name for each in fields(HospitalConfig)} | {"description"}


def test_the_default_recipe_is_the_default() -> None:
    assert read_hospital_recipe(RECIPES / "harbour-default.yaml") == HospitalConfig()


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_read_and_described(path: Path) -> None:
    config = read_hospital_recipe(path)
    assert path.stem == "harbour-default" or config != HospitalConfig()
    assert f"--recipe recipes/hospitals/{path.name}" in path.read_text("utf-8")


def test_the_other_hospital_differs_in_look_case_mix_and_confounders() -> None:
    here, there = (read_hospital_recipe(RECIPES / f"{name}.yaml") for name in ("harbour-default", "hillside-reversed"))
    assert here.style != there.style and here.confounding > 0 > there.confounding and there.prevalence
    assert here.first_subject_id + here.patients <= there.first_subject_id


def test_overrides_replace_the_file() -> None:
    config = read_hospital_recipe(RECIPES / "hillside-reversed.yaml", {"patients": 3, "prevalence.pneumothorax": 2})
    assert config.patients == 3 and config.prevalence["pneumothorax"] == 2 and config.prevalence["consolidation"] == 1.2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("confouding: 1", "unknown key confouding; expected one of .*did you mean confounding"),
        ("confounding: 2", "confounding: 2; expected -1 to 1"),
        ("patients: many", "patients is 'many'; expected"),
        ("bits: 12", "bits is 12"),
        ("difficulty: brutal", "difficulty: 'brutal'; expected one of easy, standard, hard"),
        ("prevalence: {pneumonia: 2}", "prevalence: 'pneumonia'; expected one of"),
        ("prevalence: {pnuemothorax: 2}", r"prevalence: 'pnuemothorax'; .*did you mean pneumothorax\?"),
        ("label_noise: on", "label_noise: is yes"),
        ("prevalence: {pneumothorax: no}", "prevalence: is no"),
        ("seed: 99999999999", "seed: 99999999999; expected 0 to 4294967295"),
        ("- 1", "holds no keys"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "hospital.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_hospital_recipe(path)


def test_flags_alone_make_a_hospital_too() -> None:
    assert hospital_config(None, {}) == HospitalConfig()
    assert hospital_config(None, {"patients": 3, "bits": 16}) == HospitalConfig(patients=3, bits=16)
    with pytest.raises(RecipeError, match=r"hospital: unknown key patient; .*did you mean patients"):
        hospital_config(None, {"patient": 3})
