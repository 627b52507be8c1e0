"""What a run will need, by arithmetic, before anything is loaded: FLOPs, memory, time. Predictions, never measurements.

FLOPs of one token through N weights: forward 2N, with the gradient of what came in 4N, with the weights' own 6N. So a
frozen base under adapters costs 4N and the adapters 6 times their weights; attention, the projector, the tower and the
logits of answer tokens are added. Memory is what the weights, their gradients and Adam's two moments take, and what
autograd keeps of every token (tests/training/test_forecast.py counts both on small models). Time is FLOPs over the
card's dense bfloat16 peak times an assumed share of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, masked_tokens

GIB = 2**30
# CUDA's context, the allocator's losses, buffers of kernels: assumed, not measured.
OVERHEAD_BYTES = 2 * GIB
# LLaVA-1.5's published 20 hours for 665K samples on 8 A100 are 19% of the peak; 56% is 70% of what a matrix product of
# that size can reach (80%). A run is expected between the two.
LEAST_SHARE, MOST_SHARE = 0.19, 0.56
NF4_BYTES = 0.5 + 4 / 64 + 1 / 256  # four bits a weight and a scale a block of 64, itself in eight bits


@dataclass(frozen=True)
class Architecture:
    """Sizes that decide what a step costs.

    Args:
        layers: Of the language model.
        hidden: Its width.
        mlp: Width of its feed-forward layers.
        kv: Width of keys and of values.
        vocabulary: Rows of the embedding.
        tied: Whether the output layer is the embedding.
        tower: Weights of the vision tower.
        tower_hidden: Width of what it gives.
        image_tokens: Features of one film.
    """

    layers: int
    hidden: int
    mlp: int
    kv: int
    vocabulary: int
    tied: bool
    tower: int
    tower_hidden: int
    image_tokens: int

    @property
    def blocks(self) -> int:
        """Weights of the layers: what a token passes through."""
        return self.layers * (2 * self.hidden**2 + 2 * self.hidden * self.kv + 3 * self.hidden * self.mlp)

    @property
    def projector(self) -> int:
        """Weights of the projector: two layers with biases."""
        return self.tower_hidden * self.hidden + self.hidden**2 + 2 * self.hidden

    @property
    def head(self) -> int:
        """Weights of the output layer."""
        return self.vocabulary * self.hidden

    @property
    def language_model(self) -> int:
        """Weights of layers, embedding and output layer (norms left out: less than a ten-thousandth)."""
        return self.blocks + self.head * (1 if self.tied else 2)

    def adapters(self, rank: int) -> int:
        """Weights of LoRA of this rank on every linear layer of the language model."""
        attention = 2 * (2 * self.hidden) + 2 * (self.hidden + self.kv)
        return self.layers * rank * (attention + 3 * (self.hidden + self.mlp))


CLIP_L_336 = {"tower": 303_507_456, "tower_hidden": 1024, "image_tokens": 576}
# The released models, so that a recipe's needs can be told before its base is fetched.
ARCHITECTURES: Mapping[str, Architecture] = {
    "llava-1.5-7b": Architecture(32, 4096, 11008, 4096, 32064, False, **CLIP_L_336),
    "llava-1.5-13b": Architecture(40, 5120, 13824, 5120, 32064, False, **CLIP_L_336),
    "llava-med-v1.5": Architecture(32, 4096, 14336, 1024, 32064, False, **CLIP_L_336),
}


def architecture_of(config: Any, image_tokens: int) -> Architecture:
    """The sizes in a `LlavaConfig`."""
    text, tower = config.text_config, config.vision_config
    heads, kv_heads = text.num_attention_heads, text.num_key_value_heads
    head_width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Architecture(
        text.num_hidden_layers, text.hidden_size, text.intermediate_size, kv_heads * head_width, text.vocab_size,
        bool(config.tie_word_embeddings), _tower_weights(tower), tower.hidden_size, image_tokens,
    )  # fmt: skip


def _tower_weights(tower: Any) -> int:
    if tower.model_type == "chartsight_film_tower":
        widths = (1, *tower.widths)
        down = sum(9 * a * b for a, b in pairwise(widths))
        return int(down + sum(2 * 9 * width**2 * n for width, n in zip(tower.widths, tower.blocks, strict=True)))
    patches = (tower.image_size // tower.patch_size) ** 2 + 1
    width = int(tower.hidden_size)
    layer = 4 * width**2 + 2 * width * tower.intermediate_size + 9 * width + tower.intermediate_size
    return int(tower.num_hidden_layers * layer + width * (3 * tower.patch_size**2 + patches + 1) + 4 * width)


@dataclass(frozen=True)
class Hardware:
    """Cards that a run may stand on.

    Args:
        name: In words.
        cards: How many.
        memory_gib: Of each.
        peak_tflops: Dense bfloat16 of each, as its maker says.
    """

    name: str
    cards: int
    memory_gib: float
    peak_tflops: float


H200 = Hardware("1x H200", 1, 139, 989)
EIGHT_A100 = Hardware("8x A100 80 GB", 8, 79, 312)
ONE_24_GB = Hardware("1x 24 GB", 1, 23.5, 165)  # an RTX 4090
MACHINES = (H200, EIGHT_A100, ONE_24_GB)


@dataclass(frozen=True)
class Load:
    """What the rows of a run are like; means over rows.

    Args:
        tokens: Of a row, shared prefix counted once.
        longest: Tokens of the longest row.
        questions: Of a row.
        answer_tokens: Of a row: positions whose logits are computed.
        plain_tokens: Of a question that stands alone with its film.
        masked: Of a row, tokens behind the beginning that its questions share: the mask is theirs alone.
    """

    tokens: float
    longest: int
    questions: float
    answer_tokens: float
    plain_tokens: float
    masked: float = 0.0

    @classmethod
    def of_rows(cls, rows: Sequence[FilmRow], plain_tokens: float = 0.0) -> Load:
        """Means over the rows of a run."""
        n, lengths = len(rows), [len(row.input_ids) for row in rows]
        return cls(
            sum(lengths) / n, max(lengths), sum(row.n_questions for row in rows) / n,
            sum(len(row.targets) for row in rows) / n, plain_tokens, sum(map(masked_tokens, rows)) / n,
        )  # fmt: skip

    @classmethod
    def assumed(cls, image_tokens: int, questions: float, words: int = 24, answer: int = 6) -> Load:
        """Rows that are all alike: 36 tokens around the film; `words` for a question, `answer` of them its answer.

        The usual numbers are those of EHRXQA's one-image questions under LLaVA's template.
        """
        prefix = image_tokens + 36
        tokens = prefix + words * questions
        masked = words * questions if questions > 1 else 0
        return cls(tokens, math.ceil(tokens), questions, answer * questions, prefix + words, masked)


def flops_per_row(arch: Architecture, recipe: AnswerRecipe, load: Load) -> float:
    """Floating point operations of one row, forward and backward."""
    train = recipe.train
    learns = train.language_model
    # Nothing below the first learning weight needs a gradient; the projector and the tower stand below all layers.
    through = 6 if learns == "full" else 4
    flops = through * arch.blocks * load.tokens
    if learns == "lora":
        flops += 6 * arch.adapters(recipe.lora.rank) * load.tokens
    pairs = (load.tokens - load.masked) ** 2 + load.masked * load.tokens
    flops += 3 * 4 * pairs * arch.hidden * arch.layers  # scores and sums, three times forward
    flops += (6 if learns == "full" else 4) * arch.head * load.answer_tokens
    if recipe.film:
        flops += (6 if train.projector == "full" else 2) * arch.projector * arch.image_tokens
        if train.tower == "full":
            flops += 6 * arch.tower * arch.image_tokens
        elif not recipe.cache_tower:
            flops += 2 * arch.tower * arch.image_tokens
    if recipe.checkpointing == "always":
        flops += 2 * arch.blocks * load.tokens
    return flops


def activation_bytes(arch: Architecture, recipe: AnswerRecipe, masked: float, *, bfloat16: bool = True) -> float:
    """What autograd keeps of one token of a row of which `masked` tokens stand behind the beginning.

    In bfloat16 a layer keeps two norms in float32 (8 bytes), queries, keys, values and their result (2 bytes each), the
    inputs of six linear layers (each cast by itself), four tensors of the feed-forward width, seven of the adapters'
    rank; in float32 the casts are not needed. Norms that learn keep what they scale. Where tokens stand behind a shared
    beginning (`training.attention`) their mask is kept, the results of both put together, and keys and values of fewer
    heads once more, repeated.
    """
    rank = recipe.lora.rank if recipe.train.language_model == "lora" else 0
    learns = recipe.train.language_model == "full"
    repeated = arch.kv < arch.hidden
    if bfloat16:
        layer: float = (8 + 4 + 12 + 6 * learns) * arch.hidden + 4 * arch.kv + 8 * arch.mlp + 14 * rank
        split = (2 + 2 * learns + 2 * repeated) * arch.hidden + masked
    else:
        layer = (8 + 8 + 8 + 8 * learns) * arch.hidden + 8 * arch.kv + 16 * arch.mlp + 28 * rank
        split = (4 + 8 * repeated) * arch.hidden + 4 * masked
    if masked:
        layer += split
    if recipe.checkpointing == "always":
        return arch.layers * 4 * arch.hidden + layer
    return arch.layers * layer


def weight_bytes(arch: Architecture, recipe: AnswerRecipe, cards: int = 1) -> float:
    """What weights, gradients and Adam's moments take on one card."""
    train = recipe.train
    held = {"float32": 4.0, "bfloat16": 2.0, "nf4": NF4_BYTES}[recipe.weights]
    dense = 2.0 if recipe.weights == "nf4" else held  # embeddings, output layer, projector and tower stay as they are
    blocks = arch.blocks * held
    rest = (arch.language_model - arch.blocks) * dense + (arch.projector + arch.tower) * dense
    learning = 0
    if train.language_model == "full":
        learning += arch.language_model
    elif train.language_model == "lora":
        learning += arch.adapters(recipe.lora.rank)
    learning += arch.projector * (recipe.film and train.projector == "full")
    learning += arch.tower * (recipe.film and train.tower == "full")
    # What learns is held in float32 with its gradient and two moments, and once more as the bfloat16 it is used in.
    total = blocks + rest + learning * (4 + 4 + 8 + 2)
    if train.language_model == "full":
        total -= arch.language_model * held  # not held twice
    return total / (cards if recipe.parallel == "fsdp2" else 1)


