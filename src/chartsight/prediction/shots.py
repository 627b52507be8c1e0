"""Examples that stand before every question: answered questions of the train split, each about a film of its own.

    USER: <image>\\nis there a pleural effusion? ASSISTANT: no</s>USER: <image>\\nwhich ... ASSISTANT: ...</s>USER: ...

All questions of all models get the same ones, so that they are read once and nobody is favoured. A model that is asked
without a film gets their words alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chartsight.errors import QuestionError
from chartsight.questions.answer_text import render_answer
from chartsight.schema import ANSWER_TYPES, Question
from chartsight.vlm.prompts import Turn

CLOSED = ANSWER_TYPES[:4]


@dataclass(frozen=True)
class Shot:
    """An example.

    Args:
        question: Of the train split.
    """

    question: Question

    @property
    def image_id(self) -> str:
        """Of its film."""
        return self.question.image_ids[0]

    @property
    def answer(self) -> str:
        """Its right answer, as models are taught to write it."""
        return render_answer(self.question.answer, self.question.answer_type)

    def turn(self, *, film: bool) -> Turn:
        """Its place in the prompt, with its film or without."""
        return Turn(self.question.asked, self.answer, int(film))


def draw_shots(
    questions: Sequence[Question], asked: Sequence[Question], shots: int, seed: int, where: Path
) -> tuple[Shot, ...]:
    """Examples, drawn with a seed: the types of answers that are asked for in turn, yes and no in turn.

    Args:
        questions: All of the set.
        asked: What is to be answered; none of its patients gives an example.
        shots: How many.
        seed: Of the draw.
        where: The question set, for an error.

    Raises:
        QuestionError: The train split has too few films of other patients.
    """
    patients = {question.subject_id for question in asked}
    films = {image_id for question in asked for image_id in question.image_ids}
    offered = sorted(
        (
            question for question in questions
            if question.split == "train" and question.looks_at_one_film and question.answerable
            and question.answer_type in CLOSED and question.image_ids[0] not in films
            and (question.subject_id is None or question.subject_id not in patients)
        ),
        key=lambda question: question.question_id,
    )  # fmt: skip
    order = np.random.default_rng([seed, 0x5407]).permutation(len(offered))
    drawn = [offered[at] for at in order]
    kinds = [kind for kind in CLOSED if any(question.answer_type == kind for question in asked)]
    kinds = [kind for kind in kinds if any(question.answer_type == kind for question in drawn)] or ["boolean"]
    chosen: list[Shot] = []
    for nth in range(shots):
        kind = kinds[nth % len(kinds)]
        answers = [shot.question.answer for shot in chosen if shot.question.answer_type == kind]
        taken = {shot.image_id for shot in chosen} | {
            shot.question.subject_id for shot in chosen if shot.question.subject_id is not None
        }
        free = [each for each in drawn if each.image_ids[0] not in taken and each.subject_id not in taken]
        of_kind = [each for each in free if each.answer_type == kind] or free
        # Another answer than the last of its kind: examples that all say yes would teach to say yes.
        other = [each for each in of_kind if not answers or each.answer != answers[-1]] or of_kind
        if not other:
            raise QuestionError(
                "few-examples", where, f"{len(chosen)} films of other patients in split train", f"{shots} for --shots"
            )
        chosen.append(Shot(other[0]))
    return tuple(chosen)
