"""A finished comparison, read for reviewers: the items, what each model said and whether the scorer took it for right.

It is read from its files (`run.json`, `report.json`, `items.csv`, `predictions/`), so that any comparison of this
layout can be reviewed, whoever made it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import ReviewError
from chartsight.evaluation import patients_of
from chartsight.questions.files import read_questions
from chartsight.review.form import LETTERS
from chartsight.runs import read_manifest, sha256_file
from chartsight.schema import (
    CONDITIONS,
    Condition,
    Outcome,
    Pairing,
    Question,
    Terms,
    strictest_pairing,
    strictest_terms,
)

NO_FILM: tuple[Condition, ...] = ("question_only", "blank", "shuffled")  # what shows that the film matters, best first
OUTCOME_WORDS = {
    "answered": "", "unparsed": "(an answer that could not be read)", "refused": "(declined to answer)",
    "abstained": "(abstained)", "failed": "(no answer)",
}  # fmt: skip


@dataclass(frozen=True)
class ReviewedModel:
    """One model of the comparison, as its recipe names it."""

    name: str
    title: str
    role: str


@dataclass(frozen=True)
class Said:
    """One model's answers under one condition [N]: typed, in words; how they ended; right by the scorer; as written."""

    answers: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    is_correct: NDArray[np.bool_]
    texts: tuple[str, ...] = ()

    def shown(self, index: int) -> str:
        """What a reviewer reads: the model's own words, else its typed answer, else how it ended."""
        written = self.texts[index].strip() if self.texts else ""
        return written or self.typed(index)

    def typed(self, index: int) -> str:
        """The typed answer in words, else how it ended."""
        return self.answers[index] or OUTCOME_WORDS[self.outcomes[index]] or "(no answer)"

    def same_as(self, other: Said) -> NDArray[np.bool_]:
        """bool [N]: whether both say the same."""
        return np.array(
            [
                ours == theirs
                for ours, theirs in zip(
                    zip(self.answers, self.outcomes, strict=True),
                    zip(other.answers, other.outcomes, strict=True),
                    strict=True,
                )
            ]
        )


@dataclass(frozen=True)
class Compared:
    """All that a review needs of a comparison.

    Args:
        folder: Where it lies.
        questions_path: Its question set.
        questions: The questions asked, in the order of items.csv [N].
        models: All of them, in the order of the report.
        said: By model and condition; the texts of `full` are there for the models that were chosen.
        scorer: Version and digest of the rules that scored it.
        run_id: Of the comparison.
    """

    folder: Path
    questions_path: Path
    questions: tuple[Question, ...]
    models: tuple[ReviewedModel, ...]
    said: Mapping[tuple[str, Condition], Said]
    scorer: str
    run_id: str

    @property
    def patients(self) -> list[Hashable]:
        """Who each item is about [N]."""
        return patients_of(self.questions)

    @property
    def terms(self) -> Terms:
        """The strictest of its questions."""
        return strictest_terms(question.terms for question in self.questions)

    @property
    def pairing(self) -> Pairing:
        """The strictest of its questions."""
        return strictest_pairing(question.pairing for question in self.questions)


