"""`chartsight train`: a recipe and questions in, a model folder out, resumable at every evaluation.

OUT/recipe.yaml            the resolved recipe
OUT/metrics.jsonl          one line a logged step: loss, valid loss, valid accuracy, rates
OUT/tensorboard/           the same for TensorBoard
OUT/checkpoints/           checkpoint-N with a marker `complete` that is written last
OUT/model/                 the best checkpoint: an adapter with its card, or whole weights
OUT/run.json               the manifest
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import PartialState
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments, set_seed

from chartsight.errors import CheckpointError, GateError, OutputError, QuestionError, RecipeError
from chartsight.evaluation.metrics import correct
from chartsight.evaluation.normaliser import parse_answer
from chartsight.imaging.film_cache import FilmCache, build_film_cache, default_cache_folder
from chartsight.imaging.film_index import read_film_index
from chartsight.questions.export import frontal_films
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.list_items import ItemOdds
from chartsight.questions.subsets import select_subset
from chartsight.runs import (
    Run,
    check_apart,
    check_replaceable,
    is_disk_full,
    make_folder,
    read_manifest,
    remove,
    write_json,
)
from chartsight.schema import Pairing, Question, Terms, strictest_pairing, strictest_terms
from chartsight.training.checks import Limits, word_checks
from chartsight.training.examples import build_example, build_rows
from chartsight.training.film_inputs import FilmInputs, FilmPixels, KeptFeatures, TowerFeatures, keep_tower_features
from chartsight.training.loss import question_loss
from chartsight.training.micro_batches import KeptBytes, free_bytes, padded_width, split_rows, token_budget
from chartsight.training.order import SimilarLengths
from chartsight.training.precision import use_bfloat16
from chartsight.training.progress import StepCost, TrainingProgress, load_tracker
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, collate_rows
from chartsight.training.sharding import (
    gather_whole,
    let_go,
    load_optimizer_state,
    put_whole,
    save_optimizer_state,
    shard,
    whole,
    without_exchange,
)
from chartsight.training.words import centre_words
from chartsight.vlm.answering import FilmQuestions, answer_films
from chartsight.vlm.checkpoint import CARD, SHIPPED, Vlm, load_llava, model_folder, save_vlm

COMPLETE = "complete"  # the marker of a whole checkpoint
BATCHES = "batches.json"  # how a run with tokens_per_batch or checkpointing cuts its steps
LEARNED = "learned.safetensors"
SCHEDULER = "scheduler.pt"
LANGUAGE_LAYERS = r"model\.language_model\.layers\..*\.(q|k|v|o|gate|up|down)_proj"
PROJECTOR = "multi_modal_projector"
TOWER = "vision_tower"


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
    train, valid = _questions(recipe, run)
    _check_words(recipe, [*train, *valid])
    vlm = load_llava(recipe.base, weights=recipe.weights)
    if recipe.centre_words:
        centre_words(vlm)
    terms, pairing = _inherited(vlm, train)
    run.terms, run.pairing = terms, pairing
    _check_folder(recipe, out, resume=resume, force=force)
    set_seed(recipe.seed)
    # PEFT asks transformers for a renamed property, and 5.21 has the old name only; nothing a user could do about it.
    warnings.filterwarnings("ignore", message="`(is_gradient|gradient)_checkpointing", category=FutureWarning)

    films = _films(recipe, vlm, [*train, *valid], cache_folder, run, quiet=quiet)
    readable = films.rows if films else None
    train, valid = (_with_films(questions, readable, run) for questions in (train, valid))
    limits = _limits(recipe, vlm)
    for questions in (valid, train):  # every sample is looked at; the trainer makes its own few rows of valid
        rows = build_rows(
            [build_example(question) for question in questions], vlm.prompts, film=recipe.film,
            branches_per_row=recipe.branches, seed=recipe.seed, limits=limits,
        )  # fmt: skip
    inputs = _film_inputs(recipe, vlm, films, [*train, *valid], quiet=quiet)
    for name in recipe.report_to:
        load_tracker(name)
    # Only now, when everything was read: a run that never began leaves nothing behind, and removes nothing.
    processes = PartialState()
    if processes.is_main_process:
        _make_folder(recipe, out, resume=resume)
        run.write(out, status="running")
    processes.wait_for_everyone()
    tower = vlm.model.model.vision_tower
    learner = _with_trainable_parts(vlm, recipe, swap_tower=isinstance(inputs, TowerFeatures))
    progress = TrainingProgress(
        out / "metrics.jsonl", out / "tensorboard", recipe.steps_of(len(rows)),
        cost=StepCost.of(recipe, vlm, rows), report_to=recipe.report_to, quiet=quiet or not processes.is_main_process,
    )  # fmt: skip
    if recipe.branches < recipe.branches_per_row:
        progress.say(f"LoRA dropout {recipe.lora.dropout}: every question has a row of its own (branches share a draw)")
    trainer = FilmTrainer(recipe, out, vlm, learner, rows, valid, inputs, progress)
    started = time.perf_counter()
    with _full_disk_of(out):
        trainer.learn(_last_whole_checkpoint(out, processes) if resume else None)

    if isinstance(inputs, TowerFeatures):
        _language_part(learner).vision_tower = tower
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
    learned = gather_whole(learner) if recipe.parallel == "fsdp2" else None
    run.kept = {
        "train questions": len(train), "valid questions": len(valid), "rows": len(rows),
        "processes": trainer.n_processes, "questions a row, at most": recipe.branches,
    }  # fmt: skip
    if not processes.is_main_process:
        processes.wait_for_everyone()
        return run
    with _full_disk_of(out):
        _save(replace(vlm, card=card), learner, recipe, out, learned)
        odds = ItemOdds.of(train)
        if odds.asked:
            odds.write(out / "model")
    run.outputs.append({"path": str(out / "model"), "seconds": round(time.perf_counter() - started, 1)})
    run.outputs.append({"best": trainer.state.best_metric, "best_step": trainer.state.best_global_step})
    run.write(out)
    processes.wait_for_everyone()
    return run


# ---------------------------------------------------------------------------------------------------------- the trainer


class FilmTrainer(Trainer):  # type: ignore[misc]
    """Hugging Face's Trainer with our rows, our loss, three learning rates, and evaluation by generated answers."""

    def __init__(
        self,
        recipe: AnswerRecipe,
        out: Path,
        vlm: Vlm,
        learner: nn.Module,
        rows: Sequence[FilmRow],
        valid: Sequence[Question],
        inputs: FilmInputs | None,
        progress: TrainingProgress,
    ) -> None:
        self.optimizer: torch.optim.Optimizer | None
        self.control: Any
        self.recipe = recipe
        self.out = out
        self.progress = progress
        self.vlm = replace(vlm, model=learner)
        self.film_inputs = inputs
        self.tokens_per_batch: int | None = None  # found before the first step
        self.valid = _spread(valid, recipe.evaluate.questions)
        self.valid_rows = build_rows(
            [build_example(question) for question in self.valid],
            vlm.prompts, film=recipe.film, branches_per_row=recipe.branches, seed=recipe.seed,
        )  # fmt: skip
        self.n_processes = PartialState().num_processes
        share = recipe.accumulate * self.n_processes
        if recipe.rows_per_step % share:
            raise RecipeError(
                "bad-value", "rows_per_step", f"{recipe.rows_per_step} rows a step, {self.n_processes} processes",
                f"a multiple of {share}",
            )  # fmt: skip
        steps = recipe.steps_of(len(rows))
        arguments = TrainingArguments(
            output_dir=str(out / "checkpoints"),
            max_steps=steps,
            per_device_train_batch_size=recipe.rows_per_step // share,
            gradient_accumulation_steps=recipe.accumulate,
            learning_rate=recipe.learning_rates.language_model,
            lr_scheduler_type="cosine",
            warmup_steps=max(1, math.ceil(recipe.warmup_share * steps)),
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            bf16=recipe.weights != "float32" or use_bfloat16(recipe.precision),
            eval_strategy="steps",
            eval_steps=recipe.evaluate.every_steps,
            save_strategy="steps",
            save_steps=recipe.evaluate.every_steps,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model="eval_accuracy",
            greater_is_better=True,
            # A logged loss is the mean since the last one; a resumed run must find the same beginning.
            logging_steps=math.gcd(10, recipe.evaluate.every_steps),
            restore_callback_states_from_checkpoint=True,  # the patience that was used up
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["targets"],
            seed=recipe.seed,
            data_seed=recipe.seed,
            use_cpu=not torch.cuda.is_available(),
            dataloader_pin_memory=False,  # rows come as they are and become tensors when they are learned from
            ddp_find_unused_parameters=False,
        )
        arguments._n_gpu = min(1, arguments.n_gpu)  # several cards without torchrun: one is used, none in threads
        super().__init__(
            model=learner, args=arguments, train_dataset=list(rows), eval_dataset=self.valid_rows,
            data_collator=list, callbacks=[progress, WholeCheckpoints()],
        )  # fmt: skip
        # The loss below is divided by the questions of the whole optimiser step already.
        self.loss_is_scaled_for_ga = True
        if recipe.evaluate.patience is not None:
            from transformers import EarlyStoppingCallback

            self.add_callback(EarlyStoppingCallback(recipe.evaluate.patience))
        for callback in list(self.callback_handler.callbacks):
            if type(callback).__name__ in {"PrinterCallback", "ProgressCallback"}:
                self.remove_callback(callback)

    def learn(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint on when there is one, and take the best weights."""
        if checkpoint is not None:
            state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
            # Of a checkpoint at the end `train` would make one step too many.
            if state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"]:
                self.state = state
                if state.best_model_checkpoint is not None:
                    self._load_best_model()
                return
        self._find_batches(resumed=checkpoint is not None)
        self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    def _get_train_sampler(self, train_dataset: Any = None) -> SimilarLengths:
        lengths = [len(row.input_ids) for row in train_dataset or self.train_dataset]
        # Several processes would fill up a last, smaller step with rows that were learned from already.
        return SimilarLengths(
            lengths, self.recipe.rows_per_step, self.recipe.seed, whole_steps_only=self.n_processes > 1
        )

    def _find_batches(self, *, resumed: bool) -> None:
        """Decide how many tokens are learned from at once, once a run: what goes on cuts its steps as before."""
        recipe, kept = self.recipe, self.out / BATCHES
        if recipe.tokens_per_batch is None and recipe.checkpointing == "never":
            return
        if resumed and kept.is_file():
            found = json.loads(kept.read_text("utf-8"))
        else:
            found = self._probe_memory()
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                write_json(kept, found)
        self.tokens_per_batch = found["tokens"]
        if found["checkpointing"]:
            self._checkpoint_layers()

    def _probe_memory(self) -> dict[str, Any]:
        """tokens, checkpointing, bytes_a_token: of the longest row, forward once, with what autograd keeps counted."""
        recipe = self.recipe
        found: dict[str, Any] = {"tokens": recipe.tokens_per_batch, "checkpointing": recipe.checkpointing == "always"}
        if recipe.tokens_per_batch != "auto":
            return found
        longest = max(self.train_dataset, key=lambda row: len(row.input_ids))
        width = padded_width([longest])
        learning = sum(each.numel() for each in self._learning().values())
        free = free_bytes(self.args.device)
        if self.n_processes > 1:
            least = self.accelerator.gather(torch.tensor([free], device=self.args.device)).min()
            free = int(least)
        if found["checkpointing"]:
            self._checkpoint_layers()
        for _ in range(2):
            found["bytes_a_token"] = self._kept_bytes(longest) / width
            found["tokens"] = token_budget(free, learning, found["bytes_a_token"])
            if found["tokens"] >= width or found["checkpointing"] or recipe.checkpointing == "never":
                break
            found["checkpointing"] = True
            self._checkpoint_layers()
        if found["tokens"] < width:
            raise RecipeError(
                "no-room", "memory", f"{found['tokens']:,} tokens fit, and the longest row has {width:,}",
                "room for one row", "checkpointing: auto, fewer branches_per_row, weights: bfloat16, or a larger card",
            )  # fmt: skip
        return found

    def _kept_bytes(self, row: FilmRow) -> int:
        batch = self._prepare_inputs(self.collate([row]))
        self.model.train()
        with torch.random.fork_rng(), KeptBytes(self.model) as kept, self.accelerator.autocast():
            loss = self.compute_loss(self.model, batch)
        del loss
        return kept.total

    def _checkpoint_layers(self) -> None:
        """Compute the language model's layers twice and hold their inputs only."""
        _language_part(self.model).language_model.gradient_checkpointing_enable({"use_reentrant": False})

    def collate(self, rows: Sequence[FilmRow]) -> dict[str, Any]:
        """A batch as the keyword arguments of `compute_loss`."""
        batch = collate_rows(rows, self.vlm.tokenizer.pad_token_id)
        collated = {
            "input_ids": batch.input_ids,
            "position_ids": batch.position_ids,
            "attention_mask": batch.attention_mask,
            "logits_to_keep": batch.logits_to_keep,
            "targets": batch.targets,
            "question_of_target": batch.question_of_target,
            "n_questions": batch.n_questions,
        }
        if self.film_inputs is not None:
            collated["pixel_values"] = self.film_inputs.gather(batch.image_ids)
        return collated

    def _get_num_items_in_batch(self, batch_samples: list[list[FilmRow]], device: torch.device) -> Tensor:
        """Questions of the whole optimiser step, over accumulation and ranks."""
        count = torch.tensor(sum(row.n_questions for rows in batch_samples for row in rows), device=device)
        gathered: Tensor = self.accelerator.gather(count)
        return gathered.sum()

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """The loss of one step's rows (or of one of its accumulated parts), learned from in batches that fit."""
        batches = split_rows(inputs, self.tokens_per_batch, self._parts(inputs))
        total = torch.zeros((), device=self.args.device)
        for nth, rows in enumerate(batches):
            # Gradients are exchanged between processes once, after the last batch.
            with nullcontext() if nth + 1 == len(batches) else without_exchange(model):
                total += super().training_step(model, self.collate(rows), num_items_in_batch)
        return total

    def _parts(self, rows: Sequence[FilmRow]) -> int:
        """At least so many batches: parts of a model that are spread over processes are used by all at once."""
        if self.recipe.parallel == "ddp" or self.n_processes == 1:
            return 1
        needed = torch.tensor([len(split_rows(rows, self.tokens_per_batch))], device=self.args.device)
        return int(self.accelerator.gather(needed).max())

    def floating_point_ops(self, inputs: Any) -> int:
        """0: `training.forecast` counts them."""
        return 0

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """This micro-batch's share of the step's mean over questions."""
        inputs = dict(inputs)
        targets, owner, count = (inputs.pop(key) for key in ("targets", "question_of_target", "n_questions"))
        outputs = model(**inputs, use_cache=False)
        denominator = count if num_items_in_batch is None else num_items_in_batch
        loss = question_loss(outputs.logits, targets, owner, count, denominator)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # DDP averages the ranks' gradients
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with one learning rate a part."""
        if self.optimizer is None:
            rates = self.recipe.learning_rates
            groups: dict[float, list[nn.Parameter]] = {}
            for name, parameter in (model or self.model).named_parameters():
                if parameter.requires_grad:
                    rate = (
                        rates.projector if PROJECTOR in name else rates.tower if TOWER in name else rates.language_model
                    )
                    groups.setdefault(rate, []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [{"params": parameters, "lr": rate} for rate, parameters in groups.items()],
                weight_decay=self.args.weight_decay,
                betas=(0.9, 0.98),
            )
        return self.optimizer

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss and generated answers on the valid questions: eval_loss, eval_accuracy, eval_accuracy_<answer type>."""
        started = time.perf_counter()
        self.model.eval()
        metrics = {"eval_loss": self._valid_loss(), **self._valid_accuracy()}
        self.model.train()
        if self.n_processes > 1:  # the same everywhere, so that all stop, or go on, together
            from accelerate.utils import broadcast_object_list

            (metrics,) = broadcast_object_list([metrics])
        self.progress.evaluated(time.perf_counter() - started)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @torch.inference_mode()
    def _valid_loss(self) -> float:
        total, count = 0.0, 0
        size = self.args.per_device_train_batch_size
        for start in range(0, len(self.valid_rows), size):
            batch = self._prepare_inputs(self.collate(self.valid_rows[start : start + size]))
            with self.accelerator.autocast():
                total += float(self.compute_loss(self.model, batch)) * batch["n_questions"]
            count += batch["n_questions"]
        return total / count

    def _valid_accuracy(self) -> dict[str, float]:
        by_film: dict[tuple[str, ...], list[Question]] = {}
        for question in self.valid:
            by_film.setdefault(question.image_ids, []).append(question)
        items = [
            FilmQuestions(
                image_ids[0] if self.film_inputs is not None else None,
                tuple(build_example(question).prompt for question in asked),
            )
            for image_ids, asked in by_film.items()
        ]
        right: dict[str, list[bool]] = {}
        with self.accelerator.autocast():
            for asked, answers in zip(
                by_film.values(), answer_films(self.vlm, items, encode=self._encode), strict=True
            ):
                for question, answer in zip(asked, answers, strict=True):
                    parsed = parse_answer(answer.text, question.answer_type, question.allowed_answers)
                    is_right = parsed.outcome == "answered" and correct(question, parsed.value)
                    right.setdefault(question.answer_type, []).append(is_right)
        every = [each for answers in right.values() for each in answers]
        by_type = {f"eval_accuracy_{kind}": sum(each) / len(each) for kind, each in sorted(right.items())}
        return {"eval_accuracy": sum(every) / len(every), **by_type}

    # Checkpoints hold exactly the weights that learn, under their own names, and load strictly: the default loader
    # takes a whole LLaVA's own file for a stranger's (old key names) and goes on with a warning.

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: whole(each).contiguous() for name, each in self._learning().items()}, folder / LEARNED)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The weights that learn; parts that are spread over processes are put together by all of them."""
        if self.recipe.parallel == "fsdp2":
            parts = {name: whole(each) for name, each in self._learning().items()}
            if self.args.should_save:
                folder = Path(output_dir or self.args.output_dir)
                folder.mkdir(parents=True, exist_ok=True)
                save_file({name: each.contiguous() for name, each in parts.items()}, folder / LEARNED)
        else:
            super().save_model(output_dir, _internal_call)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.recipe.parallel == "fsdp2":
            save_optimizer_state(self.model, self.optimizer, Path(output_dir), self.args.should_save)
            if self.args.should_save:
                torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER)
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if self.recipe.parallel == "fsdp2" and checkpoint is not None:
            load_optimizer_state(self.model, self.optimizer, Path(checkpoint))
            self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER, weights_only=True))
        else:
            super()._load_optimizer_and_scheduler(checkpoint)

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        # Accelerate would wrap a model that is spread already in DDP; asked to evaluate, it leaves it as it is.
        self.is_distributed_loading_by_transformers = self.recipe.parallel == "fsdp2"
        return super()._prepare_for_training(*args, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        stored = load_file(Path(resume_from_checkpoint) / LEARNED)
        learning = self._learning()
        if stored.keys() != learning.keys():
            raise CheckpointError(
                "other-weights",
                resume_from_checkpoint,
                f"{len(stored)} tensors",
                f"the {len(learning)} that learn here",
            )
        with torch.no_grad():
            for name, parameter in learning.items():
                put_whole(parameter, stored[name])

    def _load_best_model(self) -> None:
        # Its name alone: the path is that of the folder before it was moved.
        best = Path(str(self.state.best_model_checkpoint)).name
        self._load_from_checkpoint(str(Path(self.args.output_dir) / best))

    def _learning(self) -> dict[str, nn.Parameter]:
        let_go(self.model)
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def _encode(self, vlm: Vlm, image_ids: Sequence[str]) -> Tensor:
        assert self.film_inputs is not None
        pixel_values = self.film_inputs.gather(image_ids).to(vlm.device)
        return torch.stack(list(vlm.model.get_image_features(pixel_values).pooler_output))


class WholeCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint as whole after everything in it is written; a run killed before leaves none."""

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the marker last: after what every process wrote (each its own random numbers)."""
        PartialState().wait_for_everyone()
        if not state.is_world_process_zero:
            return
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).write_text(f"{state.global_step}\n")


# ------------------------------------------------------------------------------------------------------------ the parts


def _questions(recipe: AnswerRecipe, run: Run) -> tuple[list[Question], list[Question]]:
    run.read(recipe.questions)
    chosen = select_subset(read_questions(recipe.questions), recipe.subset)
    about_films = [question for question in chosen if question.image_ids]
    asked = [question for question in about_films if question.looks_at_one_film]
    if several := len(about_films) - len(asked):
        run.drop("question about several films", recipe.questions, count=several)
    train = [question for question in asked if question.split == "train"]
    valid = [question for question in asked if question.split == "valid"]
    if recipe.limit is not None:
        train = _spread(train, recipe.limit)
    for name, questions in (("train", train), ("valid", valid)):
        if not questions:
            raise QuestionError("empty-split", recipe.questions, f"has no question about one film in split {name}")
    shared = {question.subject_id for question in train} & {question.subject_id for question in valid} - {None}
    if shared:
        raise GateError("leakage", recipe.questions, f"{len(shared)} patients stand in train and in valid", "none")
    return train, valid


def _check_words(recipe: AnswerRecipe, questions: Sequence[Question]) -> None:
    """Nothing, when no question's words would train silently wrong (`training.checks`)."""
    study_of, frontal = None, {}
    if recipe.film:
        index = read_film_index(film_index_of(recipe.questions))
        index.films(sorted({image_id for question in questions for image_id in question.image_ids}))
        study_of = {image_id: film.study_id for image_id, film in index.items()}
        frontal = frontal_films(index.source)
    for question in questions:
        for check in word_checks(question, study_of, frontal):
            check()


