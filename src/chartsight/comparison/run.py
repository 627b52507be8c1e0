"""The comparison as one call: predictions where they are missing, findings, a page, the items behind each number."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chartsight.audit import AuditReport
from chartsight.comparison.analysis import Analysis, analyse
from chartsight.comparison.audits import audit_comparison, read_facts, seen_size_px
from chartsight.comparison.items import build_items, write_items_csv, write_items_parquet
from chartsight.comparison.predictions import OWN_GOLD_FAILS, Predict, collect_answers, prediction_path
from chartsight.comparison.provenance import Provenance, find_provenance
from chartsight.comparison.recipe import CompareRecipe, check_recipe, read_compare_recipe, subject_and_reference
from chartsight.comparison.report import render_report
from chartsight.comparison.verdict import Verdict
from chartsight.errors import OutputError, QuestionError
from chartsight.evaluation import Interval, PairedDifference, in_words
from chartsight.prediction.cards import read_model_facts
from chartsight.prediction.cost import CostEstimate
from chartsight.runs import Run, make_folder, manifest_path, new_output, read_manifest, sha256_file, write_json
from chartsight.schema import SCHEMA_VERSION, Condition, FilmFacts, Variant

SHAREABLE = "shareable.html"
TellsCost = Literal["nothing", "sum", "conditions"]  # before a pass begins


@dataclass(frozen=True)
class ComparisonResult:
    """Where everything is, and what was found."""

    report: Path
    report_json: Path
    items: Path
    items_parquet: Path
    analysis: Analysis
    audit: AuditReport | None

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return self.analysis.verdict.sentence


def compare(
    recipe: Path | CompareRecipe,
    out: Path,
    *,
    predict: Predict | None = None,
    facts: Mapping[str, FilmFacts] | None = None,
    quiet: bool = False,
    force: bool = False,
    shareable: bool = False,
) -> ComparisonResult:
    """Answers of all models to the same questions, scored, compared and shown in `out/report.html`.

    Args:
        recipe: What to compare.
        out: A folder: report.html, report.json, items.parquet, items.csv, run.json and predictions/. A comparison that
            did not finish is taken up again; its predictions stay.
        predict: Writes one model's answers; `chartsight.prediction.predict_conditions` when None.
        facts: Of the questions' films, for the audits; read from the record when None.
        quiet: No progress.
        force: Make the report of a finished comparison again.
        shareable: Write `shareable.html` too: the page without films of people, identifiers and free text.

    Raises:
        RecipeError: See `read_compare_recipe`.
        OutputError: `out` is finished, or holds something else.
        QuestionError: No questions to ask, or predictions that do not answer them.
        GateError: A patient or a film stands in two splits.
    """
    from chartsight.questions.files import read_questions
    from chartsight.questions.splits import check_splits

    out = Path(out)
    recipe = check_recipe(recipe) if isinstance(recipe, CompareRecipe) else read_compare_recipe(recipe)
    if predict is None:
        tells: TellsCost = "nothing" if quiet else "conditions" if len(recipe.models) == 1 else "sum"
        predict = functools.partial(predict_in_one_pass, tells=tells)
    questions = sorted(read_questions(recipe.questions), key=lambda question: question.question_id)
    of_split = [question for question in questions if question.split == recipe.split]
    about_films = [question for question in of_split if question.image_ids]
    about_one = [question for question in about_films if question.looks_at_one_film]
    answerable = [question for question in about_one if question.answerable]
    if not answerable:
        raise QuestionError(
            "no-questions", recipe.questions, f"no answerable question on a film in split {recipe.split}"
        )
    check_splits(
        (
            (question.split, {"patient": question.subject_id, "image": image_id})
            for question in questions
            for image_id in question.image_ids
        ),
        recipe.questions,
    )
    # Only now: a comparison of nothing leaves no folder behind.
    predictions = _open_folder(out, force)
    run = Run("compare", recipe.model_dump(mode="json"), recipe.seed)
    run.read(recipe.questions)
    training = [question for question in questions if question.split == "train" and question.answerable]
    collected = collect_answers(recipe, answerable, predictions, predict, quiet=quiet)
    asked, answers = collected.asked, collected.answers
    analysis = analyse(recipe, asked, training, answers)
    questions_sha256 = sha256_file(recipe.questions)
    model_facts = {model.name: read_model_facts(model.source) for model in recipe.models}
    audit: AuditReport | None = None
    if recipe.audits is not False:
        if facts is None:
            facts = read_facts(recipe, asked, seen_size_px(model_facts))
        audit = audit_comparison(
            recipe, asked, questions, answers, collected.variants, facts, model_facts, questions_sha256
        )
        analysis = replace(analysis, verdict=verdict_of(audit, subject_and_reference(recipe.models)[0].name))

    run.terms, run.pairing = analysis.terms, analysis.pairing
    run.kept["questions"] = len(asked)
    steps = (
        ("no-film", of_split, about_films),
        ("several-films", about_films, about_one),
        ("unanswerable", about_one, answerable),
    )
    for reason, before, after in steps:
        if len(before) > len(after):
            run.drop(reason, recipe.questions, count=len(before) - len(after))
    for model, condition in answers:
        manifest = read_manifest(prediction_path(predictions, model, condition))
        if manifest is not None:
            run.parent_runs.append(manifest["run_id"])
    result = ComparisonResult(
        out / "report.html", out / "report.json", out / "items.csv", out / "items.parquet", analysis, audit
    )
    fingerprints = {each.model.name: each.fingerprint for each in analysis.models}
    provenance = find_provenance(recipe, fingerprints, model_facts, questions_sha256, run.run_id, run.started)
    items = build_items(recipe, asked, analysis.prior_answers, answers, gold_of(collected.variants), facts)
    with new_output(result.items, replace=True) as partial:
        write_items_csv(partial, items)
    with new_output(result.items_parquet, replace=True) as partial:
        write_items_parquet(partial, items, {"terms": analysis.terms, "pairing": analysis.pairing})
    write_json(result.report_json, report_json(recipe, analysis, provenance, audit))
    html = render_report(recipe, items, analysis, provenance, audit)
    with new_output(result.report, replace=True) as partial:
        partial.write_text(html, "utf-8")
    outputs = [result.report, result.report_json, result.items, result.items_parquet]
    if shareable:
        outputs.append(out / SHAREABLE)
        with new_output(outputs[-1], replace=True) as partial:
            partial.write_text(render_report(recipe, items, analysis, provenance, audit, shareable=True), "utf-8")
    for path in outputs:
        run.outputs.append({"path": path.name, "sha256": sha256_file(path)})
    run.write(out)
    return result


def _open_folder(out: Path, force: bool) -> Path:
    """The folder of the predictions, in a folder that is new, unfinished or forced."""
    if out.exists() and not out.is_dir():
        raise OutputError("output-exists", out, "is a file", "a folder or nothing")
    predictions = out / "predictions"
    if out.is_dir() and any(out.iterdir()) and not predictions.is_dir():
        raise OutputError("output-exists", out, "is a folder of something else", hint="choose another name")
    if out.is_dir() and manifest_path(out).is_file() and not force:
        raise OutputError(
            "output-exists", out, "is a finished comparison", hint="pass --force to make its report again"
        )
    make_folder(predictions)
    return predictions


def verdict_of(audit: AuditReport, subject: str) -> Verdict:
    """The audits' verdict on one model."""
    found = audit.model(subject).verdict
    return Verdict(found.kind, found.sentence, found.reasons)


