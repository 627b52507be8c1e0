"""DISTINCT rows in an order that they do not show: which of the equal rows says where they stand?

SELECT DISTINCT a FROM t ORDER BY b        what SQLite reads
SELECT a FROM t GROUP BY a ORDER BY b      the same, where `b` is a column beside groups (`bare_columns`)
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.rewrites.base import Settings
from chartsight.neuralsql.rewrites.scopes import aggregates_of, own_nodes


def group_distinct(tree: exp.Query, settings: Settings) -> exp.Query:
    """DISTINCT as groups where ORDER BY names something else.

    Raises:
        QueryError: There are aggregates or windows as well.
    """
    for select in list(tree.find_all(exp.Select)):
        order = select.args.get("order")
        if not select.args.get("distinct") or order is None:
            continue
        shown = [projection.this if isinstance(projection, exp.Alias) else projection for projection in select.selects]
        names = {projection.alias_or_name for projection in select.selects}
        hidden = [
            each.this
            for each in order.expressions
            if each.this not in shown and not _is_named(each.this, names) and not each.this.is_int
        ]
        if not hidden:
            continue
        if (
            select.args.get("group")
            or aggregates_of(select)
            or any(isinstance(node, exp.Window) for node in own_nodes(select))
        ):
            raise QueryError(
                "bad-order",
                "query",
                "distinct groups are ordered by what they do not show",
                "ORDER BY a selected column",
            )
        select.set("distinct", None)
        select.set("group", exp.Group(expressions=[each.copy() for each in shown]))
    return tree


def _is_named(node: exp.Expression, names: set[str]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name in names
