"""A model, questions and conditions → `predictions.parquet`, and what that costs."""

from chartsight.prediction.conditions import OFFERED, Asked, donor_films, put_questions, put_variants, select_questions
from chartsight.prediction.cost import ConditionCost, CostEstimate, estimate_cost
from chartsight.prediction.run import estimate_conditions, predict_conditions, predict_questions

__all__ = [
    "OFFERED",
    "Asked",
    "ConditionCost",
    "CostEstimate",
    "donor_films",
    "estimate_conditions",
    "estimate_cost",
    "predict_conditions",
    "predict_questions",
    "put_questions",
    "put_variants",
    "select_questions",
]
