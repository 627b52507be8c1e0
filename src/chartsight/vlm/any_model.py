"""Any image-text-to-text model of transformers (MedGemma, Qwen-VL, SmolVLM, ...), asked by its own chat template.

LLaVA has the fast path (`answering`: many questions a film); these have the plain one, a question at a time, through
their own processor. What such a folder does not say of itself, `describe_model` says for it; there is no card in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chartsight.errors import CheckpointError
from chartsight.vlm.checkpoint import ModelCard, Vlm
from chartsight.vlm.grammars import Rule, Scored, Weighed, Written
from chartsight.vlm.layouts.settings import (
    ARCHITECTURES,
    CONFIG,
    HUGGING_FACE,
    TEMPLATE_OF,
    architecture,
    image_tokens,
    normalisation,
    padding_colour,
    read_settings,
)
from chartsight.vlm.preprocessing import FilmPreprocessing
from chartsight.vlm.prompts import CHAT, PromptTemplate, Turn
from chartsight.vlm.tokens import PromptTokenizer

if TYPE_CHECKING:
    from chartsight.vlm.answering import Example, FilmQuestions, RawAnswer

ADAPTER_SETTINGS = "adapter_config.json"
FILM_PX = 896  # what the processor gets where it does not say a size; it resizes by itself
MOST_PX = 1024


@dataclass(frozen=True)
class ChatPrompts(PromptTokenizer):
    """What the chat template makes of a question: lengths and texts; the processor makes the real inputs.

    Args:
        processor: Of the model.
    """

    processor: Any = None

    def prompt_ids(self, question: str, n_images: int, turns: Sequence[Turn] = ()) -> list[int]:
        """Ids of the whole prompt; an image is as many ids as the processor makes of a film."""
        ids: list[int] = self.tokenizer(
            rendered(self.processor, messages(question, [None] * n_images, turns)), add_special_tokens=False
        )["input_ids"]
        place = ids.index(self.image_token_id) if self.image_token_id in ids else 0
        more = (self.image_tokens - 1) * (n_images + sum(turn.n_images for turn in turns))
        return [*ids[:place], *[self.image_token_id] * more, *ids[place:]]

    def answer_ids(self, answer: str, *, ended: bool = True) -> list[int]:
        """Ids of an answer, and of EOS."""
        return [*self._text_ids(answer.strip()), *([self.tokenizer.eos_token_id] if ended else [])]


@dataclass
class ChatVlm(Vlm):
    """A model that is asked by its own chat template.

    Args:
        processor: Of the model.
    """

    processor: Any = None

    @cached_property
    def prompts(self) -> PromptTokenizer:
        """See `ChatPrompts`."""
        image = getattr(self.model.config, "image_token_id", None)
        template = PromptTemplate(**vars(CHAT))
        token = -1 if image is None else int(image)
        one = ChatPrompts(self.tokenizer, template, token, 1, self.processor)
        from PIL import Image

        side = self.card.preprocessing.size_px
        whole = read_prompt(self.processor, messages("?", [Image.new("RGB", (side, side))]))["input_ids"].shape[1]
        return replace(one, image_tokens=whole - len(one.prompt_ids("?", 0)))

    @property
    def ends(self) -> list[int]:
        """Ids that end an answer."""
        said = self.model.generation_config.eos_token_id
        said = self.tokenizer.eos_token_id if said is None else said
        return list(said) if isinstance(said, list | tuple) else [int(said)]


# ---------------------------------------------------------------------------------------------------- what a folder is


def describe_model(folder: Path) -> ModelCard:
    """The card that a folder without one would have.

    Raises:
        CheckpointError: It is no image-text-to-text model of transformers.
    """
    if (folder / ADAPTER_SETTINGS).is_file() and not (folder / CONFIG).is_file():
        return _describe_adapter(folder)
    settings = read_settings(folder / CONFIG)
    named = architecture(folder, settings)
    if named in ARCHITECTURES:
        raise CheckpointError(
            "original-layout", folder, f"is a {named} in LLaVA's original layout", "Hugging Face's",
            f"chartsight convert {folder} OUT",
        )  # fmt: skip
    name = folder.resolve().name
    if named == HUGGING_FACE:
        return _describe_llava(folder, settings, name)
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    kind = settings.get("model_type")
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise CheckpointError(
            "wrong-architecture", folder / CONFIG, f"is a {kind} ({named})", "a model that reads images and text"
        )
    return ModelCard(
        name=name,
        description=f"{named}, asked by its own chat template.",
        template=CHAT.name,
        preprocessing=FilmPreprocessing(_film_side(folder), 3, 0, (0.5,) * 3, (0.5,) * 3, "bicubic"),
        image_tokens=0,  # as its processor sees fit
        terms="private",
    )


def _describe_llava(folder: Path, settings: Mapping[str, Any], name: str) -> ModelCard:
    """A LLaVA of the hub: asked and padded as the original was taught, not as its processor would."""
    from transformers import LlavaConfig

    config = LlavaConfig(**{key: value for key, value in settings.items() if key != "architectures"})
    family = config.text_config.model_type
    mean, std = normalisation(folder)
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    return ModelCard(
        name=name,
        description="A LLaVA without a card: asked and padded as the original.",
        template=TEMPLATE_OF.get(family, "vicuna_v1"),
        preprocessing=FilmPreprocessing(side, 3, padding_colour(mean), mean, std, "bicubic"),
        image_tokens=image_tokens(side, patch, config.vision_feature_select_strategy),
        terms="private",
    )


def _describe_adapter(folder: Path) -> ModelCard:
    """Somebody's PEFT adapter: it stands on what it names, as far as anyone can tell."""
    from chartsight.vlm.checkpoint import fingerprint, model_folder, read_card

    named = str(read_settings(folder / ADAPTER_SETTINGS).get("base_model_name_or_path") or "")
    if not named:
        raise CheckpointError("no-base", folder / ADAPTER_SETTINGS, "names no base", "base_model_name_or_path")
    base = model_folder(folder / named if (folder / named).is_dir() else named)
    card = read_card(base)
    return replace(
        card, name=folder.resolve().name, description=f"An adapter on {card.name}.", base=str(base),
        base_fingerprint=fingerprint(base),
    )  # fmt: skip


