"""A9 and A10: whether answers hang together: under other words, under negation, and among each other."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.evaluation import Interval, PairedDifference


@dataclass(frozen=True)
class Paraphrase:
    """A9: the same question in other words.

    Args:
        flipped: Share of answers that are other ones.
        drop: Accuracy in the template's words less that in the others.
        negated_accuracy: Of the negated form, by its own right answer.
        both_same: Share answered alike in both forms (yes, yes or no, no): one of the two must be wrong.
    """

    flipped: Interval
    drop: PairedDifference
    negated_accuracy: Interval
    both_same: Interval


@dataclass(frozen=True)
class RuleBroken:
    """One rule of A10."""

    rule: str
    entailed: Interval
    contradicted: Interval


@dataclass(frozen=True)
class Contradictions:
    """A10: what a model's answers say about each other.

    Args:
        entailed: Of what follows from its right answers, the share that it answers accordingly.
        contradicted: Of all pairs whose premise it gives, right or wrong, the share that contradict.
        rules: The same for each rule.
    """

    entailed: Interval
    contradicted: Interval
    rules: tuple[RuleBroken, ...]
