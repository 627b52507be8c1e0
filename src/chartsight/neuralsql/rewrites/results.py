"""Answers come out of every engine as SQLite gives them: times are text, truth is 1 or 0, columns have one kind."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.kinds import common_kind, kind_of, with_kind
from chartsight.neuralsql.native import native, to_text
from chartsight.neuralsql.rewrites.base import EngineName, Settings
from chartsight.neuralsql.rewrites.functions import as_kind


def unify_branches(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """The two sides of UNION, INTERSECT and EXCEPT with columns of one kind.

    Raises:
        QueryError: One is text and the other numbers.
    """
    for operation in reversed(list(tree.find_all(exp.SetOperation))):
        sides = [list(_selects(operation.left)), list(_selects(operation.right))]
        for pair in zip(*(each[0].selects for each in sides), strict=False):
            kind = common_kind(pair)
            if len({kind_of(each) for each in pair} - {"null"}) < 2:
                continue
            place = sides[0][0].selects.index(pair[0])
            for select in (*sides[0], *sides[1]):
                _put(select.selects[place], lambda value, kind=kind: as_kind(value, kind, engine))
    return tree


def present_results(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """The outermost columns as SQLite would hand them out."""
    for select in _selects(tree):
        for projection in select.selects:
            _put(projection, lambda value: _presented(value, engine))
    return tree


def _selects(query: exp.Expression) -> list[exp.Select]:
    """The SELECTs whose rows a query gives."""
    if isinstance(query, exp.Subquery):
        return _selects(query.unnest())
    if isinstance(query, exp.SetOperation):
        return [*_selects(query.left), *_selects(query.right)]
    return [query] if isinstance(query, exp.Select) else []


def _put(projection: exp.Expression, convert: object) -> None:
    value = projection.this if isinstance(projection, exp.Alias) else projection
    converted = convert(value)  # type: ignore[operator]
    if converted is not value:
        value.replace(converted)


def _presented(value: exp.Expression, engine: EngineName) -> exp.Expression:
    kind = kind_of(value)
    if kind == "bool":
        return native(engine, "CAST(__x AS BIGINT)" if engine == "duckdb" else "CAST(__x AS INT)", "int", x=value)
    if kind in ("time", "date"):
        return with_kind(to_text(value, engine), "text")
    return value
