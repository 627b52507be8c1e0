"""What made earlier fine-tuning blind without a word, each as a check with a name. Every export runs all of them.

A LLaVA-1.5 that was tuned on EHRXQA's one-image questions left no result, for these reasons, none of which stopped a
run. Here each does: a `GateError` whose code is the check's name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chartsight.errors import GateError, QuestionError
from chartsight.questions.answer_text import read_answer
from chartsight.questions.identifiers import find_identifier
from chartsight.questions.splits import find_leaks, leak_values
from chartsight.schema import AnswerType, Question, Split

IMAGE_TOKEN = "<image>"
IMAGE_TOKENS = 576  # LLaVA-1.5 at 336 px
MAX_LENGTH = 2048  # LLaVA-1.5's own
OF_A_RECORD = ("templates:", "import:ehrxqa", "import:mimic-cxr-vqa")  # their subject and study ids are real
PROMPT_OVERHEAD = 64  # tokens of the system sentence, the roles and the ends of a turn, rounded up

REFUSALS: Mapping[str, str] = {
    "no-image-token": "a prompt without one image token for each film: the film adds nothing, training is text-only",
    "answer-cut-off": "a length limit that the image tokens fill: no token of the answer is learned",
    "wrong-film": "a film that is not the study's, or not the one that the record keeps for it",
    "true-for-one": "True or False for 1 and 0: a count of 1 becomes True",
    "silent-answer": "an empty text for an answer: silence is taught, not that nothing was found",
    "identifier-in-prompt": "a patient or study named in a visual question: an id to memorise",
    "set-as-text": "a list written as one text: its order is taught, and scored",
    "merged-options": "two right options that cannot be told apart again",
    "unreported-drop": "questions that are neither kept nor counted as left out",
    "leakage": "a patient, a study or an image in two splits",
    "no-blind-baseline": "an evaluation without what a model scores that never looks",
    "no-metric": "an answer type without a rule that scores it",
    "another-set-s-log": "a manifest that is of another file",
    "deep-film": "a film of 16 bits, which the trainer's own reader turns white",
}

# How an answer of each type is scored (`evaluation.metrics`): the rule that an export states.
METRICS: Mapping[AnswerType, str] = {
    "boolean": "accuracy and balanced accuracy, strict: an answer that is neither yes nor no is wrong",
    "choice": "accuracy, strict: exactly one of the allowed answers",
    "set": "exact match without order, and F1 of the members",
    "count": "accuracy, strict: a whole number, never yes or no",
    "number": "accuracy to a relative 1e-6",
    "date": "accuracy at the granularity of the gold answer",
    "text": "accuracy of the normalised words, and F1 of the words",
}


@dataclass(frozen=True)
class Turn:
    """One question as an export writes it.

    Args:
        question: Of the question set.
        prompt: With the image tokens.
        answer: In words.
    """

    question: Question
    prompt: str
    answer: str


def refuse(name: str, where: object, found: str, expected: str = "", hint: str = "") -> GateError:
    """The error of a check; its code is the check's name."""
    assert name in REFUSALS
    return GateError(name, where, found, expected or f"none: {REFUSALS[name]}", hint)


def check_image_token(turn: Turn) -> None:
    """no-image-token: exactly one token a film.

    Raises:
        GateError: There are fewer or more.
    """
    found, wanted = turn.prompt.count(IMAGE_TOKEN), len(turn.question.image_ids)
    if found != wanted:
        raise refuse("no-image-token", turn.question.question_id, f"{found} image tokens for {wanted} films")


def check_room(max_length: int, image_tokens: int) -> None:
    """answer-cut-off: the limit leaves room for words beside the image tokens.

    Raises:
        GateError: It does not.
    """
    if max_length <= image_tokens + PROMPT_OVERHEAD:
        raise refuse(
            "answer-cut-off", "max_length", f"{max_length} tokens, of which the image takes {image_tokens}",
            f"more than {image_tokens + PROMPT_OVERHEAD}", "raise the limit of the training run, and say it here",
        )  # fmt: skip


def fits(turn: Turn, max_length: int, image_tokens: int) -> bool:
    """Whether a whole turn surely fits: a tokenizer makes at most one token of a byte."""
    words = len(turn.prompt.replace(IMAGE_TOKEN, "").encode()) + len(turn.answer.encode())
    return image_tokens * len(turn.question.image_ids) + PROMPT_OVERHEAD + words <= max_length


def check_film(question: Question, study_of: Mapping[str, int], frontal: Mapping[int, str]) -> None:
    """wrong-film: every film is of the question's studies, and for EHRXQA the one that the record keeps for it.

    Args:
        question: One about films.
        study_of: image_id → study_id, of the film index.
        frontal: study_id → image_id, of the record; empty when there is no record.

    Raises:
        GateError: A film is another study's, or another film of the study.
    """
    studies = set(question.study_ids)
    for image_id in question.image_ids:
        study_id = study_of.get(image_id)
        if study_id not in studies:
            raise refuse("wrong-film", question.question_id, "a film of a study that the question is not about")
        if question.source == "import:ehrxqa" and frontal and frontal.get(study_id) != image_id:
            raise refuse("wrong-film", question.question_id, "another film of the study than the record's")


