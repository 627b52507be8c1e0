"""A subquery in the place of a value has many rows: SQLite takes the first, other engines stop."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings
from chartsight.neuralsql.rewrites.scopes import aggregates_of


def take_first_row(tree: exp.Query, settings: Settings) -> exp.Query:
    """`(SELECT …)` as a value with LIMIT 1, unless it can have one row only; `order_ties` says which row is first."""
    for subquery in list(tree.find_all(exp.Subquery)):
        if isinstance(subquery.parent, (exp.From, exp.Join, exp.In, exp.SetOperation, exp.Subquery, exp.Exists)):
            continue
        query = subquery.unnest()
        if isinstance(query, exp.Select) and (
            not query.args.get("from_") or (aggregates_of(query) and not query.args.get("group"))
        ):
            continue
        limit = query.args.get("limit")
        if limit is None or limit.expression.name != "1":
            query.set("limit", exp.Limit(expression=exp.Literal.number(1)))
    return tree
