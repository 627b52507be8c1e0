"""The starter's vision tower: a small residual network that turns one grey film into a grid of tokens.

A convolutional tower because it learns from scratch on two cores; a ViT of the same size does not (docs/starter.md). It
stands in `LlavaConfig(vision_config=...)` like any tower and survives `save_pretrained`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class FilmTowerConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes of the tower.

    Args:
        image_size: Side of the square film in pixels.
        widths: Channels of the stages; each halves the side, so the grid's side is image_size / 2**len(widths).
        blocks: Residual blocks of each stage.
    """

    model_type = "chartsight_film_tower"

    def __init__(
        self,
        image_size: int = 128,
        widths: tuple[int, ...] = (24, 48, 96, 144),
        blocks: tuple[int, ...] = (0, 1, 2, 2),
        groups: int = 8,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.widths = tuple(widths)
        self.blocks = tuple(blocks)
        self.groups = groups
        self.hidden_size = self.widths[-1]
        self.patch_size = 2 ** len(self.widths)
        super().__init__(**kwargs)


class ResidualBlock(nn.Module):
    """x + conv(norm(act(conv(norm(act(x)))))): float [B, C, H, W] → the same shape."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(groups, width)
        self.conv_1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm_2 = nn.GroupNorm(groups, width)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """The residual sum."""
        inner = self.conv_1(nn.functional.silu(self.norm_1(hidden)))
        return hidden + self.conv_2(nn.functional.silu(self.norm_2(inner)))  # type: ignore[no-any-return]


class FilmTower(PreTrainedModel):  # type: ignore[misc]
    """Films → tokens in reading order (row by row from the top left)."""

    config_class = FilmTowerConfig
    base_model_prefix = "film_tower"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _no_split_modules = ("ResidualBlock",)

    def __init__(self, config: FilmTowerConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        width_in = 1
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            layers.append(nn.Conv2d(width_in, width, 3, stride=2, padding=1, bias=False))
            layers += [ResidualBlock(width, config.groups) for _ in range(blocks)]
            layers.append(nn.GroupNorm(config.groups, width))
            layers.append(nn.SiLU())
            width_in = width
        self.stages = nn.Sequential(*layers)
        grid = config.image_size // config.patch_size
        self.position = nn.Parameter(torch.zeros(1, grid * grid, config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, FilmTower):
            nn.init.normal_(module.position, std=0.02)

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutput:
        """Tokens of each film.

        Args:
            pixel_values: float [B, 1, image_size, image_size].

        Returns:
            `last_hidden_state` and the only entry of `hidden_states`: float [B, grid * grid, hidden_size].
        """
        grid = self.stages(pixel_values)
        tokens = self.norm(grid.flatten(2).transpose(1, 2) + self.position)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))


AutoConfig.register(FilmTowerConfig.model_type, FilmTowerConfig, exist_ok=True)
AutoModel.register(FilmTowerConfig, FilmTower, exist_ok=True)
