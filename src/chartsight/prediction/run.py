"""`chartsight predict`: a model's answers to a question set under conditions, in batches, resumable.

Lists are written by the model, or decided name by name: a yes/no question each, and the odds of what it was fine-tuned
on (`sets="itemwise"`, `questions.list_items`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.answers import AnswerStore
from chartsight.errors import OutputError, QuestionError
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.answers import answer_asked
from chartsight.prediction.conditions import OFFERED, SETS, Asked, Sets, check_films, put_variants, select_questions
from chartsight.prediction.cost import CostEstimate, estimate_cost
from chartsight.prediction.sealing import seal_predictions
from chartsight.questions.files import read_questions
from chartsight.questions.list_items import ItemOdds
from chartsight.questions.variants import KnownFilms, build_variants, read_known_films, read_variants, write_variants
from chartsight.runs import Run, check_apart, check_place, make_folder, new_output, read_manifest
from chartsight.schema import CONDITIONS, Condition, Question, Variant, strictest_pairing, strictest_terms

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

# What a question becomes there is said by the question set and the seed alone; elsewhere by labels and templates too.
SAID_BY_QUESTIONS: tuple[Condition, ...] = ("full", "shuffled", "blank", "question_only", "noise")


def predict_questions(
    model: str | Path,
    questions: Path,
    out: Path,
    *,
    condition: Condition = "full",
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    sets: Sets = "generate",
    device: str | None = None,
    quiet: bool = False,
    force: bool = False,
) -> Path:
    """`predictions.parquet` of a model, at `out`.

    Answers are appended to `out` + `.answers.jsonl` while they come; a killed run goes on from there, and a sealed
    file of the same model, questions and condition is left as it is.

    Args:
        model: A shipped name, a model folder or a training run.
        questions: A questions.parquet.
        out: The Parquet file to appear.
        condition: One of `OFFERED`; questions without a variant under it are not asked.
        split: train, valid, test or all.
        seed: Of donors, wordings, noise and whatever else a condition draws.
        limit: Only so many questions, spread over the films.
        sets: Lists are written by the model (`generate`), or decided name by name (`itemwise`), where their template
            says how; others are written.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress bar.
        force: Replace a sealed file of another run.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        OutputError: `out` holds something else.
        CheckpointError: The model cannot be loaded exactly.
    """
    questions, out = Path(questions), Path(out)
    asking = Asking(model, questions, split, seed, limit, sets)
    asking.check([condition])
    check_apart(out, questions)
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, such as predictions.parquet")
    store_path = out.with_name(out.name + ".answers.jsonl")
    done = _predict(asking, {condition: out}, store_path, device=device, quiet=quiet, force=force)
    if not done:
        raise QuestionError(
            "no-variant", condition, "no question of the split can be put so", "another condition",
            "swap, mirrored and occluded need a record with labels, occluded boxes as well",
        )  # fmt: skip
    return out


def predict_conditions(
    model: str | Path,
    questions: Path,
    folder: Path,
    conditions: Iterable[Condition],
    *,
    name: str = "",
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    sets: Sets = "generate",
    device: str | None = None,
    quiet: bool = False,
    force: bool = False,
    show_cost: Callable[[CostEstimate], None] | None = None,
) -> dict[Condition, Path]:
    """`CONDITION.parquet` of a model under several conditions, in one pass over the films, and `variants.parquet`.

    Everything that is asked of one film, whatever the condition, is asked together, so that the film is read once; what
    two conditions ask alike is asked once. A killed run goes on from its answers; sealed files of the same model,
    questions and condition are left as they are.

    Args:
        model: A shipped name, a model folder or a training run.
        questions: A questions.parquet.
        folder: For the files.
        conditions: Of `OFFERED`.
        name: Of the model: before each condition, as in `NAME.CONDITION.parquet`; without it the condition alone.
        split: train, valid, test or all.
        seed: Of donors, wordings, noise and whatever else a condition draws.
        limit: Only so many questions, spread over the films.
        sets: As in `predict_questions`.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress bar.
        force: Replace sealed files of another run.
        show_cost: Is told what the pass will cost, before the first question is asked.

    Returns:
        The file of each condition under which some question can be put; the others are left out.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        OutputError: A file holds something else.
        CheckpointError: The model cannot be loaded exactly.
    """
    questions, folder = Path(questions), Path(folder)
    wanted = sorted(set(conditions), key=lambda each: OFFERED.index(each) if each in OFFERED else -1)
    asking = Asking(model, questions, split, seed, limit, sets)
    asking.check(wanted)
    make_folder(folder)
    before = f"{name}." if name else ""
    outs = {condition: folder / f"{before}{condition}.parquet" for condition in wanted}
    store_path = folder / f"{before}answers.jsonl"
    return _predict(
        asking, outs, store_path, device=device, quiet=quiet, force=force, show_cost=show_cost,
        variants_path=folder / "variants.parquet",
    )  # fmt: skip


@dataclass(frozen=True)
class Asking:
    """Who is asked what.

    Args:
        model: A shipped name, a model folder or a training run.
        questions: A questions.parquet.
        split: train, valid, test or all.
        seed: Of what a condition draws.
        limit: Only so many questions.
        sets: How lists are asked.
    """

    model: str | Path
    questions: Path
    split: str
    seed: int
    limit: int | None
    sets: Sets

    def check(self, conditions: Sequence[Condition]) -> None:
        """Nothing, when all of it can be meant.

        Raises:
            QuestionError: It cannot.
        """
        if unknown := [each for each in conditions if each not in OFFERED]:
            raise QuestionError("no-condition", "condition", repr(unknown[0]), " or ".join(OFFERED))
        if not conditions:
            raise QuestionError("no-condition", "condition", "none is given", " or ".join(OFFERED))
        if self.sets not in SETS:
            raise QuestionError("no-sets", "sets", repr(self.sets), " or ".join(SETS))
        if self.limit is not None and self.limit < 1:
            raise QuestionError("bad-limit", "limit", str(self.limit), "at least 1")
        if self.seed < 0:
            raise QuestionError("bad-seed", "seed", str(self.seed), "0 or more")

    def config(self, condition: Condition, variants: Mapping[str, Variant] | None) -> dict[str, Any]:
        """What makes predictions these and no others."""
        from chartsight.vlm.checkpoint import fingerprint, model_folder

        digest = hashlib.sha256(self.questions.read_bytes()).hexdigest() if self.questions.is_file() else None
        config: dict[str, Any] = {
            "model": fingerprint(model_folder(self.model)), "questions": digest, "condition": condition,
            "split": self.split, "seed": self.seed, "limit": self.limit, "sets": self.sets,
        }  # fmt: skip
        if variants is not None and condition not in SAID_BY_QUESTIONS:
            config["variants"] = digest_variants(variants)
        return config


def digest_variants(variants: Mapping[str, Variant]) -> str:
    """Of everything that is shown and asked, hex."""
    told = hashlib.sha256()
    for question_id in sorted(variants):
        told.update(repr(variants[question_id]).encode())
    return told.hexdigest()


def _predict(
    asking: Asking,
    outs: Mapping[Condition, Path],
    store_path: Path,
    *,
    device: str | None,
    quiet: bool,
    force: bool,
    show_cost: Callable[[CostEstimate], None] | None = None,
    variants_path: Path | None = None,
) -> dict[Condition, Path]:
    """Every condition's file, made where it is not there yet."""
    if set(outs) <= set(SAID_BY_QUESTIONS) and variants_path is None:
        configs = {condition: asking.config(condition, None) for condition in outs}
        if not _missing(outs, configs, store_path, force=force):
            return dict(outs)
    for out in outs.values():
        make_folder(out.parent)
    check_place(store_path)
    everything = read_questions(asking.questions)
    chosen = select_questions(everything, asking.split, asking.limit, asking.questions)
    known = read_known_films(asking.questions)
    check_films(chosen, known.index)
    variants = build_variants(chosen, outs, known, asking.seed)
    outs = {condition: out for condition, out in outs.items() if variants[condition]}
    configs = {condition: asking.config(condition, variants[condition]) for condition in outs}
    missing = _missing(outs, configs, store_path, force=force)
    if variants_path is not None:
        _keep_variants(variants_path, variants, asking)
    if missing:
        _answer(
            asking, chosen, everything, variants, missing, configs, known.index, store_path, device=device, quiet=quiet,
            show_cost=show_cost,
        )  # fmt: skip
    return dict(outs)