def read_comparison(
    folder: Path, *, questions: Path | None = None, models: Sequence[str] | None = None
) -> tuple[Compared, tuple[ReviewedModel, ...]]:
    """A comparison, and the models that are reviewed: first the one that it is about, then what that is read against.

    Args:
        folder: What `chartsight compare` finished.
        questions: Its question set, where it moved since.
        models: Names; the fine-tuned model and the baseline when None.

    Raises:
        ReviewError: No finished comparison; files that changed since; questions that are not those compared; an
            unknown model.
    """
    folder = Path(folder)
    manifest = read_manifest(folder) if folder.is_dir() else None
    if manifest is None or manifest.get("verb") != "compare" or not (folder / "items.csv").is_file():
        raise ReviewError("no-comparison", folder, "is no finished comparison", "a folder of `chartsight compare`")
    for output in manifest.get("outputs", ()):
        path = folder / str(output["path"])
        if path.name == "items.csv" and sha256_file(path) != output["sha256"]:
            raise ReviewError("changed-file", path, "was changed since it was made", hint="compare again with --force")
    known = _models_of(folder, manifest)
    chosen = choose_models(known, models, folder)
    rows = _read_items(folder / "items.csv")
    questions_path = _questions_path(folder, manifest, questions)
    by_id = {question.question_id: question for question in read_questions(questions_path)}
    missing = [row["question_id"] for row in rows if row["question_id"] not in by_id]
    if missing:
        raise ReviewError(
            "other-questions", questions_path, f"lacks {len(missing)} of the questions compared, first {missing[0]}",
            "the question set of the comparison",
        )  # fmt: skip
    asked = tuple(by_id[row["question_id"]] for row in rows)
    said = {
        (model.name, condition): _said(rows, model.name, condition, folder)
        for model in known
        for condition in CONDITIONS
        if f"{model.name}.{condition}.correct" in rows[0]
    }
    for model in chosen:
        if (model.name, "full") not in said:
            raise ReviewError("missing-column", folder / "items.csv", f"no column {model.name}.full.correct")
        full = said[model.name, "full"]
        texts = _texts(folder / "predictions" / f"{model.name}.full.parquet", asked)
        said[model.name, "full"] = Said(full.answers, full.outcomes, full.is_correct, texts)
    scorer = str(_report(folder).get("provenance", {}).get("scorer", ""))
    return Compared(folder, questions_path, asked, known, said, scorer, manifest["run_id"]), chosen


def choose_models(
    known: Sequence[ReviewedModel], names: Sequence[str] | None, where: object
) -> tuple[ReviewedModel, ...]:
    """The models that reviewers see, the one that the comparison is about first.

    Raises:
        ReviewError: A name that is unknown or said twice; more than a sheet has letters for.
    """
    if names is None:
        subject = next((model for model in known if model.role == "tuned"), known[-1])
        others = sorted((model for model in known if model != subject), key=lambda model: _rank(model.role))
        return (subject, *others[:1])
    by_name = {model.name: model for model in known}
    for name in names:
        if name not in by_name:
            raise ReviewError("unknown-model", where, f"compares no model {name!r}", " or ".join(by_name))
    if len(set(names)) < len(names) or not 1 <= len(names) <= len(LETTERS):
        raise ReviewError("bad-models", "--models", ",".join(names), f"1 to {len(LETTERS)} models, each once")
    return tuple(by_name[name] for name in names)


def _rank(role: str) -> int:
    """How soon a role is what the fine-tuned model is read against."""
    roles = ("baseline", "medical", "twin", "other")
    return roles.index(role) if role in roles else len(roles)


def outcome_strata(compared: Compared, chosen: Sequence[ReviewedModel]) -> list[str]:
    """Who is right by the scorer [N]: `both right`, `only NAME right`, `both wrong`; of one model `right`, `wrong`.

    The first two models count; a third is rated on the same items.
    """
    ours = compared.said[chosen[0].name, "full"].is_correct
    if len(chosen) == 1:
        return ["right" if right else "wrong" for right in ours]
    theirs = compared.said[chosen[1].name, "full"].is_correct
    words = {
        (True, True): "both right", (False, False): "both wrong",
        (True, False): f"only {chosen[0].name} right", (False, True): f"only {chosen[1].name} right",
    }  # fmt: skip
    return [words[bool(first), bool(second)] for first, second in zip(ours, theirs, strict=True)]


