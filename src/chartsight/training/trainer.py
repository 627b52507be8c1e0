"""The trainer: Hugging Face's, with rows that share their film, our loss, three learning rates, generated answers."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, nn
from transformers import TrainerState, TrainingArguments

from chartsight.errors import RecipeError
from chartsight.runs import write_json
from chartsight.schema import Question
from chartsight.training.attention import attend_by_branches
from chartsight.training.checkpoints import ResumableTrainer, WholeCheckpoints
from chartsight.training.data import spread
from chartsight.training.examples import build_example, build_rows
from chartsight.training.film_inputs import FilmInputs
from chartsight.training.learner import PROJECTOR, TOWER, language_part
from chartsight.training.loss import question_loss
from chartsight.training.memory_probe import BATCHES, probe_memory
from chartsight.training.micro_batches import KeptBytes, free_bytes, split_rows, usual_tokens, width_step_on
from chartsight.training.order import SimilarLengths
from chartsight.training.precision import use_bfloat16
from chartsight.training.progress import TrainingProgress
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, collate_rows
from chartsight.training.sharding import without_exchange
from chartsight.training.validation import generated_accuracy
from chartsight.vlm.checkpoint import Vlm


class FilmTrainer(ResumableTrainer):
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
        self.by_branches = attend_by_branches(learner)
        self.valid = spread(valid, recipe.evaluate.questions)
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
        self.width_step = width_step_on(self.args.device, bfloat16=self.args.bf16)
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
            self.tokens_per_batch = usual_tokens(self.args.device)
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
        free = free_bytes(self.args.device)
        if self.n_processes > 1:
            free = int(self.accelerator.gather(torch.tensor([free], device=self.args.device)).min())
        return probe_memory(
            self.recipe,
            max(self.train_dataset, key=lambda row: len(row.input_ids)),
            free=free,
            learning=sum(each.numel() for each in self.learning_weights().values()),
            usual=usual_tokens(self.args.device),
            width_step=self.width_step,
            kept_bytes=self._kept_bytes,
            checkpoint_layers=self._checkpoint_layers,
        )

    def _kept_bytes(self, row: FilmRow) -> int:
        batch = self._prepare_inputs(self.collate([row]))
        self.model.train()
        with torch.random.fork_rng(), KeptBytes(self.model) as kept, self.accelerator.autocast():
            loss = self.compute_loss(self.model, batch)
        del loss
        return kept.total

    def _checkpoint_layers(self) -> None:
        """Compute the language model's layers twice and hold their inputs only."""
        language_part(self.model).language_model.gradient_checkpointing_enable({"use_reentrant": False})

    def collate(self, rows: Sequence[FilmRow]) -> dict[str, Any]:
        """A batch as the keyword arguments of `compute_loss`."""
        batch = collate_rows(rows, self.vlm.tokenizer.pad_token_id, self.width_step)
        collated = {
            "input_ids": batch.input_ids,
            "position_ids": batch.position_ids,
            "attention_mask": batch.mask_of_branches if self.by_branches else batch.attention_mask,
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
        batches = split_rows(inputs, self.tokens_per_batch, self._parts(inputs), self.width_step)
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
        least = len(split_rows(rows, self.tokens_per_batch, width_step=self.width_step))
        needed = torch.tensor([least], device=self.args.device)
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
        """Loss and generated answers on the valid questions: see `generated_accuracy`."""
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
        with self.accelerator.autocast():
            found = generated_accuracy(self.vlm, self.valid, self._encode, reads_film=self.film_inputs is not None)
        return {f"eval_{name}": value for name, value in found.items()}

    def _encode(self, vlm: Vlm, image_ids: Sequence[str]) -> Tensor:
        assert self.film_inputs is not None
        pixel_values = self.film_inputs.gather(image_ids).to(vlm.device)
        return torch.stack(list(vlm.model.get_image_features(pixel_values).pooler_output))
