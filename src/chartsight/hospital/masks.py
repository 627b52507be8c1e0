"""`masks.parquet`: the pixels of every planted finding, run-length encoded as in COCO.

mask        counts: runs of background and finding in turn, down the columns, background first
0 1 1
0 1 0       [2, 3, 1]   (0 0 | 1 1 1 | 0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chartsight.hospital.film_request import PlantedFinding

MASKS_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()), ("finding", pa.int32()), ("attribute", pa.string()), ("height", pa.int32()),
        ("width", pa.int32()), ("counts", pa.list_(pa.int32())),
    ]
)  # fmt: skip


def encode_mask(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Run lengths int32 [R] of a mask bool [H, W], column by column; the first counts background and may be 0.

    Source: COCO's uncompressed RLE (`counts` of a segmentation with `iscrowd` 1).
    """
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = [0, 0] if flat.size and flat[0] else [0]
    return np.diff(np.concatenate([starts, turns, [flat.size]])).astype(np.int32)


def decode_mask(counts: Sequence[int] | NDArray[np.int32], height: int, width: int) -> NDArray[np.bool_]:
    """The mask bool [height, width] of run lengths.

    Raises:
        ValueError: The runs do not fill the mask.
    """
    runs = np.asarray(counts, np.int64)
    if runs.sum() != height * width or (runs < 0).any():
        raise ValueError(f"runs of {runs.sum()} pixels for a mask of {height} x {width}")
    is_finding = np.arange(len(runs)) % 2 == 1
    return np.repeat(is_finding, runs).reshape((height, width), order="F")


def read_mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    """The mask of a row of `masks.parquet`."""
    return decode_mask(row["counts"], row["height"], row["width"])


def mask_rows(
    image_id: str, findings: Sequence[PlantedFinding], masks: Sequence[NDArray[np.int32] | None], size_px: int
) -> Iterator[dict[str, Any]]:
    """The rows of a film: one a planted finding that its view shows, numbered as in `truth.parquet`."""
    for nth, (finding, counts) in enumerate(zip(findings, masks, strict=True)):
        if counts is not None:
            yield {
                "image_id": image_id, "finding": nth, "attribute": finding.attribute, "height": size_px,
                "width": size_px, "counts": counts,
            }  # fmt: skip
