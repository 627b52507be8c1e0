"""Token ids of prompts and answers, each tokenised apart, so that labels follow by construction.

A prompt is split at its image markers; every piece is tokenised alone and only the first keeps its BOS (as the original
LLaVA does). The image marker becomes as many image ids as the tower gives features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.vlm.prompts import IMAGE_MARKER, PromptTemplate, Turn

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

    def prompt_ids(self, question: str, n_images: int, turns: Sequence[Turn] = ()) -> list[int]:
        """Ids from BOS through the last token before the answer, image ids expanded; answered turns stand in front.

        Raises:
            CheckpointError: A question itself contains the image marker.
        """
        if turns:
            return [*self.turn_ids(turns), *self._next_ids(question, n_images)]
        pieces = self._pieces(question, self.template.render(question, n_images))
        return [self.tokenizer.bos_token_id, *self._text_ids(pieces[0]), *self._image_ids(pieces[1:])]

    def turn_ids(self, turns: Sequence[Turn]) -> list[int]:
        """Ids from BOS through EOS of the last of the answered turns.

        Raises:
            CheckpointError: A question or an answer contains the image marker; an answer is empty.
        """
        ids: list[int] = []
        for turn in turns:
            asked = self._next_ids if ids else self.prompt_ids
            ids += [*asked(turn.question, turn.n_images), *self.answer_ids(turn.answer)]
        return ids

    def answer_ids(self, answer: str, *, ended: bool = True) -> list[int]:
        """Ids of the answer through EOS: exactly the tokens that carry loss; `ended=False` leaves out what ends it.

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
        if not ended:
            return self._text_ids(text)
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

    def _next_ids(self, question: str, n_images: int = 0) -> list[int]:
        """Ids of a later turn's prompt: what follows EOS does not begin a line, so it is read behind one."""
        pieces = self._pieces(question, self.template.render_next(question, n_images))
        return [*self._text_ids(self.tokenizer.eos_token + pieces[0])[1:], *self._image_ids(pieces[1:])]

    def _image_ids(self, pieces: Sequence[str]) -> list[int]:
        """Ids of pieces with an image before each."""
        image = [self.image_token_id] * self.image_tokens
        return [token for piece in pieces for token in [*image, *self._text_ids(piece)]]

    def _pieces(self, question: str, prompt: str) -> list[str]:
        if IMAGE_MARKER in question:
            raise CheckpointError("image-marker", "question", f"contains {IMAGE_MARKER}", "text only")
        return prompt.split(IMAGE_MARKER)

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
