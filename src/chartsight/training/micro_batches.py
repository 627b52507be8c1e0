"""The rows of a step as micro-batches that fit the memory: as many tokens at once as there is room for.

rows      ######  #####  ####  ##########          budget 14 tokens, padding counted
batches   [######  #####]  [####]  [##########]     2 x 6, 1 x 4, 1 x 10
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from chartsight.training.rows import WIDTH_STEP, FilmRow, padded_width

# What is left of the free memory for other things than kept tensors: gradients in flight, kernels, fragmentation.
USED_SHARE = 0.8
# A processor learns from so many tokens at once at most: more do not fit its caches and are new memory in every layer.
PROCESSOR_TOKENS = 4096
# Tensor cores multiply by eights.
GPU_WIDTH_STEP = 8


def width_step_on(device: torch.device, *, bfloat16: bool) -> int:
    """What widths are multiples of; 1, no padding but to the longest row, where nothing is lost by many widths."""
    if device.type == "cpu":
        return WIDTH_STEP if bfloat16 else 1
    return GPU_WIDTH_STEP


def usual_tokens(device: torch.device) -> int | None:
    """How many tokens are learned from at once, at most, when nothing is said: on a GPU all of a step."""
    return PROCESSOR_TOKENS if device.type == "cpu" else None


def split_rows(
    rows: Sequence[FilmRow], tokens: int | None, parts: int = 1, width_step: int = WIDTH_STEP
) -> list[list[FilmRow]]:
    """The rows in order, in at least `parts` batches of at most `tokens` tokens each, padding counted.

    Args:
        rows: Of one step.
        tokens: A row that is longer has a batch of its own; None puts all rows in one.
        parts: At most one a row.
        width_step: Widths are multiples of it.
    """
    if tokens is None and parts == 1:
        return [list(rows)]
    batches: list[list[FilmRow]] = []
    most = math.ceil(len(rows) / parts)
    for row in rows:
        wider = [*batches[-1], row] if batches else [row]
        fits = tokens is None or len(wider) * padded_width(wider, width_step) <= tokens
        if batches and fits and len(wider) <= most:
            batches[-1] = wider
        else:
            batches.append([row])
    at = 0
    while len(batches) < parts:  # rows that fall into fewer batches than the other processes need
        whole = batches[at]
        if len(whole) > 1:
            batches[at : at + 1] = [whole[:-1], whole[-1:]]
        else:
            at += 1
    return batches


class KeptBytes:
    """Counts what autograd keeps of a forward pass, each storage once, weights left out: `with KeptBytes(model) as n`.

    Exact and the same on every machine, so that a run that goes on cuts its steps as before.
    """

    def __init__(self, model: nn.Module) -> None:
        self.own = {_storage(each) for each in [*model.parameters(), *model.buffers()]}
        self.kept: dict[int, int] = {}
        self.alive: list[torch.Tensor] = []  # a storage that is freed would lend its address to another

    def __enter__(self) -> KeptBytes:
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)
        self.hooks.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        self.hooks.__exit__(*_)
        self.alive.clear()

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(self.kept.values())

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = _storage(tensor)
        if storage not in self.own and storage not in self.kept:
            self.kept[storage] = tensor.untyped_storage().nbytes()
            self.alive.append(tensor)
        return tensor


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())


def free_bytes(device: torch.device) -> int:
    """Memory that is left on a device, or of the machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 2**31  # elsewhere: a modest guess


def token_budget(free: int, learning: int, bytes_a_token: float) -> int:
    """How many tokens fit beside gradients and Adam's two moments of what learns.

    Args:
        free: Bytes, with the weights in place.
        learning: Weights that learn, in float32.
        bytes_a_token: Kept for backward.
    """
    return max(0, int((free * USED_SHARE - 12 * learning) / bytes_a_token))
