"""From questions to rows: the text that is learned, its ids, and which questions share a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chartsight.errors import CheckpointError, QuestionError
from chartsight.questions.answer_text import render_answer
from chartsight.schema import Question
from chartsight.training.checks import Limits, check_ids
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


def tokenise_question(question: Question, prompts: PromptTokenizer, *, film: bool) -> TokenisedQuestion:
    """The ids that are learned from: prompt and answer each tokenised apart, so that labels follow by construction.

    Raises:
        QuestionError: The question looks at no film, or its words hold the image marker or no answer.
    """
    return _tokenise(build_example(question), prompts, film=film)


def _tokenise(example: Example, prompts: PromptTokenizer, *, film: bool) -> TokenisedQuestion:
    try:
        return TokenisedQuestion(
            example.question_id,
            tuple(prompts.prompt_ids(example.prompt, len(example.image_ids) if film else 0)),
            tuple(prompts.answer_ids(example.answer)),
        )
    except CheckpointError as error:
        raise QuestionError(
            error.code, example.question_id, f"its {error.where} {error.found}", error.expected
        ) from error


def build_rows(
    examples: Sequence[Example], prompts: PromptTokenizer, *, film: bool, branches_per_row: int, seed: int,
    limits: Limits | None = None,
) -> list[FilmRow]:  # fmt: skip
    """All examples in rows that share their films, in a seeded order.

    Args:
        examples: Any number a film.
        prompts: Of the model to be trained.
        film: False leaves the film out of every prompt; the rows stay the same otherwise.
        branches_per_row: A film with more questions gets several rows, so that a step still sees many films.
        seed: Of the order of questions within a film.
        limits: That every question's ids are held against.

    Raises:
        QuestionError: A question's ids cannot be learned from (`training.checks`).
    """
    tokenised = [_tokenise(example, prompts, film=film) for example in examples]
    if limits is not None:
        for question in tokenised:
            check_ids(question, limits)
    pairs = [(example.image_ids, ids) for example, ids in zip(examples, tokenised, strict=True)]
    return build_rows_of(pairs, prompts.image_token_id, film=film, branches_per_row=branches_per_row, seed=seed)


def build_rows_of(
    questions: Sequence[tuple[tuple[str, ...], TokenisedQuestion]], image_token_id: int, *, film: bool,
    branches_per_row: int, seed: int,
) -> list[FilmRow]:  # fmt: skip
    """As `build_rows`, of questions that are tokenised already, each with its image_ids."""
    by_film: dict[tuple[str, ...], list[TokenisedQuestion]] = {}
    for image_ids, question in sorted(questions, key=lambda pair: pair[1].question_id):
        by_film.setdefault(image_ids, []).append(question)
    rows = []
    for index, image_ids in enumerate(sorted(by_film)):
        asked = by_film[image_ids]
        order = np.random.default_rng([seed, index]).permutation(len(asked))
        ordered = [asked[i] for i in order]
        for start in range(0, len(ordered), branches_per_row):
            shared = ordered[start : start + branches_per_row]
            rows.append(build_row(image_ids if film else (), shared, image_token_id))
    return rows
