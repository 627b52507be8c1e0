"""`chartsight audit`: one model under every condition that its questions allow, all audits, and gates.

A comparison of one: the same predictions, audits and page. A twin, where there is one, is compared as the control that
it is. What the pass will cost is told before it begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from chartsight.audit import AuditReport
from chartsight.audit.gates import Gate
from chartsight.comparison.predictions import Predict
from chartsight.comparison.recipe import ComparedModel, CompareRecipe, check_recipe
from chartsight.comparison.run import ComparisonResult, compare
from chartsight.schema import Split

AuditedRole = Literal["tuned", "baseline"]


def audit_recipe(
    model: str,
    questions: Path,
    *,
    twin: str | None = None,
    role: AuditedRole = "tuned",
    split: Split = "test",
    limit: int | None = None,
    seed: int = 7,
    resamples: int = 10_000,
) -> CompareRecipe:
    """The comparison of a model with nothing but its own blind controls.

    Args:
        model: A shipped model's name, a model folder or a training run.
        questions: A questions.parquet.
        twin: The model that was trained by the same recipe without films.
        role: `baseline` for a model that has not learned from these questions: it is then held against itself alone.
        split: Whose questions are asked.
        limit: Only so many of them.
        seed: Of donors, wordings, noise and resamples.
        resamples: Of whole patients behind every interval.

    Raises:
        RecipeError: Nothing is at one of the paths.
    """
    name = name_of(model)
    models = [ComparedModel(name=name, path=model, role=role)]
    if twin is not None:
        other = name_of(twin)
        models.append(ComparedModel(name=other if other != name else f"{other}-twin", path=twin, role="twin"))
    recipe = CompareRecipe(
        questions=questions, split=split, models=tuple(models), conditions=("full",), bootstrap=resamples, seed=seed,
        limit=limit, audits=True, title=f"Does {name} look?",
    )  # fmt: skip
    return check_recipe(recipe, where="audit")


def name_of(model: str) -> str:
    """A short name from a path: letters, digits, points, dashes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(model).name).lstrip("._-") or "model"


def audit_model(
    recipe: CompareRecipe, out: Path, *, predict: Predict | None = None, quiet: bool = False, force: bool = False
) -> tuple[ComparisonResult, AuditReport]:
    """All audits of the recipe's model, shown in `out/report.html`.

    Args:
        recipe: Of `audit_recipe`.
        out: See `compare`.
        predict: See `compare`.
        quiet: No progress, and no word of the cost.
        force: Make the report of a finished audit again.

    Raises:
        ChartsightError: As `compare`.
    """
    result = compare(recipe, out, predict=predict, quiet=quiet, force=force)
    assert result.audit is not None
    return result, result.audit


def failed_gates(gates: Sequence[Gate]) -> list[str]:
    """What each gate that does not hold found, red before amber."""
    failed = sorted((gate for gate in gates if not gate.passed), key=lambda gate: gate.level != "red")
    return [
        f"{gate.level}: {gate.name} of {gate.model}: {100 * gate.value:.1f}%, at most {100 * gate.limit:g}%"
        if gate.model
        else f"{gate.level}: {gate.name}: {gate.value:.0f}, at most {gate.limit:.0f}"
        for gate in failed
    ]