def quadrants(compared: Compared, subject: ReviewedModel) -> tuple[list[str], str]:
    """Where each item stands for the model that the comparison is about [N], and by what that was told.

    With paraphrases asked: `ideal` (consistent and reliant on the film), `fragile`, `dangerous` (consistent, but not
    reliant) or `worst`. Without them `reliant` or `unreliant`; `unknown` where only the film itself was shown. Reliant
    is an answer that changes without the film; where that was not asked, with a blank one, else with another patient's.
    """
    full = compared.said[subject.name, "full"]
    without = next((each for each in NO_FILM if (subject.name, each) in compared.said), None)
    if without is None:
        return ["unknown"] * len(compared.questions), "not asked without its film"
    reliant = ~full.same_as(compared.said[subject.name, without])
    if (subject.name, "paraphrase") not in compared.said:
        return ["reliant" if each else "unreliant" for each in reliant], f"{without} changes the answer"
    consistent = full.same_as(compared.said[subject.name, "paraphrase"])
    words = {
        (True, True): "ideal", (False, True): "fragile", (True, False): "dangerous", (False, False): "worst",
    }  # fmt: skip
    found = [words[bool(steady), bool(looks)] for steady, looks in zip(consistent, reliant, strict=True)]
    return found, f"{without} changes the answer, a paraphrase does not"


def _models_of(folder: Path, manifest: Mapping[str, Any]) -> tuple[ReviewedModel, ...]:
    """The models that the comparison's manifest names."""
    try:
        models = manifest["config"]["models"]
        known = tuple(ReviewedModel(each["name"], each.get("label") or each["name"], each["role"]) for each in models)
        named = bool(manifest["config"]["questions"]) and bool(manifest["run_id"])
    except (KeyError, TypeError, AttributeError):
        known, named = (), False
    if not known or not named:
        raise ReviewError("no-comparison", folder / "run.json", "names no models and questions", "a whole comparison")
    return known


def _read_items(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if not rows or "question_id" not in rows[0]:
        raise ReviewError("no-items", path, "lists no items", "the items of a comparison")
    return rows


def _said(rows: Sequence[Mapping[str, str]], model: str, condition: Condition, folder: Path) -> Said:
    name = f"{model}.{condition}"
    if missing := [column for column in ("answer", "outcome") if f"{name}.{column}" not in rows[0]]:
        raise ReviewError("missing-column", folder / "items.csv", f"no column {name}.{missing[0]}")
    # An empty cell: the condition does not apply to the question.
    outcomes: list[Any] = [row[f"{name}.outcome"] or "failed" for row in rows]
    if unknown := sorted(set(outcomes) - OUTCOME_WORDS.keys()):
        raise ReviewError("bad-outcome", folder / "items.csv", f"{name}.outcome holds {unknown[0]!r}")
    return Said(
        answers=tuple(row[f"{name}.answer"] for row in rows),
        outcomes=tuple(outcomes),
        is_correct=np.array([row[f"{name}.correct"] == "1" for row in rows]),
    )


def _texts(path: Path, asked: Sequence[Question]) -> tuple[str, ...]:
    """What a model wrote to each question, from its predictions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["question_id", "raw_text"])
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise ReviewError("no-predictions", path, "is no file of predictions", "the predictions compared") from error
    texts = dict(zip(table["question_id"].to_pylist(), table["raw_text"].to_pylist(), strict=True))
    missing = [question.question_id for question in asked if question.question_id not in texts]
    if missing:
        raise ReviewError(
            "missing-predictions", path, f"lacks {len(missing)} of the questions compared, first {missing[0]}"
        )
    return tuple(texts[question.question_id] or "" for question in asked)


def _questions_path(folder: Path, manifest: Mapping[str, Any], given: Path | None) -> Path:
    """The question set: as given, as the recipe names it, or beside the comparison; the very one that was compared."""
    named = Path(manifest["config"]["questions"])
    places = [Path(given)] if given is not None else [named, folder / named, folder.parent / named]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        hint = "" if given is not None else "name it with --questions"
        raise ReviewError("missing-file", places[0], "no such file", "the question set of the comparison", hint)
    expected = {each.get("sha256") for each in manifest.get("inputs", ()) if each.get("path") == str(named)}
    if expected and sha256_file(path) not in expected:
        raise ReviewError("other-questions", path, "is not the question set that was compared", "the file as it was")
    return path


def _report(folder: Path) -> dict[str, Any]:
    try:
        report = json.loads((folder / "report.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ReviewError("no-comparison", folder / "report.json", "is no report of a comparison") from error
    return report if isinstance(report, dict) else {}
