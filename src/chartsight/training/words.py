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
from chartsight.vlm.checkpoint import Vlm, load_llava, save_vlm

# A label as sure as can be has log odds of about eight above its prior; then its word is said at full length.
FULL_VOICE = 1 / 8
# What the other hidden units say at first: enough to learn from, too little to be heard above the words.
WHISPER = 0.02


def align_words(recipe: WordsRecipe, out: Path, *, force: bool = False) -> Run:
    """The base model with a projector that speaks, in `out/model`.

    Raises:
        OutputError: `out` exists.
        CheckpointError: The readout is missing or of another tower.
    """
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="--force replaces it")
    run = Run("train", recipe.model_dump(mode="json"))
    vlm = load_llava(recipe.base)
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
        quieter: Labels that stand in most cells (places, views): said more quietly, so that findings are heard.

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
    is_quiet = torch.tensor([label in quieter for label in readout.labels])
    words = distinct_words(label_embeddings(vlm, readout.labels), is_quiet)
    length = vlm.model.get_input_embeddings().weight.detach().float().norm(dim=1).mean()
    voice = FULL_VOICE * length * torch.where(is_quiet, 0.3, 1.0)
    with torch.no_grad():
        first.weight[:n_labels] = readout.weight
        first.bias[:n_labels] = readout.bias - readout.prior
        second.weight[:, :n_labels] = (words * voice[:, None]).T
        second.weight[:, n_labels:] *= WHISPER
        second.bias.zero_()


def label_embeddings(vlm: Vlm, labels: Sequence[str]) -> Tensor:
    """float32 [L, D]: the mean of the embeddings of each label's pieces."""
    table: Tensor = vlm.model.get_input_embeddings().weight.detach().float()
    pieces = [vlm.tokenizer(f" {label}", add_special_tokens=False)["input_ids"] for label in labels]
    return torch.stack([table[ids].mean(0) for ids in pieces])


def distinct_words(embeddings: Tensor, is_quiet: Tensor) -> Tensor:
    """float32 [L, D]: directions at right angles to each other, each as near as can be to its label's embedding.

    A token says many words at once; they must not drown each other. Embeddings of a small language model are alike
    (their cosines were .65 on average): less the mean of their kind, then the nearest orthogonal set, the polar factor.
    What is written on top of each other so can be read again by the word: AUROC .86 over findings, where the readout
    itself has .88 and the plain embeddings .60 (reading lesson's valid questions, 2026-11-24).

    Args:
        embeddings: float [L, D], L at most D.
        is_quiet: bool [L]: the two kinds.
    """
    centred = embeddings.clone()
    for kind in (is_quiet, ~is_quiet):
        if kind.sum() > 1:
            centred[kind] -= embeddings[kind].mean(0)
    left, _, right = torch.linalg.svd(nn.functional.normalize(centred, dim=1), full_matrices=False)
    directions: Tensor = left @ right
    return directions


def centre_words(vlm: Vlm) -> None:
    """Take from every word's embedding what all have in common: what the model predicts of it stays the same.

    With embeddings tied to the output, all logits move by the same amount. But to the layers above words differ more:
    of an embedding's length of 2.6 the common part was 2.5. They have to learn anew what the common part told them.
    """
    table = vlm.model.get_input_embeddings().weight
    with torch.no_grad():
        table -= table.mean(0)
