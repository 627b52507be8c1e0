"""A reply on a terminal: the answer first, then the query, the rows, the films looked at, what was assumed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from chartsight.assistant.reply import Reply
from chartsight.neuralsql.evidence import EvidenceRow
from chartsight.query.answer import SYNTHETIC_LINE, USE_LINE, QueryAnswer, table_values

SHOWN_ROWS, SHOWN_LOOKS = 10, 12
TITLES = {"answered": "answer", "cannot_tell": "answer", "refused": "not answered", "explained": "cost"}
STYLES = {"answered": "green", "cannot_tell": "yellow", "refused": "yellow", "explained": "cyan"}


def show_reply(reply: Reply, console: Console) -> None:
    """The whole reply."""
    console.print(Group(*_parts(reply)))


def _parts(reply: Reply) -> Iterator[RenderableType]:
    style = STYLES[reply.state]
    yield Panel(
        Text(reply.text, style="bold"), title=TITLES[reply.state], title_align="left", border_style=style, expand=False
    )
    refusal = reply.translation.refusal
    if refusal is not None and refusal.options:
        words = "nearest known questions" if refusal.code == "unknown-question" else "say which is meant"
        yield Text(f"{words}:")
        yield from (Text(f"  {number}. {option}") for number, option in enumerate(refusal.options, 1))
    if reply.query:
        yield Text("query", style="bold")
        yield Syntax(reply.query, "sql", background_color="default", word_wrap=True, theme="ansi_light")
    if reply.answer is not None:
        yield from _rows(reply.answer)
        yield from _looks(reply.answer)
    for assumption in reply.assumptions:
        yield Text(f"assumed: {assumption}")
    if reply.answer is not None and reply.answer.pairing != "real":
        yield Text(SYNTHETIC_LINE, style="yellow")
    yield Text(USE_LINE, style="yellow")


def _rows(answer: QueryAnswer) -> Iterator[RenderableType]:
    rows = answer.result.rows
    if rows.num_rows * rows.num_columns <= 1:
        return  # the answer says it all
    table = Table(title=f"rows ({rows.num_rows:,})", title_justify="left", pad_edge=False)
    for name in rows.column_names:
        table.add_column(name if len(name) <= 40 else "answer")
    for row in table_values(rows.slice(0, SHOWN_ROWS)):
        table.add_row(*("" if value is None else str(value) for value in row))
    yield table
    if rows.num_rows > SHOWN_ROWS:
        yield Text(f"and {rows.num_rows - SHOWN_ROWS:,} more (--json has all)")


def _looks(answer: QueryAnswer) -> Iterator[RenderableType]:
    if not answer.evidence:
        return
    result = answer.result
    table = Table(title="films looked at", title_justify="left", pad_edge=False)
    for name in ("study", "patient", "asked", "answer", "score", "by"):
        table.add_column(name)
    for row in answer.evidence[:SHOWN_LOOKS]:
        score = "" if row.score is None else f"{row.score:.2f}"
        by = f"{row.evidence_kind}{', stored' if row.cached else ''}"
        table.add_row(str(row.study_id), str(row.subject_id or ""), row.question, said_by(row), score, by)
    yield table
    if len(answer.evidence) > SHOWN_LOOKS:
        yield Text(f"and {len(answer.evidence) - SHOWN_LOOKS:,} more (--json has all)")
    yield Text(f"looks: {result.made:,} made, {result.cached:,} stored, {result.open_looks:,} without an answer")


def said_by(row: EvidenceRow) -> str:
    """What a look said: yes, no, cannot tell, a list."""
    if row.state != "answered":
        return {"cannot_tell": "cannot tell", "failed": "no answer"}[row.state]
    value = json.loads(row.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none"