def check_true_false(turn: Turn) -> None:
    """true-for-one: yes or no for a boolean, digits for a count, and neither's words for the other.

    Raises:
        GateError: Another word.
    """
    kind, text = turn.question.answer_type, turn.answer
    wrong = (kind == "boolean" and text not in ("yes", "no")) or (
        kind in ("count", "number") and not text.replace(".", "").lstrip("-").isdigit()
    )
    if wrong:
        raise refuse("true-for-one", turn.question.question_id, f"other words than a {kind} has")


def check_silence(turn: Turn) -> None:
    """silent-answer: there is always something to say, `none` for an empty set.

    Raises:
        GateError: The answer is blank.
    """
    if not turn.answer.strip():
        raise refuse("silent-answer", turn.question.question_id, "a blank answer")


def check_identifiers(turn: Turn, identifiers: Collection[str]) -> None:
    """identifier-in-prompt: a visual question names nobody; about a record's films it holds no long number either.

    Raises:
        GateError: It does.
    """
    numbers = turn.question.source.startswith(OF_A_RECORD)
    if turn.question.image_ids and find_identifier(turn.prompt, identifiers, numbers=numbers) is not None:
        raise refuse("identifier-in-prompt", turn.question.question_id, "an identifier in the prompt")


def check_set(question: Question) -> None:
    """set-as-text: a set is a JSON list of distinct texts in sorted order, never the text of a list.

    Raises:
        GateError: It is something else.
    """
    if question.answer_type != "set":
        return
    value = json.loads(question.answer)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or value != sorted(set(value)):
        raise refuse("set-as-text", question.question_id, "a set that is no sorted list of distinct texts")


def repeats_members(question: Question) -> bool:
    """Whether an answer of EHRSQL-2024 is a list as published, rows that stand there twice included: no set."""
    if question.answer_type != "set" or not question.source.startswith("ehrsql-2024:"):
        return False
    value = json.loads(question.answer)
    return len(set(value)) < len(value)


def check_read_back(turn: Turn) -> None:
    """merged-options: what is written reads back to the very value.

    Raises:
        GateError: It reads back to another.
    """
    try:
        value: Any = read_answer(turn.answer, turn.question.answer_type)
    except QuestionError as error:
        raise refuse("merged-options", turn.question.question_id, "an answer that does not read back") from error
    if value != json.loads(turn.question.answer):
        raise refuse("merged-options", turn.question.question_id, "an answer that reads back to another")


def check_accounted(total: int, kept: int, dropped: Mapping[str, int]) -> None:
    """unreported-drop: all questions are kept, or counted with a reason.

    Raises:
        GateError: Some are neither, or both.
    """
    if total != kept + sum(dropped.values()):
        raise refuse("unreported-drop", "questions", f"{total} in, {kept} kept, {sum(dropped.values())} with a reason")


def find_leakage(questions: Iterable[Question], digests: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """What stands in two splits: kind → pair of splits → number."""
    return find_leaks((question.split, values) for question in questions for values in leak_values(question, digests))


def check_leakage(leaks: Mapping[str, Mapping[str, int]], *, allowed: bool) -> None:
    """leakage: nothing stands in two splits, unless the user says that it may (and the export says that it does).

    Raises:
        GateError: Something does.
    """
    shared = [
        f"{number:,} {kind}(s) in {pair.replace('-', ' and ')}"
        for kind, pairs in leaks.items()
        for pair, number in pairs.items()
        if number
    ]
    if shared and not allowed:
        raise refuse(
            "leakage", "questions", "; ".join(shared), "each in one split",
            "import with --split patient, or pass --allow-leakage and say so wherever a figure stands",
        )  # fmt: skip


def check_blind_baseline(splits: Collection[Split], baselines: Mapping[str, float | None]) -> None:
    """no-blind-baseline: every split that a model is measured on has the score of one that never looks.

    Raises:
        GateError: One has not.
    """
    for split in ("valid", "test"):
        if split in splits and baselines.get(split) is None:
            raise refuse("no-blind-baseline", split, "no blind baseline")


def check_metrics(kinds: Collection[AnswerType], metrics: Mapping[AnswerType, str]) -> None:
    """no-metric: every answer type has a rule that scores it.

    Raises:
        GateError: One has none.
    """
    if missing := sorted(set(kinds) - set(metrics)):
        raise refuse("no-metric", "answer_type", f"no metric for {missing[0]}")


def check_manifest(manifest: Mapping[str, Any] | None, name: str, rows: int) -> None:
    """another-set-s-log: the manifest beside a question set is its own.

    Raises:
        GateError: It tells of another file, or of another number of questions. A set without a manifest passes.
    """
    if manifest is None:
        return
    outputs: Sequence[Mapping[str, Any]] = manifest.get("outputs") or ()
    if not any(str(each.get("path", "")).endswith(name) and each.get("rows") == rows for each in outputs):
        raise refuse(
            "another-set-s-log", f"{name}.run.json", "tells of another file or another number of questions",
            "the manifest that was written with the set",
        )  # fmt: skip


def check_depth(path: object, mode: str) -> None:
    """deep-film: a trainer that opens the file itself sees 8 bits.

    Args:
        path: Of the film, for the message.
        mode: Of the picture, as Pillow names it.

    Raises:
        GateError: The film has 16.
    """
    if mode.startswith("I"):
        raise refuse("deep-film", path, "a film of 16 bits", "8 bits", "--format hf writes them as 8 bits")
