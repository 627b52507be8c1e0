"""A model, questions and a condition → `predictions.parquet`."""

from chartsight.prediction.conditions import OFFERED, Asked, donor_films, put_questions, select_questions
from chartsight.prediction.run import predict_questions

__all__ = ["OFFERED", "Asked", "donor_films", "predict_questions", "put_questions", "select_questions"]
