"""A guesser that reads the question and never sees the film: TF-IDF of its words, logistic regression to its answer.

What it scores on test is the floor of every model: a figure below it says nothing about looking.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.questions.splits import scored_split
from chartsight.schema import Question

MOST_ROWS = 12_000  # questions it learns from; more barely change the figure and cost minutes
MOST_ANSWERS = 120  # the commonest; what it has never seen as an answer it cannot give
MOST_WORDS = 20_000


def guess_from_words(train: Sequence[Question], asked: Sequence[Question]) -> list[str] | None:
    """The guessed answer (JSON) to every question; None when train has no two answers to learn.

    Args:
        train: What it learns from; at most `MOST_ROWS` of them, drawn by their ids.
        asked: What it is asked.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    counts = Counter(question.answer for question in train)
    common = set(sorted(counts, key=lambda answer: (-counts[answer], answer))[:MOST_ANSWERS])
    learned = [question for question in train if question.answer in common]
    if len(learned) > MOST_ROWS:
        learned = sorted(learned, key=lambda each: hashlib.sha256(each.question_id.encode()).digest())[:MOST_ROWS]
    learned = sorted(learned, key=lambda each: each.question_id)
    if not asked or len({question.answer for question in learned}) < 2:
        return None
    words = TfidfVectorizer(
        ngram_range=(1, 2), max_features=MOST_WORDS, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
    )
    try:
        features = words.fit_transform([words_of(question) for question in learned])
    except ValueError:  # no word at all
        return None
    # One against the rest by liblinear: a build waits for this, and a multinomial fit of many answers takes long.
    model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="liblinear", random_state=0))
    model.fit(features, [question.answer for question in learned])
    return [str(answer) for answer in model.predict(words.transform([words_of(question) for question in asked]))]


def nearest_similarity(train: Sequence[Question], asked: Sequence[Question]) -> NDArray[np.float64] | None:
    """float [asked] in 0..1: the cosine of each question's words to those of the most similar training question.

    Wordings are compared as the guesser reads them; None when train has no word at all.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    known, wanted = (sorted({words_of(question) for question in each}) for each in (train, asked))
    if not known or not wanted:
        return None
    words = TfidfVectorizer(
        ngram_range=(1, 2), max_features=MOST_WORDS, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
    )
    try:
        trained = words.fit_transform(known)
    except ValueError:  # no word at all
        return None
    other = words.transform(wanted)
    nearest = {
        text: float((other[row] @ trained.T).max()) for row, text in enumerate(wanted)
    }  # fmt: skip
    return np.minimum([nearest[words_of(question)] for question in asked], 1.0)


def words_of(question: Question) -> str:
    """What the guesser reads: the words that a model is asked with."""
    return question.visual_question or question.question


def score_guesser(questions: Sequence[Question]) -> dict[str, Any]:
    """What the guesser scores on test (`scored_split`), over all and for each answer type: accuracy and n, or None."""
    scored = scored_split(questions)
    train = [question for question in questions if question.split == "train"]
    test = [question for question in questions if question.split == scored]
    guesses = guess_from_words(train, test)
    if guesses is None:
        return {"accuracy": None, "n": len(test), "by_answer_type": {}}
    right: Mapping[str, list[bool]] = defaultdict(list)
    for question, guess in zip(test, guesses, strict=True):
        right[question.answer_type].append(guess == question.answer)
    everything = [each for several in right.values() for each in several]
    return {
        "accuracy": sum(everything) / len(everything), "n": len(everything),
        "by_answer_type": {
            kind: {"accuracy": sum(each) / len(each), "n": len(each)} for kind, each in sorted(right.items())
        },
    }  # fmt: skip
