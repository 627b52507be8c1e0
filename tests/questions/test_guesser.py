"""A reader of words alone: how alike questions are to those of training."""

from __future__ import annotations

import pytest

from chartsight.questions.guesser import guess_from_words, nearest_similarity
from tests.audit.made_up import question


def test_the_nearest_training_question_by_its_words() -> None:
    train = [question(0, True, text="Is there pneumothorax?"), question(1, True, text="Which lung is affected?")]
    asked = [
        question(2, True, text="Is there pneumothorax?"), question(3, True, text="Is there effusion?"),
        question(4, True, text="Zwölf Boxkämpfer"),
    ]  # fmt: skip
    found = nearest_similarity(train, asked)
    assert found is not None
    assert found[0] == pytest.approx(1.0) and 0.1 < found[1] < 0.9 and found[2] == 0.0
    assert nearest_similarity([], asked) is None and nearest_similarity(train, []) is None
    assert nearest_similarity([question(0, True, text="?")], asked) is None


def test_the_guesser_gives_what_the_words_give_away_and_no_more() -> None:
    train = [
        question(number, number % 10 != 0 if number < 100 else number % 10 == 0, text=text)
        for number, text in enumerate(["Is there effusion?"] * 100 + ["Is there pneumothorax?"] * 100)
    ]
    asked = [question(300, False, text="Is there effusion?"), question(301, True, text="Is there pneumothorax?")]
    assert guess_from_words(train, asked) == ["true", "false"]
    assert guess_from_words(train[1:5], asked) is None  # one answer alone
