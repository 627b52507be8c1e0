"""Right or wrong, and how right: one verdict an item, one number a group.

Strict throughout: an answer that could not be parsed, was refused or failed (value None) is wrong and stays in the
denominator. An empty group is `nan`, never 0 and never left out.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from chartsight.evaluation.normaliser import Answer, normalise_text
from chartsight.schema import AnswerType, Question

NAN = float("nan")
MIN_LABEL_SUPPORT = 20  # below it a label's own F1 is noise and stays out of the macro average
NUMBER_TOLERANCE = 1e-6  # relative: the engines agree to six significant digits


def gold_answer(question: Question) -> Answer:
    """The question's answer as a typed value (a list becomes a sorted tuple)."""
    return answer_from_json(question.answer)


def answer_from_json(text: str) -> Answer:
    """A typed value from an `answer` or `value` column.

    Raises:
        ValueError: The text is no JSON, or `null`, or an object.
    """
    value = json.loads(text)
    if isinstance(value, list):
        return tuple(sorted({str(item) for item in value}))
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"a {type(value).__name__} is no answer")


def correct(question: Question, value: Answer | None) -> bool:
    """Whether a parsed value is the question's answer; None never is."""
    return same_answer(question.answer_type, gold_answer(question), value)


def same_answer(answer_type: AnswerType, gold: Answer, value: Answer | None) -> bool:
    """Whether two values are one answer under the rules of their type.

    A set is exact and without order; a count never equals a boolean; a date is compared at the granularity of the gold
    answer, and a coarser one is wrong.
    """
    if value is None:
        return False
    if answer_type == "boolean":
        return isinstance(value, bool) and value == gold
    if answer_type in ("count", "number"):
        if isinstance(value, bool | str | tuple) or isinstance(gold, bool | str | tuple):
            return False
        if answer_type == "count":
            return value == gold
        return math.isclose(value, gold, rel_tol=NUMBER_TOLERANCE, abs_tol=NUMBER_TOLERANCE)
    if answer_type == "set":
        return isinstance(value, tuple) and isinstance(gold, tuple) and _names(value) == _names(gold)
    if not isinstance(value, str):
        return False
    if answer_type == "date":
        return value.replace("T", " ").startswith(str(gold).replace("T", " "))
    return normalise_text(value) == normalise_text(str(gold))


def accuracy(is_correct: NDArray[np.bool_]) -> float:
    """Share of true entries (bool [N]); `nan` for none."""
    return float(np.mean(is_correct)) if len(is_correct) else NAN


@dataclass(frozen=True)
class BooleanCounts:
    """Yes/no answers against the truth; positives are the items whose gold answer is yes.

    `unanswered_positives` and `unanswered_negatives` had no parsed answer: wrong in every rate, left out of yes-bias.
    """

    true_positives: int
    false_negatives: int
    true_negatives: int
    false_positives: int
    unanswered_positives: int = 0
    unanswered_negatives: int = 0

    @property
    def positives(self) -> int:
        """Items whose gold answer is yes."""
        return self.true_positives + self.false_negatives + self.unanswered_positives

    @property
    def negatives(self) -> int:
        """Items whose gold answer is no."""
        return self.true_negatives + self.false_positives + self.unanswered_negatives

    @property
    def sensitivity(self) -> float:
        """Share of the positives answered yes."""
        return _ratio(self.true_positives, self.positives)

    @property
    def specificity(self) -> float:
        """Share of the negatives answered no."""
        return _ratio(self.true_negatives, self.negatives)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity: 0.5 for whoever always says the same."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def mcc(self) -> float:
        """Matthews' correlation, an unanswered item counted as the wrong answer; 0 when a margin is empty."""
        tp, tn = self.true_positives, self.true_negatives
        fn, fp = self.positives - tp, self.negatives - tn
        if not tp + tn + fn + fp:
            return NAN
        margins = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return (tp * tn - fp * fn) / margins if margins else 0.0

    @property
    def yes_bias(self) -> float:
        """Share answered yes minus share whose gold is yes, over the answered items; in -1..1."""
        answered = self.true_positives + self.false_negatives + self.true_negatives + self.false_positives
        return _ratio(self.false_positives - self.false_negatives, answered)


def count_booleans(gold: Sequence[bool], predicted: Sequence[bool | None]) -> BooleanCounts:
    """Counts of every pair of gold and predicted; None is unanswered."""
    pairs = Counter(zip(gold, predicted, strict=True))
    return BooleanCounts(
        true_positives=pairs[True, True],
        false_negatives=pairs[True, False],
        true_negatives=pairs[False, False],
        false_positives=pairs[False, True],
        unanswered_positives=pairs[True, None],
        unanswered_negatives=pairs[False, None],
    )


@dataclass(frozen=True)
class SetScores:
    """Scores of set answers over a group; `support` is how often each label is in a gold set.

    `macro_f1` averages the labels with at least `MIN_LABEL_SUPPORT` (or the number asked for), `macro_labels` of them.
    """

    n: int
    exact: float
    sample_f1: float
    micro_f1: float
    macro_f1: float
    jaccard: float
    macro_labels: int
    support: Mapping[str, int]


