"""Tiny random Idefics3 (as SmolVLM is) and Gemma3 (as MedGemma is) on disk, with PIL processors and chat templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = (
    "Is there a pleural effusion in this chest radiograph? Yes, no. Which findings are present? "
    "The heart is enlarged; no pneumothorax is seen. left right lung base apex device tube tip catheter User Assistant"
)
IDEFICS_CHAT = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %} {{ part['text'] }}{% else %}<image>{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
GEMMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<start_of_image>{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def byte_tokenizer(special: list[str], **named: Any) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360 + len(special), special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([WORDS], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **named)


def spread(model: Any) -> Any:
    """Weights so wide that the film moves the answer."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.copy_(8 * weight if weight.any() else torch.randn_like(weight))
    return model.eval()


def write_idefics3(folder: Path) -> Path:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    rows = [f"<row_{i + 1}_col_{j + 1}>" for i in range(6) for j in range(6)]
    special = [
        "<pad>",
        "<|im_start|>",
        "<end_of_utterance>",
        "<fake_token_around_image>",
        "<image>",
        "<global-img>",
        *rows,
    ]
    tokenizer = byte_tokenizer(special, pad_token="<pad>", bos_token="<|im_start|>", eos_token="<end_of_utterance>")
    side, patch, scale = 32, 8, 2
    images = Idefics3ImageProcessorPil(size={"longest_edge": side}, max_image_size={"longest_edge": side})
    processor = Idefics3Processor(
        images, tokenizer, image_seq_len=(side // patch) ** 2 // scale**2, chat_template=IDEFICS_CHAT
    )
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": side, "patch_size": patch,
        },
        text_config={
            "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 512,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=scale, tie_word_embeddings=False,
        pad_token_id=0,
    )  # fmt: skip
    return saved(folder, Idefics3ForConditionalGeneration, config, processor, seed=3)


def write_gemma3(folder: Path) -> Path:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    image = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", *image.values()]
    tokenizer = byte_tokenizer(
        special, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", extra_special_tokens=image
    )
    side, patch, features = 32, 8, 4
    images = Gemma3ImageProcessorPil(size={"height": side, "width": side})
    processor = Gemma3Processor(images, tokenizer, image_seq_length=features, chat_template=GEMMA_CHAT)
    config = Gemma3Config(
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": side, "patch_size": patch, "vision_use_head": False,
        },
        text_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 16, "vocab_size": len(tokenizer), "sliding_window": 64,
            "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1, "max_position_embeddings": 512,
        },
        mm_tokens_per_image=features, boi_token_index=tokenizer.boi_token_id, eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    return saved(folder, Gemma3ForConditionalGeneration, config, processor, seed=4, ends=[1, 4])


def saved(folder: Path, kind: Any, config: Any, processor: Any, seed: int, ends: list[int] | None = None) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = spread(kind(config))
    model.generation_config.eos_token_id = ends or processor.tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {"idefics3": write_idefics3, "gemma3": write_gemma3}


@pytest.fixture(scope="session", params=sorted(WRITERS))
def other_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one of them; nothing of ours is in it."""
    return WRITERS[request.param](tmp_path_factory.mktemp("others") / request.param)
