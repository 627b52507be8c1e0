"""Which vision tower is a checkpoint's? The costliest mistake of all: with the other one, logits are off by 13.

The original reads the tower inside a checkpoint only if `unfreeze_mm_vision_tower` is true, and otherwise loads
`mm_vision_tower`, whatever the checkpoint holds. LLaVA-Med's code has no such flag: it always loads `mm_vision_tower`,
although its published v1.5 checkpoint holds a tower too (LLaVA-Med#105). So the flag decides, the user may overrule it,
and where both are at hand they are compared. A tower that is missing is an error, never a random one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chartsight.errors import CheckpointError
from chartsight.vlm.layouts.names import TOWER, from_clip, unknown_tensors
from chartsight.vlm.layouts.settings import CONFIG, KNOWN_TOWERS, read_vision
from chartsight.vlm.weights import StoredTensor, Weights, differences, digest, read_weights

TowerSource = Literal["external", "checkpoint"]


@dataclass(frozen=True)
class TowerChoice:
    """The tower that a converted model gets.

    Args:
        source: Where its weights come from.
        name: `mm_vision_tower`.
        folder: Of the external tower; None when it is not at hand.
        why: In words.
        weights: By the hub's names.
        vision: Its settings.
        sha256: Digest of its tensors.
        difference: Largest absolute difference of the two towers; None when there are not two.
    """

    source: TowerSource
    name: str
    folder: Path | None
    why: str
    weights: Weights
    vision: Mapping[str, Any]
    sha256: str
    difference: float | None


def choose_tower(
    checkpoint: Path,
    settings: Mapping[str, Any],
    family: str,
    embedded: Mapping[str, StoredTensor],
    folder: Path | None,
    wanted: TowerSource | None,
) -> TowerChoice:
    """The tower of a checkpoint in the original layout.

    Args:
        checkpoint: Its folder.
        settings: Its `config.json`.
        family: llama or mistral.
        embedded: The tower that stands in it, by the hub's names; empty when none does.
        folder: Where the user says the external tower is.
        wanted: Which one the user wants.

    Raises:
        CheckpointError: The tower that is meant is not there.
    """
    name = str(settings.get("mm_vision_tower") or settings.get("vision_tower") or (folder.name if folder else ""))
    flag = bool(settings.get("unfreeze_mm_vision_tower", False)) and family == "llama"
    source: TowerSource = wanted or ("checkpoint" if flag else "external")
    if wanted is not None:
        why = "as asked"
    elif family == "mistral":
        why = "LLaVA-Med's code always loads the external tower"
    else:
        why = f"unfreeze_mm_vision_tower is {str(flag).lower()}"
    found = external_folder(checkpoint, name, folder)
    external = read_external(found) if found is not None else {}
    if source == "external" and not external:
        raise CheckpointError(
            "missing-tower", checkpoint, f"its vision tower {name or '(unnamed)'} is not on this disk", "its folder",
            "--tower FOLDER names it" + ("; --tower-from checkpoint takes the one inside" if embedded else ""),
        )  # fmt: skip
    if source == "checkpoint" and not embedded:
        raise CheckpointError(
            "missing-tower", checkpoint, f"holds no vision tower ({why})", "model.vision_tower.*",
            "--tower-from external takes mm_vision_tower",
        )  # fmt: skip
    if found is not None:
        vision: Mapping[str, Any] = read_vision(found)
    elif name in KNOWN_TOWERS:
        vision = KNOWN_TOWERS[name]
    else:
        raise CheckpointError(
            "missing-tower", checkpoint, f"the settings of its vision tower {name or '(unnamed)'} are not on this disk",
            "its folder, of which config.json is enough", "--tower FOLDER names it",
        )  # fmt: skip
    weights = external if source == "external" else embedded
    both = embedded.keys() & external.keys()
    largest = max((each for _, each in differences(embedded, external, both)), default=None) if both else None
    return TowerChoice(source, name, found, why, weights, vision, digest(weights.items()), largest)


def external_folder(checkpoint: Path, name: str, folder: Path | None) -> Path | None:
    """Where a tower is on this disk: as the user says, beside the checkpoint, in the hub's cache; None if nowhere."""
    if folder is not None:
        return folder if (folder / CONFIG).is_file() else None
    if not name:
        return None
    for place in (Path(name), checkpoint.parent / name, checkpoint / name):
        if (place / CONFIG).is_file():
            return place
    return cached_snapshot(name)


def cached_snapshot(name: str) -> Path | None:
    """The folder of a hub model that was fetched before; nothing is fetched here."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError, ValueError):
        return None


def read_external(folder: Path) -> Weights:
    """The vision half of a CLIP folder by the hub's names; empty when it holds settings alone.

    Raises:
        CheckpointError: A tensor that is none of CLIP's; weights that cannot be read.
    """
    try:
        stored = read_weights(folder)
    except CheckpointError as error:
        if error.code == "no-weights" and error.where == str(folder):
            return {}
        raise
    weights, unknown = {}, []
    for key, tensor in stored.items():
        try:
            name = from_clip(key)
        except KeyError:
            unknown.append(key)
            continue
        if name is not None:
            weights[name] = tensor
    if unknown:
        raise unknown_tensors(folder, unknown, f"a CLIP folder ({TOWER}*)")
    return weights