def _missing(
    outs: Mapping[Condition, Path], configs: Mapping[Condition, Mapping[str, Any]], store_path: Path, *, force: bool
) -> dict[Condition, Path]:
    """The files that are to be made.

    Raises:
        OutputError: One holds other predictions.
    """
    missing = {}
    for condition, out in outs.items():
        if out.exists():
            sealed = read_manifest(out)
            if sealed is not None and sealed["config"] == configs[condition]:
                continue
            # A file without a manifest beside unsealed answers is our own, of a run killed between the two.
            if not force and (sealed is not None or not store_path.exists()):
                raise OutputError(
                    "output-exists", out, "holds other predictions", hint="choose another name or pass --force"
                )
        missing[condition] = out
    return missing


def _keep_variants(path: Path, variants: Mapping[Condition, Mapping[str, Variant]], asking: Asking) -> None:
    """Variants beside the predictions; those of other conditions that were asked of the same questions stay."""
    told = [hashlib.sha256(asking.questions.read_bytes()).hexdigest(), asking.split, asking.seed, asking.limit]
    of = hashlib.sha256(repr(told).encode()).hexdigest()
    kept: dict[Condition, Mapping[str, Variant]] = {}
    if path.exists() and (read_manifest(path) or {}).get("config", {}).get("of") == of:
        kept = dict(read_variants(path))
        if all(kept.get(condition, {}) == those for condition, those in variants.items()):
            return
    kept |= variants
    write_variants(path, kept, seed=asking.seed, replace=True)
    run = Run("predict", {"of": of, "seed": asking.seed}, asking.seed)
    run.read(asking.questions)
    run.kept = {condition: len(kept[condition]) for condition in CONDITIONS if condition in kept}
    run.write(path)


