"""Reading YAML recipes strictly: an unknown key is a mistake, and the line names its nearest neighbour."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chartsight.errors import RecipeError

VARIABLE = re.compile(r"\$\{(\w+)\}")

R = TypeVar("R", bound="Recipe")
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what torch and numpy both take


class Recipe(BaseModel):
    """A run as one typed value. Paths in it are relative to the working directory, as on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_recipe(kind: type[R], path: Path, overrides: Mapping[str, Any] | None = None) -> R:
    """The recipe in a YAML file.

    Args:
        kind: What it must be.
        path: The file; `${NAME}` in a value is replaced by the environment's NAME.
        overrides: Dotted keys that replace the file's (`train.tower`: `full`), from flags.

    Raises:
        RecipeError: No file, no YAML, an unknown key, a wrong type, a missing value, a variable that is not set.
    """
    return check_recipe(kind, path, read_keys(path), overrides or {})


def check_recipe(kind: type[R], where: Path | str, keys: Mapping[str, Any], overrides: Mapping[str, Any]) -> R:
    """The recipe that keys and overrides make; mistakes are said to be in `where`.

    Raises:
        RecipeError: An unknown key, a wrong type, a missing value.
    """
    stored = dict(keys)
    for dotted, value in overrides.items():
        *parents, last = dotted.split(".")
        target = stored
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise RecipeError("unknown-key", dotted, f"{parent} has no keys below it", f"a value: {parent}=...")
        target[last] = value
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        raise _first_mistake(kind, where, error) from None


def read_keys(path: Path) -> dict[str, Any]:
    """What a YAML file holds, before it is known which recipe it is.

    Raises:
        RecipeError: No file, no YAML, no `key: value` lines, or a variable that is not set.
    """
    try:
        stored = yaml.load(Path(path).read_text("utf-8"), RecipeLoader)
    except FileNotFoundError:
        raise RecipeError("missing-file", path, "does not exist", "a YAML recipe", "see recipes/") from None
    except IsADirectoryError:
        raise RecipeError("missing-file", path, "is a folder", "a YAML recipe", "see recipes/") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        if isinstance(error, RepeatedKeyError):
            raise RecipeError(
                "repeated-key", f"{path}:{error.line}", f"{error.key} is said twice", "each key once"
            ) from None
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        hint = "quote a value that holds a colon" if "mapping values" in str(error) else ""
        raise RecipeError("bad-yaml", where, "is no YAML", "key: value lines", hint) from None
    if not isinstance(stored, dict):
        raise RecipeError("bad-yaml", path, "holds no keys", "key: value lines")
    try:
        expanded: dict[str, Any] = _with_variables(stored, path)
    except RecursionError:
        raise RecipeError("bad-yaml", path, "holds a value that contains itself", "key: value lines") from None
    return expanded


class RepeatedKeyError(yaml.YAMLError):
    """A key that stands twice in one mapping."""

    def __init__(self, key: str, line: int) -> None:
        super().__init__(key, line)
        self.key, self.line = key, line


class RecipeLoader(yaml.SafeLoader):
    """YAML whose later keys may not silently replace earlier ones."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node.

        Raises:
            RepeatedKeyError: A key stands in it twice.
        """
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise RepeatedKeyError(name, key.start_mark.line + 1)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _with_variables(value: Any, path: Path) -> Any:
    """`value` with every `${NAME}` in its texts replaced: after parsing, so that no variable can add a key."""
    if isinstance(value, dict):
        return {str(key): _with_variables(each, path) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_variables(each, path) for each in value]
    if not isinstance(value, str):
        return value
    unset = [name for name in VARIABLE.findall(value) if name not in os.environ]
    if unset:
        raise RecipeError("unset-variable", path, f"the variable {unset[0]} is not set", hint=f"export {unset[0]}=...")
    return VARIABLE.sub(lambda match: os.environ[match[1]], value)


def _first_mistake(kind: type[BaseModel], path: Path | str, error: ValidationError) -> RecipeError:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys_beside(kind, first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else ""
        return RecipeError("unknown-key", path, f"unknown key {key}{more}", "one of " + ", ".join(known), hint)
    if first["type"] == "missing":
        return RecipeError("missing-key", path, f"lacks {key}{more}", "a value for it")
    if first["type"] == "value_error":  # of a recipe's own validator: its words say all
        return RecipeError("bad-value", path, f"{key}: {first['ctx']['error']}" if key else str(first["ctx"]["error"]))
    expected = first["msg"].removeprefix("Input should be ")
    return RecipeError("bad-value", path, f"{key} is {first['input']!r}{more}", expected)


def _keys_beside(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that stand where the unknown one does."""
    model: Any = kind
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(str(part))
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else [model]
        model = next((each for each in candidates if hasattr(each, "model_fields")), model)
    return sorted(getattr(model, "model_fields", {}))
