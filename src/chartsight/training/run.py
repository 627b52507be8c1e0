"""`chartsight train`: a recipe and questions in, a model folder out, resumable at every evaluation.

OUT/recipe.yaml            the resolved recipe
OUT/metrics.jsonl          one line a logged step: loss, valid loss, valid accuracy, rates
OUT/tensorboard/           the same for TensorBoard
OUT/checkpoints/           checkpoint-N with a marker `complete` that is written last
OUT/model/                 the best checkpoint: an adapter with its card, or whole weights
OUT/run.json               the manifest
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import set_seed

from chartsight.questions.list_items import ItemOdds
from chartsight.runs import Run
from chartsight.schema import Pairing, Question, Terms, strictest_pairing, strictest_terms
from chartsight.training.checkpoints import last_whole_checkpoint
from chartsight.training.data import (
    about_readable_films,
    check_words,
    film_inputs_of,
    limits_of,
    open_films,
    split_questions,
)
from chartsight.training.examples import build_example, build_rows
from chartsight.training.film_inputs import TowerFeatures
from chartsight.training.learner import language_part, save_learner, with_trainable_parts
from chartsight.training.progress import StepCost, TrainingProgress, load_tracker
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.run_folder import check_run_folder, full_disk_of, make_run_folder
from chartsight.training.sharding import gather_whole
from chartsight.training.trainer import FilmTrainer
from chartsight.training.words import centre_words
from chartsight.vlm.checkpoint import Vlm, load_llava
from chartsight.vlm.outline import load_hollow

LONGEST_WAIT = timedelta(hours=2)  # of one process for another that reads a base or decodes films from a slow disk


def train_answers(
    recipe: AnswerRecipe, out: Path, *, resume: bool = False, force: bool = False, quiet: bool = False,
    cache_folder: Path | None = None,
) -> Run:  # fmt: skip
    """A model taught to answer, in `out`.

    Args:
        recipe: See there.
        out: A new folder; with `resume`, the folder of an unfinished run of the same recipe.
        resume: Go on from the last whole checkpoint; a run that never saved one starts again.
        force: Replace `out`.
        quiet: No progress.
        cache_folder: Where padded films are kept between runs; `imaging` chooses by default.

    Raises:
        OutputError: `out` exists; another recipe stands in it.
        RecipeError, QuestionError, CheckpointError: As found.
    """
    out = Path(out)
    run = Run("train", recipe.model_dump(mode="json"), seed=recipe.seed)
    train, valid = split_questions(recipe, run)
    check_words(recipe, [*train, *valid])
    # Told of nothing, Accelerate takes torchrun's processes without cards for one alone.
    processes = PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_WAIT)
    reads_base = processes.is_main_process or recipe.parallel == "ddp" or recipe.keeps_features
    vlm = load_llava(recipe.base, weights=recipe.weights) if reads_base else load_hollow(recipe.base)
    if recipe.centre_words:
        centre_words(vlm)
    terms, pairing = _inherited(vlm, train)
    run.terms, run.pairing = terms, pairing
    check_run_folder(recipe, out, resume=resume, force=force)
    set_seed(recipe.seed)
    # PEFT asks transformers for a renamed property, and 5.21 has the old name only; nothing a user could do about it.
    warnings.filterwarnings("ignore", message="`(is_gradient|gradient)_checkpointing", category=FutureWarning)
    # Features of films are placed among words out of place; two processes learn what one does (test_processes.py).
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view", category=UserWarning)

    films = open_films(recipe, vlm, [*train, *valid], cache_folder, run, quiet=quiet)
    readable = films.rows if films else None
    train, valid = (about_readable_films(questions, readable, run) for questions in (train, valid))
    limits = limits_of(recipe, vlm)
    for questions in (valid, train):  # every sample is looked at; the trainer makes its own few rows of valid
        rows = build_rows(
            [build_example(question) for question in questions], vlm.prompts, film=recipe.film,
            branches_per_row=recipe.branches, seed=recipe.seed, limits=limits,
        )  # fmt: skip
    inputs = film_inputs_of(recipe, vlm, films, [*train, *valid], quiet=quiet)
    for name in recipe.report_to:
        load_tracker(name)
    # Only now, when everything was read: a run that never began leaves nothing behind, and removes nothing.
    processes.wait_for_everyone()  # each has checked the folder before one makes it
    if processes.is_main_process:
        make_run_folder(recipe, out, resume=resume)
        run.write(out, status="running")
    processes.wait_for_everyone()
    tower = vlm.model.model.vision_tower
    learner = with_trainable_parts(vlm, recipe, swap_tower=isinstance(inputs, TowerFeatures))
    progress = TrainingProgress(
        out / "metrics.jsonl", out / "tensorboard", recipe.steps_of(len(rows)),
        cost=StepCost.of(recipe, vlm, rows), report_to=recipe.report_to, quiet=quiet or not processes.is_main_process,
    )  # fmt: skip
    if recipe.branches < recipe.branches_per_row:
        progress.say(f"LoRA dropout {recipe.lora.dropout}: every question has a row of its own (branches share a draw)")
    trainer = FilmTrainer(recipe, out, vlm, learner, rows, valid, inputs, progress)
    started = time.perf_counter()
    with full_disk_of(out):
        trainer.learn(last_whole_checkpoint(out, processes) if resume else None)

    if isinstance(inputs, TowerFeatures):
        language_part(learner).vision_tower = tower
    card = replace(
        vlm.card,
        name=recipe.name,
        description=recipe.description,
        reads_film=recipe.film,
        terms=terms,
        pairing=pairing,
        base=None,
        base_fingerprint=None,
    )
    learned = gather_whole(learner.state_dict()) if recipe.parallel == "fsdp2" else None
    run.kept = {
        "train questions": len(train), "valid questions": len(valid), "rows": len(rows),
        "processes": trainer.n_processes, "questions a row, at most": recipe.branches,
    }  # fmt: skip
    if not processes.is_main_process:
        processes.wait_for_everyone()
        return run
    with full_disk_of(out):
        save_learner(replace(vlm, card=card), learner, recipe, out, learned)
        odds = ItemOdds.of(train)
        if odds.asked:
            odds.write(out / "model")
    run.outputs.append({"path": str(out / "model"), "seconds": round(time.perf_counter() - started, 1)})
    run.outputs.append({"evaluated": dict(sorted(Counter(each.template_id for each in trainer.valid).items()))})
    run.outputs.append({"best": trainer.state.best_metric, "best_step": trainer.state.best_global_step})
    run.write(out)
    processes.wait_for_everyone()
    return run


def _inherited(vlm: Vlm, questions: Sequence[Question]) -> tuple[Terms, Pairing]:
    terms = strictest_terms([vlm.card.terms, *{question.terms for question in questions}])
    pairing = strictest_pairing([vlm.card.pairing, *{question.pairing for question in questions}])
    return terms, pairing
