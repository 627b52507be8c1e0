"""From a grey film to the tower's input: what is padded, resized and normalised, and the digest of that choice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chartsight.imaging.pixels import Fill, Resampling

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
        fill: Grey of the padding, 0 to 255, or its colour (the starter pads with black, LLaVA with CLIP's mean colour).
        mean: Of each channel, on the 0 to 1 scale.
        std: Likewise.
        resampling: Of Pillow.
    """

    size_px: int
    channels: int
    fill: Fill
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: Resampling = "bilinear"

    def as_dict(self) -> dict[str, Any]:
        """JSON of the fields; `resampling` only where it is not bilinear, as before it could be anything else."""
        stored = asdict(self)
        if self.resampling == "bilinear":
            del stored["resampling"]
        return stored

    def digest(self) -> str:
        """Hex digest of the fields."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def pixel_values(self, films: NDArray[np.uint8]) -> Tensor:
        """float32 [B, channels, size, size] of films that are padded and resized already.

        Args:
            films: uint8 [B, size, size], or [B, size, size, channels].
        """
        import torch

        values = torch.tensor(films).to(torch.float32).div_(255.0)
        values = values.unsqueeze(1) if values.ndim == 3 else values.permute(0, 3, 1, 2)
        if self.channels > 1:
            values = values.expand(-1, self.channels, -1, -1)
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.std).view(1, -1, 1, 1)
        return ((values - mean) / std).contiguous()


STARTER_PREPROCESSING = FilmPreprocessing(size_px=128, channels=1, fill=0, mean=(0.45,), std=(0.25,))
