"""An answer on a terminal: rows, how sure they are, what was looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from chartsight.neuralsql.explain import Explanation
from chartsight.neuralsql.run import Progress
from chartsight.query.answer import SYNTHETIC_LINE, UNKNOWN_PAIRING, USE_LINE, QueryAnswer, table_values

if TYPE_CHECKING:
    from chartsight.neuralsql.evidence import EvidenceRow

ROWS_SHOWN, LOOKS_SHOWN = 50, 20
STATES = {"cannot_tell": "cannot tell", "failed": "no answer"}


@contextmanager
def show_progress(quiet: bool) -> Iterator[tuple[Callable[[Explanation], None], Callable[[Progress], None] | None]]:
    """What to call with the cost, and with every batch: a line on standard error that follows, on a terminal only."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (lambda explanation: None), None
        return
    with console.status("planning") as status:

        def announce(explanation: Explanation) -> None:
            console.print(explanation.sentence)
            status.update("looking")

        def stream(progress: Progress) -> None:
            known = f", {', '.join(map(str, progress.intervals))}" if progress.intervals else ""
            status.update(f"{progress.made:,} looks made, {progress.cached:,} cached{known}")

        yield announce, stream


def show_answer(answer: QueryAnswer, console: Console) -> None:
    """The whole answer."""
    console.print(Group(*_parts(answer)))


def show_explanation(explanation: Explanation, console: Console) -> None:
    """The cost before the first look."""
    console.print(Text(explanation.sentence, style="bold"))
    if not explanation.asked:
        return
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name in ("question", "kind", "films", "cached", "for", "ends early"):
        table.add_column(name, justify="right" if name in ("films", "cached") else "left")
    for each in explanation.asked:
        use = {"where": "picks rows", "item": "shown", "other": "both"}[each.place]
        early = "at a hit" if each.ends_early else "no"
        table.add_row(each.question, each.kind, f"{each.films:,}", f"{each.cached:,}", use, early)
    console.print(table)
    if explanation.staged:
        console.print("An inner query is answered first; films of the rest are counted as if it kept every row.")


def _parts(answer: QueryAnswer) -> list[Any]:
    result = answer.result
    parts: list[Any] = [_rows(answer), *map(Text, _certainty(answer))]
    if answer.corrected is not None:
        parts.append(Text(_corrected(answer)))
    if answer.evidence:
        parts += [Text(""), _evidence(answer.evidence)]
    parts.append(Text(f"\nlooks: {result.made:,} made, {result.cached:,} cached, {result.seconds:.1f} s", style="bold"))
    parts += [Text(f"assumed: {each}") for each in answer.assumptions]
    if answer.pairing == UNKNOWN_PAIRING:
        parts.append(Text("How films and tables belong together is not known of a copy: give --films", style="yellow"))
    elif answer.pairing != "real":
        parts.append(Text(SYNTHETIC_LINE, style="yellow"))
    parts.append(Text(USE_LINE, style="yellow"))
    return parts


def _rows(answer: QueryAnswer) -> Any:
    rows = answer.result.rows
    if not rows.num_rows:
        return Text("no rows" if answer.result.is_exact else "no rows are certain")
    table = Table(pad_edge=False)
    for name in rows.column_names:
        table.add_column(name.split("(SELECT")[0][:40])
    for row in table_values(rows.slice(0, ROWS_SHOWN)):
        table.add_row(*map(_cell, row))
    hidden = rows.num_rows - ROWS_SHOWN
    return Group(table, Text(f"and {hidden:,} more rows (--json shows all)")) if hidden > 0 else table


def _cell(value: Any) -> str:
    if value is None:
        return "cannot tell / null"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _certainty(answer: QueryAnswer) -> list[str]:
    result = answer.result
    lines = []
    if result.stopped == "budget":
        lines.append("stopped: the budget of looks is spent")
    if result.stopped == "cancelled":
        lines.append("stopped: interrupted; what was answered is kept")
    if result.is_exact:
        return lines
    lines += [str(each) for each in result.intervals]
    if result.reason:
        lines.append(
            f"not certain, and no bound is known: {result.reason} above {result.open_looks:,} looks without answer"
        )
        return lines
    if result.possible is not None and not result.intervals:
        more = result.possible.num_rows - result.rows.num_rows
        lines.append(f"these rows are certain; at most {max(more, 0):,} more are possible")
    lines.append(f"{result.open_looks:,} looks that matter have no answer")
    return lines


def _corrected(answer: QueryAnswer) -> str:
    found = answer.corrected
    assert found is not None
    if found.value is None:
        return f"corrected for the model's errors: {found.note}"
    interval = f"{found.value:.0f} {found.counted}, 95 % from {found.low:.0f} to {found.high:.0f}"
    return f"corrected for the model's errors: {interval} ({found.note})"


def _evidence(rows: Sequence[EvidenceRow]) -> Any:
    table = Table(title="evidence", title_justify="left", pad_edge=False)
    for name in ("study", "patient", "question", "answer", "score", "from"):
        table.add_column(name)
    for row in sorted(rows, key=lambda each: each.value in ("false", "null", "[]"))[:LOOKS_SHOWN]:
        value = json.loads(row.value)
        words = ", ".join(value) or "none" if isinstance(value, list) else _cell(value)
        said = STATES.get(row.state, words)
        score = "" if row.score is None else f"{row.score:.2f}"
        origin = f"{row.evidence_kind}{', stored' if row.cached else ''}"
        table.add_row(str(row.study_id), str(row.subject_id), row.question, said, score, origin)
    hidden = len(rows) - LOOKS_SHOWN
    return Group(table, Text(f"and {hidden:,} more looks (--evidence FILE keeps all)")) if hidden > 0 else table
