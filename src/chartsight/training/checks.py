"""What would train silently wrong, question by question: refused by `train`, listed by `doctor`.

The checks of an export (`questions.refusals`) on the words, and three of ours on the ids that are really learned from:
as many image ids as the tower gives features, nothing beyond the length that the model knows, an answer with tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from chartsight.errors import ChartsightError, QuestionError
from chartsight.questions import refusals
from chartsight.questions.answer_text import render_answer
from chartsight.questions.export import identifiers_of
from chartsight.questions.refusals import IMAGE_TOKEN, Turn
from chartsight.schema import Question
from chartsight.training.rows import TokenisedQuestion


@dataclass(frozen=True)
class Limits:
    """What ids have to keep to.

    Args:
        image_token_id: The id that stands for one image feature.
        features: That the tower gives of one film; 0 for a twin, which is asked without.
        max_length: Tokens of a question with its film and answer.
    """

    image_token_id: int
    features: int
    max_length: int


def word_checks(
    question: Question, study_of: Mapping[str, int] | None, frontal: Mapping[int, str]
) -> Iterator[Callable[[], None]]:
    """The checks of an export on one question about films; each raises what it finds.

    Args:
        question: One about films.
        study_of: image_id → study_id, of the film index; None leaves the films unchecked (a twin has none).
        frontal: study_id → image_id, of the record.
    """
    try:
        answer = render_answer(question.answer, question.answer_type)
    except QuestionError as error:
        refused = QuestionError(error.code, question.question_id, f"its answer is {error.found}", error.expected)
        yield partial(_refuse, refused)
        return
    turn = Turn(question, "\n".join([*[IMAGE_TOKEN] * len(question.image_ids), question.asked]), answer)
    yield lambda: refusals.check_image_token(turn)
    if study_of is not None:
        yield lambda: refusals.check_film(question, study_of, frontal)
    yield lambda: refusals.check_identifiers(turn, identifiers_of(question))
    yield lambda: refusals.check_set(question)
    yield lambda: refusals.check_silence(turn)
    yield lambda: refusals.check_true_false(turn)
    yield lambda: refusals.check_read_back(turn)
    yield lambda: refusals.check_metrics({question.answer_type}, refusals.METRICS)


def _refuse(error: ChartsightError) -> None:
    raise error


def check_ids(question: TokenisedQuestion, limits: Limits) -> None:
    """Nothing, when the ids can be learned from as they are.

    Raises:
        QuestionError: Other image ids than features, more tokens than fit, or no answer token.
    """
    found = question.prompt_ids.count(limits.image_token_id)
    if found != limits.features:
        raise QuestionError(
            "image-tokens", question.question_id, f"{found} image tokens",
            f"{limits.features}, as many as the tower gives features",
        )  # fmt: skip
    length = len(question.prompt_ids) + len(question.answer_ids) - 1  # EOS is predicted and never read
    if length > limits.max_length:
        raise QuestionError(
            "answer-cut-off", question.question_id,
            f"{length} tokens with its film and answer, and the answer stands last", f"at most {limits.max_length}",
            "raise max_length, or leave the question out",
        )  # fmt: skip
    if not question.answer_ids:
        raise QuestionError("nothing-supervised", question.question_id, "has no answer token")


def faults_of(checks: Iterator[Callable[[], None]]) -> Iterator[ChartsightError]:
    """What the checks found, all of it."""
    for check in checks:
        try:
            check()
        except ChartsightError as error:
            yield error
