"""`chartsight convert`: a checkpoint in LLaVA's original layout to Hugging Face's, tensor by tensor, exactly.

    OUT/model*.safetensors                      the tensors, untouched, under the hub's names; one shard in memory
    OUT/config.json, generation_config.json     of LlavaForConditionalGeneration
    OUT/tokenizer*.json, processor_config.json  with an image token, padding and a chat template
    OUT/chartsight.json                         our card: template, padding, image tokens, tower, terms
    OUT/original/                               settings and tokenizer as they were, for the way back
    OUT/conversion.json                         what was read (sha256), what was dropped, cut and chosen, and why

Unknown, missing and misshapen tensors stop it and are named. Nothing is guessed, drawn at random or fetched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.runs import Run, check_apart, new_output, sha256_file, write_json
from chartsight.schema import SCHEMA_VERSION, Pairing, Terms, strictest_pairing, strictest_terms
from chartsight.vlm.check import check_logits
from chartsight.vlm.checkpoint import CARD, CONVERSION, ModelCard, fingerprint, load_vlm, read_card
from chartsight.vlm.layouts.lora import OriginalLora, language_weights, merged, read_lora, write_peft
from chartsight.vlm.layouts.names import (
    EMBEDDING,
    HEAD,
    TOWER,
    VOCABULARY,
    from_original,
    unknown_tensors,
)
from chartsight.vlm.layouts.settings import (
    CONFIG,
    PROJECTOR_ALONE,
    TEMPLATE_OF,
    check_settings,
    hugging_face_config,
    layout_of,
    normalisation,
    padding_colour,
    read_settings,
)
from chartsight.vlm.layouts.tokenizer import FILES, LlavaTokenizer, llava_processor, read_tokenizer, same_ids
from chartsight.vlm.layouts.tower import TowerChoice, TowerSource, choose_tower
from chartsight.vlm.preprocessing import FilmPreprocessing
from chartsight.vlm.prompts import prompt_template
from chartsight.vlm.reading import OriginalReading
from chartsight.vlm.weights import (
    SHARD_BYTES,
    StoredTensor,
    Weights,
    changed,
    listed,
    read_file,
    read_weights,
    write_weights,
)

if TYPE_CHECKING:
    from transformers import LlavaConfig

ORIGINAL = "original"
OFFERED = ("vicuna_v1", "mistral_instruct", "llava_med_vicuna_v1")
KEPT = (CONFIG, "generation_config.json", *FILES)


@dataclass(frozen=True)
class ConversionConfig:
    """What the user says of a conversion.

    Args:
        base: What an adapter stands on.
        tower: The folder of the external vision tower.
        tower_from: Which tower; None follows the checkpoint, as the original's code does.
        template: Of the prompts; None is the family's own.
        name: On reports; None is the folder's.
        terms: Of everything that the model learned from; private until somebody says otherwise.
        pairing: Likewise.
        shard_bytes: Most that is held, and most that a shard has.
        check: Compare the logits of source and result; the result is then loaded whole.
    """

    base: Path | None = None
    tower: Path | None = None
    tower_from: TowerSource | None = None
    template: str | None = None
    name: str | None = None
    terms: Terms = "private"
    pairing: Pairing = "real"
    shard_bytes: int = SHARD_BYTES
    check: bool = False


@dataclass
class Source:
    """A checkpoint in the original layout, read but for its tensors' values.

    Args:
        folder: Of its settings.
        settings: Its `config.json`.
        family: llama or mistral.
        weights: By the hub's names, without tower.
        tower: The chosen one.
        tokenizer: With its image token.
        stored: Tensors as they are called there; the base's when there is an adapter.
        notes: What was dropped, cut or chosen, in words.
        lora: The adapter that is merged in; None without one.
    """

    folder: Path
    settings: Mapping[str, Any]
    family: str
    weights: Weights
    tower: TowerChoice
    tokenizer: LlavaTokenizer
    stored: Weights
    notes: list[str] = field(default_factory=list)
    lora: OriginalLora | None = None


def convert(source: Path, out: Path, config: ConversionConfig, *, force: bool = False, quiet: bool = False) -> Run:
    """`source`, in the original layout, as a Hugging Face model folder that every verb takes.

    Raises:
        CheckpointError: It cannot be converted exactly; the line names file, tensor or setting.
        OutputError: `out` exists, or the disk is full; nothing half-written is left.
    """
    inputs = [each for each in (source, config.base, config.tower) if each is not None]
    check_apart(out, *inputs)
    run = Run("convert", {**vars(config), "source": source}, terms=config.terms, pairing=config.pairing)
    if config.base is not None and (config.base / CARD).is_file() and layout_of(source) == "original-lora":
        return _convert_adapter(source, config.base, out, config, run, force=force)
    read = read_source(source, config)
    for path in sorted({tensor.file for tensor in (*read.weights.values(), *read.tower.weights.values())}):
        run.read(path)
    if read.lora is not None:
        for path in read.lora.files:
            run.read(path)
    for name in KEPT:
        if (source / name).is_file():
            run.read(source / name)
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        write_converted(read, partial, config, run, quiet=quiet)
        if config.check:
            told = read_settings(partial / CONVERSION)
            told["check"] = check_logits(reading_of(read), load_vlm(partial), source)
            write_json(partial / CONVERSION, told)
            run.outputs.append({"check": told["check"]})
        run.outputs.append({"notes": read.notes})
        run.kept = {"tensors": len(read.weights) + len(read.tower.weights)}
        run.write(partial)
    return run


def _convert_adapter(source: Path, base: Path, out: Path, config: ConversionConfig, run: Run, *, force: bool) -> Run:
    """An adapter that stands on a converted base, which stays where it is."""
    settings = read_settings(source / CONFIG)
    check_settings(source / CONFIG, settings)
    own, mark = read_card(base), fingerprint(base)
    if config.template not in {None, own.template}:
        raise CheckpointError("other-template", base, f"is asked as {own.template}", str(config.template))
    lora, stored = read_lora(source, base, {own.name}), language_weights(base)
    merged(stored, lora)  # does it fit
    for path in lora.files:
        run.read(path)
    card = replace(
        own, name=config.name or source.resolve().name, description="LLaVA-1.5 LoRA, converted.",
        base=os.path.relpath(base.resolve(), out.resolve()), base_fingerprint=mark,
        terms=strictest_terms([own.terms, config.terms]), pairing=strictest_pairing([own.pairing, config.pairing]),
    )  # fmt: skip
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        write_peft(partial, lora, f"chartsight:{mark}")
        write_json(partial / CARD, card.as_dict())
        (partial / ORIGINAL).mkdir()
        shutil.copyfile(source / CONFIG, partial / ORIGINAL / CONFIG)
        told: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION, "from": "original-lora", "to": "adapter",
            "inputs": [{"file": path.name, "sha256": sha256_file(path)} for path in lora.files],
            "outputs": {path.name: sha256_file(path) for path in sorted(partial.glob("*.safetensors"))},
            "base": lora.base, "base_fingerprint": mark, "notes": [],
        }  # fmt: skip
        if config.check:
            vlm = load_vlm(partial)
            vision, rows = vlm.model.config.vision_config.to_dict(), vlm.model.config.text_config.vocab_size
            reading = OriginalReading(settings, stored, {**stored, **lora.beside}, vision, rows, lora)
            told["check"] = check_logits(reading, vlm, source)
            run.outputs.append({"check": told["check"]})
        write_json(partial / CONVERSION, told)
        run.kept = {"tensors": 2 * len(lora.pairs) + len(lora.beside)}
        run.write(partial)
    return run


def reading_of(read: Source) -> OriginalReading:
    """The source as the original's own code would run it, written out."""
    external = read.tower.source == "external" and read.tower.folder is not None
    tower = read_weights(read.tower.folder) if external and read.tower.folder is not None else read.stored
    if read.lora is not None and not external:
        tower = {**read.stored, **read.lora.beside}
    rows = read.weights[EMBEDDING].shape[0]
    return OriginalReading(read.settings, read.stored, tower, read.tower.vision, rows, read.lora)


