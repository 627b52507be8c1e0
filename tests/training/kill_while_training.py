"""Run by test_run.py in a process of its own: trains, and kills itself with SIGKILL right after a step.

python kill_while_training.py RECIPE.json OUT STEP
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from chartsight.training import run as training
from chartsight.training.recipe import AnswerRecipe

recipe_path, out, last_step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


class Killed(training.FilmTrainer):
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == last_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(*args, **kwargs)


training.FilmTrainer = Killed  # type: ignore[misc]
torch.set_num_threads(1)
training.train_answers(AnswerRecipe.model_validate_json(recipe_path.read_text("utf-8")), out, quiet=True)
