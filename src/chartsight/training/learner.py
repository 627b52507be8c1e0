"""What learns in a model, and the model as it is kept afterwards: an adapter, or whole weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from chartsight.errors import RecipeError
from chartsight.runs import remove, write_json
from chartsight.training.film_inputs import KeptFeatures
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.sharding import shard
from chartsight.vlm.checkpoint import CARD, SHIPPED, Vlm, model_folder, save_vlm

LANGUAGE_LAYERS = r"model\.language_model\.layers\..*\.(q|k|v|o|gate|up|down)_proj"
PROJECTOR = "multi_modal_projector"
TOWER = "vision_tower"


def with_trainable_parts(vlm: Vlm, recipe: AnswerRecipe, *, swap_tower: bool) -> nn.Module:
    """The model with gradients where the recipe wants them, wrapped by PEFT for LoRA."""
    model: Any = vlm.model
    if swap_tower:
        model.model.vision_tower = KeptFeatures(n_layers=1 - min(-1, model.config.vision_feature_layer))
    train = recipe.train
    model.requires_grad_(False)
    if train.language_model == "lora":
        from peft import LoraConfig, get_peft_model

        saved = [name for name, part in ((PROJECTOR, train.projector), (TOWER, train.tower)) if part == "full"]
        adapted = get_peft_model(
            model,
            LoraConfig(
                r=recipe.lora.rank, lora_alpha=recipe.lora.alpha, lora_dropout=recipe.lora.dropout, bias="none",
                use_dora=recipe.lora.dora, target_modules=LANGUAGE_LAYERS,
                modules_to_save=saved if recipe.film else None,
            ),
        )  # fmt: skip
        if not any("lora_" in name for name, _ in adapted.named_parameters()):
            raise RecipeError("no-adapter", recipe.base, "no layer of its language model takes an adapter")
        learner: nn.Module = adapted
    else:
        model.model.language_model.requires_grad_(train.language_model == "full")
        model.lm_head.requires_grad_(train.language_model == "full")
        if recipe.film:
            model.model.multi_modal_projector.requires_grad_(train.projector == "full")
            model.model.vision_tower.requires_grad_(train.tower == "full")
        learner = model
    for parameter in learner.parameters():
        if parameter.requires_grad:  # what learns by small steps would lose them in bfloat16
            parameter.data = parameter.data.float()
    return shard(learner, recipe) if recipe.parallel == "fsdp2" else learner


def language_part(learner: nn.Module) -> Any:
    """The `LlavaModel` inside, with or without PEFT around it."""
    wrapped: Any = learner
    return (wrapped.get_base_model() if hasattr(wrapped, "get_base_model") else wrapped).model


def save_learner(
    vlm: Vlm, learner: Any, recipe: AnswerRecipe, out: Path, learned: Mapping[str, Tensor] | None = None
) -> None:
    """The learned model under `vlm`'s card: an adapter, or whole weights; `learned` when they are spread over cards."""
    folder = out / "model"
    remove(folder)
    if recipe.train.language_model == "lora":
        base = model_folder(recipe.base)
        shipped = base.parent == SHIPPED
        learner.save_pretrained(folder, safe_serialization=True, state_dict=learned)
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's template, full of blanks
        name = base.name if shipped else os.path.relpath(base.resolve(), folder.resolve())
        # PEFT notes where the base was. That path means nothing elsewhere, and would make the same adapter, learned in
        # another folder, another fingerprint; what the base must be says its own.
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        write_json(
            folder / "adapter_config.json", {**config, "base_model_name_or_path": f"chartsight:{vlm.fingerprint}"}
        )
        write_json(folder / CARD, replace(vlm.card, base=name, base_fingerprint=vlm.fingerprint).as_dict())
    else:
        save_vlm(replace(vlm, model=learner), folder, state_dict=learned)
