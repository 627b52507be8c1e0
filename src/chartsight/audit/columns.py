"""The answers as arrays: what every audit counts with, made once.

An answer is a code: two answers are the same when their codes are, whatever their order, case or articles; -1 is none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chartsight.audit.inputs import AuditedModel, AuditInput, Given
from chartsight.errors import QuestionError
from chartsight.evaluation import (
    Answer,
    ClusterBootstrap,
    Interval,
    answer_from_json,
    normalise_text,
    patients_of,
    same_answer,
    score_value,
)
from chartsight.evaluation.intervals import EMPTY
from chartsight.schema import Condition, Question, Variant

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
NONE = -1  # no answer
UNKNOWN = -2  # a right answer that nobody knows

# Under these the right answer is the variant's; under all others the question's own, whatever was shown.
OWN_GOLD: frozenset[Condition] = frozenset(
    {"full", "blank", "noise", "shuffled", "question_only", "paraphrase", "scrambled", "occluded", "occluded_elsewhere"}
)


@dataclass(frozen=True)
class Answered:
    """One model's answers under one condition.

    Args:
        is_asked: bool [N].
        codes: int [N]: of the answers, -1 for none.
        is_correct: bool [N], strict: by the question's own right answer, and under `swap`, `negated` and `mirrored`
            by the variant's; False where nobody knows it.
        chance_yes: float [N], nan where it is not known.
    """

    is_asked: Bools
    codes: Codes
    is_correct: Bools
    chance_yes: Floats


class Columns:
    """All arrays of an audit.

    Args:
        given: What is audited.

    Raises:
        QuestionError: Answers that are not as many as the questions, a model without `full`, a twin that is not there,
            two models of one name, a question that nobody can answer.
    """

    def __init__(self, given: AuditInput) -> None:
        check_input(given)
        self.given = given
        self.questions = given.questions
        self.n = len(given.questions)
        self.bootstrap = ClusterBootstrap(patients_of(given.questions), given.resamples, given.seed)
        self._codes: dict[Hashable, int] = {}
        self._code_of: dict[tuple[type, Answer], int] = {}
        self.gold: list[Answer] = [answer_from_json(question.answer) for question in given.questions]
        self.gold_codes = self.encode(self.gold)
        self.types = np.array([question.answer_type for question in given.questions], dtype=object)
        self.templates = np.array([question.template_id for question in given.questions], dtype=object)
        self.is_boolean: Bools = self.types == "boolean"
        self.is_yes: Bools = np.array([gold is True for gold in self.gold], bool)
        self.everything: Bools = np.ones(self.n, bool)
        self.prior_codes, self.prior_is_right = self._priors()
        self.variant_gold: dict[Condition, Codes] = {
            condition: self._variant_gold(variants) for condition, variants in given.variants.items()
        }
        self.words: Answered | None = None
        if given.word_guesses is not None:
            values = [None if guess is None else answer_from_json(guess) for guess in given.word_guesses]
            self.words = self._by_own_gold(self.everything, values, np.full(self.n, np.nan))
        self.models: dict[str, dict[Condition, Answered]] = {
            model.name: {condition: self._answered(condition, each) for condition, each in model.answers.items()}
            for model in given.models
        }

    def encode(self, values: Sequence[Answer | None]) -> Codes:
        """The code of each answer."""
        return np.array([NONE if value is None else self._encode(value) for value in values], np.int64)

    def under(self, model: AuditedModel, condition: Condition) -> Answered | None:
        """A model's answers under a condition; None when it was not asked.

        Who never sees a film answers without one as with one.
        """
        answered = self.models[model.name].get(condition)
        if answered is None and condition == "question_only" and model.role == "twin":
            return self.models[model.name]["full"]
        return answered

    def full(self, model: AuditedModel) -> Answered:
        """A model's answers to the questions as they are."""
        return self.models[model.name]["full"]

    def twin_of(self, model: AuditedModel) -> Answered | None:
        """The answers of the model that was taught alike without films; None when there is none."""
        named = next((each for each in self.given.models if each.name == model.twin), None)
        if named is None and model.role == "tuned":
            named = next((each for each in self.given.models if each.role == "twin"), None)
        return None if named is None else self.full(named)

    def recentred(self, estimate: float, draws: Floats, n: int, clusters: int) -> Interval:
        """The interval of a figure that is too large in small samples (a distance is never below 0).

        Draws of a sample are as much too large again; they are moved so that their median is the estimate.
        """
        finite = draws[np.isfinite(draws)]
        moved = finite - (np.median(finite) - estimate) if len(finite) else finite
        interval = self.bootstrap.percentile(estimate, moved, n, clusters)
        return replace(interval, low=max(interval.low, 0.0)) if interval.low < 0 else interval

    def clusters(self, member: Bools) -> int:
        """How many patients have a question in the group."""
        return len(np.unique(self.bootstrap.cluster_of[member]))

    def _encode(self, value: Answer) -> int:
        kind = (type(value), value)
        code = self._code_of.get(kind)
        if code is None:
            code = self._codes.setdefault(_comparable(value), len(self._codes))
            self._code_of[kind] = code
        return code

    def _priors(self) -> tuple[Codes, Bools]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for question in self.given.training:
            counts[question.template_id][question.answer] += 1
        commonest = {
            template: min(answers, key=lambda answer: (-answers[answer], answer))
            for template, answers in counts.items()
        }
        texts = [commonest.get(question.template_id) for question in self.questions]
        codes = self.encode([None if text is None else answer_from_json(text) for text in texts])
        return codes, (codes == self.gold_codes) & (codes >= 0)

    def _variant_gold(self, variants: Mapping[str, Variant]) -> Codes:
        codes = np.full(self.n, UNKNOWN, np.int64)
        for place, question in enumerate(self.questions):
            variant = variants.get(question.question_id)
            if variant is not None and variant.gold is not None:
                codes[place] = self._encode(answer_from_json(variant.gold))
        return codes

    def _answered(self, condition: Condition, given: Given) -> Answered:
        if condition in OWN_GOLD:
            return self._by_own_gold(given.is_asked, given.values, given.chance_yes)
        variants = self.given.variants.get(condition, {})
        right = np.zeros(self.n, bool)
        for place, (question, value) in enumerate(zip(self.questions, given.values, strict=True)):
            variant = variants.get(question.question_id)
            if variant is not None and variant.gold is not None:
                right[place] = same_answer(variant.answer_type, answer_from_json(variant.gold), value)
        return Answered(given.is_asked, self.encode(given.values), right, given.chance_yes)

    def _by_own_gold(self, is_asked: Bools, values: Sequence[Answer | None], chance_yes: Floats) -> Answered:
        right = [
            value is not None and score_value(question, value).is_correct
            for question, value in zip(self.questions, values, strict=True)
        ]
        return Answered(is_asked, self.encode(values), np.array(right, bool) & is_asked, chance_yes)


