"""How many tokens a run learns from at once: decided before its first step, by a forward pass over its longest row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chartsight.errors import RecipeError
from chartsight.training.micro_batches import token_budget
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, padded_width

BATCHES = "batches.json"  # how a run with tokens_per_batch or checkpointing cuts its steps


def probe_memory(
    recipe: AnswerRecipe,
    longest: FilmRow,
    *,
    free: int,
    learning: int,
    usual: int | None,
    width_step: int,
    kept_bytes: Callable[[FilmRow], int],
    checkpoint_layers: Callable[[], None],
) -> dict[str, Any]:
    """tokens, checkpointing, bytes_a_token: what `batches.json` holds.

    Args:
        recipe: tokens_per_batch and checkpointing.
        longest: Row of the run.
        free: Bytes, with the weights in place.
        learning: Weights that learn.
        usual: Tokens learned from at once, at most, however many fit.
        width_step: Widths are multiples of it.
        kept_bytes: What autograd keeps of a forward pass over a row.
        checkpoint_layers: Has layers computed twice from now on; called at most once.

    Raises:
        RecipeError: Not even the longest row fits.
    """
    found: dict[str, Any] = {
        "tokens": usual if recipe.tokens_per_batch is None else recipe.tokens_per_batch,
        "checkpointing": recipe.checkpointing == "always",
    }
    if recipe.tokens_per_batch != "auto":
        return found
    width = padded_width([longest], width_step)
    if found["checkpointing"]:
        checkpoint_layers()
    for _ in range(2):
        found["bytes_a_token"] = kept_bytes(longest) / width
        found["tokens"] = token_budget(free, learning, found["bytes_a_token"])
        if found["tokens"] >= width or found["checkpointing"] or recipe.checkpointing == "never":
            break
        found["checkpointing"] = True
        checkpoint_layers()
    if found["tokens"] < width:
        raise RecipeError(
            "no-room", "memory", f"{found['tokens']:,} tokens fit, and the longest row has {width:,}",
            "room for one row", "checkpointing: auto, fewer branches_per_row, weights: bfloat16, or a larger card",
        )  # fmt: skip
    if usual is not None:
        found["tokens"] = min(found["tokens"], usual)
    return found
