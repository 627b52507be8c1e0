"""What a training run is: every choice is a field with a reason, an unknown key is refused.

One recipe a file under `recipes/`, with the command and the expected result on top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chartsight.recipes import Recipe, Seed

Part = Literal["full", "frozen"]


class Trainable(Recipe):
    """Which weights learn. LLaVA's order is: tower, projector (alignment), language model (instruction), task."""

    language_model: Literal["lora", "full", "frozen"] = "lora"
    projector: Part = "full"
    tower: Part = "frozen"


class Lora(Recipe):
    """Low-rank adapters on every linear layer of the language model. Dropout is 0: branches of a row share one draw."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)


class LearningRates(Recipe):
    """One a part: a projector or a tower at the adapters' rate forgets what it knows."""

    language_model: float = Field(default=1e-3, gt=0)
    projector: float = Field(default=1e-3, gt=0)
    tower: float = Field(default=1e-4, gt=0)


class Evaluation(Recipe):
    """Answers generated on the valid split while training, with a checkpoint each time; the best one is kept."""

    every_steps: int = Field(default=100, ge=1)
    questions: int = Field(default=256, ge=1)
    patience: int | None = Field(default=None, ge=1, description="evaluations without a gain before stopping")


class AnswerRecipe(Recipe):
    """Teach a model to answer questions about films.

    Args:
        name: Of the result, in reports.
        description: One sentence for its card.
        base: A shipped model, a model folder or a training run.
        questions: A questions.parquet; its film index is found by it.
        film: False trains the text-only twin: the same rows without the film.
        train: See `Trainable`.
        steps: Optimiser steps.
        rows_per_step: Films a step.
        branches_per_row: At most so many questions share a row; 1 is the plain path.
        accumulate: Micro-batches a step; rows_per_step is divided among them.
        precision: `auto` takes bfloat16 where the processor has it.
        cache_tower: Run a frozen tower once a film and keep its features (small towers; LLaVA keeps films instead).
        limit: Only so many training questions.
        centre_words: Begin with word embeddings less what all have in common (`training.words.centre_words`); for
            a language model that learns in full.
    """

    kind: Literal["answers"] = "answers"
    name: str
    description: str = ""
    base: str = "starter-med"
    questions: Path
    film: bool = True
    train: Trainable = Trainable()
    lora: Lora = Lora()
    learning_rates: LearningRates = LearningRates()
    steps: int = Field(default=600, ge=1)
    rows_per_step: int = Field(default=8, ge=1)
    branches_per_row: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    cache_tower: bool = True
    evaluate: Evaluation = Evaluation()
    limit: int | None = Field(default=None, ge=1)
    centre_words: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _something_learns(self) -> AnswerRecipe:
        parts = (self.train.language_model, self.train.projector, self.train.tower)
        if all(part == "frozen" for part in parts):
            raise ValueError("everything is frozen: at least one part must learn")
        if not self.film and parts[0] == "frozen":
            raise ValueError("without the film only the language model can learn, and it is frozen")
        if self.centre_words and parts[0] != "full":
            raise ValueError("centre_words changes the language model, which has to learn in full")
        if self.rows_per_step % self.accumulate:
            raise ValueError("rows_per_step must be a multiple of accumulate")
        return self


class TowerRecipe(Recipe):
    """Teach a vision tower to see: many labels a film, before any language.

    Args:
        name: Of the result.
        description: One sentence for its card.
        base: The model whose tower learns; the rest of it is kept as it is.
        targets: A targets.parquet (image_id, label, value), see `training.tower`.
        films: The record or films.parquet that holds the films.
        cells: A cells.npz: what stands in which cell of the films, see `training.cells`.
        epochs: Passes over the films.
        films_per_step: Batch size.
        shift_px: Films are shifted by up to so many pixels; never flipped: left and right mean something.
    """

    kind: Literal["tower"] = "tower"
    name: str
    description: str = ""
    base: str
    targets: Path
    films: Path
    cells: Path | None = None
    epochs: int = Field(default=8, ge=1)
    films_per_step: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    shift_px: int = Field(default=4, ge=0)
    valid_share: float = Field(default=0.05, gt=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: Seed = 0


class WordsRecipe(Recipe):
    """Let the projector begin with the words of what the tower finds, see `training.words`.

    Args:
        name: Of the result.
        description: One sentence for its card.
        base: The model whose projector begins anew.
        readout: The tower's lesson, with its readout of cells.
        quieter: Labels that stand in most cells and are said at half length.
    """

    kind: Literal["words"] = "words"
    name: str
    description: str = ""
    base: str
    readout: Path
    quieter: tuple[str, ...] = ()
