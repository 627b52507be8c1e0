from __future__ import annotations

import math
from dataclasses import asdict

import pytest

from chartsight.evaluation.llava_med import closed_corrected, contained, normalise, score_open
from chartsight.evaluation.published import (
    PUBLISHED,
    answer_in_words,
    reliability_of,
    score_by,
)
from chartsight.evaluation.scorers import score_prediction, score_text
from tests.evaluation.asked import question


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The left lung.", "left lung"),
        ("a mass/nodule", "mass nodule"),
        ("left, right", "left right"),
        ("1,204 films", "1204 films"),
        ("none", "0"),
        ("Two nodules; 2.5 cm", "2 nodules 2.5 cm"),
        ("non-specific", "non specific"),
        ("(garbage)", "garbage"),
    ],
)
def test_llava_med_s_normaliser(text: str, words: str) -> None:
    assert normalise(text) == words


def test_a_figure_counts_what_the_rule_counts() -> None:
    asked = [question("boolean", True)] * 3 + [question("text", "left lung")]
    texts = ["yes", "no", "(garbage)", "left"]
    released = score_by(PUBLISHED["llava-med-closed"], asked, texts, [None] * 4)
    assert (released.n, released.applicable, released.score) == (2, 3, 0.5)  # the wrong "no" is not counted
    corrected = score_by(PUBLISHED["llava-med-closed-corrected"], asked, texts, [None] * 4)
    assert (corrected.n, corrected.score) == (3, pytest.approx(1 / 3))
    opened = score_by(PUBLISHED["llava-med-exact"], asked, texts, [None] * 4)
    assert (opened.n, opened.score) == (1, 1.0)
    nothing = score_by(PUBLISHED["llava-med-recall"], asked[:3], texts[:3], [None] * 3)
    assert nothing.n == 0 and math.isnan(nothing.score)


def test_an_answer_without_text_is_scored_as_it_would_be_written() -> None:
    assert PUBLISHED["llava-med-closed"].score(question("boolean", True), "", True) == 1.0
    assert [answer_in_words(each) for each in (None, True, False, (), ("a", "b"), 3, "left")] == [
        "", "yes", "no", "none", "a, b", "3", "left",
    ]  # fmt: skip


def test_reliability_of_answers_that_are_no_rows() -> None:
    answerable, not_answerable = question("boolean", True), question("boolean", True, answerable=False)
    asked = [answerable, answerable, answerable, not_answerable, not_answerable]
    scores = [
        score_text(answerable, "yes"), score_text(answerable, "no"), score_text(answerable, "I cannot determine"),
        score_prediction(not_answerable, "", "abstained", None), score_text(not_answerable, "yes"),
    ]  # fmt: skip
    found = reliability_of(asked, scores)
    assert (found.right, found.rightly_abstained, found.abstained, found.harmful, found.unanswerable) == (1, 1, 1, 2, 2)
    assert found.score(10) == (2 - 20) / 5 and found.break_even == 0.0


def test_a_rule_prints_its_version_and_says_what_is_wrong_with_it() -> None:
    for rule in PUBLISHED.values():
        assert rule.stamp.split()[0] == rule.key and len(rule.stamp.split()[1]) == 12
        assert rule.fault


def test_everything_that_llava_med_counts_of_an_open_answer() -> None:
    """Values of the published code and NLTK 3.10.4 (`sentence_bleu`, no smoothing), run on these texts."""
    found = score_open("Right lower lobe of the lung.", "The right lower lobe of left lung is one mass/nodule")
    assert asdict(found) == pytest.approx(
        {
            "recall": 1.0, "precision": 0.5, "f1": 2 / 3, "exact": 0.5, "contained": 0.0, "bleu": 0.2777619034011791,
            "bleu_1": 0.5, "bleu_2": 1 / 3, "bleu_3": 0.25,
        }
    )  # fmt: skip
    nothing = score_open("left", "")
    assert set(asdict(nothing).values()) == {0.0}
    short = score_open("right lower lobe of the lung", "right lower lobe of lung")
    assert short.bleu == short.f1 == short.contained == 1.0


def test_llava_med_s_two_closed_rules() -> None:
    texts = ["Yes, it is.", "The lungs are normal.", "on the left", "I see nothing"]
    assert [closed_corrected("no", text) for text in texts] == [0, 1, 0, 1]
    assert [contained("left", text) for text in texts] == [0, 0, 1, 0]
    assert closed_corrected("left", "on the left") == 0  # neither "yes" nor "no" is in it
