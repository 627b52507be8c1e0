"""Token ids of prompts and answers, each tokenised apart, so that labels follow by construction.

A prompt is split at its image markers; every piece is tokenised alone and only the first keeps its BOS (as the original
LLaVA does). The image marker becomes as many image ids as the tower gives features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.vlm.prompts import IMAGE_MARKER, PromptTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class PromptTokenizer:
    """A tokenizer that knows its template and what one image costs.

    Args:
        tokenizer: With BOS, EOS and a pad id that is neither.
        template: See `prompts`.
        image_token_id: The id that stands for one image feature; no text produces it.
        image_tokens: How many of them one film takes.
    """

    tokenizer: PreTrainedTokenizerBase
    template: PromptTemplate
    image_token_id: int
    image_tokens: int

    def prompt_ids(self, question: str, n_images: int) -> list[int]:
        """Ids from BOS through the last token before the answer, image ids expanded.

        Raises:
            CheckpointError: The question itself contains the image marker.
        """
        if IMAGE_MARKER in question:
            raise CheckpointError("image-marker", "question", f"contains {IMAGE_MARKER}", "text only")
        pieces = self.template.render(question, n_images).split(IMAGE_MARKER)
        ids = [self.tokenizer.bos_token_id, *self._text_ids(pieces[0])]
        for piece in pieces[1:]:
            ids += [self.image_token_id] * self.image_tokens
            ids += self._text_ids(piece)
        return ids

    def answer_ids(self, answer: str) -> list[int]:
        """Ids of the answer through EOS: exactly the tokens that carry loss.

        Raises:
            CheckpointError: The answer contains the image marker, or is empty; an empty set is written out ("none"),
                never left blank.
        """
        if IMAGE_MARKER in answer:
            raise CheckpointError("image-marker", "answer", f"contains {IMAGE_MARKER}", "text only")
        answer = answer.strip()
        if not answer:
            raise CheckpointError("empty-answer", "answer", "is empty", 'a text such as "none"')
        # SentencePiece puts the space before the first word itself; byte-level tokenizers take it from the text.
        text = answer if self._adds_leading_space() else f" {answer}"
        return [*self._text_ids(text + self.template.after_answer), self.tokenizer.eos_token_id]

    def decode(self, ids: list[int]) -> str:
        """Text of generated ids, up to the first EOS."""
        eos = self.tokenizer.eos_token_id
        kept = ids[: ids.index(eos)] if eos in ids else ids
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text.strip()

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False) if text else []
        return ids

    def _adds_leading_space(self) -> bool:
        tokens: list[Any] = self.tokenizer.tokenize("yes")
        return bool(tokens) and str(tokens[0]).startswith("▁")
