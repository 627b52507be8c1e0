"""Scores: a model's text → a typed answer → right or wrong → a number with its interval."""

from chartsight.evaluation.intervals import ClusterBootstrap, Interval, patients_of, wilson
from chartsight.evaluation.metrics import (
    BooleanCounts,
    SetScores,
    accuracy,
    answer_from_json,
    correct,
    count_booleans,
    gold_answer,
    same_answer,
    score_sets,
    set_f1,
    token_f1,
)
from chartsight.evaluation.normaliser import (
    NORMALISER_VERSION,
    Answer,
    ParsedAnswer,
    normalise_text,
    parse_answer,
    scorer_sha256,
)

__all__ = [
    "NORMALISER_VERSION",
    "Answer",
    "BooleanCounts",
    "ClusterBootstrap",
    "Interval",
    "ParsedAnswer",
    "SetScores",
    "accuracy",
    "answer_from_json",
    "correct",
    "count_booleans",
    "gold_answer",
    "normalise_text",
    "parse_answer",
    "patients_of",
    "same_answer",
    "score_sets",
    "scorer_sha256",
    "set_f1",
    "token_f1",
    "wilson",
]