def _film_side(folder: Path) -> int:
    """The side at which a processor sees a film, as far as its settings say one."""
    sides = []
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            stored = read_settings(folder / name)
            size = stored.get("image_processor", stored).get("size")
            values = size.values() if isinstance(size, dict) else [size]
            sides += [each for each in values if isinstance(each, int) and 16 <= each <= MOST_PX]
    return max(sides, default=FILM_PX)


# -------------------------------------------------------------------------------------------------------------- loading


def load_chat_model(folder: Path, card: ModelCard, device: str, fingerprint: str, weights: str = "float32") -> ChatVlm:
    """The model of a folder with its processor.

    Args:
        folder: Of transformers.
        card: As `describe_model` has it.
        device: cpu, cuda, ...
        fingerprint: Of the folder.
        weights: float32 or bfloat16.

    Raises:
        CheckpointError: It cannot be loaded exactly, or has no chat template.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if weights not in {"float32", "bfloat16"}:
        raise CheckpointError("no-weights", folder, f"cannot be held in {weights}", "float32 or bfloat16")
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=getattr(torch, weights),
            output_loading_info=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,
        )
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0][:120]}"
        raise CheckpointError(
            "bad-weights", folder, f"model or processor cannot be read ({reason})", "a whole model folder",
            "some processors need torchvision" if isinstance(error, ImportError) else "",
        ) from error  # fmt: skip
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(map(str, report.get(kind) or ())):
            raise CheckpointError("other-weights", folder, f"{kind.replace('_', ' ')}: {', '.join(keys[:4])}", "none")
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not getattr(processor, "chat_template", None):
        raise CheckpointError("no-chat-template", folder, "has a processor without one", "chat_template.jinja")
    return ChatVlm(model.to(device).eval(), tokenizer, card, fingerprint, processor)


# ------------------------------------------------------------------------------------------------------------ answering


def messages(question: str, films: Sequence[Any], turns: Sequence[Turn] = ()) -> list[dict[str, Any]]:
    """A chat that ends in `question`; `films` are those of the turns, then its own, None for a place alone."""
    shown = iter([{"type": "image"} if film is None else {"type": "image", "image": film} for film in films])
    own = len(films) - sum(turn.n_images for turn in turns)
    chat = []
    for turn in turns:
        chat.append({"role": "user", "content": [*(next(shown) for _ in range(turn.n_images)), _text(turn.question)]})
        chat.append({"role": "assistant", "content": [_text(turn.answer)]})
    chat.append({"role": "user", "content": [*(next(shown) for _ in range(own)), _text(question)]})
    return chat


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text.strip()}


def rendered(processor: Any, chat: list[dict[str, Any]]) -> str:
    """The prompt as text, through the beginning of the answer."""
    text: str = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return text


def read_prompt(processor: Any, chat: list[dict[str, Any]]) -> dict[str, Tensor]:
    """What the model takes: ids, pixels and whatever else its processor makes."""
    inputs = processor.apply_chat_template(
        chat, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    return dict(inputs)


@torch.inference_mode()
def answer_plainly(
    vlm: ChatVlm,
    items: Sequence[FilmQuestions],
    *,
    max_new_tokens: int,
    candidates: Sequence[str],
    examples: Sequence[Example] = (),
) -> Iterator[list[RawAnswer]]:
    """One list an item, in order, as `answering.answer_films` gives it; each question is read by itself.

    Raises:
        CheckpointError: A rule that only a LLaVA's answers can be held to.
    """
    for item in items:
        yield [_answer(vlm, item, *each, max_new_tokens, candidates, examples) for each in item.asked]


def _answer(
    vlm: ChatVlm, item: FilmQuestions, question: str, rule: Rule | None, max_new_tokens: int, candidates: Sequence[str],
    examples: Sequence[Example],
) -> RawAnswer:  # fmt: skip
    from chartsight.vlm.answering import RawAnswer

    if isinstance(rule, Written):
        raise CheckpointError(
            "no-grammar", vlm.card.name, "cannot be held to the form of a list or a number",
            "free text, or lists name by name", "--sets itemwise or generate",
        )  # fmt: skip
    films = [each.film for each in examples if each.film is not None] if item.film is not None else []
    films = [picture(film) for film in (*films, item.film) if film is not None]
    turns = [each.turn if item.film is not None else replace(each.turn, n_images=0) for each in examples]
    read = read_prompt(vlm.processor, messages(question, films, turns))
    inputs = {
        key: each.to(vlm.device, vlm.model.dtype) if each.is_floating_point() else each.to(vlm.device)
        for key, each in read.items()
    }
    if isinstance(rule, Scored):
        scores = {answer: _log_probability(vlm, inputs, answer) for answer in rule.answers}
        best = max(scores, key=lambda answer: scores[answer])
        return RawAnswer(best, len(vlm.prompts.answer_ids(best)), {}, scores)
    pad = vlm.tokenizer.pad_token_id
    limit = 1 if isinstance(rule, Weighed) else max_new_tokens
    written = vlm.model.generate(
        **inputs, do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=limit,
        eos_token_id=vlm.ends, pad_token_id=vlm.ends[0] if pad is None else pad, return_dict_in_generate=True,
        output_logits=True,
    )  # fmt: skip
    ids = written.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    text = vlm.tokenizer.decode(ids, skip_special_tokens=True).strip()
    return RawAnswer(text, len(ids), first_words(vlm, written.logits[0][0].float().softmax(-1), candidates))


def picture(film: Any) -> Any:
    """A padded film (uint8 [S, S] or [S, S, 3]) as the picture that a processor takes."""
    from PIL import Image

    return Image.fromarray(film).convert("RGB")


def first_words(vlm: ChatVlm, chances: Tensor, candidates: Sequence[str]) -> dict[str, float]:
    """Probability that an answer begins with a word, however it is spelled (Yes, yes, with a space before).

    Tokens with which two of the words may begin are neither's.
    """
    begins = {
        word: {ids[0] for spelling in (word, word.capitalize()) for lead in ("", " ")
               if (ids := vlm.tokenizer.encode(lead + spelling, add_special_tokens=False))}
        for word in candidates
    }  # fmt: skip
    own = {
        word: tokens - set().union(*(each for other, each in begins.items() if other != word))
        for word, tokens in begins.items()
    }
    return {word: round(float(chances[sorted(tokens)].sum()), 6) for word, tokens in own.items() if tokens}


def _log_probability(vlm: ChatVlm, inputs: Mapping[str, Tensor], answer: str) -> float:
    """Of the whole answer and its end, whichever way the model ends it."""
    ids = vlm.tokenizer.encode(answer.strip(), add_special_tokens=False)
    length = inputs["input_ids"].shape[1]
    longer = dict(inputs)
    for key, each in inputs.items():
        if each.shape == inputs["input_ids"].shape:
            more = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids))}
            own = more.get(key, torch.zeros(1, len(ids))).to(each.device, each.dtype)
            longer[key] = torch.cat([each, own], dim=1)
    logits = vlm.model(**longer).logits[0, length - 1 :].float()
    chances = logits.log_softmax(-1)
    spelled = sum(float(chances[n, token]) for n, token in enumerate(ids))
    return spelled + float(chances[len(ids), vlm.ends].logsumexp(0))