def _answer(
    asking: Asking,
    chosen: Sequence[Question],
    everything: Sequence[Question],
    variants: Mapping[Condition, Mapping[str, Variant]],
    outs: Mapping[Condition, Path],
    configs: Mapping[Condition, Mapping[str, Any]],
    index: FilmIndex,
    store_path: Path,
    *,
    device: str | None,
    quiet: bool,
    show_cost: Callable[[CostEstimate], None] | None,
) -> None:
    """The model's answers under all these conditions in one pass, then a file for each."""
    import torch

    from chartsight.vlm.checkpoint import load_vlm, model_folder

    vlm = load_vlm(asking.model, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    odds = ItemOdds.read(model_folder(asking.model))
    asked = {condition: list(put_variants(chosen, variants[condition], index, vlm, asking.sets)) for condition in outs}
    store = AnswerStore(store_path)
    if show_cost is not None:
        show_cost(estimate_cost(vlm, asked, plain_pass(chosen, index, vlm, asking.sets), store))
    answer_asked(vlm, [each for those in asked.values() for each in those], index, store, quiet=quiet)
    several = sum(len(each.image_ids) > 1 and asking.split in {each.split, "all"} for each in everything)
    for condition, out in outs.items():
        run = Run("predict", configs[condition], asking.seed)
        run.read(asking.questions, rows=len(chosen))
        if several:
            run.drop("question about several films", asking.questions, count=several)
        if absent := len(chosen) - len(asked[condition]):
            run.drop(f"question without a variant under {condition}", asking.questions, count=absent)
        _tell_unreadable(run, asked[condition], store)
        run.terms = strictest_terms({question.terms for question in chosen})
        run.pairing = strictest_pairing({question.pairing for question in chosen})
        with new_output(out, replace=out.exists()) as partial:
            seal_predictions(partial, asked[condition], store, vlm, odds, condition, run.run_id)
        run.kept = {"predictions": len(asked[condition])}
        run.write(out)
    store.path.unlink(missing_ok=True)


def _tell_unreadable(run: Run, asked: Sequence[Asked], store: AnswerStore) -> None:
    """Notes the asks that have no answer because their film cannot be read, each once."""
    for key, name in {key: ask.films[0] for ask in asked for _, key in ask.put if ask.films}.items():
        if (error := (store.get(key) or {}).get("error")) is not None:
            run.drop("unreadable film", name, row=str(error))


def plain_pass(chosen: Sequence[Question], index: FilmIndex, vlm: Vlm, sets: Sets) -> list[Asked]:
    """Every question once, of its own film: what the cost of conditions is counted in."""
    full = build_variants(chosen, ["full"], KnownFilms(index), 0)["full"]
    return list(put_variants(chosen, full, index, vlm, sets))


def estimate_conditions(
    model: str | Path,
    questions: Path,
    conditions: Iterable[Condition],
    *,
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    sets: Sets = "generate",
) -> CostEstimate:
    """What `predict_conditions` would cost from nothing; no film is opened and nothing is asked.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        CheckpointError: The model cannot be loaded exactly.
    """
    from chartsight.vlm.checkpoint import load_vlm

    asking = Asking(model, Path(questions), split, seed, limit, sets)
    wanted = list(conditions)
    asking.check(wanted)
    chosen = select_questions(read_questions(asking.questions), split, limit, asking.questions)
    known = read_known_films(asking.questions)
    check_films(chosen, known.index)
    variants = build_variants(chosen, wanted, known, seed)
    vlm = load_vlm(model, "cpu")
    asked = {each: list(put_variants(chosen, variants[each], known.index, vlm, sets)) for each in wanted}
    return estimate_cost(vlm, asked, plain_pass(chosen, known.index, vlm, sets))