def check_input(given: AuditInput) -> None:
    """Stops at answers that cannot be those of these questions.

    Raises:
        QuestionError: See `Columns`.
    """
    names = [model.name for model in given.models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise QuestionError("repeated-model", "audit", f"two models are called {repeated[0]}", "a name for each")
    if unanswerable := sum(not question.answerable for question in given.questions):
        raise QuestionError(
            "unanswerable", "audit", f"{unanswerable} questions that nobody can answer", "answerable questions only"
        )
    ids = {question.question_id for question in given.questions}
    if len(ids) < len(given.questions):
        raise QuestionError(
            "repeated-questions", "audit", f"{len(given.questions) - len(ids)} stand twice", "each once"
        )
    if unknown := sorted(set(given.pool) - set(names)):
        raise QuestionError("no-model", "audit: pool", f"{unknown[0]} is not among the models")
    for model in given.models:
        if "full" not in model.answers:
            raise QuestionError("no-full", model.name, "no answers to the questions as they are", "the condition full")
        if model.twin is not None and model.twin not in names:
            raise QuestionError("no-twin", model.name, f"its twin {model.twin} is not among the models")
        for condition, each in model.answers.items():
            sizes = {len(each.is_asked), len(each.outcomes), len(each.values), len(each.chance_yes)}
            if sizes != {len(given.questions)}:
                raise QuestionError(
                    "other-questions", f"{model.name}.{condition}", f"{max(sizes)} answers",
                    f"one for each of the {len(given.questions)} questions",
                )  # fmt: skip


def _comparable(value: Answer) -> Hashable:
    """What two spellings of one answer have in common; `True` is not 1."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, tuple):
        return ("set", frozenset(normalise_text(each) for each in value))
    if isinstance(value, str):
        return ("text", normalise_text(value))
    return ("number", float(value))


def share(columns: Columns, is_true: Bools, member: Bools) -> Interval:
    """`ClusterBootstrap.proportion`, `nan, n=0` for an empty group."""
    return columns.bootstrap.proportion(is_true, member) if member.any() else EMPTY


def same_question(question: Question) -> Hashable:
    """What makes two questions about two films the same: their template and what it asks about."""
    return question.template_id, question.parameters
