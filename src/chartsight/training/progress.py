"""What a person sees while a model learns, and what is kept of it."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

from chartsight.errors import RecipeError
from chartsight.training.forecast import Load, architecture_of, flops_per_row
from chartsight.training.precision import use_bfloat16
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow
from chartsight.vlm.checkpoint import Vlm

KEPT = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy")


@dataclass(frozen=True)
class StepCost:
    """What one optimiser step is, over all processes; means over rows.

    Args:
        questions: Learned from.
        tflop: Floating point operations, by arithmetic (`training.forecast`).
        bfloat16: What they are computed in.
    """

    questions: float
    tflop: float
    bfloat16: bool

    @classmethod
    def of(cls, recipe: AnswerRecipe, vlm: Vlm, rows: Sequence[FilmRow]) -> StepCost:
        """From the rows of a run."""
        load = Load.of_rows(rows)
        arch = architecture_of(vlm.model.config, vlm.card.image_tokens)
        flops = flops_per_row(arch, recipe, load) * recipe.rows_per_step
        bfloat16 = recipe.weights != "float32" or use_bfloat16(recipe.precision)
        return cls(load.questions * recipe.rows_per_step, flops / 1e12, bfloat16)


def measured_peak_tflops(bfloat16: bool) -> float:
    """What a large matrix product reaches here, now: the line that a run's TFLOP/s are compared with."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side, repeats = (8192, 10) if device == "cuda" else (768, 4)
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16 if bfloat16 else torch.float32)
    best = 0.0
    for _ in range(3):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(repeats):
            matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, repeats * 2 * side**3 / (time.perf_counter() - started) / 1e12)
    return best


class TrainingProgress(TrainerCallback):  # type: ignore[misc]
    """A bar with losses, questions/s, TFLOP/s, their share of the matmul peak and the time left; files beside it.

    TensorBoard always; W&B and trackio when the recipe asks for them and they are installed.

    `metrics.jsonl` holds one JSON object a line: step, seconds, and loss and learning_rate, or valid_loss,
    valid_accuracy, valid_accuracy_<answer type> and valid_accuracy/<template_id>. After a resume, lines past the
    resumed step are dropped.
    """

    def __init__(
        self, metrics: Path, tensorboard: Path, steps: int, *, cost: StepCost | None = None,
        report_to: Sequence[str] = (), quiet: bool,
    ) -> None:  # fmt: skip
        self.cost = cost
        self.trackers = [load_tracker(name) for name in report_to]
        self.peak: float | None = None
        self.stepped = (0, 0.0)  # step and clock of the last figure of speed
        self.paused = 0.0  # seconds since then that went into evaluation
        self.metrics = metrics
        self.tensorboard = tensorboard
        self.console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn("learning"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[seen]}"),
            TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn(),
        )  # fmt: skip
        self.bar = Progress(*columns, console=self.console, disable=quiet or not self.console.is_terminal)
        self.task = self.bar.add_task("learning", total=steps, seen="")
        self.latest: dict[str, float] = {}
        self.started = time.perf_counter()
        self.writer: Any = None

    def say(self, line: str) -> None:
        """One line for the person who started the run."""
        self.console.print(line, highlight=False)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the writers; forget what lies past the step that is resumed."""
        if not state.is_world_process_zero:
            return
        from torch.utils.tensorboard import SummaryWriter

        lines = self.metrics.read_text("utf-8").splitlines(keepends=True) if self.metrics.is_file() else []
        whole = [line.strip() for line in lines if line.endswith("\n")]  # a kill may have cut off the last one
        kept = [line for line in whole if json.loads(line)["step"] <= state.global_step]
        self.metrics.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        self.started = time.perf_counter() - (json.loads(kept[-1])["seconds"] if kept else 0.0)
        self.writer = SummaryWriter(str(self.tensorboard), purge_step=state.global_step)
        for tracker in self.trackers:
            tracker.init(project="chartsight", name=self.metrics.parent.name)
        if self.cost is not None and self.bar.disable is False:
            self.peak = measured_peak_tflops(self.cost.bfloat16)
        self.stepped = (state.global_step, time.perf_counter())
        self.bar.start()
        self.bar.update(self.task, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Keep one line and show it."""
        named = {
            key.replace("eval_", "valid_"): round(float(value), 6)
            for key, value in (logs or {}).items()
            if key in KEPT or key.startswith("eval_accuracy")
        }
        if not named or not state.is_world_process_zero:
            return
        line = {"step": state.global_step, "seconds": round(time.perf_counter() - self.started, 1), **named}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if "loss" in named:
            named |= self._speed(state.global_step)  # to look at; metrics.jsonl is the same for the same run
        for key, value in named.items():
            self.writer.add_scalar(key, value, state.global_step)
        for tracker in self.trackers:
            tracker.log(named, step=state.global_step)
        self.latest.update(named)
        shown = {
            "loss": "loss {:.3f}", "valid_loss": "valid loss {:.3f}", "valid_accuracy": "valid accuracy {:.3f}",
            "questions_per_s": "{:.1f} questions/s", "tflops": "{:.3g} TFLOP/s", "mfu": "{:.0%} of peak",
        }  # fmt: skip
        seen = "  ".join(text.format(self.latest[key]) for key, text in shown.items() if key in self.latest)
        self.bar.update(self.task, seen=seen)
        if "valid_accuracy" in named and not self.console.is_terminal:
            self.console.print(f"step {state.global_step}: {seen}", highlight=False)

    def _speed(self, step: int) -> dict[str, float]:
        """questions_per_s, tflops and mfu since the last call, evaluations left out."""
        now = time.perf_counter()
        steps, seconds = step - self.stepped[0], now - self.stepped[1] - self.paused
        self.stepped, self.paused = (step, now), 0.0
        if self.cost is None or steps <= 0 or seconds <= 0:
            return {}
        figures = {
            "questions_per_s": steps * self.cost.questions / seconds, "tflops": steps * self.cost.tflop / seconds
        }  # fmt: skip
        if self.peak is not None:
            figures["mfu"] = figures["tflops"] / (self.peak * PartialState().num_processes)
        return figures

    def evaluated(self, seconds: float) -> None:
        """So much of the time went into an evaluation."""
        self.paused += seconds

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar and the writers."""
        if not state.is_world_process_zero:
            return
        self.bar.stop()
        self.writer.close()
        for tracker in self.trackers:
            tracker.finish()


def load_tracker(name: str) -> Any:
    """The module `wandb` or `trackio`, which are called alike.

    Raises:
        RecipeError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RecipeError(
            "no-tracker", "report_to", f"{name} is not installed", "an installed tracker",
            f"pip install {name}, or leave it out: TensorBoard is always written",
        ) from None  # fmt: skip
