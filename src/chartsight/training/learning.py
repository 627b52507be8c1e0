"""Steps of a small network's learning, and the state from which a killed lesson goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chartsight.errors import OutputError
from chartsight.runs import new_output

Parts = Mapping[str, nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]  # by name
MOST_GRADIENT = 1.0  # norm to which a step's gradient is cut


def rate_at(step: int, steps: int, warmup: float = 0.1) -> float:
    """Share of the peak learning rate: up in a line, down along a cosine."""
    lead = max(1, round(warmup * steps))
    if step < lead:
        return (step + 1) / lead
    return 0.5 * (1 + math.cos(math.pi * (step - lead) / max(1, steps - lead)))


def take_step(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, learning_rate: float) -> None:
    """One step of `optimizer` down the gradient of `loss`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), MOST_GRADIENT)
    optimizer.step()


def save_state(path: Path, identity: str, step: int, parts: Parts, notes: Mapping[str, Any] | None = None) -> None:
    """The state after `step` steps, replaced in one go.

    Args:
        path: A file.
        identity: What lesson this is; only the same one goes on from here.
        step: How many steps have been taken.
        parts: Network, optimizer, and a schedule where there is one.
        notes: Whatever else the lesson needs to go on, in plain values.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    with new_output(path, replace=True) as partial:
        torch.save({"identity": identity, "step": step, "notes": dict(notes or {}), **states}, partial)


def resume(path: Path, identity: str, parts: Parts) -> tuple[int, dict[str, Any]]:
    """The step to go on with and the notes, `parts` brought to that state; (0, {}) where nothing stands in `path`.

    Raises:
        OutputError: Another lesson's state stands there.
    """
    if not path.exists():
        return 0, {}
    stored = torch.load(path, map_location="cpu", weights_only=True)
    if stored["identity"] != identity:
        raise OutputError("other-lesson", path, "is of another lesson", "the same films and steps", "another folder")
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return stored["step"], stored["notes"]
