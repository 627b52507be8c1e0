"""`chartsight models merge`: an adapter folded into its base, as a folder of whole weights, checked by its logits.

An adapter that loads without effect, or is folded in wrongly, answers as its base does and says nothing. So the logits
of the adapter beside its base and of the stored result are compared on fixed prompts, with a made-up film and without.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from chartsight.errors import CheckpointError, GateError
from chartsight.runs import Run, check_apart, new_output
from chartsight.vlm.checkpoint import Vlm, load_vlm, model_folder, read_card, save_vlm

QUESTIONS = ("Is there a pleural effusion?", "Which findings are present, and where in the chest are they?")
ITEM_ODDS = "item_odds.json"  # how often each name of a list was there (`questions.list_items`); it goes along
LARGEST = 1e-4  # of float32; of weights that are stored in bfloat16 the difference is told, and not judged


@dataclass(frozen=True)
class MergeCheck:
    """The adapter beside its base, against what was stored.

    Args:
        largest_difference: Of any logit at any position of the prompts.
        largest_logit: For comparison.
        moved: The largest difference that the adapter makes to its base: above 0, or it does nothing.
        greedy_agree: Share of positions at which both would go on alike.
        prompts: How many.
    """

    largest_difference: float
    largest_logit: float
    moved: float
    greedy_agree: float
    prompts: int


def merge_adapter(
    source: str | Path, out: Path, *, dtype: Literal["float32", "bfloat16"] = "float32", force: bool = False
) -> tuple[Run, MergeCheck]:
    """Whole weights of the model `source`, at `out`.

    Args:
        source: A training run or the folder of an adapter.
        out: A new folder.
        dtype: Of the stored weights.
        force: Replace `out`.

    Raises:
        CheckpointError: `source` is no adapter, or its base is another.
        GateError: The logits differ by more than rounding, or the adapter moves none.
        OutputError: `out` exists, or the disk is full.
    """
    folder = model_folder(source)
    card = read_card(folder)
    if card.base is None:
        raise CheckpointError("no-adapter", folder, "holds whole weights", "an adapter", "nothing is to be merged")
    out = Path(out)
    check_apart(out, folder)
    run = Run("models merge", {"source": str(source), "dtype": dtype})
    run.terms, run.pairing = card.terms, card.pairing
    beside = load_vlm(folder, merge=False)
    expected = fixed_logits(beside)
    with beside.model.disable_adapter():
        base = fixed_logits(beside)
    del beside
    merged = load_vlm(folder)
    whole = replace(merged, card=replace(card, base=None, base_fingerprint=None))
    with new_output(out, replace=force) as partial:
        save_vlm(whole, partial, getattr(torch, dtype))
        del merged, whole
        if (folder / ITEM_ODDS).is_file():
            shutil.copyfile(folder / ITEM_ODDS, partial / ITEM_ODDS)
        found = fixed_logits(load_vlm(partial))
        check = compare_logits(expected, found, base)
        judge(check, out, exact=dtype == "float32")
        run.outputs.append({"path": str(out), **asdict(check)})
        run.write(partial)
    return run, check


@torch.inference_mode()
def fixed_logits(vlm: Vlm) -> list[Tensor]:
    """float32 [T, V] of every fixed prompt, with a made-up film and without."""
    side = vlm.card.preprocessing.size_px
    films = np.random.default_rng(0).integers(0, 256, (len(QUESTIONS), side, side), dtype=np.uint8)
    pixels = vlm.card.preprocessing.pixel_values(films).to(vlm.device)
    logits = []
    for n, question in enumerate(QUESTIONS):
        for shown in (1, 0):
            ids = torch.tensor([vlm.prompts.prompt_ids(question, shown)], device=vlm.device)
            film = {"pixel_values": pixels[n : n + 1]} if shown else {}
            logits.append(vlm.model(input_ids=ids, use_cache=False, **film).logits[0].float().cpu())
    return logits


def compare_logits(expected: list[Tensor], found: list[Tensor], base: list[Tensor]) -> MergeCheck:
    """How far `found` is from `expected`, and that from `base`."""
    pairs = list(zip(expected, found, strict=True))
    alike = torch.cat([one.argmax(-1) == other.argmax(-1) for one, other in pairs])
    return MergeCheck(
        max(float((one - other).abs().max()) for one, other in pairs),
        max(float(one.abs().max()) for one in expected),
        max(float((one - other).abs().max()) for one, other in zip(expected, base, strict=True)),
        float(alike.float().mean()),
        len(pairs),
    )


def judge(check: MergeCheck, where: Path, *, exact: bool) -> None:
    """Nothing, when the stored model is the adapter's.

    Raises:
        GateError: It is not, or the adapter is without effect.
    """
    if check.moved == 0:
        raise GateError(
            "no-effect", where, "the adapter moves no logit of its base", "an adapter that has learned something"
        )
    limit = LARGEST * max(1.0, check.largest_logit / 12)
    if exact and not check.largest_difference <= limit:  # so that NaN fails too
        raise GateError(
            "parity", where, f"logits of adapter and result differ by up to {check.largest_difference:.3g}",
            f"at most {limit:.3g}", "nothing is left of it",
        )  # fmt: skip