def read_source(folder: Path, config: ConversionConfig) -> Source:
    """Everything of a checkpoint but the values of its tensors, checked.

    Raises:
        CheckpointError: See `convert`.
    """
    layout = layout_of(folder)
    if layout == "language-model":
        raise CheckpointError(
            "wrong-architecture",
            folder / CONFIG,
            "is a language model without a tower",
            "a LLaVA",
            "it may be a --base",
        )
    settings = read_settings(folder / CONFIG)
    family = check_settings(folder / CONFIG, settings)
    lora = None
    tokens = folder
    stored: Weights
    if layout in {"original-lora", "original-projector"}:
        if config.base is None:
            found = "is an adapter" if layout == "original-lora" else "holds a projector alone"
            raise CheckpointError("no-base", folder, found, "the model it stands on", "--base FOLDER")
        stored = language_weights(config.base)
        if layout == "original-lora":
            lora = read_lora(folder, config.base)
        else:
            stored = {**stored, **read_file(folder / PROJECTOR_ALONE)}
        tokens = folder if any((folder / name).is_file() for name in FILES[:2]) else config.base
    else:
        if config.base is not None:
            raise CheckpointError("bad-base", folder, "is a whole model", "no --base")
        stored = read_weights(folder)
    weights, embedded, dropped = by_hub_names(folder, stored if lora is None else merged(stored, lora))
    tower = choose_tower(folder, settings, family, embedded, config.tower, config.tower_from)
    read = Source(folder, settings, family, weights, tower, read_tokenizer(tokens), stored, lora=lora)
    if dropped:
        read.notes.append(f"{len(dropped)} buffers are computed anew: {listed(dropped)}")
    if embedded and tower.source == "external":
        read.notes.append(f"{len(embedded)} tensors of the tower inside the checkpoint are not used ({tower.why})")
    if tower.difference is not None:
        alike = "are equal" if tower.difference == 0 else f"differ by up to {tower.difference:.3g}"
        read.notes.append(f"the tower inside and {tower.name} {alike}; the {tower.source} one is taken ({tower.why})")
    _fit_vocabulary(read)
    return read


