"""A9 and A10: whether answers hang together: under other words, under negation, and among each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from chartsight.audit.columns import Columns, share
from chartsight.audit.inputs import AuditedModel
from chartsight.evaluation import Answer, Interval, PairedDifference, answer_from_json, paired_difference
from chartsight.evaluation.differences import NO_DIFFERENCE
from chartsight.evaluation.intervals import EMPTY
from chartsight.schema import Entailment


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


def measure_paraphrase(columns: Columns, model: AuditedModel) -> Paraphrase | None:
    """A9; None when neither other words nor negated forms were asked."""
    full = columns.full(model)
    worded, negated = columns.under(model, "paraphrase"), columns.under(model, "negated")
    if worded is None and negated is None:
        return None
    flipped, drop = EMPTY, NO_DIFFERENCE
    if worded is not None:
        flipped = share(columns, worded.codes != full.codes, worded.is_asked)
        drop = paired_difference(columns.bootstrap, full.is_correct, worded.is_correct, worded.is_asked)
    accuracy = both_same = EMPTY
    if negated is not None and "negated" in columns.variant_gold:
        known = negated.is_asked & (columns.variant_gold["negated"] >= 0)
        accuracy = share(columns, negated.is_correct, known)
        # Only yes and no contradict each other; an item and its negation are both yes/no questions.
        answered = known & columns.is_boolean & (full.codes >= 0) & (negated.codes >= 0)
        both_same = share(columns, full.codes == negated.codes, answered)
    return Paraphrase(flipped, drop, accuracy, both_same)


def measure_contradictions(columns: Columns, model: AuditedModel) -> Contradictions | None:
    """A10; None without pairs."""
    if not columns.given.entailments:
        return None
    pairs = _pairs(columns, model)
    by_rule: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        by_rule[pair.rule].append(pair)
    return Contradictions(
        _entailed(columns, pairs),
        _contradicted(columns, pairs),
        tuple(
            RuleBroken(rule, _entailed(columns, each), _contradicted(columns, each))
            for rule, each in sorted(by_rule.items())
        ),
    )


@dataclass(frozen=True)
class _Pair:
    """A pair whose premise was given: where it stands, whether it is right, and what was made of the conclusion."""

    rule: str
    place: int
    premise_is_right: bool
    holds: bool
    is_answered: bool


def _pairs(columns: Columns, model: AuditedModel) -> list[_Pair]:
    full = columns.full(model)
    values = model.answers["full"].values
    place_of = {question.question_id: place for place, question in enumerate(columns.questions)}
    found = []
    for pair in columns.given.entailments:
        premise, conclusion = place_of.get(pair.premise), place_of.get(pair.conclusion)
        if premise is None or conclusion is None:
            continue
        then = values[conclusion]
        if columns.encode([answer_from_json(pair.premise_value)])[0] != full.codes[premise]:
            continue
        expected = answer_from_json(pair.conclusion_value)
        holds = then is not None and _stands(columns, pair, then, expected)
        found.append(_Pair(pair.rule, premise, bool(full.is_correct[premise]), holds, then is not None))
    return found


def _stands(columns: Columns, pair: Entailment, then: Answer, expected: Answer) -> bool:
    if pair.relation == "equals":
        one, other = columns.encode([then, expected])
        return bool(one == other)
    names, meant = (set(each) if isinstance(each, tuple) else {str(each)} for each in (then, expected))
    return meant <= names if pair.relation == "contains" else not meant & names


def _entailed(columns: Columns, pairs: list[_Pair]) -> Interval:
    return _share(columns, [(pair.place, pair.holds) for pair in pairs if pair.premise_is_right])


def _contradicted(columns: Columns, pairs: list[_Pair]) -> Interval:
    return _share(columns, [(pair.place, not pair.holds) for pair in pairs if pair.is_answered])


def _share(columns: Columns, pairs: list[tuple[int, bool]]) -> Interval:
    """Of pairs, each with the patient of its premise."""
    if not pairs:
        return EMPTY
    places = np.array([place for place, _ in pairs], np.int64)
    true, all_ = np.zeros(columns.n), np.zeros(columns.n)
    np.add.at(true, places, [float(is_true) for _, is_true in pairs])
    np.add.at(all_, places, 1.0)
    return replace(columns.bootstrap.ratio(true, all_, all_ > 0), n=len(pairs))
