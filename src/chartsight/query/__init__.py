"""One NeuralSQL query on a record, whole: engine, visual model, store of answers, plan, rows and evidence."""

from chartsight.query.answer import QueryAnswer, QueryConfig, answer_query, explain_query
from chartsight.query.models import open_visual_model

__all__ = ["QueryAnswer", "QueryConfig", "answer_query", "explain_query", "open_visual_model"]
