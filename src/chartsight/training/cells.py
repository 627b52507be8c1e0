"""What stands in which cell of a film: the densest lesson a tower can have.

A film is cut into grid x grid cells, as many as the tower makes tokens. `cells.npz` holds, cell by cell, which labels
are there, eight to a byte:

    image_ids   str [F], sorted
    labels      str [L]: findings, places, views, sex
    grid        int
    present     uint8 [F, grid * grid, ceil(L / 8)], in reading order; np.packbits along the labels
    known       uint8 [F, ceil(L / 8)]: labels of which something is known on this film
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chartsight.errors import CheckpointError, QuestionError
from chartsight.runs import new_output

KEYS = ("image_ids", "labels", "grid", "present", "known")
READOUT = "cells.safetensors"  # beside the model of a tower's lesson
# A finding fills a few of a hundred cells: the mean over cells is that much smaller than the mean over films.
CELL_WEIGHT = 10.0


@dataclass(frozen=True)
class Cells:
    """What stands where on films.

    Args:
        image_ids: F films.
        labels: L labels.
        grid: Cells a side.
        present: uint8 [F, grid * grid, ceil(L / 8)].
        known: uint8 [F, ceil(L / 8)].
    """

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    grid: int
    present: NDArray[np.uint8]
    known: NDArray[np.uint8]

    def gather(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """float32 [n, grid * grid, L], 1 where a label is, and bool [n, L], whether it is known."""
        present = np.unpackbits(self.present[rows], axis=-1, count=len(self.labels))
        known = np.unpackbits(self.known[rows], axis=-1, count=len(self.labels))
        return torch.from_numpy(present).float(), torch.from_numpy(known).bool()

    def of(self, image_ids: tuple[str, ...]) -> Cells:
        """The same for these films, in this order.

        Raises:
            QuestionError: A film is missing.
        """
        row_of = {image_id: row for row, image_id in enumerate(self.image_ids)}
        if missing := [image_id for image_id in image_ids if image_id not in row_of]:
            raise QuestionError("no-cells", missing[0], "has targets, but no cells", "cells of every film")
        rows = [row_of[image_id] for image_id in image_ids]
        return Cells(image_ids, self.labels, self.grid, self.present[rows], self.known[rows])


def write_cells(path: Path, cells: Cells) -> None:
    """A cells.npz; the same cells, the same bytes."""
    with new_output(path, replace=True) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file, image_ids=np.array(cells.image_ids), labels=np.array(cells.labels), grid=np.array(cells.grid),
            present=cells.present, known=cells.known,
        )  # fmt: skip


def read_cells(path: Path) -> Cells:
    """The cells of a cells.npz.

    Raises:
        QuestionError: The file is missing or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {key: stored[key] for key in KEYS}
    except (OSError, ValueError, KeyError):
        raise QuestionError("bad-cells", path, "cannot be read", f"a cells.npz with {', '.join(KEYS)}") from None
    return Cells(
        tuple(found["image_ids"].tolist()), tuple(found["labels"].tolist()), int(found["grid"]), found["present"],
        found["known"],
    )  # fmt: skip


class CellReadout(nn.Module):
    """Reads every token by itself: float [B, N, D] → logits [B, N, L].

    Args:
        width: D.
        labels: What is read.
        prevalence: [L], share of cells that show a label: where the readout begins, and what it is compared with.
    """

    def __init__(self, width: int, labels: tuple[str, ...], prevalence: Tensor) -> None:
        super().__init__()
        self.labels = labels
        self.weight = nn.Parameter(torch.randn(len(labels), width) * width**-0.5 * 0.1)
        prior = torch.log(prevalence / (1 - prevalence))
        self.bias = nn.Parameter(prior.clone())
        self.prior: Tensor
        self.register_buffer("prior", prior)

    def forward(self, tokens: Tensor) -> Tensor:
        """Log odds of every label in every cell."""
        return tokens @ self.weight.T + self.bias

    def loss(self, tokens: Tensor, present: Tensor, known: Tensor) -> Tensor:
        """Mean binary cross entropy over cells and known labels, times `CELL_WEIGHT`."""
        each = nn.functional.binary_cross_entropy_with_logits(self(tokens), present, reduction="none").mean(1)
        return CELL_WEIGHT * each[known].mean()


def begin_readout(width: int, cells: Cells, rows: NDArray[np.int64]) -> CellReadout:
    """A readout that knows how common each label is on the films `rows`, and nothing else."""
    labels = len(cells.labels)
    filled = np.zeros(labels)
    known = np.zeros(labels)
    for start in range(0, len(rows), 512):
        present, is_known = cells.gather(rows[start : start + 512])
        filled += (present * is_known[:, None, :]).sum((0, 1)).numpy()
        known += is_known.sum(0).numpy()
    prevalence = (filled / (known * cells.grid**2).clip(min=1)).clip(1e-4, 0.99)
    return CellReadout(width, cells.labels, torch.from_numpy(prevalence).float())


def save_readout(readout: CellReadout, folder: Path) -> None:
    """`cells.safetensors` in a folder."""
    weights = {name: value.detach().contiguous() for name, value in readout.state_dict().items()}
    save_file(weights, folder / READOUT, metadata={"labels": "\n".join(readout.labels)})


def load_readout(folder: Path) -> CellReadout:
    """The readout of a tower's lesson.

    Raises:
        CheckpointError: There is none.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / READOUT
    try:
        weights = load_file(path)
        with safe_open(path, "pt") as file:
            labels = tuple(file.metadata()["labels"].split("\n"))
    except (OSError, SafetensorError):
        raise CheckpointError("no-readout", path, "cannot be read", "a tower taught with cells") from None
    readout = CellReadout(weights["weight"].shape[1], labels, torch.full((len(labels),), 0.5))
    readout.load_state_dict(weights)
    return readout.requires_grad_(False)
