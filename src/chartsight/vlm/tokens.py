"""Token ids of prompts and answers, each tokenised apart, so that labels follow by construction.

A prompt is split at its image markers; every piece is tokenised alone and only the first keeps its BOS (as the original
LLaVA does). The image marker becomes as many image ids as the tower gives features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.vlm.prompts import IMAGE_MARKER, PromptTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # a label without loss, in torch and transformers


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

    def conversation(self, turns: Sequence[tuple[str, str]], n_images: int) -> tuple[list[int], list[int]]:
        """Ids of questions and their answers, and the labels that are learned from: -100 but on answers and their EOS.

            ids       <s> USER : # q1 ASSISTANT : a1 </s> USER : q2 ASSISTANT : a2 </s>      (# = image)
            labels    ...                         a1 </s> ...                    a2 </s>

        Raises:
            CheckpointError: A question or an answer contains the image marker, or an answer is empty.
        """
        ids: list[int] = []
        labels: list[int] = []
        for question, answer in turns:
            asked = self._next_ids(question) if ids else self.prompt_ids(question, n_images)
            answered = self.answer_ids(answer)
            ids += asked + answered
            labels += [IGNORED] * len(asked) + answered
        return ids, labels

    def _next_ids(self, question: str) -> list[int]:
        """Ids of a later turn's prompt: what follows EOS does not begin a line, so it is read behind one."""
        if IMAGE_MARKER in question:
            raise CheckpointError("image-marker", "question", f"contains {IMAGE_MARKER}", "text only")
        return self._text_ids(self.tokenizer.eos_token + self.template.render_next(question))[1:]

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
