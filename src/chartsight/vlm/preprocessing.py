"""From a grey film to the tower's input: what is padded, resized and normalised, and the digest of that choice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class FilmPreprocessing:
    """Stored in a checkpoint's card and part of every cache key.

    Args:
        size_px: Side of the square film that the tower takes.
        channels: 1 for the starter's tower; 3 repeats the grey film (CLIP).
        fill: Grey of the padding, 0 to 255 (LLaVA pads with the mean colour, the starter with black).
        mean: Of each channel, on the 0 to 1 scale.
        std: Likewise.
    """

    size_px: int
    channels: int
    fill: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def digest(self) -> str:
        """Hex digest of the fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def pixel_values(self, films: NDArray[np.uint8]) -> Tensor:
        """float32 [B, channels, size, size] from uint8 films [B, size, size] that are padded and resized already."""
        import torch

        values = torch.from_numpy(films).to(torch.float32).div_(255.0).unsqueeze(1)
        if self.channels > 1:
            values = values.expand(-1, self.channels, -1, -1)
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.std).view(1, -1, 1, 1)
        return (values - mean) / std


STARTER_PREPROCESSING = FilmPreprocessing(size_px=128, channels=1, fill=0, mean=(0.45,), std=(0.25,))