def by_hub_names(folder: Path, stored: Weights) -> tuple[dict[str, StoredTensor], dict[str, StoredTensor], list[str]]:
    """Tensors of the original under the hub's names: the tower's apart, and which were dropped.

    Raises:
        CheckpointError: One is none of LLaVA's.
    """
    weights: dict[str, StoredTensor] = {}
    tower: dict[str, StoredTensor] = {}
    dropped, unknown = [], []
    for key, tensor in stored.items():
        try:
            name = from_original(key)
        except KeyError:
            unknown.append(key)
            continue
        if name is None:
            dropped.append(key)
        else:
            (tower if name.startswith(TOWER) else weights)[name] = tensor
    if unknown:
        raise unknown_tensors(folder, unknown, "tensors of a LLaVA with a projector of two layers")
    return weights, tower, dropped


def _fit_vocabulary(read: Source) -> None:
    """Cut rows that the tokenizer does not know, as the original does on loading; never add one."""
    settings, weights = read.settings, read.weights
    if EMBEDDING not in weights:
        return  # said below, with all that is missing
    rows, known = weights[EMBEDDING].shape[0], read.tokenizer.length
    if settings.get("mm_use_im_patch_token", True) and rows <= known:
        said = "is true" if "mm_use_im_patch_token" in settings else "is missing, which means true"
        read.notes.append(
            f"mm_use_im_patch_token {said}: the original would see to a token <im_patch>, with a random row where it "
            "has none; no prompt uses it, and none is added"
        )
    if rows > known:
        read.notes.append(f"{rows - known} rows of the vocabulary that no token has are cut off, as the original does")
        for name in VOCABULARY & weights.keys():
            whole = weights[name]
            shape = (known, *whole.shape[1:])
            read.weights = {**read.weights, name: changed(whole, lambda tensor: tensor[:known], shape)}
    elif rows < known:
        read.notes.append(f"{known - rows} tokens have no row, and must not be used: ids from {rows} on")
    if read.tokenizer.tokenizer.pad_token_id >= rows:
        read.tokenizer.tokenizer.pad_token = read.tokenizer.tokenizer.unk_token


