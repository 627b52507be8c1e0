"""What fills the image positions while training: films, or the features of a frozen tower, kept once a film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from chartsight.imaging.film_cache import FilmCache
from chartsight.progress import track
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.preprocessing import FilmPreprocessing


class FilmInputs(Protocol):
    """Gives the `pixel_values` of a batch."""

    def gather(self, image_ids: Sequence[str]) -> Tensor:
        """float [B, ...] in the order of `image_ids`."""
        ...


class FilmPixels:
    """Normalised pixels from the film cache: for towers that learn, or are too large to keep features of."""

    def __init__(self, cache: FilmCache, preprocessing: FilmPreprocessing) -> None:
        self.cache = cache
        self.preprocessing = preprocessing

    def gather(self, image_ids: Sequence[str]) -> Tensor:
        """float32 [B, channels, size, size]."""
        return self.preprocessing.pixel_values(self.cache.gather(image_ids))


class TowerFeatures:
    """What a frozen tower says of each film, kept in memory in bfloat16 (16 kB a film for the starter)."""

    def __init__(self, features: Tensor, rows: Mapping[str, int]) -> None:
        self.features = features
        self.rows = rows

    def gather(self, image_ids: Sequence[str]) -> Tensor:
        """float32 [B, image_tokens, D]."""
        return self.features[[self.rows[image_id] for image_id in image_ids]].float()


class KeptFeatures(nn.Module):
    """Stands in a model for its frozen tower: what comes in as `pixel_values` already is the tower's output.

    Under every layer index there is the same, already selected, output, so the model's own selection stays valid.
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.n_layers = n_layers

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> SimpleNamespace:
        """The features, float [B, image_tokens, D], as a tower would return them."""
        return SimpleNamespace(hidden_states=(pixel_values,) * self.n_layers, last_hidden_state=pixel_values)


@torch.inference_mode()
def keep_tower_features(vlm: Vlm, cache: FilmCache, image_ids: Sequence[str], *, quiet: bool = False) -> TowerFeatures:
    """The tower's output of each film, before the projector.

    Args:
        vlm: Its tower is run as it is.
        cache: Films padded to the tower's size.
        image_ids: Distinct.
        quiet: No progress bar.
    """
    config = vlm.model.config
    tower = vlm.model.model.vision_tower
    kept: list[Tensor] = []
    chunks = [image_ids[start : start + 64] for start in range(0, len(image_ids), 64)]
    for chunk in track(chunks, "looking at the films once (64 a step)", quiet=quiet):
        pixels = vlm.card.preprocessing.pixel_values(cache.gather(chunk)).to(vlm.device, vlm.model.dtype)
        output = tower(pixels, output_hidden_states=True)
        kept.append(output.hidden_states[config.vision_feature_layer].to(torch.bfloat16).cpu())
    return TowerFeatures(torch.cat(kept), {image_id: row for row, image_id in enumerate(image_ids)})
