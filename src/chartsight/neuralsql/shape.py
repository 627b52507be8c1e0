"""A query in the shape that the planner reads; the rows stay the same.

    V = TRUE, V = 1, V IS TRUE          → V                     V = FALSE, V <> TRUE → NOT V
    JOIN b ON ... AND V                 → JOIN b ON TRUE WHERE ... AND V
    SELECT count(*) > 0 FROM t WHERE V  → SELECT (SELECT count(*) FROM t WHERE V) > 0
    (SELECT (...) > 0)                  → ((...) > 0)
    FROM (SELECT * FROM t WHERE V)      → merged into the query around it
    x IN (... LIMIT), EXISTS (... LIMIT 5) → without the LIMIT, under EXISTS

Every column carries its table, every table an alias of its own in the whole query: an inner query can then be laid
beside the outer one to ask which studies matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.merge_subqueries import merge_subqueries
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from chartsight.errors import QueryError
from chartsight.neuralsql.bounds import own_nodes, sources_of
from chartsight.neuralsql.looks import has_looks, is_look, truth_value

Tables = Mapping[str, Mapping[str, str]]


def shape_query(marked: exp.Query, tables: Tables) -> exp.Query:
    """The query as the planner reads it.

    Args:
        marked: Of `mark_calls`; not changed.
        tables: Table → column → type.

    Raises:
        QueryError: A column that no table has.
    """
    tree = marked.copy()
    inline_ctes(tree)
    tree = _qualified(tree, tables)
    simplify_truth(tree)
    move_joined_looks(tree)
    try:
        tree = cast(exp.Query, merge_subqueries(tree))
    except SqlglotError as error:
        raise QueryError("bad-query", "query", str(error).splitlines()[0]) from error
    for exists in tree.find_all(exp.Exists):
        _drop_limit(exists.this)
    tree = split_aggregates(tree)
    name_apart(tree)
    return tree


def _qualified(tree: exp.Query, tables: Tables) -> exp.Query:
    schema = {name: dict(columns) for name, columns in tables.items()}
    try:
        found = qualify(
            tree, schema=schema, dialect="sqlite", quote_identifiers=False, validate_qualify_columns=False,
            identify=False,
        )  # fmt: skip
    except (OptimizeError, SqlglotError) as error:
        raise QueryError("bad-query", "query", str(error).splitlines()[0]) from error
    return cast(exp.Query, found)


def inline_ctes(tree: exp.Query) -> None:
    """Each name of WITH replaced by its query where it is read, in place; a recursive one stays."""
    for with_ in list(tree.find_all(exp.With)):
        if with_.recursive or not has_looks(with_):
            continue
        owner = with_.parent
        for cte in with_.expressions:
            for table in list(owner.find_all(exp.Table)):
                if table.name.lower() == cte.alias.lower() and not table.db and table.find_ancestor(exp.CTE) is not cte:
                    derived = cte.this.copy().subquery(alias=table.alias or table.name, copy=False)
                    table.replace(derived)
        with_.pop()


def simplify_truth(tree: exp.Expression) -> None:
    """`V = TRUE` as V, `V = FALSE` as NOT V, in place."""
    for node in list(tree.find_all(exp.EQ, exp.NEQ, exp.Is)):
        for side, other in ((node.this, node.expression), (node.expression, node.this)):
            truth = truth_value(other)
            inner = side.unnest() if isinstance(side, exp.Paren) else side
            if truth is None or not (is_look(inner) or (has_looks(side) and isinstance(inner, exp.Exists))):
                continue
            negated = isinstance(node.parent, exp.Not) and isinstance(node, exp.Is)
            wanted = truth != isinstance(node, exp.NEQ)
            plain: exp.Expression = inner.copy() if wanted else exp.Not(this=inner.copy())
            node.replace(exp.paren(plain, copy=False) if negated else plain)
            break


def move_joined_looks(tree: exp.Expression) -> None:
    """Conditions with looks of inner joins put into WHERE, in place.

    Raises:
        QueryError: An outer join's condition looks at films.
    """
    for join in list(tree.find_all(exp.Join)):
        on = join.args.get("on")
        if not has_looks(on):
            continue
        if join.side:
            raise QueryError(
                "look-position", "FUNC_VQA", "in the condition of an outer join", "a look in WHERE, HAVING or SELECT"
            )
        select = cast(exp.Select, join.find_ancestor(exp.Select))
        join.set("on", exp.true())
        select.where(on, copy=False)


def _drop_limit(query: exp.Expression) -> None:
    """EXISTS asks for one row: LIMIT n (n > 0) and ORDER BY change nothing there."""
    if isinstance(query, exp.Select) and not query.args.get("offset"):
        limit = query.args.get("limit")
        if limit is None or (isinstance(limit.expression, exp.Literal) and int(limit.expression.this) > 0):
            query.set("limit", None)
            query.set("order", None)


def split_aggregates(tree: exp.Query) -> exp.Query:
    """Every aggregate over rows that a look picks as a query of its own; without groups they share nothing.

    A query without FROM that was only a shell around one value is that value.
    """
    for select in list(tree.find_all(exp.Select)):
        if _splits(select):
            _split(select)
    for shell in list(tree.find_all(exp.Subquery)):
        inner = shell.this
        in_from = isinstance(shell.parent, exp.From | exp.Join | exp.SetOperation | exp.In | exp.Exists)
        if in_from or not isinstance(inner, exp.Select) or len(inner.expressions) != 1 or shell.args.get("alias"):
            continue
        if sources_of(inner) or inner.args.get("where") or not has_looks(inner):
            continue
        value = inner.expressions[0].unalias()
        if not is_look(value):
            shell.replace(exp.paren(value.copy(), copy=False))
    return tree


def _splits(select: exp.Select) -> bool:
    if select.args.get("group") or select.args.get("having") or not sources_of(select) or select.args.get("distinct"):
        return False
    if not (has_looks(select.args.get("where")) or any(map(has_looks, sources_of(select)))):
        return False
    if any(own_nodes(select, exp.Window)) or (len(select.expressions) == 1 and _is_aggregate(select.expressions[0])):
        return False
    if has_looks_in_items(select):
        return False
    outside = [
        column for item in select.expressions for column in item.find_all(exp.Column)
        if column.find_ancestor(exp.AggFunc, exp.Select) is select
    ]  # fmt: skip
    return not outside and all(item.find(exp.AggFunc) for item in select.expressions)


def has_looks_in_items(select: exp.Select) -> bool:
    """Whether SELECT lists or shows a look."""
    return any(map(has_looks, select.expressions))


def _is_aggregate(item: exp.Expression) -> bool:
    return isinstance(item.unalias(), exp.AggFunc)


def _split(select: exp.Select) -> None:
    base = select.copy()
    for part in ("order", "limit", "offset"):
        base.set(part, None)
    for item in select.expressions:
        for aggregate in [each for each in item.find_all(exp.AggFunc) if each.find_ancestor(exp.Select) is select]:
            alone = base.copy()
            alone.set("expressions", [aggregate.copy()])
            aggregate.replace(alone.subquery(copy=False))
    for part in ("from_", "joins", "where", "order", "limit", "offset"):
        select.set(part, None)


def name_apart(tree: exp.Expression) -> None:
    """Gives every table of the query an alias that no other has, in place."""
    taken: set[str] = set()
    for scope in reversed(traverse_scope(tree)):
        for name in list(scope.sources):
            node = _node_of(scope, name)
            if node is None:
                continue
            new, n = name, 1
            while new.lower() in taken:
                n += 1
                new = f"{name}_{n}"
            taken.add(new.lower())
            if new == name and node.alias:
                continue
            for column in [*scope.columns, *(each for sub in _below(scope) for each in sub.external_columns)]:
                if column.table == name and _resolves(column, node):
                    column.set("table", exp.to_identifier(new))
            node.set("alias", exp.TableAlias(this=exp.to_identifier(new)))


def _node_of(scope: Scope, name: str) -> exp.Expression | None:
    for source in sources_of(scope.expression) if isinstance(scope.expression, exp.Select) else []:
        if source.alias_or_name == name:
            return source
    return None


def _below(scope: Scope) -> list[Scope]:
    return [*scope.subquery_scopes, *(each for sub in scope.subquery_scopes for each in _below(sub))]


def _resolves(column: exp.Column, node: exp.Expression) -> bool:
    """Whether the nearest table called so, from the column outwards, is `node`."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        for source in sources_of(select):
            if source.alias_or_name == column.table:
                return source is node
        select = select.find_ancestor(exp.Select)
    return False
