"""`chartsight ask`: one question, or a conversation at a prompt or of the lines of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from chartsight.assistant.assistant import Assistant, open_assistant
from chartsight.assistant.reply import Reply
from chartsight.assistant.screen import show_reply
from chartsight.assistant.talk import talk
from chartsight.errors import ChartsightError, QuestionError
from chartsight.query import QueryConfig
from chartsight.query.answer import USE_LINE
from chartsight.query.screen import show_progress
from chartsight.translate import Conversation


def run_ask(
    record: Path,
    question: str | None,
    config: QueryConfig,
    *,
    patient: int | None = None,
    explain_only: bool = False,
    as_json: bool = False,
) -> None:
    """Asks and prints; a refusal is an answer too.

    Args:
        record: DuckDB, or a copy of one in SQLite.
        question: None for a conversation.
        config: How queries are answered.
        patient: In view from the start.
        explain_only: No look is made.
        as_json: One JSON object for a question, one a line for a conversation.

    Raises:
        QuestionError: The record has no such patient.
        RecordError: There is no record.
    """
    console = Console()
    with open_assistant(record, config) as assistant:
        conversation = _begun(assistant, patient)
        if question is not None:
            with show_progress(as_json) as (announce, stream):
                reply = assistant.ask(
                    question, conversation, explain_only=explain_only, announce=announce, stream=stream
                )
            if as_json:
                print(json.dumps(reply.as_dict(), indent=2, default=str))
            else:
                show_reply(reply, console)
            return

        def show(reply: Reply) -> None:
            if as_json:
                print(json.dumps(reply.as_dict(), default=str), flush=True)
            else:
                show_reply(reply, console)

        def complain(error: ChartsightError) -> None:
            if as_json:
                print(json.dumps({"error": error.as_dict()}), flush=True)
            else:
                console.print(f"error: {error}", markup=False, highlight=False)

        talk(assistant, _lines(console, as_json), show, complain, conversation, explain_only=explain_only)


def _begun(assistant: Assistant, patient: int | None) -> Conversation:
    if patient is None:
        return Conversation()
    if patient not in assistant.vocabulary.patients:
        raise QuestionError("unknown-patient", "--patient", "no patient of this record", "a subject_id of its patients")
    return Conversation().about(patient)


def _lines(console: Console, as_json: bool) -> Iterator[str]:
    """What is typed at a prompt until it ends, or the lines of standard input."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    if not as_json:
        console.print(f"{USE_LINE}\nAsk in English; a number picks what is asked back; an empty line or quit ends.")
    while True:
        try:
            line = console.input("[bold]› [/bold]")
        except EOFError:
            return
        if not line.strip():
            return
        yield line