def _limits(recipe: AnswerRecipe, vlm: Vlm) -> Limits:
    longest = int(vlm.model.config.text_config.max_position_embeddings)
    features = vlm.card.image_tokens if recipe.film else 0
    return Limits(vlm.prompts.image_token_id, features, recipe.max_length or longest)


def _spread(questions: Sequence[Question], limit: int) -> list[Question]:
    """At most `limit` questions, spread evenly over the order of their ids, which is random by construction."""
    ordered = sorted(questions, key=lambda question: question.question_id)
    step = max(1.0, len(ordered) / limit)
    return [ordered[int(i * step)] for i in range(min(limit, len(ordered)))]


def _inherited(vlm: Vlm, questions: Sequence[Question]) -> tuple[Terms, Pairing]:
    terms = strictest_terms([vlm.card.terms, *{question.terms for question in questions}])
    pairing = strictest_pairing([vlm.card.pairing, *{question.pairing for question in questions}])
    return terms, pairing


def _resolved(recipe: AnswerRecipe) -> str:
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def _check_folder(recipe: AnswerRecipe, out: Path, *, resume: bool, force: bool) -> None:
    if resume and out.exists():
        stored = out / "recipe.yaml"
        if not stored.is_file() or stored.read_text("utf-8") != _resolved(recipe):
            raise OutputError("other-run", out, "holds a run of another recipe", "the recipe to resume")
        return
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="--resume goes on, --force starts again")
    if out.exists() and not out.is_dir():
        raise OutputError("no-folder", out, "is a file", "a folder")
    check_replaceable(out)
    check_apart(out, recipe.questions, model_folder(recipe.base))


