"""From questions to rows: the text that is learned, its ids, and which questions share a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chartsight.errors import QuestionError
from chartsight.questions.answer_text import render_answer
from chartsight.schema import Question
from chartsight.training.rows import FilmRow, TokenisedQuestion, build_row
from chartsight.vlm.tokens import PromptTokenizer


@dataclass(frozen=True)
class Example:
    """One question as a model reads and answers it.

    Args:
        question_id: Of the question.
        image_ids: In reading order.
        prompt: Never names a patient or a study.
        answer: Never empty.
    """

    question_id: str
    image_ids: tuple[str, ...]
    prompt: str
    answer: str


def build_example(question: Question) -> Example:
    """The visual question and its answer in words.

    Raises:
        QuestionError: The question looks at no film.
    """
    if not question.image_ids:
        raise QuestionError("no-film", question.question_id, "looks at no film", "a visual question")
    prompt = question.asked
    return Example(
        question.question_id, question.image_ids, prompt, render_answer(question.answer, question.answer_type)
    )


def build_rows(
    examples: Sequence[Example], prompts: PromptTokenizer, *, film: bool, branches_per_row: int, seed: int
) -> list[FilmRow]:
    """All examples in rows that share their films, in a seeded order.

    Args:
        examples: Any number a film.
        prompts: Of the model to be trained.
        film: False leaves the film out of every prompt; the rows stay the same otherwise.
        branches_per_row: A film with more questions gets several rows, so that a step still sees many films.
        seed: Of the order of questions within a film.
    """
    by_film: dict[tuple[str, ...], list[Example]] = {}
    for example in sorted(examples, key=lambda each: each.question_id):
        by_film.setdefault(example.image_ids, []).append(example)
    rows = []
    for index, image_ids in enumerate(sorted(by_film)):
        asked = by_film[image_ids]
        order = np.random.default_rng([seed, index]).permutation(len(asked))
        n_images = len(image_ids) if film else 0
        tokenised = [
            TokenisedQuestion(
                asked[i].question_id,
                tuple(prompts.prompt_ids(asked[i].prompt, n_images)),
                tuple(prompts.answer_ids(asked[i].answer)),
            )
            for i in order
        ]
        for start in range(0, len(tokenised), branches_per_row):
            shared = tokenised[start : start + branches_per_row]
            rows.append(build_row(image_ids if film else (), shared, prompts.image_token_id))
    return rows
