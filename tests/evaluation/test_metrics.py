from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.preprocessing import MultiLabelBinarizer

from chartsight.evaluation.metrics import (
    accuracy,
    answer_from_json,
    count_booleans,
    score_choices,
    score_errors,
    score_sets,
    score_texts,
    token_recall,
)

LABELS = ("a1", "b1", "c1", "d1")
SETS = st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=30)


def test_ten_perfect_answers_are_exactly_one() -> None:
    assert accuracy(np.ones(10, dtype=bool)) == 1.0


def test_an_empty_group_is_nan_and_says_so() -> None:
    scores = score_sets([], [])
    assert math.isnan(accuracy(np.zeros(0, dtype=bool)))
    assert scores.n == 0
    assert math.isnan(scores.exact) and math.isnan(scores.micro_f1) and math.isnan(scores.macro_f1)
    assert math.isnan(count_booleans([], []).balanced_accuracy)
    assert math.isnan(count_booleans([True], [True]).specificity)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_booleans_agree_with_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    gold, said = (list(column) for column in zip(*[*pairs, (True, False), (False, False)], strict=True))
    counts = count_booleans(gold, said)
    assert counts.sensitivity == pytest.approx(sk.recall_score(gold, said))
    assert counts.specificity == pytest.approx(sk.recall_score(gold, said, pos_label=False))
    assert counts.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(gold, said))
    assert counts.mcc == pytest.approx(sk.matthews_corrcoef(gold, said))
    assert counts.yes_bias == pytest.approx(np.mean(said) - np.mean(gold))


def test_an_unanswered_item_stays_in_the_denominator() -> None:
    counts = count_booleans([True, True, False, False], [True, None, False, None])
    assert counts.sensitivity == counts.specificity == 0.5
    assert counts.mcc == 0.0
    assert counts.yes_bias == 0.0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sets_agree_with_scikit_learn(data: st.DataObject) -> None:
    gold = data.draw(SETS)
    said = data.draw(st.lists(st.sets(st.sampled_from(LABELS)), min_size=len(gold), max_size=len(gold)))
    binarizer = MultiLabelBinarizer(classes=LABELS).fit([LABELS])
    y, p = binarizer.transform(gold), binarizer.transform(said)
    scores = score_sets(gold, said, min_support=1)
    assert scores.exact == pytest.approx(sk.accuracy_score(y, p))
    assert scores.sample_f1 == pytest.approx(sk.f1_score(y, p, average="samples", zero_division=1))
    assert scores.jaccard == pytest.approx(
        np.mean([len(a & b) / len(a | b) if a | b else 1.0 for a, b in zip(gold, said, strict=True)])
    )
    assert scores.micro_f1 == pytest.approx(sk.f1_score(y, p, average="micro", zero_division=1))
    supported = [index for index, label in enumerate(LABELS) if any(label in truth for truth in gold)]
    if supported:
        assert scores.macro_f1 == pytest.approx(sk.f1_score(y, p, average="macro", labels=supported, zero_division=0))


def test_macro_f1_leaves_rare_labels_out() -> None:
    gold = [{"often"}] * 20 + [{"rare"}]
    scores = score_sets(gold, [{"often"}] * 21)
    assert scores.macro_labels == 1
    assert scores.macro_f1 == pytest.approx(2 * 20 / 41)
    assert scores.support == {"often": 20, "rare": 1}


def test_an_unparsed_set_scores_nothing_even_where_the_truth_is_empty() -> None:
    scores = score_sets([set(), {"a1"}], [None, None])
    assert scores.exact == scores.sample_f1 == scores.micro_f1 == scores.jaccard == 0.0


def test_answers_come_from_json_with_their_type() -> None:
    assert answer_from_json("true") is True
    assert answer_from_json('["b", "a", "a"]') == ("a", "b")
    for text in ("null", "{}", "yes"):
        with pytest.raises(ValueError, match=r"answer|Expecting"):
            answer_from_json(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40))
def test_choices_agree_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, said = [one for one, _ in pairs], [other for _, other in pairs]
    scores = score_choices(gold, said)
    assert scores.accuracy == pytest.approx(sk.accuracy_score(gold, said))
    assert scores.mcc == pytest.approx(sk.matthews_corrcoef(gold, said))
    assert scores.balanced_accuracy == pytest.approx(
        np.mean([sk.recall_score(gold, said, labels=[name], average="macro") for name in sorted(set(gold))])
    )


def test_an_unanswered_choice_is_wrong() -> None:
    scores = score_choices(["left", "left", "right"], ["left", None, "right"])
    assert (scores.n, scores.accuracy, scores.balanced_accuracy) == (3, pytest.approx(2 / 3), 0.75)


def test_errors_of_counts_numbers_and_dates() -> None:
    counts = score_errors("count", [3, 5, 2], [3, 1, None])
    assert (counts.n, counts.answered, counts.mean_error) == (3, 2, 2.0)
    assert counts.accuracy == pytest.approx(1 / 3)
    numbers = score_errors("number", [37.0, 38.0], [37.0, 39.5])
    assert (numbers.accuracy, numbers.mean_error) == (0.5, 0.75)
    dates = score_errors("date", ["2105-12-01", "2105-12-01", "2105-12"], ["2105-12-01 10:30", "2105-12-04", "2105-11"])
    assert (dates.accuracy, dates.mean_error, dates.answered) == (pytest.approx(1 / 3), 1.5, 3)  # a month has no day


def test_saying_everything_has_all_recall_and_little_else() -> None:
    scores = score_texts(["left lung"], ["the left lung, the right lung, the heart and the spine"])
    assert (scores.recall, scores.exact) == (1.0, 0.0)
    assert scores.f1 < 0.5
    assert token_recall("left lung", None) == 0.0


def test_empty_groups_of_every_type_are_nan() -> None:
    for scores in (score_choices([], []), score_texts([], []), score_errors("count", [], [])):
        assert scores.n == 0
        assert all(math.isnan(value) for name, value in vars(scores).items() if name not in ("n", "answered"))


def test_nothing_parsed_is_a_share_of_zero_and_no_error() -> None:
    scores = score_errors("number", [1.0, 2.0], [None, None])
    assert (scores.n, scores.accuracy, scores.answered) == (2, 0.0, 0) and math.isnan(scores.mean_error)
