"""Which studies could matter: for every look of a query a search that lists them, given what was answered so far.

    SELECT p.subject_id FROM patients p WHERE p.age > 60
       AND EXISTS (SELECT 1 FROM tb_cxr c WHERE c.subject_id = p.subject_id AND FUNC_VQA("nodule?", c.study_id))

    search     SELECT DISTINCT p.subject_id, c.study_id FROM patients p JOIN tb_cxr c ON TRUE
               WHERE p.age > 60 AND c.subject_id = p.subject_id AND <the EXISTS is not decided> AND <not answered>

A look matters while everything above it is undecided: what stands beside it under AND is possible, under OR not
certain, the EXISTS, IN or comparison of a count around it neither certain nor impossible, its DISTINCT group not yet
found. The inner query is laid beside the outer one without LIMIT, DISTINCT or aggregate, so cheap conditions of both
cut the studies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.bounds import (
    Bounds,
    NoBoundError,
    block_of,
    is_boolean,
    looks_of,
    own_nodes,
    sources_of,
    surely,
    surely_not,
)
from chartsight.neuralsql.looks import (
    Call,
    Grammar,
    has_looks,
    kind_of_question,
    looks_in,
    mark_calls,
    number_of,
    studies_of,
)
from chartsight.neuralsql.shape import Tables, shape_query

Wanted = Literal["true", "false", "both"]  # which value of a part moves the whole
FLIPPED: dict[Wanted, Wanted] = {"true": "false", "false": "true", "both": "both"}


@dataclass(frozen=True)
class Search:
    """How the studies of one look are found.

    Args:
        call: What is asked.
        place: `where` when it picks rows, `item` when it is shown, `other` elsewhere.
        connective: What joins it to its neighbour: AND, OR or none.
        has_neighbours: Whether other looks may settle what it is asked for.
        block: Of looks in one WHERE the same number; they are asked row by row when the search exits early.
        query: Columns `group_0, ..., look_0, ...`, then `root_0, ...`; ordered; without those answered.
        n_outer: Groups of the outermost decision come first among the groups.
        n_groups: All groups.
        exits: Whether a group may be decided before all of it was looked at.
        roots: Under a LIMIT the rows in order: `root_0, ..., is_certain`, and how many are wanted.
    """

    call: Call
    place: Literal["where", "item", "other"]
    connective: Literal["and", "or"] | None
    has_neighbours: bool
    block: int
    query: exp.Select
    n_outer: int
    n_groups: int
    exits: bool
    roots: Roots | None = None


@dataclass(frozen=True)
class Roots:
    """Rows of a query with LIMIT, in their order.

    Args:
        query: Columns `root_0, ...` (what tells rows apart for a search), `item_0, ...` under DISTINCT, `is_certain`.
        n_keys: How many `root_` columns.
        n_items: How many `item_` columns; 0 without DISTINCT.
        wanted: LIMIT and OFFSET together.
    """

    query: exp.Select
    n_keys: int
    n_items: int
    wanted: int


@dataclass(frozen=True)
class Plan:
    """A query ready to be looked at and run.

    Args:
        text: The query with numbered calls, otherwise as it came.
        tree: The same in the planner's shape.
        calls: Its visual questions.
    """

    text: exp.Query
    tree: exp.Query
    calls: tuple[Call, ...]

    def bounds(self) -> Bounds:
        """Its two enclosing queries."""
        return Bounds(self.calls)


def plan(tree: exp.Query, tables: Tables, grammar: Grammar = kind_of_question) -> Plan:
    """The plan of a parsed query.

    Args:
        tree: Of `dialect.prepare`, or of sqlglot's SQLite.
        tables: Table → column → type, of what the query may read.
        grammar: Visual question → kind.

    Raises:
        QueryError: A look where none can stand.
    """
    marked, calls = mark_calls(tree, grammar)
    if not calls:
        return Plan(marked, marked, ())
    shaped = shape_query(marked, tables)
    made = Plan(marked, shaped, calls)
    for look in looks_of(shaped):
        _check_place(look, made.bounds())
    return made


def _check_place(look: exp.Anonymous, bounds: Bounds) -> None:
    block = block_of(look)
    if bounds.calls[number_of(look)].kind == "set" and (block.args.get("limit") or block.args.get("offset")):
        raise QueryError(
            "look-position", "FUNC_VQA", "a list beside LIMIT, which would cut the list",
            "LIMIT in a query in FROM: SELECT FUNC_VQA(...) FROM (SELECT ... LIMIT 1) AS t",
        )  # fmt: skip
    if look.find_ancestor(exp.Window, exp.Order, exp.Group) and look.find_ancestor(exp.Select) is block:
        inside = look.find_ancestor(exp.Window, exp.Order, exp.Group, exp.Select)
        if not isinstance(inside, exp.Select):
            raise QueryError("look-position", "FUNC_VQA", f"in {inside.key.upper()}", "in SELECT, WHERE or HAVING")


def searches(tree: exp.Query, bounds: Bounds) -> list[Search]:
    """One search for every look of a tree, in the order of the text."""
    looks = looks_in(tree)
    blocks = {id(select): n for n, select in enumerate(tree.find_all(exp.Select))}
    several = len(looks) > 1
    return [_search(look, bounds, blocks[id(block_of(look))], several) for look in looks]


def unbounded_parts(tree: exp.Query, bounds: Bounds) -> Iterator[exp.Query]:
    """Queries inside the tree, innermost first, that must be answered for themselves: nothing encloses them.

    "The film that first showed a nodule" (LIMIT over a look, in a subquery) is one.
    """
    inner = [each for each in tree.find_all(exp.Select, exp.SetOperation) if each is not tree and has_looks(each)]
    for query in reversed(inner):
        if not isinstance(query.parent, exp.Subquery | exp.In | exp.Exists) or _outer_columns(query):
            continue
        try:
            bounds.query(query, "possible")
        except NoBoundError:
            yield cast(exp.Query, query)


# ----------------------------------------------------------------------------------------------------------- one search


class _Frame:
    """Tables laid side by side, what must hold of their rows, and the columns that tell decisions apart."""

    def __init__(self, bounds: Bounds, block: exp.Select) -> None:
        self.bounds = bounds
        self.parts = [block]
        self.conditions: list[exp.Expression] = []
        self.groups: list[exp.Expression] = []
        self.n_outer = 0
        self.exits = False

    def select(self, items: list[exp.Expression], more: list[exp.Expression]) -> exp.Select:
        made = exp.Select(expressions=items)
        for part in self.parts:
            bare = part.copy()
            for old, new in zip(sources_of(part), sources_of(bare), strict=True):
                if has_looks(old):
                    new.set("this", self.bounds.query(cast(exp.Subquery, old).this, "possible"))
            first, joins = bare.args.get("from_"), bare.args.get("joins") or []
            if first is None:
                continue
            if made.args.get("from_") is None:
                made.set("from_", first)
                made.set("joins", joins)
            else:
                made.set("joins", [*made.args["joins"], exp.Join(this=first.this, kind="INNER", on=exp.true()), *joins])
        every = [*self.conditions, *more]
        return made.where(*(each.copy() for each in every), copy=False) if every else made


def _search(look: exp.Anonymous, bounds: Bounds, number: int, has_neighbours: bool) -> Search:
    call, block = bounds.calls[number_of(look)], block_of(look)
    frame = _Frame(bounds, block)
    place = _place(look, block)
    where = block.args.get("where")
    if place == "where":
        frame.conditions += _path(look, where.this, "true", bounds)
    elif place == "item":
        frame.conditions += _path(look, _item_of(look, block), "both", bounds)
        if where is not None:
            frame.conditions.append(_rows_shown(where.this, bounds))
    elif where is not None:
        frame.conditions.append(_either(where.this, "possible", bounds, default=exp.true()))
    if place == "where" and block.args.get("distinct") and not any(map(has_looks, block.expressions)):
        _only_new_groups(frame, block, [each.unalias() for each in block.expressions])
    if place == "where" and len(block.expressions) == 1 and not block.args.get("group"):
        counted = block.expressions[0].unalias()
        if isinstance(counted, exp.Count) and isinstance(counted.this, exp.Distinct):
            _only_new_groups(frame, block, list(counted.this.expressions))
    top = _climb(frame, block)

    studies = studies_of(look)
    asked = [exp.Not(this=exp.Is(this=study.copy(), expression=exp.null())) for study in studies]
    limited = _limit_of(top, block, place)
    keys = _root_keys(top) if limited == "rows" else []
    items = [each.copy().as_(f"group_{n}") for n, each in enumerate(frame.groups)]
    items += [each.copy().as_(f"look_{n}") for n, each in enumerate(studies)]
    items += [each.copy().as_(f"root_{n}") for n, each in enumerate(keys)]
    if limited == "items":
        query = _first_rows(frame, cast(exp.Select, top), items, asked)
    else:
        query = frame.select(items, asked).distinct(copy=False)
    return Search(
        call=call,
        place=place,
        connective=_connective(look),
        has_neighbours=has_neighbours,
        block=number,
        query=query,
        n_outer=frame.n_outer if limited != "rows" else 0,
        n_groups=len(frame.groups),
        exits=frame.exits or limited == "rows",
        roots=_roots(cast(exp.Select, top), keys, bounds) if limited == "rows" else None,
    )


def _place(look: exp.Expression, block: exp.Select) -> Literal["where", "item", "other"]:
    node: exp.Expression = look
    while node.parent is not block:
        node = cast(exp.Expression, node.parent)
    return "where" if node.arg_key == "where" else "item" if node.arg_key == "expressions" else "other"


def _item_of(look: exp.Expression, block: exp.Select) -> exp.Expression:
    node: exp.Expression = look
    while node.parent is not block:
        node = cast(exp.Expression, node.parent)
    return node


def _connective(look: exp.Expression) -> Literal["and", "or"] | None:
    node, negated = look.parent, False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.parent
    if not isinstance(node, exp.And | exp.Or):
        return None
    return "and" if isinstance(node, exp.And) != negated else "or"


# ------------------------------------------------------------------------------------------------- what is undecided


def _path(node: exp.Expression, top: exp.Expression, wanted: Wanted, bounds: Bounds) -> list[exp.Expression]:
    """What must hold between a node and the top of its clause for the node to matter."""
    chain = []
    child = node
    while child is not top:
        parent = cast(exp.Expression, child.parent)
        chain.append((child, parent))
        child = parent
    conditions: list[exp.Expression] = []
    for child, parent in reversed(chain):
        if isinstance(parent, exp.Not):
            wanted = FLIPPED[wanted]
        elif isinstance(parent, exp.And | exp.Or):
            sibling = parent.expression if parent.this is child else parent.this
            conditions += _beside(sibling, parent, wanted, bounds)
        elif isinstance(parent, exp.Predicate) and parent.find(exp.Subquery, exp.Exists):
            conditions += undecided(parent, wanted, bounds)
            wanted = "both"
        elif not isinstance(parent, exp.Paren | exp.Alias):
            wanted = "both"
    if is_boolean(node) and isinstance(node, exp.Exists | exp.In):
        conditions += undecided(node, wanted, bounds)
    return conditions


def _beside(sibling: exp.Expression, parent: exp.Expression, wanted: Wanted, bounds: Bounds) -> list[exp.Expression]:
    """What a neighbour under AND or OR must leave open."""
    try:
        if isinstance(parent, exp.And):
            possible = bounds.predicate(sibling, "possible")
            return [surely(possible)] if wanted == "true" else [exp.Not(this=surely_not(possible))]
        certain = bounds.predicate(sibling, "certain")
        return [surely_not(certain)] if wanted == "false" else [exp.Not(this=surely(certain))]
    except NoBoundError:
        return []


def undecided(node: exp.Expression, wanted: Wanted, bounds: Bounds) -> list[exp.Expression]:
    """Conditions under which the truth of a node still hangs on looks."""
    try:
        certain, possible = bounds.predicate(node, "certain"), bounds.predicate(node, "possible")
    except NoBoundError:
        return []
    if wanted == "true":
        return [surely(possible), exp.Not(this=surely(certain))]
    if wanted == "false":
        return [surely_not(certain), exp.Not(this=surely_not(possible))]
    return [exp.Not(this=surely(certain)), exp.Not(this=surely_not(possible))]


def _either(
    node: exp.Expression, side: Literal["certain", "possible"], bounds: Bounds, default: exp.Expression
) -> exp.Expression:
    try:
        return bounds.predicate(node, side)
    except NoBoundError:
        return default


def _rows_shown(where: exp.Expression, bounds: Bounds) -> exp.Expression:
    """Rows whose items will be shown."""
    return _either(where, bounds.shown, bounds, default=exp.true())


def _only_new_groups(frame: _Frame, block: exp.Select, items: list[exp.Expression]) -> None:
    """Under DISTINCT a group that was found needs no further look."""
    if not items or any(each.find(exp.AggFunc) for each in items):
        return
    bounds, inner = frame.bounds, block.copy()
    for part in ("distinct", "order", "limit", "offset", "group", "having"):
        inner.set(part, None)
    inner.set("expressions", [each.copy() for each in items])
    try:
        found = bounds.query(inner, "certain")
    except NoBoundError:
        return
    tested = items[0].copy() if len(items) == 1 else exp.Tuple(expressions=[each.copy() for each in items])
    frame.conditions.append(exp.Not(this=surely(exp.In(this=tested, query=found.subquery(copy=False)))))
    frame.groups += items
    frame.n_outer = len(frame.groups)
    frame.exits = True


# ------------------------------------------------------------------------------------------------------------ climbing


def _climb(frame: _Frame, block: exp.Select) -> exp.Expression:
    """Adds what the queries around `block` ask of its rows; gives the outermost query that was reached."""
    node: exp.Expression = block
    while True:
        holder = node.parent
        if holder is None or isinstance(holder, exp.From | exp.Join | exp.CTE):
            return node.unnest() if isinstance(node, exp.Subquery) else node
        if isinstance(holder, exp.SetOperation) or (isinstance(holder, exp.Subquery) and _is_wrapper(holder)):
            node = holder
            continue
        outer = cast(exp.Select, holder.find_ancestor(exp.Select))
        clause = _item_of(holder, outer)
        conditions = _conditions_around(holder, outer, clause, frame.bounds)
        exits = isinstance(holder, exp.Exists | exp.In) or _decides(holder, clause, frame.bounds)
        keys = _outer_columns(node)
        if isinstance(holder, exp.In):
            keys += [each for each in _in_keys(holder, node, frame) if each not in keys]
        if not keys:
            frame.conditions += _gate(outer, conditions, frame.bounds)
            if exits:
                frame.n_outer, frame.exits = 0, True
            return outer if not sources_of(outer) else node
        before = [each for each in frame.groups[: frame.n_outer] if each not in keys]
        frame.groups = [*keys, *(each for each in frame.groups if each not in keys)]
        frame.n_outer = len(keys) if exits else len(keys) + len(before)
        frame.exits |= exits
        frame.parts = [outer, *frame.parts]
        frame.conditions += conditions
        node = outer


def _is_wrapper(subquery: exp.Subquery) -> bool:
    """Whether a subquery is the parentheses of IN, EXISTS, FROM or a set operation, and no value."""
    return isinstance(
        subquery.parent, exp.In | exp.Exists | exp.From | exp.Join | exp.SetOperation | exp.Subquery | None
    )


def _conditions_around(
    holder: exp.Expression, outer: exp.Select, clause: exp.Expression, bounds: Bounds
) -> list[exp.Expression]:
    """What the outer query asks of its own rows for the inner one to matter."""
    where = outer.args.get("where")
    if clause is where:
        return _path(holder, where.this, "true", bounds)
    conditions = _path(holder, clause, "both", bounds) if clause.arg_key == "expressions" else []
    if where is not None:
        shown = _rows_shown(where.this, bounds) if clause.arg_key == "expressions" else None
        conditions.append(shown or _either(where.this, "possible", bounds, default=exp.true()))
    return conditions


def _decides(holder: exp.Expression, clause: exp.Expression, bounds: Bounds) -> bool:
    """Whether a value from a subquery is compared, with known bounds, before anybody sees it."""
    node = holder
    while node is not clause and node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Predicate):
            return bool(undecided(node, "true", bounds))
    return False


def _in_keys(holder: exp.In, node: exp.Expression, frame: _Frame) -> list[exp.Expression]:
    """`x IN (SELECT y ...)` as rows of both with x = y, when the inner rows are plain."""
    inner = node.unnest() if isinstance(node, exp.Subquery) else node
    if inner is not frame.parts[0] or not isinstance(inner, exp.Select) or len(inner.expressions) != 1:
        return []
    item = inner.expressions[0].unalias()
    if item.find(exp.AggFunc, exp.Window) or has_looks(item) or has_looks(holder.this):
        return []
    frame.conditions.append(exp.EQ(this=holder.this.copy(), expression=item.copy()))
    return list(holder.this.find_all(exp.Column))


def _gate(outer: exp.Select, conditions: list[exp.Expression], bounds: Bounds) -> list[exp.Expression]:
    """An inner query that hangs on no outer row matters when some outer row leaves it open."""
    if not sources_of(outer):
        return conditions
    gate = _Frame(bounds, outer)
    gate.conditions = conditions
    _climb(gate, outer)
    return [exp.Exists(this=gate.select([exp.Literal.number(1)], []))]


def _outer_columns(query: exp.Expression) -> list[exp.Expression]:
    """Columns in a query whose tables stand outside of it."""
    inside = {
        source.alias_or_name for select in query.find_all(exp.Select) for source in sources_of(select)
    }  # fmt: skip
    found: list[exp.Expression] = []
    for column in query.find_all(exp.Column):
        if column.table and column.table not in inside and column not in found:
            found.append(column)
    return found


# --------------------------------------------------------------------------------------------------------------- LIMIT


def _limit_of(
    top: exp.Expression, block: exp.Select, place: Literal["where", "item", "other"]
) -> Literal["rows", "items"] | None:
    """Whether LIMIT of the outermost query cuts rows that looks pick, or rows whose looks are shown."""
    if not isinstance(top, exp.Select) or top.args.get("limit") is None or not sources_of(top):
        return None
    if limit_of(top) is None or any(own_nodes(top, exp.Window)) or top.args.get("group"):
        return None
    if any(own_nodes(top, exp.AggFunc)) or any(map(has_looks, sources_of(top))):
        return None
    if top is block and place == "item":
        return None if top.args.get("distinct") else "items"
    return "rows" if has_looks(top.args.get("where")) and not any(map(has_looks, top.expressions)) else None


def limit_of(select: exp.Query) -> tuple[int, int] | None:
    """LIMIT and OFFSET as numbers; None when they are no literals."""
    numbers = []
    for part in ("limit", "offset"):
        node = select.args.get(part)
        if node is None:
            numbers.append(0)
            continue
        value = node.expression
        if not isinstance(value, exp.Literal) or value.is_string or not str(value.this).isdigit():
            return None
        numbers.append(int(value.this))
    return numbers[0], numbers[1]


def _root_keys(top: exp.Expression) -> list[exp.Expression]:
    """Columns of the outermost rows on which a look hangs, and those that order them."""
    select = cast(exp.Select, top)
    names = {source.alias_or_name for source in sources_of(select)}
    where = cast(exp.Expression, select.args["where"].this)
    parts = list(where.flatten()) if isinstance(where, exp.And) else [where]
    below = [each for part in parts if has_looks(part) for each in part.find_all(exp.Column) if each.table in names]
    keys: list[exp.Expression] = []
    for column in [*below, *_order_columns(select, names)]:
        if column not in keys:
            keys.append(column)
    return keys


def _order_columns(select: exp.Select, names: set[str]) -> list[exp.Expression]:
    order = ordered_by_source(select) if select.args.get("order") else None
    return [each for each in order.find_all(exp.Column) if each.table in names] if order else []


def _roots(top: exp.Select, keys: list[exp.Expression], bounds: Bounds) -> Roots | None:
    where = top.args["where"].this
    try:
        certain, possible = bounds.predicate(where, "certain"), bounds.predicate(where, "possible")
    except NoBoundError:
        return None
    rows = _Frame(bounds, top)
    rows.conditions = [possible]
    shown = [each.unalias() for each in top.expressions] if top.args.get("distinct") else []
    items = [each.copy().as_(f"root_{n}") for n, each in enumerate(keys)]
    items += [each.copy().as_(f"item_{n}") for n, each in enumerate(shown)]
    query = rows.select([*items, surely(certain).as_("is_certain")], [])
    if top.args.get("order"):
        query.set("order", ordered_by_source(top))
    limit, offset = cast(tuple[int, int], limit_of(top))
    return Roots(query, len(keys), len(shown), limit + offset)


def ordered_by_source(select: exp.Select) -> exp.Order:
    """ORDER BY with the names of items replaced by what they stand for."""
    named = {each.alias: each.unalias() for each in select.expressions if isinstance(each, exp.Alias)}
    order = cast(exp.Order, select.args["order"].copy())
    for each in order.expressions:
        if isinstance(each.this, exp.Literal) and not each.this.is_string:
            each.set("this", select.expressions[int(each.this.name) - 1].unalias().copy())
    for column in list(order.find_all(exp.Column)):
        if not column.table and column.name in named:
            column.replace(named[column.name].copy())
    return order


def _first_rows(frame: _Frame, top: exp.Select, items: list[exp.Expression], asked: list[exp.Expression]) -> exp.Select:
    """Only the rows that LIMIT leaves show their looks."""
    inner = frame.select(items, [])
    if top.args.get("order"):
        inner.set("order", ordered_by_source(top))
    for part in ("limit", "offset"):
        if top.args.get(part):
            inner.set(part, top.args[part].copy())
    names = [each.alias for each in items]
    known = [exp.Not(this=exp.Is(this=exp.column(name), expression=exp.null())) for name in names if "look" in name]
    made = exp.select(*names).distinct().from_(inner.subquery("shown", copy=False), copy=False)
    return made.where(*known, copy=False) if asked else made
