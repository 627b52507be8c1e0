"""Questions with known answers: templates, gold from labels, balance, splits by patient, files, data cards, imports."""

from chartsight.questions.build import QuestionConfig, build_questions
from chartsight.questions.data_card import build_data_card
from chartsight.questions.files import film_index_of, read_questions, write_questions

__all__ = [
    "QuestionConfig",
    "build_data_card",
    "build_questions",
    "film_index_of",
    "read_questions",
    "write_questions",
]