@contextmanager
def _full_disk_of(out: Path) -> Iterator[None]:
    """Says of a full disk where it was and that nothing is lost: whole checkpoints stay.

    Raises:
        OutputError: The disk fills up in the block.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise OutputError(
            "disk-full", out, "the disk is full or a quota is reached", hint="free some space, then --resume goes on"
        ) from error


def _make_folder(recipe: AnswerRecipe, out: Path, *, resume: bool) -> None:
    if resume and out.exists():
        return
    remove(out)
    make_folder(out)
    (out / "recipe.yaml").write_text(_resolved(recipe), "utf-8")


def _last_whole_checkpoint(out: Path, processes: PartialState) -> Path | None:
    whole = []
    for folder in (out / "checkpoints").glob("checkpoint-*"):
        if (folder / COMPLETE).is_file():
            whole.append(folder)
        elif processes.is_main_process:
            shutil.rmtree(folder)  # killed while it was written
    processes.wait_for_everyone()
    return max(whole, key=lambda folder: int(folder.name.split("-")[1])) if whole else None


def _films(
    recipe: AnswerRecipe, vlm: Vlm, questions: Sequence[Question], folder: Path | None, run: Run, *, quiet: bool
) -> FilmCache | None:
    if not recipe.film:
        return None
    index = read_film_index(film_index_of(recipe.questions))
    wanted = sorted({image_id for question in questions for image_id in question.image_ids})
    preprocessing = vlm.card.preprocessing
    cache = build_film_cache(
        index.films(wanted),
        preprocessing.size_px,
        folder or default_cache_folder(),
        fill=preprocessing.fill,
        resampling=preprocessing.resampling,
        quiet=quiet,
    )
    for image_id, reason in sorted(cache.failed.items()):
        run.drop("unreadable film", image_id, row=reason)
    return cache


def _with_films(questions: Sequence[Question], readable: Any, run: Run) -> list[Question]:
    if readable is None:
        return list(questions)
    kept = [question for question in questions if all(image_id in readable for image_id in question.image_ids)]
    if len(kept) < len(questions):
        run.dropped["question about an unreadable film"] = len(questions) - len(kept)
    if not kept:
        raise QuestionError("no-film", "questions", "not one film can be read", "films where the record has them")
    return kept


def _film_inputs(
    recipe: AnswerRecipe, vlm: Vlm, films: FilmCache | None, questions: Sequence[Question], *, quiet: bool
) -> FilmInputs | None:
    if films is None:
        return None
    if recipe.train.tower == "frozen" and recipe.cache_tower:
        image_ids = sorted({image_id for question in questions for image_id in question.image_ids})
        return keep_tower_features(vlm, films, image_ids, quiet=quiet)
    return FilmPixels(films, vlm.card.preprocessing)


def _with_trainable_parts(vlm: Vlm, recipe: AnswerRecipe, *, swap_tower: bool) -> nn.Module:
    """The model with gradients where the recipe wants them, wrapped by PEFT for LoRA."""
    model: Any = vlm.model
    if swap_tower:
        model.model.vision_tower = KeptFeatures(n_layers=1 - min(-1, model.config.vision_feature_layer))
    train = recipe.train
    model.requires_grad_(False)
    if train.language_model == "lora":
        from peft import LoraConfig, get_peft_model

        saved = [name for name, part in ((PROJECTOR, train.projector), (TOWER, train.tower)) if part == "full"]
        adapted = get_peft_model(
            model,
            LoraConfig(
                r=recipe.lora.rank, lora_alpha=recipe.lora.alpha, lora_dropout=recipe.lora.dropout, bias="none",
                use_dora=recipe.lora.dora, target_modules=LANGUAGE_LAYERS,
                modules_to_save=saved if recipe.film else None,
            ),
        )  # fmt: skip
        if not any("lora_" in name for name, _ in adapted.named_parameters()):
            raise RecipeError("no-adapter", recipe.base, "no layer of its language model takes an adapter")
        learner: nn.Module = adapted
    else:
        model.model.language_model.requires_grad_(train.language_model == "full")
        model.lm_head.requires_grad_(train.language_model == "full")
        if recipe.film:
            model.model.multi_modal_projector.requires_grad_(train.projector == "full")
            model.model.vision_tower.requires_grad_(train.tower == "full")
        learner = model
    for parameter in learner.parameters():
        if parameter.requires_grad:  # what learns by small steps would lose them in bfloat16
            parameter.data = parameter.data.float()
    return shard(learner, recipe) if recipe.parallel == "fsdp2" else learner


def _language_part(learner: nn.Module) -> Any:
    """The `LlavaModel` inside, with or without PEFT around it."""
    wrapped: Any = learner
    return (wrapped.get_base_model() if hasattr(wrapped, "get_base_model") else wrapped).model


def _save(vlm: Vlm, learner: Any, recipe: AnswerRecipe, out: Path, learned: Mapping[str, Tensor] | None = None) -> None:
    """The learned model under `vlm`'s card: an adapter, or whole weights; `learned` when they are spread over cards."""
    folder = out / "model"
    remove(folder)
    if recipe.train.language_model == "lora":
        base = model_folder(recipe.base)
        shipped = base.parent == SHIPPED
        learner.save_pretrained(folder, safe_serialization=True, state_dict=learned)
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's template, full of blanks
        name = base.name if shipped else os.path.relpath(base.resolve(), folder.resolve())
        # PEFT notes where the base was. That path means nothing elsewhere, and would make the same adapter, learned in
        # another folder, another fingerprint; what the base must be says its own.
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        write_json(
            folder / "adapter_config.json", {**config, "base_model_name_or_path": f"chartsight:{vlm.fingerprint}"}
        )
        write_json(folder / CARD, replace(vlm.card, base=name, base_fingerprint=vlm.fingerprint).as_dict())
    else:
        save_vlm(replace(vlm, model=learner), folder, state_dict=learned)


def is_finished(out: Path) -> bool:
    """Whether a training run in `out` reached its end."""
    manifest = read_manifest(out) if out.is_dir() else None
    return manifest is not None and manifest["status"] == "done"
