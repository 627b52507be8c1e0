"""Rows that ORDER BY leaves equal, in an order of their own: by row_id, of groups by all that they are grouped by.

SELECT drug FROM prescriptions ORDER BY starttime LIMIT 1
SELECT drug FROM prescriptions ORDER BY starttime, row_id LIMIT 1
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.bare_columns import order_keys
from chartsight.neuralsql.rewrites.base import Settings, call_name
from chartsight.neuralsql.rewrites.scopes import aggregates_of, cte_columns, row_keys

_NUMBERING = frozenset({"row_number", "ntile", "lag", "lead", "first_value"})


def order_ties(tree: exp.Query, settings: Settings) -> exp.Query:
    """Every order on which a row, a limit or a number depends, made complete."""
    tables = cte_columns(tree)
    for window in list(tree.find_all(exp.Window)):
        select = window.find_ancestor(exp.Select)
        if call_name(window.this) in _NUMBERING and isinstance(select, exp.Select) and "ordered" not in window.meta:
            keys = _keys(select, settings, tables)
            order = window.args.get("order") or exp.Order(expressions=[])
            _append(order, keys, settings)
            window.set("order", order)
    for query in list(tree.find_all(exp.Select, exp.SetOperation)):
        if not (query.args.get("limit") or (query is tree and query.args.get("order"))):
            continue
        order = query.args.get("order") or exp.Order(expressions=[])
        if isinstance(query, exp.SetOperation) or query.args.get("distinct"):
            point_at_columns(query, order)
            keys = [exp.Literal.number(place) for place in range(1, len(query.selects) + 1)]
        else:
            named = {each.alias: each.this for each in query.selects if isinstance(each, exp.Alias)}
            called = [each.this for each in order.expressions if isinstance(each.this, exp.Column)]
            shown = [named.get(column.name) for column in called if not column.table]
            keys = [key for key in _keys(query, settings, tables) if key not in shown]
        _append(order, keys, settings)
        query.set("order", order if order.expressions else None)
    return tree


def _keys(select: exp.Select, settings: Settings, tables: dict[str, list[str]]) -> list[exp.Expression]:
    group = select.args.get("group")
    if group is not None:
        return [each for each in group.expressions if not isinstance(each, exp.Literal)]
    return [] if aggregates_of(select) else row_keys(select, settings, tables)


def point_at_columns(query: exp.Query, order: exp.Order) -> None:
    """ORDER BY of distinct rows, or of a set, by the number of the column, which may be presented otherwise later."""
    shown = [projection.this if isinstance(projection, exp.Alias) else projection for projection in query.selects]
    names = [projection.alias_or_name for projection in query.selects]
    for each in order.expressions:
        if each.this in shown:
            each.set("this", exp.Literal.number(shown.index(each.this) + 1))
        elif isinstance(each.this, exp.Column) and not each.this.table and each.this.name in names:
            each.set("this", exp.Literal.number(names.index(each.this.name) + 1))


def _append(order: exp.Order, keys: list[exp.Expression], settings: Settings) -> None:
    present = [each.this for each in order.expressions]
    order.set("expressions", [*order.expressions, *order_keys([key for key in keys if key not in present], settings)])
