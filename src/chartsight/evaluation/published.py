"""Scores as others count them, under their names, faults included: for a strip beside ours, never for a headline.

    rule = PUBLISHED["llava-med-closed"]
    rule.score(question, "The lungs are normal", None)      # 1.0 for a gold "no": "no" stands in "normal"

Each rule says on which questions it applies and gives 0 to 1, or None where the published code counts nothing at all.
What changes between two rows of the strip is the rule alone: the answers are the same.

Sources: github.com/microsoft/LLaVA-Med (see `llava_med`); github.com/baeseongsu/ehrxqa, experiment/evaluate.py and
post_processing.py (53ad4d0); github.com/glee4810/ehrsql-2024 (see `ehrsql`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chartsight.evaluation import llava_med
from chartsight.evaluation.ehrsql import FAILED, PENALTIES, Reliability, score_reliability
from chartsight.evaluation.ehrsql import Answer as RowsAnswer
from chartsight.evaluation.metrics import gold_answer
from chartsight.evaluation.normaliser import Answer
from chartsight.evaluation.scorers import Score, scorer_sha256
from chartsight.schema import AnswerType, Question

CLOSED: tuple[AnswerType, ...] = ("boolean", "choice")
ALL_TYPES: tuple[AnswerType, ...] = ("boolean", "choice", "set", "count", "number", "date", "text")
OPEN: tuple[AnswerType, ...] = tuple(each for each in ALL_TYPES if each not in CLOSED)

ItemRule = Callable[[Question, str], float | None]


@dataclass(frozen=True)
class PublishedRule:
    """A way of scoring that somebody else publishes figures by.

    Args:
        key: Short and stable.
        label: What its authors call it, and whose it is.
        fault: What to know before comparing with it.
        answer_types: The questions that it is applied to.
        item: The score of one question for one text; None: not counted, not even as wrong.
    """

    key: str
    label: str
    fault: str
    answer_types: tuple[AnswerType, ...]
    item: ItemRule

    @property
    def stamp(self) -> str:
        """Name and digest of the rule, to be printed beside its figures."""
        return f"{self.key} {scorer_sha256('published.py', 'llava_med.py', 'ehrsql.py')[:12]}"

    def score(self, question: Question, raw_text: str, value: Answer | None) -> float | None:
        """The score of an answer; where there is no text, of its value as it would be written."""
        return self.item(question, raw_text or answer_in_words(value))


@dataclass(frozen=True)
class RuleScore:
    """A figure of the strip: `n` questions counted of `applicable`; `nan` for none."""

    n: int
    applicable: int
    score: float


def score_by(
    rule: PublishedRule, questions: Sequence[Question], texts: Sequence[str], values: Sequence[Answer | None]
) -> RuleScore:
    """A rule's figure over a set of answers [N]."""
    scores = [
        rule.score(question, text, value)
        for question, text, value in zip(questions, texts, values, strict=True)
        if question.answer_type in rule.answer_types
    ]
    counted = [score for score in scores if score is not None]
    return RuleScore(len(counted), len(scores), sum(counted) / len(counted) if counted else float("nan"))


def reliability_of(questions: Sequence[Question], scores: Sequence[Score]) -> Reliability:
    """EHRSQL's RS(c) for answers [N] that are no rows: whoever does not answer has abstained."""
    gold: dict[Any, RowsAnswer] = {}
    said: dict[Any, RowsAnswer] = {}
    for place, (question, score) in enumerate(zip(questions, scores, strict=True)):
        gold[place] = [["right"]] if question.answerable else None
        said[place] = None if score.outcome != "answered" else [["right"]] if score.is_correct else FAILED
    return score_reliability(gold, said)


def answer_in_words(answer: Answer | None) -> str:
    """A typed answer in words: yes, none, `a, b`; empty for none."""
    if answer is None:
        return ""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, tuple):
        return ", ".join(answer) or "none"
    return str(answer)


# -------------------------------------------------------------------------------------------------------------- EHRXQA


def ehrxqa_exact_match(question: Question, text: str) -> float:
    """1 when the two answers are one list: order counts, floats have six decimals, `1` equals `true`."""
    return float(_as_list(answer_in_words(gold_answer(question)), question) == _as_list(text, question))


def _as_list(text: str, question: Question) -> list[Any]:
    text = text.strip()
    if question.answer_type == "boolean":
        return [{"yes": 1, "true": 1, "no": 0, "false": 0}.get(text.lower(), text)]
    if question.answer_type == "set":
        return [] if text.lower() in ("", "none") else [member.strip() for member in text.split(",")]
    if question.answer_type in ("count", "number"):
        try:
            return [round(float(text), 6)]
        except ValueError:
            return [text]
    return [text]


# ----------------------------------------------------------------------------------------------------------- LLaVA-Med


def llava_med_closed(question: Question, text: str) -> float | None:
    """See `llava_med.closed_released`."""
    return llava_med.closed_released(answer_in_words(gold_answer(question)), text)


def llava_med_closed_corrected(question: Question, text: str) -> float:
    """See `llava_med.closed_corrected`."""
    return llava_med.closed_corrected(answer_in_words(gold_answer(question)), text)


def llava_med_recall(question: Question, text: str) -> float:
    """See `llava_med.OpenScores`."""
    return llava_med.score_open(answer_in_words(gold_answer(question)), text).recall


def llava_med_exact(question: Question, text: str) -> float:
    """What LLaVA-Med calls an exact match; see `llava_med.OpenScores`."""
    return llava_med.score_open(answer_in_words(gold_answer(question)), text).exact


PUBLISHED: Mapping[str, PublishedRule] = {
    rule.key: rule
    for rule in (
        PublishedRule(
            "ehrxqa-exact", "EHRXQA: exact match", "the order of a list counts; a sentence is wrong", ALL_TYPES,
            ehrxqa_exact_match,
        ),
        PublishedRule(
            "llava-med-closed", "LLaVA-Med: closed accuracy, as released",
            "“normal” holds a “no”; wrong yes/no answers are not counted", CLOSED, llava_med_closed,
        ),
        PublishedRule(
            "llava-med-closed-corrected", "LLaVA-Med: closed accuracy, corrected",
            "“normal” holds a “no”; a choice without “yes” or “no” is wrong", CLOSED, llava_med_closed_corrected,
        ),
        PublishedRule(
            "llava-med-recall", "LLaVA-Med: open recall", "whoever says everything has it all", OPEN, llava_med_recall
        ),
        PublishedRule(
            "llava-med-exact", "LLaVA-Med: open “exact match”", "one right word alone is exact", OPEN, llava_med_exact
        ),
    )
}  # fmt: skip
RELIABILITY_LABELS: Mapping[str, str] = {
    **{f"rs_{penalty}": f"EHRSQL: RS({penalty})" for penalty in PENALTIES}, "rs_n": "EHRSQL: RS(N)",
}  # fmt: skip
