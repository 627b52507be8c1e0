"""The path of a question, whole: English → query → looks → answer with evidence.

with open_assistant(Path("record.duckdb"), model="labels") as assistant:
    reply = assistant.ask("does study 50414267 show a pneumothorax?")
    reply.text                                                     # "no"
    assistant.ask("and on the left?", reply.conversation).text     # "yes"
"""

from chartsight.assistant.assistant import Assistant, open_assistant
from chartsight.assistant.reply import Reply

__all__ = ["Assistant", "Reply", "open_assistant"]
