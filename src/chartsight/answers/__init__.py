"""The one append-only store of looks and predictions, with its key."""

from chartsight.answers.known import AskedModel, StoredModel
from chartsight.answers.store import AnswerStore, answer_key

__all__ = ["AnswerStore", "AskedModel", "StoredModel", "answer_key"]
