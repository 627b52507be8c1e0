"""What a model says of itself, for whoever shows or audits its answers: its card, its bases, what it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chartsight.errors import CheckpointError
from chartsight.runs import read_manifest

MOST_BASES = 10  # an adapter on an adapter on ...: more is a circle


@dataclass(frozen=True)
class Ancestor:
    """A model, or a base that it was made from.

    Args:
        name: Of its card.
        description: Of its card.
        fingerprint: Of its weights.
        trained_on: sha256 of every input that the manifest of its training run names.
        manifest: Where that manifest stands; empty when there is none.
        terms: The strictest of what it learned from, as its card declares.
    """

    name: str
    description: str
    fingerprint: str
    trained_on: tuple[str, ...]
    manifest: str
    terms: str


@dataclass(frozen=True)
class ModelFacts:
    """What a model folder says.

    Args:
        ancestry: The model itself, then its base, its base's base, ...
        template: Of its prompts.
        preprocessing_digest: Of its film preprocessing.
        size_px: Side of the square that it sees; None for a model that reads no film.
        reads_film: False for a text-only twin.
    """

    ancestry: tuple[Ancestor, ...]
    template: str
    preprocessing_digest: str
    size_px: int
    reads_film: bool


def read_model_facts(model: str | Path) -> ModelFacts | None:
    """The facts of a shipped name, a model folder or a training run; None where there is no card."""
    from chartsight.vlm.checkpoint import fingerprint, model_folder, read_card

    ancestry: list[Ancestor] = []
    first = None
    wanted: str | Path | None = model
    while wanted is not None and len(ancestry) < MOST_BASES:
        try:
            folder = model_folder(wanted)
            card = read_card(folder)
        except CheckpointError:
            break
        first = first or card
        place = folder if (folder / "run.json").is_file() else folder.parent
        manifest = read_manifest(place) if (place / "run.json").is_file() else None
        is_training = manifest is not None and manifest.get("verb") == "train"
        inputs = manifest["inputs"] if manifest is not None and is_training else []
        ancestry.append(
            Ancestor(
                name=card.name,
                description=card.description,
                fingerprint=fingerprint(folder),
                trained_on=tuple(str(each["sha256"]) for each in inputs if each.get("sha256")),
                manifest=str(place / "run.json") if is_training else "",
                terms=card.terms,
            )
        )
        base = None if card.base is None else Path(card.base)
        wanted = folder / base if base is not None and (folder / base).exists() else card.base
    if first is None:
        return None
    return ModelFacts(
        tuple(ancestry), first.template, first.preprocessing.digest(), first.preprocessing.size_px, first.reads_film
    )
