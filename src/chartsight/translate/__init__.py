"""English → NeuralSQL: what a question names in the record, and the nearest known way of asking.

vocabulary = read_vocabulary(run_sql, tables, choices=families.choices)
RetrievalTranslator(families).translate("was 10000032 ever given lasix?", vocabulary, Conversation())
"""

from chartsight.translate.conversation import Conversation
from chartsight.translate.retrieval import RetrievalTranslator, Translator
from chartsight.translate.vocabulary import Vocabulary, read_vocabulary

__all__ = ["Conversation", "RetrievalTranslator", "Translator", "Vocabulary", "read_vocabulary"]
