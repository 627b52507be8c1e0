"""What a person sees while a model learns, and what is kept of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

KEPT = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy")


class TrainingProgress(TrainerCallback):  # type: ignore[misc]
    """A bar with the losses and the time left; `metrics.jsonl` and TensorBoard beside it.

    `metrics.jsonl` holds one JSON object a line: step, seconds, and loss and learning_rate, or valid_loss,
    valid_accuracy and valid_accuracy_<answer type>. After a resume, lines past the resumed step are dropped.
    """

    def __init__(self, metrics: Path, tensorboard: Path, steps: int, *, quiet: bool) -> None:
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

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the writers; forget what lies past the step that is resumed."""
        from torch.utils.tensorboard import SummaryWriter

        lines = self.metrics.read_text("utf-8").splitlines(keepends=True) if self.metrics.is_file() else []
        whole = [line.strip() for line in lines if line.endswith("\n")]  # a kill may have cut off the last one
        kept = [line for line in whole if json.loads(line)["step"] <= state.global_step]
        self.metrics.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        self.started = time.perf_counter() - (json.loads(kept[-1])["seconds"] if kept else 0.0)
        self.writer = SummaryWriter(str(self.tensorboard), purge_step=state.global_step)
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
        if not named:
            return
        line = {"step": state.global_step, "seconds": round(time.perf_counter() - self.started, 1), **named}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for key, value in named.items():
            self.writer.add_scalar(key, value, state.global_step)
        self.latest.update(named)
        shown = ("loss", "valid_loss", "valid_accuracy")
        seen = "  ".join(f"{key.replace('_', ' ')} {self.latest[key]:.3f}" for key in shown if key in self.latest)
        self.bar.update(self.task, seen=seen)
        if "valid_accuracy" in named and not self.console.is_terminal:
            self.console.print(f"step {state.global_step}: {seen}", highlight=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar and the writers."""
        self.bar.stop()
        self.writer.close()
