"""Checkpoints of a run: exactly the weights that learn, under their own names, and a marker that is written last.

They load strictly: the default loader takes a whole LLaVA's own file for a stranger's (old key names) and goes on with
a warning.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from chartsight.errors import CheckpointError
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.sharding import gather_whole, let_go, load_optimizer_state, put_whole, save_optimizer_state

COMPLETE = "complete"  # the marker of a whole checkpoint
LEARNED = "learned.safetensors"
SCHEDULER = "scheduler.pt"


class ResumableTrainer(Trainer):  # type: ignore[misc]
    """Hugging Face's Trainer with checkpoints of the learning weights, whole or spread over processes."""

    recipe: AnswerRecipe

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: each.detach().contiguous() for name, each in self.learning_weights().items()}
        save_file(weights, folder / LEARNED)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The weights that learn; parts that are spread over processes are put together by all of them."""
        if self.recipe.parallel == "fsdp2":
            parts = gather_whole(self.learning_weights())
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
        learning = self.learning_weights()
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

    def learning_weights(self) -> dict[str, nn.Parameter]:
        """name → what has a gradient."""
        let_go(self.model)
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}


class WholeCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint as whole after everything in it is written; a run killed before leaves none."""

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the marker last: after what every process wrote (each its own random numbers)."""
        PartialState().wait_for_everyone()
        if not state.is_world_process_zero:
            return
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).write_text(f"{state.global_step}\n")


def last_whole_checkpoint(out: Path, processes: PartialState) -> Path | None:
    """The latest checkpoint with its marker; what was killed while it was written is removed."""
    finished = []
    for folder in (out / "checkpoints").glob("checkpoint-*"):
        if (folder / COMPLETE).is_file():
            finished.append(folder)
        elif processes.is_main_process:
            shutil.rmtree(folder)  # killed while it was written
    processes.wait_for_everyone()
    return max(finished, key=lambda folder: int(folder.name.split("-")[1])) if finished else None