@dataclass(frozen=True)
class Forecast:
    """One machine's prediction.

    Args:
        hardware: The machine.
        weights_gib: Of weights, gradients and moments on a card.
        batch_gib: Of the tokens of one micro-batch on a card.
        memory_gib: All of it, with an assumed overhead; of a run that fills the card up, the least it needs.
        fits: Whether a micro-batch of the longest row fits.
        tokens_at_once: How many tokens fit beside the weights.
        hours: Between the assumed shares of the peak: the longest and the shortest.
        tflop_a_question: Of one question.
        checkpointing: Whether layers are computed twice.
        fills_up: Whether micro-batches take what is free.
    """

    hardware: Hardware
    weights_gib: float
    batch_gib: float
    memory_gib: float
    fits: bool
    tokens_at_once: int
    hours: tuple[float, float]
    tflop_a_question: float
    checkpointing: bool
    fills_up: bool

    def sentence(self) -> str:
        """For a terminal and the top of a recipe."""
        if not self.fits:
            return f"{self.hardware.name}: does not fit ({self.memory_gib:.0f} of {self.hardware.memory_gib:g} GiB)"
        low, high = (f"{hours:.2g}" if hours < 10 else f"{hours:.0f}" for hours in reversed(self.hours))
        time = f"{low} to {high} h" if self.hours[0] >= 1 / 60 else "less than a minute"
        memory = f"{'at least ' if self.fills_up else ''}{self.memory_gib:.0f} GiB a card"
        twice = ", layers computed twice" if self.checkpointing else ""
        return f"{self.hardware.name}: {memory}, {time}{twice}"