def score_sets(
    gold: Sequence[Collection[str]],
    predicted: Sequence[Collection[str] | None],
    *,
    min_support: int = MIN_LABEL_SUPPORT,
) -> SetScores:
    """Scores of predicted sets; None (unparsed) scores 0 and misses every gold label.

    Two empty sets agree fully (F1 and Jaccard 1).
    """
    exact, f1s, jaccards = [], [], []
    hits: Counter[str] = Counter()
    claims: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for truth_names, said_names in zip(gold, predicted, strict=True):
        truth = _names(truth_names)
        said = None if said_names is None else _names(said_names)
        support.update(truth)
        hits.update(truth & (said or set()))
        claims.update(said or set())
        exact.append(said == truth)
        f1s.append(set_f1(truth, said))
        union = truth | (said or set())
        jaccards.append(0.0 if said is None else len(truth & said) / len(union) if union else 1.0)
    label_f1 = [
        2 * hits[label] / (claims[label] + support[label])
        for label in sorted(support)
        if support[label] >= min_support
    ]  # fmt: skip
    total = sum(claims.values()) + sum(support.values())
    return SetScores(
        n=len(gold),
        exact=_mean(exact),
        sample_f1=_mean(f1s),
        micro_f1=2 * sum(hits.values()) / total if total else (_mean(exact)),
        macro_f1=_mean(label_f1),
        jaccard=_mean(jaccards),
        macro_labels=len(label_f1),
        support=dict(sorted(support.items())),
    )


def set_f1(gold: Collection[str], predicted: Collection[str] | None) -> float:
    """F1 of one set answer; 1 for two empty sets, 0 for an unparsed one."""
    if predicted is None:
        return 0.0
    truth, said = _names(gold), _names(predicted)
    return 2 * len(truth & said) / (len(truth) + len(said)) if truth or said else 1.0


def token_f1(gold: str, predicted: str | None) -> float:
    """F1 over the bags of normalised words, for open answers.

    token_f1("left lung", "left") → 0.667
    """
    truth = Counter(normalise_text(gold).split())
    said = Counter(normalise_text(predicted or "").split())
    total = sum(truth.values()) + sum(said.values())
    return 2 * sum((truth & said).values()) / total if total else float(predicted is not None)


def token_recall(gold: str, predicted: str | None) -> float:
    """Share of the gold's words that are said at all: whoever says everything has it all (gameable)."""
    truth = Counter(normalise_text(gold).split())
    said = set(normalise_text(predicted or "").split())
    return _ratio(sum(count for word, count in truth.items() if word in said), sum(truth.values()))


@dataclass(frozen=True)
class ChoiceScores:
    """Scores of answers that choose one of a few; an unanswered item is wrong.

    `balanced_accuracy` is the mean recall of the answers that are ever right, `mcc` Gorodkin's correlation of several
    classes, 0 when one side never varies.
    """

    n: int
    accuracy: float
    balanced_accuracy: float
    mcc: float


def score_choices(gold: Sequence[str], predicted: Sequence[str | None]) -> ChoiceScores:
    """Scores of chosen answers; None is unanswered."""
    n, right = len(gold), sum(one == other for one, other in zip(gold, predicted, strict=True))
    truths, said = Counter(gold), Counter(predicted)
    hits = Counter(one for one, other in zip(gold, predicted, strict=True) if one == other)
    agree = sum(count * said[name] for name, count in truths.items())
    spread = math.sqrt(
        (n**2 - sum(count**2 for count in said.values())) * (n**2 - sum(count**2 for count in truths.values()))
    )
    return ChoiceScores(
        n, _ratio(right, n), _mean([hits[name] / count for name, count in truths.items()]),
        ((right * n - agree) / spread if spread else 0.0) if n else NAN,
    )  # fmt: skip


@dataclass(frozen=True)
class ErrorScores:
    """Scores of counts, numbers or dates: the share that is right, and how far off the answered ones are on average.

    `mean_error` is in the unit of the answers (days for dates) over `answered` items; `nan` when none was.
    """

    n: int
    accuracy: float
    mean_error: float
    answered: int


def score_errors(answer_type: AnswerType, gold: Sequence[Answer], predicted: Sequence[Answer | None]) -> ErrorScores:
    """Scores of counts, numbers or dates; None is unanswered: wrong, and without an error to average."""
    pairs = list(zip(gold, predicted, strict=True))
    errors = [_distance(truth, said) for truth, said in pairs if said is not None]
    known = [error for error in errors if error is not None]
    right = [same_answer(answer_type, truth, said) for truth, said in pairs]
    return ErrorScores(len(pairs), _mean(right), _mean(known), len(errors))


def _distance(truth: Answer, said: Answer) -> float | None:
    """Absolute error of a number, days between two dates; None where either is not a whole day."""
    if isinstance(truth, str) and isinstance(said, str):
        try:
            return float(abs((date.fromisoformat(said[:10]) - date.fromisoformat(truth[:10])).days))
        except ValueError:
            return None
    if isinstance(truth, int | float) and isinstance(said, int | float):
        return float(abs(said - truth))
    return None


@dataclass(frozen=True)
class TextScores:
    """Scores of open answers: exact, word F1, and recall, which rises with every word that is said."""

    n: int
    exact: float
    f1: float
    recall: float


def score_texts(gold: Sequence[str], predicted: Sequence[str | None]) -> TextScores:
    """Scores of open answers; None is unanswered."""
    pairs = list(zip(gold, predicted, strict=True))
    return TextScores(
        len(pairs),
        _mean([same_answer("text", truth, said) for truth, said in pairs]),
        _mean([token_f1(truth, said) for truth, said in pairs]),
        _mean([token_recall(truth, said) for truth, said in pairs]),
    )


def _names(names: Collection[str]) -> set[str]:
    """A set's names as they are compared: `Copd/Emphysema` is `copd emphysema`."""
    return {normalise_text(name) for name in names}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else NAN