def write_converted(read: Source, partial: Path, config: ConversionConfig, run: Run, *, quiet: bool) -> None:
    """The files of a converted model, in `partial`."""
    from transformers import GenerationConfig

    tokenizer = read.tokenizer.tokenizer
    rows = read.weights[EMBEDDING].shape[0] if EMBEDDING in read.weights else int(read.settings["vocab_size"])
    llava = hugging_face_config(
        read.settings, read.family, read.tower.vision, rows=rows, image_token_id=read.tokenizer.image_token_id,
        pad_id=tokenizer.pad_token_id,
    )  # fmt: skip
    weights = {**read.weights, **read.tower.weights}
    check_tensors(read.folder, weights, llava)
    llava.dtype = str(weights[EMBEDDING].dtype).removeprefix("torch.")
    card = build_card(read, llava, config)
    write_weights(partial, weights, limit=config.shard_bytes, quiet=quiet)
    llava.save_pretrained(partial)
    GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        suppress_tokens=[read.tokenizer.image_token_id],
    ).save_pretrained(partial)  # fmt: skip
    template = prompt_template(card.template)
    processor = llava_processor(
        read.tokenizer, template, card.preprocessing, llava.vision_config.patch_size,
        llava.vision_feature_select_strategy,
    )  # fmt: skip
    processor.save_pretrained(partial)
    if not same_ids(processor, read.tokenizer, template):
        read.notes.append("the chat template gives other ids than the original does; chartsight's own prompts give its")
    write_json(partial / CARD, card.as_dict())
    (partial / ORIGINAL).mkdir()
    for name in KEPT:
        if (read.folder / name).is_file():
            shutil.copyfile(read.folder / name, partial / ORIGINAL / name)
    write_json(
        partial / CONVERSION,
        {
            "schema_version": SCHEMA_VERSION,
            "from": layout_of(read.folder),
            "to": "hugging-face",
            "family": read.family,
            "inputs": [{"file": Path(each["path"]).name, "sha256": each["sha256"]} for each in run.inputs],
            "outputs": {path.name: sha256_file(path) for path in sorted(partial.glob("*.safetensors"))},
            "tower": {
                "source": read.tower.source, "name": read.tower.name, "why": read.tower.why,
                "sha256": read.tower.sha256, "difference": read.tower.difference,
            },
            "image_token_id": read.tokenizer.image_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "template": card.template,
            "notes": read.notes,
        },
    )  # fmt: skip


def check_tensors(where: Path, weights: Weights, config: LlavaConfig) -> None:
    """Nothing, when `weights` are exactly a model's, by name and shape.

    Raises:
        CheckpointError: Some are missing, too many, or of another shape.
    """
    expected = expected_shapes(config)
    held = weights.keys() - ({HEAD} if config.tie_word_embeddings else set())
    for found, said in ((expected.keys() - held, "lacks"), (held - expected.keys(), "holds more:")):
        if found:
            raise CheckpointError("other-weights", where, f"{said} {listed(found)}", f"{len(expected)} tensors")
    if misshapen := sorted(name for name in expected if weights[name].shape != expected[name]):
        name = misshapen[0]
        raise CheckpointError(
            "other-weights", weights[name].file, f"{name} is {list(weights[name].shape)}",
            f"{list(expected[name])}, by config.json",
        )  # fmt: skip


def expected_shapes(config: LlavaConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's tensors by the hub's names."""
    import torch
    from transformers import LlavaForConditionalGeneration

    from chartsight.vlm.layouts.names import from_hugging_face

    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    named = ((from_hugging_face(key), tuple(each.shape)) for key, each in model.state_dict().items())
    shapes = {name: shape for name, shape in named if name is not None}
    if config.tie_word_embeddings:
        shapes.pop(HEAD, None)
    return shapes


def build_card(read: Source, llava: LlavaConfig, config: ConversionConfig) -> ModelCard:
    """Our card of a converted model."""
    template = config.template or TEMPLATE_OF[read.family]
    if template not in OFFERED:
        raise CheckpointError("unknown-template", "prompt template", repr(template), " or ".join(OFFERED))
    mean, std = normalisation(read.tower.folder)
    family = {"llama": "LLaVA-1.5", "mistral": "LLaVA-Med v1.5"}[read.family]
    return ModelCard(
        name=config.name or read.folder.resolve().name,
        description=f"{family}, converted from the original layout.",
        template=template,
        preprocessing=FilmPreprocessing(
            size_px=llava.vision_config.image_size, channels=3, fill=padding_colour(mean), mean=mean, std=std,
            resampling="bicubic",
        ),
        image_tokens=llava.image_seq_length,
        terms=config.terms,
        pairing=config.pairing,
        tower=read.tower.name,
        tower_sha256=read.tower.sha256,
    )  # fmt: skip