def forecast(arch: Architecture, recipe: AnswerRecipe, load: Load, rows: int, hardware: Hardware) -> Forecast:
    """What `recipe` needs on `hardware`.

    Args:
        arch: Of its base.
        recipe: Its keys decide what learns and how it is held.
        load: Its rows.
        rows: How many there are, for a recipe that counts epochs.
        hardware: Where it shall run.
    """
    weights = weight_bytes(arch, recipe, hardware.cards)
    if recipe.checkpointing == "auto":
        bare = recipe.model_copy(update={"checkpointing": "never"})
        recipe = bare
        if not forecast(arch, bare, load, rows, hardware).fits:
            recipe = recipe.model_copy(update={"checkpointing": "always"})
    a_token = activation_bytes(arch, recipe, load.masked * load.longest / load.tokens)
    logits = load.answer_tokens / load.tokens * arch.vocabulary * 10  # bfloat16, float32 and its gradient
    free = hardware.memory_gib * GIB - OVERHEAD_BYTES - weights
    fitting = max(0, int(free / (a_token + logits)))
    a_card = max(1, recipe.rows_per_step // hardware.cards)
    wanted = load.longest * max(1, a_card // recipe.accumulate)
    if recipe.tokens_per_batch == "auto":
        wanted = load.longest
    elif recipe.tokens_per_batch is not None:
        wanted = max(load.longest, min(wanted, recipe.tokens_per_batch))
    batch = wanted * (a_token + logits)
    needed = (weights + batch + OVERHEAD_BYTES) / GIB
    per_row = flops_per_row(arch, recipe, load)
    seconds = recipe.steps_of(rows) * recipe.rows_per_step * per_row / (hardware.cards * hardware.peak_tflops * 1e12)
    hours = (seconds / LEAST_SHARE / 3600, seconds / MOST_SHARE / 3600)
    return Forecast(
        hardware, weights / GIB, batch / GIB, needed, needed <= hardware.memory_gib, fitting, hours,
        per_row / load.questions / 1e12, recipe.checkpointing == "always",
        recipe.tokens_per_batch == "auto",
    )  # fmt: skip
