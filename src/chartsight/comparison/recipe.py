"""What a comparison is: which models answer which questions, under which conditions.

questions: runs/demo/questions.parquet
models:
  - {name: baseline, path: starter, role: baseline, note: a small stand-in for LLaVA}
  - {name: tuned, path: runs/demo/tuned, role: tuned, training: runs/demo/tuned}
  - {name: twin, path: runs/demo/twin, role: twin, training: runs/demo/twin}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from chartsight.errors import RecipeError
from chartsight.recipes import Recipe, Seed, read_recipe
from chartsight.schema import CONDITIONS, Condition, Split

Role = Literal["baseline", "medical", "tuned", "twin", "other"]
ROLES: tuple[Role, ...] = get_args(Role)
ROLE_WORDS: dict[Role, str] = {
    "baseline": "general baseline",
    "medical": "medical baseline",
    "tuned": "fine-tuned",
    "twin": "text-only twin",
    "other": "other",
}


# What changes words alone, or nothing; whoever never sees a film is asked no more.
OF_WORDS: tuple[Condition, ...] = ("full", "paraphrase", "negated", "scrambled")


class ComparedModel(Recipe):
    """One model of the comparison.

    Args:
        name: Short, unique, part of file names.
        path: A model folder, a training run, or a shipped model's name.
        role: What it is compared as. The twin was trained by the tuned model's recipe without the film.
        label: How the report calls it; its name when None.
        note: One sentence for the report; a stand-in is named as one here.
        training: The folder of its training run, whose metrics.jsonl gives the curves.
        shots: Examples from the train split before every question.
        scoring: Closed answers are written like all others (`free`), or are the likeliest of those `allowed`.
        seed_of: What it is one of several trainings of; those that share it differ in their seed alone.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: str
    role: Role
    label: str | None = None
    note: str = ""
    training: Path | None = None
    shots: int = Field(default=0, ge=0)
    scoring: Literal["free", "allowed"] = "free"
    seed_of: str | None = None

    @property
    def title(self) -> str:
        """How the report calls it."""
        return self.label or self.name

    @property
    def source(self) -> str | Path:
        """A shipped model's name as it is, anything else as a path."""
        return self.path if is_shipped_name(self.path) else Path(self.path)

    def asked_under(self, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
        """The conditions that make sense for it: a twin never sees a film, so no other film can change its answer."""
        return tuple(each for each in conditions if each in OF_WORDS) if self.role == "twin" else tuple(conditions)


class CompareRecipe(Recipe):
    """A whole comparison.

    Args:
        questions: A questions.parquet; its film index is found by it, its train split gives the template priors.
        split: Whose questions are asked.
        models: In the order of the report.
        conditions: `full` is the film itself; `shuffled` another patient's; `blank` none to see.
        bootstrap: Resamples of whole patients behind every interval.
        seed: Of the donor films, the resamples and the choice of films to show.
        limit: Only so many questions.
        sets: How all models answer lists: they write them, or say yes or no to each name (`chartsight.prediction`).
        audits: Whether the audits run, and under which more conditions they ask: all that the question set allows
            (`true`), those named, or none (`false`: the verdict then rests on the twin and shuffled films alone).
        title: On top of the report.
    """

    questions: Path
    split: Split = "test"
    models: tuple[ComparedModel, ...]
    conditions: tuple[Condition, ...] = ("full", "shuffled", "blank")
    bootstrap: int = Field(default=10_000, ge=100)
    seed: Seed = 7
    limit: int | None = Field(default=None, ge=1)
    sets: Literal["generate", "itemwise"] = "generate"
    audits: bool | tuple[Condition, ...] = True
    title: str = "Does the model look?"

    def asked_of(self, model: ComparedModel) -> tuple[Condition, ...]:
        """The conditions under which a model is asked, those of the audits among them."""
        more = CONDITIONS if self.audits is True else self.audits or ()
        return model.asked_under(tuple(dict.fromkeys((*self.conditions, *more))))


def read_compare_recipe(path: Path) -> CompareRecipe:
    """The recipe in a YAML file, its paths found.

    A relative path is taken from the working directory, as on the command line, and from the recipe's own folder when
    nothing is there.

    Raises:
        RecipeError: An unknown key, a wrong type, two models of one name, a path where nothing is.
    """
    recipe = read_recipe(CompareRecipe, path)
    folder = Path(path).parent
    models = [
        model.model_copy(
            update={
                "path": model.path if is_shipped_name(model.path) else str(_found(Path(model.path), folder)),
                "training": model.training and _found(model.training, folder),
            }
        )
        for model in recipe.models
    ]
    found = recipe.model_copy(update={"questions": _found(recipe.questions, folder), "models": tuple(models)})
    return check_recipe(found, where=path)


def check_recipe(recipe: CompareRecipe, where: object = "recipe") -> CompareRecipe:
    """The recipe, when it can be run.

    Raises:
        RecipeError: See `read_compare_recipe`.
    """
    names = [model.name for model in recipe.models]
    if not names:
        raise RecipeError("no-models", where, "models is empty", "at least one model")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RecipeError("repeated-model", where, f"two models are called {repeated[0]}", "a name for each")
    if "full" not in recipe.conditions:
        raise RecipeError("no-full", where, "conditions lack full", "full among them", "the others are read against it")
    if len(set(recipe.conditions)) < len(recipe.conditions):
        raise RecipeError("repeated-condition", where, "conditions repeat one", "each once")
    if not recipe.questions.is_file():
        raise RecipeError("missing-file", recipe.questions, "no such file", "a questions.parquet", f"named in {where}")
    for index, model in enumerate(recipe.models):
        if not is_shipped_name(model.path) and not Path(model.path).exists():
            raise RecipeError(
                "missing-model", f"{where}: models.{index}.path", f"nothing at {model.path}",
                "a model folder, a training run or a shipped model's name",
            )  # fmt: skip
        if model.training is not None and not (model.training / "metrics.jsonl").is_file():
            raise RecipeError(
                "missing-training", f"{where}: models.{index}.training", f"no metrics.jsonl in {model.training}",
                "the folder of a training run", "leave the key out when there is none",
            )  # fmt: skip
    return recipe


def subject_and_reference(models: Sequence[ComparedModel]) -> tuple[ComparedModel, ComparedModel]:
    """The model that a comparison is about, and the one that it is first read against."""

    def first(*roles: Role) -> ComparedModel | None:
        return next((model for role in roles for model in models if model.role == role), None)

    subject = first("tuned") or models[-1]
    others = [model for model in models if model.name != subject.name]
    reference = first("baseline", "medical", "twin") or (others[0] if others else subject)
    return subject, reference


def is_shipped_name(path: str) -> bool:
    """Whether a model is named and not placed: no slash, and nothing of that name in the working directory."""
    return "/" not in path and "\\" not in path and not Path(path).exists()


def _found(path: Path, folder: Path) -> Path:
    return folder / path if not path.exists() and (folder / path).exists() else path
