"""A hospital as a YAML recipe: the fields of `HospitalConfig` by name, and a description; see recipes/hospitals/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import create_model, field_validator

from chartsight.hospital.config import HospitalConfig
from chartsight.recipes import Recipe, check_recipe, read_recipe


def default_of(field: Field[Any]) -> Any:
    """The default of a field of `HospitalConfig`; all have one."""
    return field.default_factory() if field.default_factory is not MISSING else field.default


class DescribedRecipe(Recipe):
    """What a recipe says besides the config. `description` is for readers."""

    description: str = ""

    @field_validator("*", mode="before")
    @classmethod
    def refuse_switches(cls, value: object) -> object:
        """No dial is a switch: YAML reads `label_noise: on` as true, and true would pass for 1."""
        for each in value.values() if isinstance(value, Mapping) else (value,):
            if isinstance(each, bool):
                raise ValueError(f"is {'yes' if each else 'no'}; expected a value, no switch")
        return value


if TYPE_CHECKING:
    HospitalRecipe = DescribedRecipe
else:
    # Built from the config, so that a dial is added in one place.
    HospitalRecipe = create_model(
        "HospitalRecipe",
        __base__=DescribedRecipe,
        **{each.name: (get_type_hints(HospitalConfig)[each.name], default_of(each)) for each in fields(HospitalConfig)},
    )


def read_hospital_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> HospitalConfig:
    """The hospital of a YAML file.

        read_hospital_recipe(Path("recipes/hospitals/hillside-reversed.yaml"), {"patients": 50})

    Args:
        path: The recipe; what it does not name keeps `HospitalConfig`'s default.
        overrides: Dotted keys that replace the file's (`prevalence.pneumothorax`: 2).

    Raises:
        RecipeError: No file, no YAML, an unknown key, a wrong type, or a value out of range.
    """
    return as_config(read_recipe(HospitalRecipe, path, overrides))


def hospital_config(path: Path | None, overrides: Mapping[str, Any]) -> HospitalConfig:
    """The hospital of a recipe, or of the defaults without one, with overrides; as `read_hospital_recipe`."""
    if path is not None:
        return read_hospital_recipe(path, overrides)
    return as_config(check_recipe(HospitalRecipe, "hospital", {}, overrides))


def as_config(recipe: DescribedRecipe) -> HospitalConfig:
    """The recipe without its description."""
    return HospitalConfig(**recipe.model_dump(exclude={"description"}))
