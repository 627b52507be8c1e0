"""Model folders: what stands in one, loading it exactly, and the fingerprint by which its answers are stored.

A folder holds either whole weights (`model.safetensors`) or a PEFT adapter (`adapter_model.safetensors`), a tokenizer
(whole weights only), and always a card, `chartsight.json`. An adapter's card names its base and the base's fingerprint;
another base, template or preprocessing is refused, because a model that is asked otherwise than it was taught answers
worse without saying so.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartsight.errors import CheckpointError
from chartsight.runs import sha256_file, write_json
from chartsight.schema import SCHEMA_VERSION, Pairing, Terms
from chartsight.vlm.preprocessing import FilmPreprocessing
from chartsight.vlm.prompts import CHAT, prompt_template
from chartsight.vlm.tokens import PromptTokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerBase

Weights = Literal["float32", "bfloat16", "nf4"]
CARD = "chartsight.json"
CONVERSION = "conversion.json"  # where the weights came from; moves no answer
ADAPTER = "adapter_model.safetensors"
OPTIONAL_KEYS = frozenset({"tower", "tower_sha256"})  # younger than the first cards, which stay as they are
DECISIVE = frozenset({".safetensors", ".bin", ".json", ".model", ".txt", ".jinja"})  # files that can move an answer
SHIPPED = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says of itself.

    Args:
        name: For reports.
        description: One sentence; says "stand-in" when the model is one.
        template: Of `prompts.TEMPLATES`.
        preprocessing: See there.
        image_tokens: Features of one film.
        reads_film: False for a text-only twin: it is asked without the film.
        base: Name or path of the base model; None for whole weights.
        base_fingerprint: What the base must be.
        terms: The strictest of everything that it learned from.
        pairing: Likewise.
        tower: What the original layout calls the vision tower that these weights came from; None without one.
        tower_sha256: Digest of that tower's tensors, so that a tuned tower is known as one.
    """

    name: str
    description: str
    template: str
    preprocessing: FilmPreprocessing
    image_tokens: int
    reads_film: bool = True
    base: str | None = None
    base_fingerprint: str | None = None
    terms: Terms = "synthetic"
    pairing: Pairing = "real"
    tower: str | None = None
    tower_sha256: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON of the card, with its schema version; of the tower only where there is something to say."""
        stored = {"schema_version": SCHEMA_VERSION, **asdict(self), "preprocessing": self.preprocessing.as_dict()}
        return {key: value for key, value in stored.items() if value is not None or key not in OPTIONAL_KEYS}


@dataclass
class Vlm:
    """A model ready to answer or to be trained.

    `model` is a `LlavaForConditionalGeneration` with any adapter merged into it.
    """

    model: LlavaForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase
    card: ModelCard
    fingerprint: str

    @cached_property
    def prompts(self) -> PromptTokenizer:
        """Token ids of prompts and answers as this model was taught them."""
        return PromptTokenizer(
            self.tokenizer,
            prompt_template(self.card.template),
            self.model.config.image_token_id,
            self.card.image_tokens,
        )

    @cached_property
    def silent_ids(self) -> list[int]:
        """Ids that no answer may hold: the image's, and rows behind the vocabulary that no token has."""
        rows = int(self.model.config.get_text_config().vocab_size)
        return [self.prompts.image_token_id, *range(len(self.tokenizer), rows)]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.device
        return device


def model_folder(name_or_path: str | Path) -> Path:
    """The folder of a shipped model (`starter`, `starter-med`), of a path, of a training run, or of a hub's model.

    A folder without a card is one too when transformers or PEFT wrote it (`any_model`); a hub's model has to be in the
    hub's cache already, because nothing is fetched here.

    Raises:
        CheckpointError: There is no such model; the line lists the shipped ones.
    """
    shipped = SHIPPED / str(name_or_path)
    places = (Path(name_or_path), Path(name_or_path) / "model", shipped)
    for mark in (CARD, "config.json", "adapter_config.json"):
        for candidate in places:
            if (candidate / mark).is_file():
                return candidate
    if not Path(name_or_path).exists() and str(name_or_path).count("/") == 1:
        from chartsight.vlm.layouts.tower import cached_snapshot

        if (cached := cached_snapshot(str(name_or_path))) is not None:
            return cached
    names = ", ".join(list_models()) or "none"
    raise CheckpointError(
        "no-model", name_or_path, f"no model folder (a folder with {CARD} or config.json)",
        f"a path, a model of the hub that was fetched before, or a shipped model: {names}",
    )  # fmt: skip


