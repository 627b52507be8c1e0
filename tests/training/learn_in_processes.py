"""Run by test_processes.py, by itself or in two processes of torchrun: trains by plain SGD, and says what it saw.

python learn_in_processes.py RECIPE.json OUT [--resume] [--adam]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch.distributed.tensor import DTensor

from chartsight.training import run as training
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.sharding import let_go

recipe_path, out, flags = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]


read: list[int] = []  # weights that this process had before any were handed on
begin = training.with_trainable_parts


def noted(vlm: Any, *args: Any, **kwargs: Any) -> Any:
    read.append(sum(each.numel() for each in vlm.model.parameters() if not each.is_meta))
    return begin(vlm, *args, **kwargs)


training.with_trainable_parts = noted


class Plain(training.FilmTrainer):
    """SGD: a step that shows the gradient itself, where Adam would show its sign."""

    def create_optimizer(self, model: Any = None) -> Any:
        if "--adam" in flags:
            return super().create_optimizer(model)
        learning = [each for each in self.model.parameters() if each.requires_grad]
        self.optimizer = torch.optim.SGD(learning, lr=0.5)
        return self.optimizer

    def learn(self, checkpoint: Any) -> None:
        super().learn(checkpoint)
        let_go(self.model)
        parameters = list(self.model.named_parameters())
        seen = {
            "spread": sum(isinstance(each, DTensor) for _, each in parameters),
            "parameters": len(parameters),
            "held whole": [name for name, each in parameters if not isinstance(each, DTensor)],
            "wrapper": type(self.model_wrapped).__name__,
            "processes": self.n_processes,
            "read": gather_object(read),
        }
        if self.is_world_process_zero():
            (self.out / "seen.json").write_text(json.dumps(seen), "utf-8")

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        if "--interrupt" in flags and self.state.global_step == 3:
            raise KeyboardInterrupt
        return super().training_step(*args, **kwargs)


training.FilmTrainer = Plain  # type: ignore[misc]
torch.set_num_threads(1)
time.sleep(6 * int(os.environ.get("LOCAL_RANK", "0")))  # so that no process may count on the others being as fast
try:
    recipe = AnswerRecipe.model_validate_json(recipe_path.read_text("utf-8"))
    training.train_answers(recipe, out, resume="--resume" in flags, quiet=True)
except KeyboardInterrupt:
    sys.exit(130)
