"""All rows that a limit could have meant, when its order leaves some of them equal.

    SELECT drug FROM prescriptions ORDER BY starttime LIMIT 1
    SELECT drug FROM (SELECT drug, rank() OVER (ORDER BY starttime) AS lowest_place, …) WHERE lowest_place <= 1

For finding out whether a published answer is one of them; no answer is given so.
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings
from chartsight.neuralsql.rewrites.ties import point_at_columns

_ALIAS = "rows_in_order"


def keep_all_ties(tree: exp.Query, settings: Settings) -> exp.Query:
    """Every limited query with all rows that could stand in its places; `= (SELECT …)` compares with each of them.

    Does nothing unless `settings.ties` is `all`.
    """
    if settings.ties != "all":
        return tree
    for query in reversed(list(tree.find_all(exp.Select, exp.SetOperation))):
        if query.args.get("limit") is None:
            continue
        found = _with_ties(query)
        parent = query.parent
        if isinstance(parent, exp.Subquery) and isinstance(parent.parent, exp.EQ):
            equal = parent.parent
            other = equal.left if equal.right is parent else equal.right
            equal.replace(exp.In(this=other.copy(), query=found.subquery()))
        elif query is tree:
            tree = found
        else:
            query.replace(found)
    return tree


def _with_ties(query: exp.Query) -> exp.Select:
    limit = int(query.args["limit"].expression.name)
    offset = query.args.get("offset")
    skipped = int(offset.expression.name) if offset is not None else 0
    rows = query.copy()
    for key in ("limit", "offset", "order"):
        rows.set(key, None)
    names = [projection.alias_or_name for projection in query.selects]
    order = query.args.get("order")
    ordered = []
    if order is not None:
        order = order.copy()
        point_at_columns(query, order)
        for place, each in enumerate(order.expressions, 1):
            if each.this.is_int:
                name = names[int(each.this.name) - 1]
            else:
                name = f"key_{place}"
                rows.append("expressions", exp.alias_(each.this.copy(), name))
            column = exp.column(exp.to_identifier(name, quoted=True), table=_ALIAS)
            ordered.append(exp.Ordered(this=column, desc=each.args.get("desc"), nulls_first=each.args["nulls_first"]))
    over = exp.Order(expressions=ordered) if ordered else None
    lowest = exp.Window(this=exp.Anonymous(this="RANK"), order=over.copy() if over else None)
    highest = exp.Window(this=exp.Count(this=exp.Star()), order=over)
    shown = [exp.column(exp.to_identifier(name, quoted=True)) for name in names]
    placed = exp.select(*shown, exp.alias_(lowest, "lowest_place"), exp.alias_(highest, "highest_place"))
    placed = placed.from_(rows.subquery(_ALIAS))
    last = exp.Literal.number(limit + skipped)
    return (
        exp.select(*(each.copy() for each in shown))
        .from_(placed.subquery("placed_rows"))
        .where(exp.LTE(this=exp.column("lowest_place"), expression=last))
        .where(exp.GT(this=exp.column("highest_place"), expression=exp.Literal.number(skipped)))
    )
