"""What the rewrites of stable mode ask of a SELECT: its tables, its own nodes, and an order of all its rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from chartsight.neuralsql.kinds import annotate
from chartsight.neuralsql.rewrites.base import Settings, call_name

ROW_ID = "row_id"


def own_nodes(select: exp.Expression, *, clauses: tuple[str, ...] = ()) -> Iterator[exp.Expression]:
    """The nodes of a SELECT that belong to no query inside of it; of some clauses only, when they are named."""
    roots = [select]
    if clauses:
        roots = []
        for clause in clauses:
            value = select.args.get(clause)
            roots += value if isinstance(value, list) else [value] if value is not None else []
    for root in roots:
        for node in root.walk(prune=lambda each: isinstance(each, exp.Query) and each is not select):
            if not (isinstance(node, exp.Query) and node is not select):
                yield node


def aggregates_of(select: exp.Select) -> list[exp.Expression]:
    """The aggregates of a SELECT that are not computed over a window."""
    return [
        node
        for node in own_nodes(select, clauses=("expressions", "having", "order"))
        if _is_aggregate(node) and not isinstance(node.parent, exp.Window)
    ]


def _is_aggregate(node: exp.Expression) -> bool:
    if isinstance(node, exp.Anonymous):
        return call_name(node) == "total"
    return isinstance(node, (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.GroupConcat))


def sources_of(select: exp.Select) -> list[exp.Expression]:
    """The tables and subqueries of FROM and its joins, in their order."""
    found = select.args.get("from_")
    return [found.this, *(join.this for join in select.args.get("joins") or [])] if found is not None else []


def row_keys(select: exp.Select, settings: Settings, tables: dict[str, list[str]]) -> list[exp.Expression]:
    """Columns that put the rows behind a SELECT into one order: each table's row_id, else all of its columns.

    Args:
        select: Qualified.
        settings: With the record's tables.
        tables: Columns of the common table expressions of the query, by name.
    """
    keys: list[exp.Expression] = []
    for source in sources_of(select):
        alias = source.alias_or_name
        if isinstance(source, exp.Subquery):
            columns = [projection.alias_or_name for projection in source.unnest().selects]
        else:
            known = settings.tables.get(source.name) or {}
            columns = tables.get(source.name) or ([ROW_ID] if ROW_ID in known else list(known))
        keys += [exp.column(column, table=alias) for column in columns]
    return keys


def cte_columns(tree: exp.Query) -> dict[str, list[str]]:
    """Common table expression → its columns."""
    return {cte.alias: [each.alias_or_name for each in cte.this.selects] for cte in tree.find_all(exp.CTE)}


def reannotate(tree: exp.Query, settings: Settings) -> exp.Query:
    """Kinds for the columns that rewrites have added."""
    return annotate(tree, settings.tables)
