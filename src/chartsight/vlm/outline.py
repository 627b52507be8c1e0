"""What a model folder says of itself before any weight is read: card, configuration, tokenizer, token ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.vlm.checkpoint import (
    ADAPTER,
    ModelCard,
    Vlm,
    base_folder,
    check_architecture,
    check_weights,
    fingerprint,
    model_folder,
    read_card,
)
from chartsight.vlm.prompts import prompt_template
from chartsight.vlm.tokens import PromptTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass
class Outline:
    """A model without its weights.

    Args:
        folder: Where whole weights lie: of an adapter the folder of its base.
        own_folder: Of the model itself, adapter or not.
        card: Of the model itself, adapter or not.
        config: Of the whole model, a `LlavaConfig`.
        tokenizer: Likewise.
    """

    folder: Path
    own_folder: Path
    card: ModelCard
    config: Any
    tokenizer: PreTrainedTokenizerBase

    @cached_property
    def prompts(self) -> PromptTokenizer:
        """Token ids of prompts and answers, as the loaded model makes them."""
        return PromptTokenizer(
            self.tokenizer, prompt_template(self.card.template), self.config.image_token_id, self.card.image_tokens
        )

    @property
    def features(self) -> int:
        """How many features the tower gives of one film, by its own configuration."""
        tower = self.config.vision_config
        features = int(tower.image_size // tower.patch_size) ** 2
        has_class_token = tower.model_type != "chartsight_film_tower"
        keeps_it = self.config.vision_feature_select_strategy == "full"
        return features + int(has_class_token and keeps_it)

    @property
    def longest(self) -> int:
        """Positions that the language model knows."""
        return int(self.config.text_config.max_position_embeddings)


def load_hollow(name_or_path: str | Path) -> Vlm:
    """A LLaVA whose weights hold nothing (torch's device `meta`): another process has them, and will hand on parts.

    Its fingerprint is left out: that takes reading all of them.

    Raises:
        CheckpointError: As `read_outline`; it is another model.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    outline = read_outline(name_or_path)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(outline.config)
    return Vlm(model.eval(), outline.tokenizer, outline.card, "not read")


def read_outline(name_or_path: str | Path) -> Outline:
    """A model's outline, through its adapters down to the base.

    Raises:
        CheckpointError: A folder, card, configuration, tokenizer or file of weights is missing or, by its header, cut
            short; tensors are missing, unknown or misshapen; it is no LLaVA; an adapter of another base.
    """
    from transformers import AutoConfig, AutoTokenizer

    from chartsight.vlm import film_tower  # noqa: F401  registers the starter's tower with transformers

    folder = model_folder(name_or_path)
    card = read_card(folder)
    if card.base is not None:
        base = read_outline(base_folder(folder, card))
        found = fingerprint(base.own_folder)
        if found != card.base_fingerprint:
            raise CheckpointError(
                "other-base", folder, f"its base {card.base} has fingerprint {found}", str(card.base_fingerprint),
                "train again, or point `base` in the card to the base it was trained on",
            )  # fmt: skip
        check_weights(folder, ADAPTER)
        return Outline(base.folder, folder, card, base.config, base.tokenizer)
    check_architecture(folder)
    check_weights(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
        raise CheckpointError(
            "bad-outline", folder, f"configuration or tokenizer cannot be read ({reason})", "a whole model folder"
        ) from error
    if config.vision_config.model_type == "clip_vision_model":
        from chartsight.vlm.export import original_names

        original_names(folder, config)  # every tensor by name and shape
    return Outline(folder, folder, card, config, tokenizer)
