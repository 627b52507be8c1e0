"""`chartsight predict`: a model's answers to a question set under conditions, in batches, resumable.

Lists are written by the model, freely or in their form only, or decided name by name: a yes/no question each, and the
odds of what it was fine-tuned on (`sets="itemwise"`, `questions.list_items`). Closed answers are written, or scored
(`rules`); examples stand before every question (`shots`); `backends` answer.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.answers import AnswerStore
from chartsight.errors import CheckpointError, OutputError, QuestionError
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.answers import answer_asked
from chartsight.prediction.backends import LOCAL, BackEnd
from chartsight.prediction.backends.endpoint import EndpointBackEnd, check_terms
from chartsight.prediction.backends.local import LocalBackEnd
from chartsight.prediction.conditions import OFFERED, Asked, check_films, put_variants, select_questions
from chartsight.prediction.cost import CostEstimate, estimate_cost
from chartsight.prediction.rules import SCORINGS, SETS, Scoring, Sets
from chartsight.prediction.sealing import seal_predictions
from chartsight.prediction.shots import draw_shots
from chartsight.questions.files import read_questions
from chartsight.questions.list_items import ItemOdds
from chartsight.questions.variants import (
    KnownFilms,
    build_variants,
    plan_variants,
    read_known_films,
    read_variants,
    write_variants,
)
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
    scoring: Scoring = "free",
    shots: int = 0,
    back_end: BackEnd | None = None,
    attested: bool = False,
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
        sets: Lists are written by the model (`generate`), in their form only (`constrained`), or decided name by name
            (`itemwise`), where their template says how; others are written.
        scoring: Closed answers are written like all others (`free`), or are the likeliest of those `allowed`.
        shots: Examples before every question, from the train split, drawn with the seed.
        back_end: Who answers; this process when None.
        attested: The terms of the data allow to send them to the endpoint, wherever it is.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress bar.
        force: Replace a sealed file of another run.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        OutputError: `out` holds something else.
        CheckpointError: The model cannot be loaded exactly.
    """
    questions, out = Path(questions), Path(out)
    answering = back_end or LocalBackEnd(model, device)
    asking = Asking(model, questions, split, seed, limit, sets, scoring, shots, answering, attested)
    asking.check([condition])
    check_apart(out, questions)
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, such as predictions.parquet")
    store_path = out.with_name(out.name + ".answers.jsonl")
    done = _predict(asking, {condition: out}, store_path, quiet=quiet, force=force)
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
    scoring: Scoring = "free",
    shots: int = 0,
    back_end: BackEnd | None = None,
    attested: bool = False,
    device: str | None = None,
    quiet: bool = False,
    force: bool = False,
    show_cost: Callable[[CostEstimate], None] | None = None,
) -> dict[Condition, Path]:
    """`CONDITION.parquet` of a model under several conditions, in one pass over the films, and `variants.parquet`.

    Everything that is asked of one film, whatever the condition, is asked together, so that the film is read once; what
    two conditions ask alike is asked once. Where all of it would cost six plain passes or more, some conditions are
    asked about fewer films (`questions.variants.thinning`). A killed run goes on from its answers; sealed files of the
    same model, questions and condition are left as they are.

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
        scoring: Likewise.
        shots: Likewise.
        back_end: Likewise.
        attested: Likewise.
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
    answering = back_end or LocalBackEnd(model, device)
    asking = Asking(model, questions, split, seed, limit, sets, scoring, shots, answering, attested)
    asking.check(wanted)
    make_folder(folder)
    before = f"{name}." if name else ""
    outs = {condition: folder / f"{before}{condition}.parquet" for condition in wanted}
    store_path = folder / f"{before}answers.jsonl"
    return _predict(
        asking, outs, store_path, quiet=quiet, force=force, show_cost=show_cost,
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
        scoring: Free text, or allowed answers only.
        shots: Examples before every question.
        back_end: Who answers.
        attested: See `predict_questions`.
    """

    model: str | Path
    questions: Path
    split: str
    seed: int
    limit: int | None
    sets: Sets
    scoring: Scoring
    shots: int
    back_end: BackEnd
    attested: bool = False

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
        if self.scoring not in SCORINGS:
            raise QuestionError("no-scoring", "scoring", repr(self.scoring), " or ".join(SCORINGS))
        if self.shots < 0:
            raise QuestionError("bad-shots", "shots", str(self.shots), "0 or more")
        if self.limit is not None and self.limit < 1:
            raise QuestionError("bad-limit", "limit", str(self.limit), "at least 1")
        if self.seed < 0:
            raise QuestionError("bad-seed", "seed", str(self.seed), "0 or more")

    def config(self, condition: Condition, variants: Mapping[str, Variant] | None) -> dict[str, Any]:
        """What makes predictions these and no others."""
        digest = hashlib.sha256(self.questions.read_bytes()).hexdigest() if self.questions.is_file() else None
        config: dict[str, Any] = {
            "model": self.back_end.identity.fingerprint, "questions": digest, "condition": condition,
            "split": self.split, "seed": self.seed, "limit": self.limit, "sets": self.sets,
        }  # fmt: skip
        # What is as it was before it could be chosen is not told: files of then are still those of now.
        chosen: dict[str, tuple[Any, Any]] = {"scoring": (self.scoring, "free"), "shots": (self.shots, 0)}
        chosen |= {"back_end": (self.back_end.identity.back_end, LOCAL), "attested": (self.attested, False)}
        config |= {name: value for name, (value, usual) in chosen.items() if value != usual}
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
    known = read_known_films(asking.questions, {each.image_ids[0] for each in chosen})
    check_films(chosen, known.index)
    plan = build_variants if variants_path is None else plan_variants
    variants = plan(chosen, outs, known, asking.seed)
    outs = {condition: out for condition, out in outs.items() if variants[condition]}
    configs = {condition: asking.config(condition, variants[condition]) for condition in outs}
    missing = _missing(outs, configs, store_path, force=force)
    if variants_path is not None:
        _keep_variants(variants_path, variants, asking)
    if missing:
        _answer(
            asking, chosen, everything, variants, missing, configs, known.index, store_path, quiet=quiet,
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
    quiet: bool,
    show_cost: Callable[[CostEstimate], None] | None,
) -> None:
    """The model's answers under all these conditions in one pass, then a file for each."""
    back_end, identity = asking.back_end, asking.back_end.identity
    shots = draw_shots(everything, chosen, asking.shots, asking.seed, asking.questions) if asking.shots else ()
    check_films([shot.question for shot in shots], index)
    shown = [*chosen, *(shot.question for shot in shots)]
    terms, pairing = (
        strictest_terms({question.terms for question in shown}),
        strictest_pairing({question.pairing for question in shown}),
    )
    if isinstance(back_end, EndpointBackEnd):
        check_terms(back_end.endpoint, terms, attested=asking.attested)
    put = functools.partial(put_variants, scoring=asking.scoring, shots=shots)
    asked = {condition: list(put(chosen, variants[condition], index, identity, asking.sets)) for condition in outs}
    store = AnswerStore(store_path)
    if show_cost is not None and isinstance(back_end, LocalBackEnd):
        vlm = back_end.loaded()
        show_cost(estimate_cost(vlm, asked, plain_pass(chosen, index, vlm, asking.sets), store))
    answer_asked(back_end, [each for those in asked.values() for each in those], index, store, shots=shots, quiet=quiet)
    odds = _odds_of(asking.model)
    several = sum(len(each.image_ids) > 1 and asking.split in {each.split, "all"} for each in everything)
    for condition, out in outs.items():
        run = Run("predict", configs[condition], asking.seed)
        run.read(asking.questions, rows=len(chosen))
        if several:
            run.drop("question about several films", asking.questions, count=several)
        if absent := len(chosen) - len(asked[condition]):
            run.drop(f"question without a variant under {condition}", asking.questions, count=absent)
        _tell_unreadable(run, asked[condition], store)
        run.terms, run.pairing = terms, pairing
        with new_output(out, replace=out.exists()) as partial:
            seal_predictions(partial, asked[condition], store, identity, odds, condition, run.run_id)
        run.kept = {"predictions": len(asked[condition])}
        run.write(out)
    store.path.unlink(missing_ok=True)


def _odds_of(model: str | Path) -> ItemOdds:
    """Of a model's folder; even ones of a model that an endpoint alone knows."""
    from chartsight.vlm.checkpoint import model_folder

    try:
        folder = model_folder(model)
    except CheckpointError:
        return ItemOdds({}, {})
    return ItemOdds.read(folder)


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
    back_end = LocalBackEnd(model, "cpu")
    asking = Asking(model, Path(questions), split, seed, limit, sets, "free", 0, back_end)
    wanted = list(conditions)
    asking.check(wanted)
    chosen = select_questions(read_questions(asking.questions), split, limit, asking.questions)
    known = read_known_films(asking.questions, {each.image_ids[0] for each in chosen})
    check_films(chosen, known.index)
    variants = plan_variants(chosen, wanted, known, seed)
    vlm = back_end.loaded()
    asked = {each: list(put_variants(chosen, variants[each], known.index, vlm, sets)) for each in wanted}
    return estimate_cost(vlm, asked, plain_pass(chosen, known.index, vlm, sets))
