"""What a query will cost, before the first look.

880 studies x 1 question, 612 cached, at most 268 looks, about 40 s
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from chartsight.neuralsql.bounds import NoBoundError
from chartsight.neuralsql.looks import Call, Kind, Studies, has_looks
from chartsight.neuralsql.plan import Plan, unbounded_parts
from chartsight.neuralsql.run import Rows, Work
from chartsight.schema import VisualModel


@dataclass(frozen=True)
class AskedOf:
    """One visual question of a query, and how many films it is asked of.

    Args:
        question: As the model reads it.
        kind: `boolean` or `set`.
        films: Studies, or pairs of studies, that could matter.
        cached: Of them, answered in the store.
        ends_early: Whether a first hit, or a filled LIMIT, spares the rest.
        place: Whether it picks rows or is shown.
    """

    question: str
    kind: Kind
    films: int
    cached: int
    ends_early: bool
    place: Literal["where", "item", "other"]


@dataclass(frozen=True)
class Explanation:
    """The plan in numbers.

    Args:
        asked: Every visual question, in the order in which they would be asked.
        seconds: For the looks that the store lacks; None when no look was timed yet.
        staged: Whether an inner query is answered first, so that the rest can only be counted after it.
    """

    asked: tuple[AskedOf, ...]
    seconds: float | None
    staged: bool

    @property
    def looks(self) -> int:
        """Most looks that the model would make."""
        return sum(each.films - each.cached for each in self.asked)

    @property
    def sentence(self) -> str:
        """The cost in one line."""
        if not self.asked:
            return "no looks: tables alone"
        films = max(each.films for each in self.asked)
        questions = len(self.asked)
        cached = sum(each.cached for each in self.asked)
        parts = [f"{films:,} {'study' if films == 1 else 'studies'} x {questions} question{'s' * (questions > 1)}"]
        parts.append(f"{cached:,} cached")
        early = any(each.ends_early for each in self.asked)
        most = "at most " if early or questions > 1 or self.staged else ""
        parts.append(f"{most}{self.looks:,} look{'s' * (self.looks != 1)}")
        parts.append("time unknown before the first look" if self.seconds is None else f"about {self.seconds:,.0f} s")
        return ", ".join(parts)


def explain(plan: Plan, rows: Rows, model: VisualModel) -> Explanation:
    """The cost of a plan on a record: searches run, no look is made.

    Args:
        plan: Of `plan`.
        rows: As for `run_query`.
        model: Its `known` and `seconds_a_look` are used when it has them.
    """
    if not plan.calls:
        return Explanation((), None, False)
    work = Work(plan, rows, model)
    work.bounds.shown = "possible"
    tree = plan.tree.copy()
    staged = False
    found: dict[int, dict[Studies, None]] = {call.number: {} for call in plan.calls}
    order: list[tuple[Call, Literal["where", "item", "other"], bool]] = []
    parts: list[exp.Query] = []
    while (part := next(unbounded_parts(tree, work.bounds), None)) is not None:
        staged = True
        parts.append(part.copy())
        part.replace(_rows_of(part))
    for each in [*parts, tree]:
        try:
            listed = work.search_all(each)
        except NoBoundError:
            staged = True
            continue
        for search, candidates in listed:
            found[search.call.number].update(dict.fromkeys(c.studies for c in candidates))
            order.append((search.call, search.place, search.exits))
    asked = []
    for call in dict.fromkeys(call for call, _, _ in order):
        studies = list(found[call.number])
        places = [(place, ends) for other, place, ends in order if other == call]
        place = "where" if any(p == "where" for p, _ in places) else places[0][0]
        cached = work.count_known(call, studies)
        asked.append(AskedOf(call.question, call.kind, len(studies), cached, all(e for _, e in places), place))
    each_look: float | None = getattr(model, "seconds_a_look", None)
    left = sum(each.films - each.cached for each in asked)
    return Explanation(tuple(asked), 0.0 if left == 0 else None if each_look is None else left * each_look, staged)


def _rows_of(part: exp.Query) -> exp.Query:
    """An inner query without its looks: every row that its tables allow."""
    bare = part.copy()
    for select in bare.find_all(exp.Select):
        for name in ("limit", "offset", "order", "where"):
            node = select.args.get(name)
            if node is not None and (name != "where" or has_looks(node)):
                select.set(name, None)
        shown: Sequence[exp.Expression] = select.expressions
        select.set("expressions", [_blank(each) for each in shown])
    return bare


def _blank(item: exp.Expression) -> exp.Expression:
    return exp.alias_(exp.null(), item.alias_or_name or "shown") if has_looks(item) else item
