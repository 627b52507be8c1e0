"""How a question becomes the text that a model reads. One template a family, the same in training and in answering.

    vicuna_v1             <s>A chat between ... USER: <image>\\n{question} ASSISTANT: {answer}</s>USER: {question} ...
    llava_med_vicuna_v1   the same; </s> USER: with a space
    mistral_instruct      <s>[INST] <image>\\n{question} [/INST] {answer} </s>[INST] {question} ...
    starter               <s>USER: <image>\\n{question} ASSISTANT: {answer}</s>

Source: conversation templates of haotian-liu/LLaVA c121f04 (`vicuna_v1`) and microsoft/LLaVA-Med d406e3f
(`mistral_instruct`, and its own copy of `vicuna_v1`). LLaVA-Med v1.5 is evaluated with `mistral_instruct`, although its
script defaults to the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from chartsight.errors import CheckpointError

IMAGE_MARKER = "<image>"
END = "</s>"  # how the end of an earlier answer is written in a rendered prompt; its id is the tokenizer's EOS
VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)


@dataclass(frozen=True)
class Turn:
    """A question that stands answered in front of the one that is asked.

    Args:
        question: As it was asked.
        answer: As a model is taught to write it.
        n_images: In front of the question.
    """

    question: str
    answer: str
    n_images: int = 0


@dataclass(frozen=True)
class PromptTemplate:
    """The fixed text around one question and its answer; BOS and EOS come from the tokenizer.

    Args:
        name: As stored in the checkpoint's card.
        system: What stands first, with the space that ends it.
        before_image: From the system sentence to the image.
        after_image: Between the image and the question; left out when there is no image.
        after_question: From the question to the answer, without a trailing space.
        after_answer: Between the answer and EOS.
        between_turns: Between EOS and what stands before the next question.
    """

    name: str
    system: str
    before_image: str
    after_image: str
    after_question: str
    after_answer: str = ""
    between_turns: str = ""

    def render(self, question: str, n_images: int, turns: Sequence[Turn] = ()) -> str:
        """The prompt as text, through the last character before the answer; answered turns stand in front."""
        asked = [*((turn.question, turn.n_images) for turn in turns), (question, n_images)]
        first, *later = asked
        prompts = [self.system + self._render(*first), *(self.render_next(*each) for each in later)]
        answers = [f" {turn.answer.strip()}{self.after_answer}{END}" for turn in turns]
        return "".join(prompt + answer for prompt, answer in zip(prompts, [*answers, ""], strict=True))

    def render_next(self, question: str, n_images: int = 0) -> str:
        """The prompt of a later turn, from EOS of the last answer through the last character before the next."""
        return self.between_turns + self._render(question, n_images)

    def _render(self, question: str, n_images: int) -> str:
        images = (IMAGE_MARKER + self.after_image) * n_images
        return f"{self.before_image}{images}{question.strip()}{self.after_question}"

    def digest(self) -> str:
        """Hex digest of everything above: stored with an adapter, compared on load."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


# How a question to a model with a chat template of its own stands in keys; what it reads is its processor's.
CHAT = PromptTemplate("chat", "", before_image="user: ", after_image="\n", after_question="\nassistant:")

TEMPLATES: Mapping[str, PromptTemplate] = {
    template.name: template
    for template in (
        PromptTemplate(
            name="vicuna_v1",
            system=VICUNA_SYSTEM,
            before_image="USER: ",
            after_image="\n",
            after_question=" ASSISTANT:",
        ),
        PromptTemplate(
            name="llava_med_vicuna_v1",
            system=VICUNA_SYSTEM,
            before_image="USER: ",
            after_image="\n",
            after_question=" ASSISTANT:",
            between_turns=" ",
        ),
        PromptTemplate(
            name="mistral_instruct",
            system="",
            before_image="[INST] ",
            after_image="\n",
            after_question=" [/INST]",
            after_answer=" ",
        ),
        CHAT,
        PromptTemplate(
            name="starter", system="", before_image="USER: ", after_image="\n", after_question=" ASSISTANT:"
        ),
    )
}


def prompt_template(name: str) -> PromptTemplate:
    """The template called `name`.

    Raises:
        CheckpointError: There is none.
    """
    try:
        return TEMPLATES[name]
    except KeyError:
        raise CheckpointError("unknown-template", "prompt template", repr(name), " or ".join(TEMPLATES)) from None