def gold_of(variants: Mapping[Condition, Mapping[str, Variant]]) -> dict[Condition, Mapping[str, Variant]]:
    """The conditions with right answers of their own."""
    return {condition: variants[condition] for condition in OWN_GOLD_FAILS if condition in variants}


def predict_in_one_pass(
    model: str | Path, questions: Path, folder: Path, conditions: Sequence[Condition], *, name: str, tells: TellsCost,
    **options: Any,
) -> Mapping[Condition, Path]:  # fmt: skip
    """`prediction.predict_conditions` in the comparison's own folder: answers of a model taught again are replaced."""
    from chartsight.prediction import predict_conditions

    def show_cost(cost: CostEstimate) -> None:
        lines = cost.lines() if tells == "conditions" else [f"{name}: {cost.lines()[-1].removeprefix('all: ')}"]
        print("\n".join(lines), file=sys.stderr)

    return predict_conditions(
        model, questions, folder, conditions, name=name, force=True,
        show_cost=None if tells == "nothing" else show_cost,
        **options,
    )  # fmt: skip


def report_json(
    recipe: CompareRecipe, analysis: Analysis, provenance: Provenance, audit: AuditReport | None = None
) -> dict[str, Any]:
    """Everything that the page shows, for programs; `nan` is null."""
    value = jsonable(analysis)
    assert isinstance(value, dict)
    value.pop("prior_answers")
    for shown, result in zip(value["models"], analysis.models, strict=True):
        rates = ("balanced_accuracy", "sensitivity", "specificity", "mcc", "yes_bias")
        shown["booleans"] |= {rate: jsonable(getattr(result.booleans, rate)) for rate in rates}
    return {
        "schema_version": SCHEMA_VERSION,
        "use": "Research use only. Not a medical device. Not for clinical use.",
        "recipe": recipe.model_dump(mode="json"),
        "provenance": asdict(provenance),
        **value,
        "audit": jsonable(audit),
    }


def jsonable(value: Any) -> Any:
    """Dataclasses, recipes and mappings as plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        fields = {name: jsonable(getattr(value, name)) for name in value.__dataclass_fields__}
        if isinstance(value, PairedDifference):
            return {**fields, "words": in_words(value)}
        return {**fields, "detectable": jsonable(value.detectable)} if isinstance(value, Interval) else fields
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
