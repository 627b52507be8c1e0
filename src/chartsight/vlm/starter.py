"""The starter before it has learned anything: a LLaVA small enough for two cores, and a tokenizer that fits it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chartsight.vlm.checkpoint import ModelCard, Vlm
from chartsight.vlm.preprocessing import STARTER_PREPROCESSING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<image>")


@dataclass(frozen=True)
class StarterSize:
    """Sizes of the starter: 4.6 million parameters, 9.2 MB in bfloat16.

    Args:
        size_px: Side of the film that the tower reads; a square of 16 pixels becomes a token.
        vocabulary: Pieces of the tokenizer.
        hidden: Width of the language model.
    """

    size_px: int = 128
    vocabulary: int = 1536
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    mlp: int = 576
    tower_widths: tuple[int, ...] = (24, 48, 96, 144)
    tower_blocks: tuple[int, ...] = (0, 1, 2, 2)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: no text is unknown to it, the words of `texts` are cheap.

    The order of `texts` does not matter to the result; the counts do.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    pad, bos, eos, _ = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, bos_token=bos, eos_token=eos, clean_up_tokenization_spaces=False
    )


def build_starter(tokenizer: PreTrainedTokenizerFast, card: ModelCard, size: StarterSize, seed: int) -> Vlm:
    """A starter with random weights; the same seed gives the same weights."""
    import torch
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from chartsight.vlm.film_tower import FilmTowerConfig

    tower = FilmTowerConfig(image_size=card.preprocessing.size_px, widths=size.tower_widths, blocks=size.tower_blocks)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.mlp,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=1024,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=tower,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_act="gelu",
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=card.image_tokens,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    return Vlm(model.eval(), tokenizer, card, fingerprint="untrained")


def starter_card(name: str, description: str, size_px: int = STARTER_PREPROCESSING.size_px) -> ModelCard:
    """The card of a starter: its template, its films, a feature for every 16 x 16 pixels."""
    grid = size_px // 16
    return ModelCard(
        name=name,
        description=description,
        template="starter",
        preprocessing=replace(STARTER_PREPROCESSING, size_px=size_px),
        image_tokens=grid * grid,
    )
