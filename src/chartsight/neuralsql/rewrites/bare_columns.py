"""Columns beside aggregates, of which a group has many values and SQLite shows one.

    SELECT subject_id, charttime, max(valuenum) FROM labevents GROUP BY subject_id

With one min or max, the row that holds it (SQLite's rule). Otherwise, and among equals, the first by row_id.

Source: https://sqlite.org/lang_select.html, section 2.5.
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings
from chartsight.neuralsql.rewrites.scopes import aggregates_of, cte_columns, row_keys, sources_of

_CLAUSES = ("expressions", "having", "order")


def pick_bare_columns(tree: exp.Query, settings: Settings) -> exp.Query:
    """Every such column as that of one numbered row of its group."""
    tables = cte_columns(tree)
    for select in list(tree.find_all(exp.Select)):
        group = select.args.get("group")
        if group is None and not aggregates_of(select):
            continue
        keys = list(group.expressions) if group is not None else []
        if bare := _bare_columns(select, keys):
            _rewrite(select, keys, bare, settings, tables)
    return tree


def _bare_columns(select: exp.Select, keys: list[exp.Expression]) -> list[exp.Column]:
    """Columns of this SELECT's tables outside of aggregates and of the expressions that it groups by."""
    aliases = {source.alias_or_name for source in sources_of(select)}
    aggregates = {id(node) for node in aggregates_of(select)}
    found: list[exp.Column] = []

    def search(node: exp.Expression) -> None:
        if id(node) in aggregates or node in keys:
            return
        if isinstance(node, exp.Column):
            if node.table in aliases:
                found.append(node)
            return
        for child in node.iter_expressions():
            search(child)

    for clause in _CLAUSES:
        value = select.args.get(clause)
        for root in value if isinstance(value, list) else [value] if value is not None else []:
            search(root)
    return found


def _rewrite(
    select: exp.Select, keys: list[exp.Expression], bare: list[exp.Column], settings: Settings,
    tables: dict[str, list[str]],
) -> None:  # fmt: skip
    """SELECT … FROM (SELECT every column in use, the number of the row in its group FROM …) GROUP BY …"""
    aliases = {source.alias_or_name for source in sources_of(select)}
    ordered = _order(select, row_keys(select, settings, tables), settings)
    number = exp.Window(
        this=exp.Anonymous(this="ROW_NUMBER"), partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=ordered),
    )  # fmt: skip
    number.meta["ordered"] = True  # completely: `order_ties` has nothing to add
    chosen = {id(column) for column in bare}
    used: dict[tuple[str, str], str] = {}
    outer = [*_roots(select), *(key for key in keys)]
    for root in outer:
        for column in list(root.find_all(exp.Column)):
            if column.table not in aliases:
                continue
            name = used.setdefault((column.table, column.name), f"c{len(used) + 1}")
            inside = exp.column(name, table="rows_of_groups")
            if id(column) in chosen:
                is_chosen = exp.EQ(this=exp.column("place", table="rows_of_groups"), expression=exp.Literal.number(1))
                inside = exp.Max(this=exp.Case(ifs=[exp.If(this=is_chosen, true=inside)]))
            column.replace(inside)
    inner = exp.Select(
        expressions=[
            *(exp.alias_(exp.column(column, table=table), name) for (table, column), name in used.items()),
            exp.alias_(number, "place"),
        ]
    )
    for clause in ("from_", "joins", "where"):
        inner.set(clause, select.args.get(clause))
        select.set(clause, None)
    select.set("from_", exp.From(this=inner.subquery("rows_of_groups")))


def _roots(select: exp.Select) -> list[exp.Expression]:
    roots: list[exp.Expression] = list(select.selects)
    return roots + [select.args[clause] for clause in ("having", "order") if select.args.get(clause) is not None]


def _order(select: exp.Select, keys: list[exp.Expression], settings: Settings) -> list[exp.Expression]:
    """First the row of the only min or max, then the order of all rows."""
    extremes = [node for node in aggregates_of(select) if isinstance(node, (exp.Min, exp.Max))]
    ordered: list[exp.Expression] = []
    if len({node.sql() for node in extremes}) == 1:
        value, is_max = extremes[0].this.copy(), isinstance(extremes[0], exp.Max)
        ordered += [
            exp.Ordered(this=exp.Is(this=value, expression=exp.Null()), desc=False, nulls_first=True),
            exp.Ordered(this=value.copy(), desc=is_max, nulls_first=not is_max),
        ]
    return ordered + order_keys(keys, settings)


def order_keys(keys: list[exp.Expression], settings: Settings) -> list[exp.Expression]:
    """Keys as they end an ORDER BY, nulls first; backwards to find out whether a tie decides."""
    is_last = settings.ties == "last"
    return [exp.Ordered(this=key.copy(), desc=is_last, nulls_first=not is_last) for key in keys]
