"""Where answers come from: this process, an endpoint, or many machines. The same questions, the same stored answers.

back_end.identity                       what stands in the keys of its answers
back_end.answer(films, examples)        (key, answer as it is stored), batch by batch, in any order
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from chartsight.answers import answer_key
from chartsight.prediction.rules import decoding_of
from chartsight.vlm.grammars import Rule
from chartsight.vlm.prompts import PromptTemplate, Turn, prompt_template

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chartsight.vlm.answering import Example
    from chartsight.vlm.checkpoint import ModelCard, Vlm

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
LOCAL = "transformers"  # the back end that this package is, on one machine or on many
LOADED_AS = "torch.float32"  # as `load_vlm` loads


@dataclass(frozen=True)
class Identity:
    """What of a model stands in the key of an answer.

    Args:
        fingerprint: Of its weights; of its served name where nothing else is known.
        card: Template, preprocessing, whether it reads films.
        dtype: Of its numbers, as torch writes it; `served` where the server decides.
        back_end: `transformers`, or the endpoint.
        chat: How an endpoint is asked; None: by the card's template.
    """

    fingerprint: str
    card: ModelCard
    dtype: str = LOADED_AS
    back_end: str = LOCAL
    chat: PromptTemplate | None = None

    @classmethod
    def of(cls, vlm: Vlm) -> Identity:
        """Of a loaded model."""
        return cls(vlm.fingerprint, vlm.card, str(vlm.model.dtype))

    @property
    def template(self) -> PromptTemplate:
        """How its prompts are put together."""
        return self.chat or prompt_template(self.card.template)

    def key(
        self, question: str, image_digests: Sequence[str], rule: Rule | None = None, turns: Sequence[Turn] = ()
    ) -> str:
        """Of the answer to a question.

        Args:
            question: As it is put.
            image_digests: Of every film in the prompt, in its order: those of the examples, then its own or none.
            rule: By which it is answered.
            turns: Examples.
        """
        own = len(image_digests) - sum(turn.n_images for turn in turns)
        return answer_key(
            image_digests=image_digests, preprocessing_digest=self.card.preprocessing.digest(),
            prompt=self.template.render(question, own, turns), model_fingerprint=self.fingerprint,
            decoding=decoding_of(rule), dtype=self.dtype, back_end=self.back_end,
        )  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """One question as a back end gets it.

    Args:
        key: Of its answer.
        question: What the model reads.
        rule: By which it is answered; None for free text.
    """

    key: str
    question: str
    rule: Rule | None = None


@dataclass(frozen=True)
class FilmAsks:
    """Everything that is asked of one film, or without one.

    Args:
        film: uint8 [size, size] or [size, size, 3], padded; None without a film.
        asks: Non-empty.
    """

    film: NDArray[np.uint8] | None
    asks: tuple[Ask, ...]


Stored = tuple[str, Mapping[str, Any]]  # a key and its answer, as `AnswerStore` keeps it


class BackEnd(Protocol):
    """Answers questions; see the modules beside."""

    @property
    def identity(self) -> Identity:
        """What stands in the keys of its answers."""
        ...

    def answer(self, films: Sequence[FilmAsks], examples: Sequence[Example]) -> Iterator[Sequence[Stored]]:
        """All answers, in any order, as they come; what is given is kept before the next is asked for.

        Args:
            films: With everything that is asked of each.
            examples: Before every question; with their films where the question has one, else without.
        """
        ...
