"""What the numbers were made from: data, models with their bases, prompts, decoding, scorer, code.

Digests of what can move a number; two pages with the same digests show the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from chartsight.comparison.recipe import CompareRecipe
from chartsight.evaluation import scorer_stamp
from chartsight.prediction.cards import ModelFacts
from chartsight.prediction.conditions import DECODING
from chartsight.runs import git_commit


@dataclass(frozen=True)
class ModelProvenance:
    """One model.

    Args:
        title: How the page calls it.
        path: As the recipe names it.
        fingerprint: Of all that can move its answers, as its predictions say.
        lineage: The model's card and those of its bases, each `name (fingerprint)`; empty without a card.
        prompt: Name of its prompt template.
        preprocessing: Digest of how films are made fit for it.
    """

    title: str
    path: str
    fingerprint: str
    lineage: tuple[str, ...]
    prompt: str
    preprocessing: str


@dataclass(frozen=True)
class Provenance:
    """What the numbers were made from.

    Args:
        questions: The question set.
        questions_sha256: Of its file.
        scorer: Stamp of the rules that make an answer right.
        decoding: How answers are written.
        code: sha256 of chartsight's own source files, and the commit where there is one.
        models: In the order of the page.
        run_id: Of the comparison.
        started: When, UTC.
    """

    questions: str
    questions_sha256: str
    scorer: str
    run_id: str
    started: str
    decoding: str = DECODING
    code: str = ""
    models: tuple[ModelProvenance, ...] = ()

    def without_places(self) -> Provenance:
        """The same for a page that is shared: names of files, not where they stand on this machine."""
        models = tuple(replace(each, path=Path(each.path).name) for each in self.models)
        return replace(self, questions=Path(self.questions).name, models=models)


def find_provenance(
    recipe: CompareRecipe,
    fingerprints: Mapping[str, str],
    model_facts: Mapping[str, ModelFacts | None],
    questions_sha256: str,
    run_id: str,
    started: str,
) -> Provenance:
    """The provenance of a comparison; `fingerprints` are those that the predictions name, by model."""
    models = []
    for model in recipe.models:
        facts = model_facts.get(model.name)
        models.append(
            ModelProvenance(
                title=model.title,
                path=str(model.path),
                fingerprint=fingerprints[model.name],
                lineage=()
                if facts is None
                else tuple(f"{each.name} ({each.fingerprint[:12]})" for each in facts.ancestry),
                prompt="" if facts is None else facts.template,
                preprocessing="" if facts is None else facts.preprocessing_digest[:12],
            )
        )
    commit = git_commit()
    code = f"{code_sha256()[:12]}" + (f", commit {commit[:12]}{'+' if commit.endswith('+') else ''}" if commit else "")
    return Provenance(
        questions=str(recipe.questions), questions_sha256=questions_sha256, scorer=scorer_stamp(), run_id=run_id,
        started=started, code=code, models=tuple(models),
    )  # fmt: skip


@cache
def code_sha256() -> str:
    """Of all of chartsight's own source files, by name."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in {".py", ".yaml", ".j2", ".js", ".css"} and "models" not in path.relative_to(root).parts:
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
