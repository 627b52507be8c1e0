"""Questions with known answers: templates, gold from labels, balance, splits by patient, files, data cards, imports."""

from chartsight.questions.build import QuestionConfig, build_questions
from chartsight.questions.data_card import build_data_card
from chartsight.questions.families import FamilyConfig, build_family_questions
from chartsight.questions.files import film_index_of, read_questions, write_questions

__all__ = [
    "FamilyConfig",
    "QuestionConfig",
    "build_data_card",
    "build_family_questions",
    "build_questions",
    "film_index_of",
    "read_questions",
    "write_questions",
]