def list_models() -> dict[str, ModelCard]:
    """Cards of the models that are shipped with the package, by name."""
    return {folder.parent.name: read_card(folder.parent) for folder in sorted(SHIPPED.glob(f"*/{CARD}"))}


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder; one is made up for a folder that transformers or PEFT wrote.

    Raises:
        CheckpointError: It is missing, newer than this version, or has unknown or missing keys.
    """
    path = folder / CARD
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
            from chartsight.vlm.any_model import describe_model

            return describe_model(folder)
        raise CheckpointError("no-card", path, "is missing", "a card beside the weights") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CheckpointError("bad-card", path, "is no JSON", "a card written by chartsight") from None
    if not isinstance(stored, dict):
        raise CheckpointError("bad-card", path, "holds no keys", "a card written by chartsight")
    version = stored.pop("schema_version", 0)
    if version > SCHEMA_VERSION:
        raise CheckpointError("newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}")
    try:
        preprocessing = stored.pop("preprocessing")
        preprocessing["mean"], preprocessing["std"] = tuple(preprocessing["mean"]), tuple(preprocessing["std"])
        if isinstance(preprocessing["fill"], list):
            preprocessing["fill"] = tuple(preprocessing["fill"])
        return ModelCard(preprocessing=FilmPreprocessing(**preprocessing), **stored)
    except (KeyError, TypeError) as error:
        raise CheckpointError("bad-card", path, f"keys do not fit: {error}", "a card written by chartsight") from None


def fingerprint(folder: Path) -> str:
    """Digest of everything in the folder that can move an answer: weights, configuration, tokenizer, card."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in DECISIVE and path.name not in {"run.json", CARD, CONVERSION}:
            digest.update(f"{path.name}:{_sha256_once(path.resolve(), path.stat().st_mtime_ns)}\n".encode())
    card = read_card(folder)
    # The base is identified by its fingerprint; where it lies does not matter. Name and description move nothing.
    decisive = replace(card, name="", description="", base=None).as_dict()
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    return digest.hexdigest()[:16]


@cache
def _sha256_once(path: Path, changed: int) -> str:
    """The digest of a file as it is since it was `changed`: many verbs ask more than once, and models are large."""
    return sha256_file(path)


def load_llava(name_or_path: str | Path, device: str = "cpu", *, weights: Weights = "float32") -> Vlm:
    """As `load_vlm`, for what needs a LLaVA's own parts: tower, projector, language model.

    Raises:
        CheckpointError: As `load_vlm`; it is another model, which answers and is not trained here.
    """
    folder = model_folder(name_or_path)
    if (card := read_card(folder)).template == CHAT.name:
        raise CheckpointError("no-llava", name_or_path, f"{card.name} is not trained here", "a LLaVA")
    return load_vlm(folder, device, weights=weights)


def load_vlm(name_or_path: str | Path, device: str = "cpu", *, merge: bool = True, weights: Weights = "float32") -> Vlm:
    """A model with its tokenizer and card, ready to answer.

    Args:
        name_or_path: A shipped name, a model folder of ours or of transformers, an adapter, a training run's folder, or
            the name of a hub's model that is in the cache. Other models than LLaVA come as `any_model.ChatVlm`.
        device: cpu, cuda, cuda:1, ...
        merge: Fold an adapter into the weights (the answers are those of the adapter up to rounding).
        weights: How they are held: float32; bfloat16, half as large; nf4, an eighth, by bitsandbytes.

    Raises:
        CheckpointError: A missing folder, weight, or base; another base than the adapter was trained on.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoTokenizer, LlavaForConditionalGeneration
    from transformers.utils import logging

    from chartsight.vlm import film_tower  # noqa: F401  registers the starter's tower with transformers

    logging.disable_progress_bar()
    try:
        torch.zeros(1, device=device).item()  # `meta` makes tensors that hold nothing
    except (RuntimeError, AssertionError) as error:  # torch says "not compiled with CUDA" by assert
        reason = str(error).strip().splitlines()[0][:120]
        raise CheckpointError(
            "no-device", "device", f"{device!r} ({reason})", "cpu, or a device of this machine"
        ) from None
    folder = model_folder(name_or_path)
    card = read_card(folder)
    own = fingerprint(folder)
    if card.base is not None:
        if weights == "nf4":
            raise CheckpointError(
                "adapter-on-nf4", folder, "is an adapter, which is not folded into weights of four bits",
                "whole weights", "chartsight models merge makes them",
            )  # fmt: skip
        base = load_vlm(base_folder(folder, card), device, weights=weights)
        if base.fingerprint != card.base_fingerprint:
            raise CheckpointError(
                "other-base", folder, f"its base {card.base} has fingerprint {base.fingerprint}",
                str(card.base_fingerprint), "train again, or point `base` in the card to the base it was trained on",
            )  # fmt: skip
        model = _with_adapter(base.model, folder, merge=merge)
        return replace(base, model=model.eval(), card=card, fingerprint=own)
    if card.template == CHAT.name:
        from chartsight.vlm.any_model import load_chat_model

        return load_chat_model(folder, card, device, own, weights)
    check_architecture(folder)
    try:
        # Another shape is tolerated here only to be listed, and refused, with the other differences below.
        model, report = LlavaForConditionalGeneration.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, ignore_mismatched_sizes=True,
            **_held(weights),
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(folder, None) or _unreadable(folder, "weights, configuration or tokenizer", error) from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(map(str, report.get(kind) or ())):
            raise CheckpointError("other-weights", folder, f"{kind.replace('_', ' ')}: {', '.join(keys[:4])}", "none")
    if (features := image_features(model.config)) != card.image_tokens:
        raise CheckpointError(
            "other-features", folder / CARD, f"says {card.image_tokens} image tokens", f"{features}, as its tower gives"
        )
    return Vlm(model.eval() if weights == "nf4" else model.to(device).eval(), tokenizer, card, own)


def _held(weights: Weights) -> dict[str, Any]:
    """How `from_pretrained` shall hold weights.

    Raises:
        CheckpointError: bitsandbytes is not installed.
    """
    import torch

    if weights != "nf4":
        return {"dtype": getattr(torch, weights)}
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise CheckpointError(
            "no-bitsandbytes",
            "weights: nf4",
            "bitsandbytes is not installed",
            "it",
            "pip install bitsandbytes, or chartsight[qlora]",
        )
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["model.vision_tower", "model.multi_modal_projector", "lm_head"],
    )  # fmt: skip
    place = {"": int(os.environ.get("LOCAL_RANK", "0"))} if torch.cuda.is_available() else {"": "cpu"}
    return {"dtype": torch.bfloat16, "quantization_config": four_bits, "device_map": place}


def image_features(config: Any) -> int:
    """How many features a LLaVA's tower gives of a film."""
    vision = config.vision_config
    if getattr(vision, "patch_size", None) is None or vision.model_type != "clip_vision_model":
        return int(config.image_seq_length)
    from chartsight.vlm.layouts.settings import image_tokens

    return image_tokens(vision.image_size, vision.patch_size, config.vision_feature_select_strategy)


