"""What a training run is: every choice is a field with a reason, an unknown key is refused.

One recipe a file under `recipes/`, with the command and the expected result on top.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from chartsight.questions.subsets import Subset
from chartsight.recipes import Recipe, Seed

Part = Literal["full", "frozen"]
USUAL_STEPS = 600


class Trainable(Recipe):
    """Which weights learn. LLaVA's order is: tower, projector (alignment), language model (instruction), task."""

    language_model: Literal["lora", "full", "frozen"] = "lora"
    projector: Part = "full"
    tower: Part = "frozen"


class Lora(Recipe):
    """Low-rank adapters on every linear layer of the language model, and of nothing else.

    Args:
        rank: Of every adapter.
        alpha: What an adapter adds is scaled by alpha / rank.
        dropout: Above 0 every question has a row of its own, for the branches of a row would share one draw.
        dora: Weight-decomposed adapters, as PEFT has them.
    """

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    dora: bool = False


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
        subset: A named part of it (`questions.subsets`).
        film: False trains the text-only twin: the same rows without the film.
        train: See `Trainable`.
        steps: Optimiser steps; 600 when neither they nor `epochs` are said.
        epochs: Passes over the rows, in the place of `steps`.
        rows_per_step: Films a step, over all processes.
        branches_per_row: At most so many questions share a row; 1 is the plain path.
        accumulate: Micro-batches a step; rows_per_step is divided among them.
        tokens_per_batch: Micro-batches by their tokens (padding counted) in the place of their rows; `auto` finds out
            how many fit (`training.memory`).
        checkpointing: Layers are computed twice to hold less: `auto` when the longest row would not fit otherwise.
        max_length: Tokens that one question may have with its film and answer; None takes what the model knows.
            A longer one is refused, never cut.
        precision: `auto` takes bfloat16 where the processor has it.
        weights: How the base is held; what learns is held in float32. `nf4` needs bitsandbytes.
        parallel: How `torchrun`'s processes share the work: whole models (`ddp`) or a part of one each (`fsdp2`).
        cache_tower: Run a frozen tower once a film and keep its features (small towers; LLaVA keeps films instead).
        limit: Only so many training questions.
        centre_words: Begin with word embeddings less what all have in common (`training.words.centre_words`); for
            a language model that learns in full.
        report_to: Where figures go beside metrics.jsonl and TensorBoard; nothing leaves the machine unasked.
    """

    kind: Literal["answers"] = "answers"
    name: str
    description: str = ""
    base: str = "starter-med"
    questions: Path
    subset: Subset = "all"
    film: bool = True
    train: Trainable = Trainable()
    lora: Lora = Lora()
    learning_rates: LearningRates = LearningRates()
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    rows_per_step: int = Field(default=8, ge=1)
    branches_per_row: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    tokens_per_batch: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    checkpointing: Literal["never", "auto", "always"] = "never"
    max_length: int | None = Field(default=None, ge=1)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16", "nf4"] = "float32"
    parallel: Literal["ddp", "fsdp2"] = "ddp"
    cache_tower: bool = True
    evaluate: Evaluation = Evaluation()
    limit: int | None = Field(default=None, ge=1)
    centre_words: bool = False
    report_to: tuple[Literal["wandb", "trackio"], ...] = ()
    seed: Seed = 0

    @property
    def branches(self) -> int:
        """Questions that may share a row: 1 under dropout, which draws anew for every question."""
        return 1 if self.train.language_model == "lora" and self.lora.dropout > 0 else self.branches_per_row

    @property
    def keeps_features(self) -> bool:
        """Whether the tower is run once a film, and is not there while the rest learns."""
        return self.film and self.cache_tower and self.train.tower == "frozen"

    def steps_of(self, rows: int) -> int:
        """Optimiser steps over so many rows."""
        if self.epochs is not None:
            return max(1, math.ceil(self.epochs * rows / self.rows_per_step))
        return self.steps or USUAL_STEPS

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
        if self.epochs is not None and self.steps is not None:
            raise ValueError("steps and epochs are both said: one of them")
        if self.tokens_per_batch is not None and self.accumulate > 1:
            raise ValueError("tokens_per_batch and accumulate are both said: one of them")
        if self.checkpointing == "auto" and self.tokens_per_batch != "auto":
            raise ValueError("checkpointing: auto is found out with tokens_per_batch: auto")
        if self.weights != "float32" and parts[0] == "full":
            raise ValueError(f"weights: {self.weights} holds a frozen base, and the language model learns in full")
        if self.weights == "nf4" and self.parallel == "fsdp2":
            raise ValueError("weights of four bits cannot be spread over processes: nf4 with ddp, bfloat16 with fsdp2")
        if self.weights != "float32" and self.precision == "float32":
            raise ValueError(f"weights: {self.weights} is computed in bfloat16, and precision says float32")
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
