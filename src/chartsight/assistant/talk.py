"""A conversation at a prompt: every question goes on from the last; a number picks what was asked back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chartsight.assistant.assistant import Assistant
from chartsight.assistant.reply import Reply
from chartsight.errors import ChartsightError
from chartsight.translate import Conversation

LEAVING = frozenset({"quit", "exit", "bye", ":q", "q"})


@dataclass(frozen=True)
class AskedBack:
    """A question that was asked back, and the span of it that may be several things."""

    question: str
    span: str
    options: tuple[str, ...]


def talk(
    assistant: Assistant,
    lines: Iterable[str],
    show: Callable[[Reply], None],
    complain: Callable[[ChartsightError], None],
    conversation: Conversation | None = None,
    *,
    explain_only: bool = False,
) -> Conversation:
    """Asks every line until one says quit; a mistake ends a question, not the conversation.

    Args:
        assistant: That answers.
        lines: Of a prompt or a file.
        show: Called with every reply.
        complain: Called with what went wrong.
        conversation: Already begun, when a patient is in view.
        explain_only: As `Assistant.ask`.
    """
    seen = conversation or Conversation()
    asked_back: AskedBack | None = None
    for line in lines:
        question = line.strip()
        if not question:
            continue
        if question.lower() in LEAVING:
            break
        question = picked(question, asked_back)
        try:
            reply = assistant.ask(question, seen, explain_only=explain_only)
        except ChartsightError as error:
            complain(error)
            continue
        show(reply)
        seen = reply.conversation
        asked_back = ask_back(reply)
    return seen


def ask_back(reply: Reply) -> AskedBack | None:
    """What the next line may pick from; None when nothing was asked back."""
    refusal = reply.translation.refusal
    if refusal is None or refusal.code != "ambiguous-name" or not refusal.text:
        return None
    return AskedBack(reply.question, refusal.text, refusal.options)


def picked(line: str, asked_back: AskedBack | None) -> str:
    """The question that was asked back, with the option that the line names by number or by name; else the line."""
    if asked_back is None:
        return line
    chosen = None
    if line.isdigit() and 1 <= int(line) <= len(asked_back.options):
        chosen = asked_back.options[int(line) - 1]
    elif len(asked_back.options) == 1 and line.lower() in ("y", "yes"):
        chosen = asked_back.options[0]
    else:
        alike = [option for option in asked_back.options if option.lower() == line.lower()]
        chosen = line if line in alike else next(iter(alike), None)
    return line if chosen is None else asked_back.question.replace(asked_back.span, chosen, 1)