def check_architecture(folder: Path) -> None:
    """Nothing, when `config.json` names a LLaVA in Hugging Face's layout.

    Raises:
        CheckpointError: It names another, or there is none.
    """
    from chartsight.vlm.layouts.settings import CONFIG, HUGGING_FACE, architecture, read_settings

    if (named := architecture(folder, read_settings(folder / CONFIG))) != HUGGING_FACE:
        raise CheckpointError("wrong-architecture", folder / CONFIG, f"architectures is [{named!r}]", HUGGING_FACE)


def check_weights(folder: Path, adapter: str | None = None) -> None:
    """Nothing, when every file of weights (or the adapter's one) is there and whole, by its header.

    Raises:
        CheckpointError: The first that is not.
    """
    from chartsight.vlm.weights import read_file, read_weights

    if adapter is None:
        read_weights(folder)
    else:
        read_file(folder / adapter)


def _damaged(folder: Path, adapter: str | None) -> CheckpointError | None:
    """What is wrong with one file of weights; None when all are whole."""
    try:
        check_weights(folder, adapter)
    except CheckpointError as found:
        return found
    return None


def _unreadable(folder: Path, parts: str, error: Exception) -> CheckpointError:
    reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0][:120]}"
    return CheckpointError("bad-weights", folder, f"{parts} cannot be read ({reason})", "a whole model folder")


def base_folder(folder: Path, card: ModelCard) -> str | Path:
    """Where the base of an adapter is: beside it, or as its card says."""
    beside = folder / str(card.base)  # a relative base is relative to the adapter
    return beside if (beside / CARD).is_file() else str(card.base)


def _with_adapter(model: LlavaForConditionalGeneration, folder: Path, *, merge: bool) -> LlavaForConditionalGeneration:
    from peft import PeftModel
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / ADAPTER, "pt") as file:
            stored = set(file.keys())
        # Looked for here, because PEFT goes to the network for a configuration that is missing.
        (folder / "adapter_config.json").stat()
        with warnings.catch_warnings():
            # PEFT asks transformers for a renamed property; nothing a user could do about it.
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
            adapted = PeftModel.from_pretrained(model, folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _damaged(folder, ADAPTER) or _unreadable(folder, "the adapter", error) from error
    held = {
        name.replace(".modules_to_save.default.", ".")
        .replace(".lora_magnitude_vector.default.weight", ".lora_magnitude_vector")  # DoRA's
        .replace(".default.", ".")
        for name, _ in adapted.named_parameters()
        if "lora_" in name or ".modules_to_save." in name
    }
    if differing := sorted(stored ^ held):
        # PEFT goes on with a warning, and the base answers in the adapter's name.
        found = f"{len(stored - held)} keys match nothing, {len(held - stored)} are missing, first {differing[0]}"
        raise CheckpointError("adapter-unmatched", folder, found, "exactly the adapter's weights")
    return adapted.merge_and_unload() if merge else adapted


def save_vlm(
    vlm: Vlm, folder: Path, dtype: torch.dtype | None = None, *, state_dict: Mapping[str, Any] | None = None
) -> None:
    """Whole weights, tokenizer and card into `folder` (created).

    Args:
        vlm: With any adapter merged.
        folder: Does not exist yet.
        dtype: Of the stored weights; None keeps the model's. bfloat16 halves the file.
        state_dict: The weights, where the model holds parts of them only.
    """
    import copy

    from transformers.utils import logging

    logging.disable_progress_bar()
    model = vlm.model if dtype is None else copy.deepcopy(vlm.model).to(dtype)
    model.save_pretrained(folder, state_dict=state_dict)
    vlm.tokenizer.save_pretrained(folder)
    write_json(folder / CARD, vlm.card.as_dict())
