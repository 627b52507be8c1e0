"""The projector begins by saying, in the language model's own words, what the tower's readout finds in each cell.

A tower that has learned which finding stands in which cell (`training.cells`) knows more than a projector with random
weights can pass on: the language model would have to learn anew, word by word, what each direction of a token means.
So the projector's first layer starts as the readout and its second as the embeddings of the labels' words:

    hidden_l  = gelu(logit_l - prior_l)                       how much likelier label l is here than elsewhere
    token     = sum_l hidden_l * mean embedding of l's words  + what the other hidden units will learn

It is a projector of LLaVA's form still, and learns on from there. LLaVA-Med calls this stage concept alignment and
reaches it by captions, which take far more films than a small hospital has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from chartsight.errors import CheckpointError, OutputError
from chartsight.runs import Run, new_output
from chartsight.training.cells import CellReadout, load_readout
from chartsight.training.recipe import WordsRecipe
from chartsight.vlm.checkpoint import Vlm, load_vlm, save_vlm

# A label as sure as can be has log odds of about eight above its prior; then its word is said at full length.
FULL_VOICE = 1 / 8


def align_words(recipe: WordsRecipe, out: Path, *, force: bool = False) -> Run:
    """The base model with a projector that speaks, in `out/model`.

    Raises:
        OutputError: `out` exists.
        CheckpointError: The readout is missing or of another tower.
    """
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="--force replaces it")
    run = Run("train", recipe.model_dump(mode="json"))
    vlm = load_vlm(recipe.base)
    readout = load_readout(recipe.readout)
    begin_projector(vlm, readout, recipe.quieter)
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        card = replace(vlm.card, name=recipe.name, description=recipe.description)
        save_vlm(replace(vlm, card=card), partial / "model")
        run.kept = {"labels": len(readout.labels)}
        run.write(partial)
    return run


def begin_projector(vlm: Vlm, readout: CellReadout, quieter: Sequence[str] = ()) -> None:
    """Change the projector of `vlm` so that it says in words what `readout` finds in a token.

    Args:
        vlm: Its tower is the one that was taught with `readout`; its language model knows the labels' words.
        readout: At most as many labels as the language model is wide.
        quieter: Labels that stand in most cells (places, views): said at half length, so that findings are heard.

    Raises:
        CheckpointError: The readout is of another tower, or has more labels than the projector can say.
    """
    projector = vlm.model.model.multi_modal_projector
    first, second = projector.linear_1, projector.linear_2
    n_labels, width = readout.weight.shape
    if width != first.in_features or n_labels > first.out_features:
        raise CheckpointError(
            "other-readout", "cells", f"{n_labels} labels of tokens {width} wide",
            f"at most {first.out_features} of tokens {first.in_features} wide",
        )  # fmt: skip
    words = label_embeddings(vlm, readout.labels)
    voice = torch.tensor([FULL_VOICE / 2 if label in quieter else FULL_VOICE for label in readout.labels])
    with torch.no_grad():
        first.weight[:n_labels] = readout.weight
        first.bias[:n_labels] = readout.bias - readout.prior
        second.weight[:, :n_labels] = (words * voice[:, None]).T
        second.weight[:, n_labels:] *= 0.1
        second.bias.zero_()


def label_embeddings(vlm: Vlm, labels: Sequence[str]) -> Tensor:
    """float32 [L, D]: what each label means to the language model, all of the typical length of a piece's embedding.

    The mean of its pieces, less what all pieces have in common.
    """
    table: Tensor = vlm.model.get_input_embeddings().weight.detach().float()
    common = table.mean(0)
    means = [
        table[vlm.tokenizer(f" {label}", add_special_tokens=False)["input_ids"]].mean(0) - common for label in labels
    ]
    length = (table - common).norm(dim=1).mean()
    words: Tensor = nn.functional.normalize(torch.stack(means), dim=1) * length
    return words
