"""The tokenizer of a converted model: the checkpoint's own, with an image token that costs no row of the vocabulary.

The original marks an image by the id -200, which has no row. Here the piece for the byte FF, which no UTF-8 text holds,
is called `<image>`: no text produces it, no row is added, and the softmax stays the original's. Padding keeps an id of
its own that is neither the image's nor EOS's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.runs import write_json
from chartsight.vlm.layouts.settings import read_settings
from chartsight.vlm.preprocessing import FilmPreprocessing
from chartsight.vlm.prompts import IMAGE_MARKER, PromptTemplate
from chartsight.vlm.tokens import PromptTokenizer

if TYPE_CHECKING:
    from transformers import LlavaProcessor, PreTrainedTokenizerFast

NO_TEXT = "<0xFF>"  # SentencePiece's name for the byte
FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True)
class LlavaTokenizer:
    """A tokenizer with its image token.

    Args:
        tokenizer: Knows `<image>`.
        image_token_id: Of it.
        length: Ids, those of added tokens included.
    """

    tokenizer: PreTrainedTokenizerFast
    image_token_id: int
    length: int


def read_tokenizer(folder: Path) -> LlavaTokenizer:
    """The tokenizer of a checkpoint in the original layout, as its code reads it: `tokenizer.model` where there is one.

    `legacy` is respected; where nothing is said of it the original means true, and transformers 5 would mean false.

    Raises:
        CheckpointError: There is none, or it has no piece for the byte FF.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if not any((folder / name).is_file() for name in FILES[:2]):
        raise CheckpointError("no-tokenizer", folder, "holds no tokenizer", " or ".join(FILES[:2]))
    try:
        with TemporaryDirectory() as work:
            # Apart, because the class would be looked up in the checkpoint's config.json, which transformers mistakes.
            names = [name for name in FILES if (folder / name).is_file()]
            for name in names if FILES[0] not in names else [each for each in names if each != FILES[1]]:
                shutil.copyfile(folder / name, Path(work) / name)
            settings = read_settings(Path(work) / FILES[2]) if FILES[2] in names else {}
            write_json(Path(work) / FILES[2], {"tokenizer_class": "LlamaTokenizer", "legacy": True, **settings})
            own = AutoTokenizer.from_pretrained(work, local_files_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # sentencepiece, protobuf and tokenizers have errors of their own
        reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0][:100]}"
        raise CheckpointError("bad-tokenizer", folder, f"its tokenizer cannot be read ({reason})", "its own") from error
    stored = json.loads(own.backend_tokenizer.to_str())
    pieces: dict[str, int] = stored["model"]["vocab"]
    if IMAGE_MARKER in own.get_vocab() or NO_TEXT not in pieces:
        found = f"has {IMAGE_MARKER} already" if IMAGE_MARKER in own.get_vocab() else f"has no piece {NO_TEXT}"
        raise CheckpointError("other-tokenizer", folder, f"its tokenizer {found}", "LLaMA's or Mistral's, with bytes")
    image = pieces[IMAGE_MARKER] = pieces.pop(NO_TEXT)
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    stored["added_tokens"].append({"id": image, "content": IMAGE_MARKER, "special": True, **flags})
    stored["added_tokens"].sort(key=lambda each: each["id"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(stored)),
        bos_token=str(own.bos_token), eos_token=str(own.eos_token), unk_token=str(own.unk_token),
        pad_token=pad_token(own), padding_side="right", clean_up_tokenization_spaces=False,
        model_max_length=own.model_max_length, extra_special_tokens={"image_token": IMAGE_MARKER},
    )  # fmt: skip
    return LlavaTokenizer(tokenizer, image, len(tokenizer))


def pad_token(tokenizer: Any) -> str:
    """What padding is written with: the tokenizer's own, or `<unk>`, which no text with bytes needs; never EOS."""
    own = tokenizer.pad_token
    return str(own if own is not None and own != tokenizer.eos_token else tokenizer.unk_token)


def llava_processor(
    tokenizer: LlavaTokenizer,
    template: PromptTemplate,
    preprocessing: FilmPreprocessing,
    patch_size: int,
    strategy: str,
) -> LlavaProcessor:
    """The stock processor: pads instead of cropping, and renders the prompts that the model was taught.

    A tokenizer with `legacy: false` puts no space mark behind a special token, which the original does behind an image,
    because it tokenises the pieces around it apart. The chat template makes up for it; `same_ids` says whether it did.
    """
    from transformers import LlavaProcessor
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    side = preprocessing.size_px
    images = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": side}, crop_size={"height": side, "width": side},
        image_mean=list(preprocessing.mean), image_std=list(preprocessing.std),
    )  # fmt: skip
    processors = [
        LlavaProcessor(
            image_processor=images, tokenizer=tokenizer.tokenizer, patch_size=patch_size,
            vision_feature_select_strategy=strategy, num_additional_image_tokens=1,
            chat_template=chat_template(template, behind_image),
        )
        for behind_image in ("", " ")
    ]  # fmt: skip
    return next((each for each in processors if same_ids(each, tokenizer, template)), processors[0])


def chat_template(template: PromptTemplate, behind_image: str) -> str:
    """`template` in Jinja; BOS is added by the tokenizer."""
    before, after, asked, between, answered, system = (
        json.dumps(each)
        for each in (
            template.before_image, IMAGE_MARKER + behind_image + template.after_image, template.after_question,
            template.between_turns, template.after_answer, template.system,
        )
    )  # fmt: skip
    return (
        f"{{{{- {system} -}}}}"
        "{%- for message in messages -%}"
        "{%- set content = message['content'] -%}"
        "{%- if content is string -%}{%- set content = [{'type': 'text', 'text': content}] -%}{%- endif -%}"
        "{%- if message['role'] == 'user' -%}"
        f"{{{{- ('' if loop.first else {between}) + {before} -}}}}"
        f"{{%- for part in content if part['type'] == 'image' -%}}{{{{- {after} -}}}}{{%- endfor -%}}"
        "{%- for part in content if part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endfor -%}"
        f"{{{{- {asked} -}}}}"
        "{%- elif message['role'] == 'assistant' -%}"
        "{{- ' ' -}}{%- for part in content if part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endfor -%}"
        f"{{{{- {answered} + eos_token -}}}}"
        "{%- else -%}{{- raise_exception('roles are user and assistant') -}}"
        "{%- endif -%}"
        "{%- endfor -%}"
    )


def same_ids(processor: LlavaProcessor, tokenizer: LlavaTokenizer, template: PromptTemplate) -> bool:
    """Whether the chat template gives the ids that the original gives, with an image and in a second turn."""
    question, answer = "Is there a pleural effusion?", "No, the lungs are clear."
    ours = PromptTokenizer(tokenizer.tokenizer, template, tokenizer.image_token_id, 1)
    messages: list[Mapping[str, Any]] = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        {"role": "user", "content": [{"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    one, two = (processor.apply_chat_template(messages[:count], tokenize=False) for count in (1, 4))
    expected = ours.prompt_ids(question, 1), ours.conversation([(question, answer)] * 2, 1)[0]
    return (tokenizer.tokenizer(one)["input_ids"], tokenizer.tokenizer(two)["input_ids"]) == expected
