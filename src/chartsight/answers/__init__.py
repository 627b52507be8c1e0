"""The one append-only store of looks and predictions, with its key."""

from chartsight.answers.store import AnswerStore, answer_key

__all__ = ["AnswerStore", "answer_key"]
