"""Delta weights (LLaVA-Med v1): the difference to a LLaMA that the user has, added to it, in the original layout.

Source: haotian-liu/LLaVA c121f04, `model/apply_delta.py`: a tensor that the base lacks must be the projector's; one
with more rows is the vocabulary's, and the base is added to its first rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chartsight.errors import CheckpointError
from chartsight.runs import Run, check_apart, new_output, write_json
from chartsight.schema import Terms
from chartsight.vlm.layouts.lora import language_weights
from chartsight.vlm.layouts.settings import CONFIG, read_settings
from chartsight.vlm.weights import SHARD_BYTES, StoredTensor, listed, read_weights, write_weights

if TYPE_CHECKING:
    from torch import Tensor

VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")
OWN = ("model.mm_projector.", "model.vision_tower.")


def apply_delta(
    delta: Path, base: Path, out: Path, terms: Terms, *, shard_bytes: int = SHARD_BYTES, force: bool = False,
    quiet: bool = False,
) -> Run:  # fmt: skip
    """The whole checkpoint of `delta` and `base`, in the original layout, at `out`.

    Raises:
        CheckpointError: The two do not belong together.
        OutputError: `out` exists, or the disk is full.
    """
    check_apart(out, delta, base)
    settings = read_settings(delta / CONFIG)
    parts, whole = read_weights(delta), language_weights(base)
    buffers = {key for key in parts if key.endswith("rotary_emb.inv_freq")}
    if missing := [key for key in whole.keys() - parts.keys() if not key.endswith("rotary_emb.inv_freq")]:
        raise CheckpointError("other-weights", delta, f"lacks {listed(missing)}", "a difference for every tensor")
    sums = {key: _added(key, parts[key], whole.get(key), base) for key in parts if key not in buffers}
    run = Run("convert", {"delta": delta, "base": base}, terms=terms)
    for path in sorted({each.file for each in (*parts.values(), *whole.values())}):
        run.read(path)
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        write_weights(partial, sums, limit=shard_bytes, quiet=quiet)
        for path in sorted(delta.iterdir()):
            if path.name.startswith(("tokenizer", "special_tokens", "added_tokens", "generation_config")):
                shutil.copyfile(path, partial / path.name)
        write_json(partial / CONFIG, settings)
        run.kept = {"tensors": len(sums)}
        run.outputs.append({"notes": [f"{len(sums)} tensors: {len(whole.keys() & sums.keys())} added to the base's"]})
        run.write(partial)
    return run


def _added(key: str, part: StoredTensor, whole: StoredTensor | None, base: Path) -> StoredTensor:
    if whole is None:
        if not key.startswith(OWN):
            raise CheckpointError("other-base", base, f"lacks {key}", "the LLaMA that the delta was made of")
        return part
    is_longer = key in VOCABULARY and whole.shape[0] < part.shape[0] and whole.shape[1:] == part.shape[1:]
    if whole.shape != part.shape and not is_longer:
        raise CheckpointError(
            "other-base", whole.file, f"{key} is {list(whole.shape)}", f"{list(part.shape)}, as in the delta"
        )
    return StoredTensor(part.file, part.shape, part.dtype, _sum(part, whole))


def _sum(part: StoredTensor, whole: StoredTensor) -> Callable[[], Tensor]:
    def read() -> Tensor:
        total = part.read().clone()
        total[: whole.shape[0]] += whole.read().to(total.dtype)
        return total

    return read
