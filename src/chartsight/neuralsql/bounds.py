"""What is certain and what is possible while some looks have no answer: one query becomes two that enclose it.

    NOT EXISTS (... WHERE V)                V answered yes for study 1, no for 2, nothing for 3
    certain    NOT EXISTS (... WHERE study NOT IN (2))        unknown counts as yes under the NOT
    possible   NOT EXISTS (... WHERE study IN (1))            unknown counts as no

Kleene's logic as a pair: AND, OR, EXISTS, UNION and COUNT keep the side, NOT and the right of EXCEPT change it. SQL
alone would take an EXISTS over unknown rows for false. Where no such pair is known (AVG, windows, LIMIT in a subquery,
...) `NoBoundError` says why: then nothing is certain and everything possible, which is sound and not tight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, cast

from sqlglot import exp

from chartsight.neuralsql.looks import Call, has_looks, is_look, number_of, studies_of

Side = Literal["certain", "possible"]
OTHER: dict[Side, Side] = {"certain": "possible", "possible": "certain"}
SET_ITEM = "look_item"


class NoBoundError(Exception):
    """A construct above a look of which no sound pair is known; the message names it in words."""


class Bounds:
    """Writes the two queries for the calls of one query.

    Args:
        calls: Of the query.
        shown: Rows whose items are looked at: those that are certain; to count beforehand, those that are possible.
    """

    def __init__(self, calls: tuple[Call, ...], shown: Side = "certain") -> None:
        self.calls = {call.number: call for call in calls}
        self.shown = shown
        self._joined = 0

    # ------------------------------------------------------------------------------------------------------ predicates

    def predicate(self, node: exp.Expression, side: Side) -> exp.Expression:
        """A boolean expression that is true where `node` is certainly, or possibly, true.

        Raises:
            NoBoundError: It tests a look in a way of which no bound is known.
        """
        if not has_looks(node):
            return node.copy()
        if isinstance(node, exp.Paren):
            return exp.paren(self.predicate(node.this, side), copy=False)
        if isinstance(node, exp.And | exp.Or):
            sides = self.predicate(node.this, side), self.predicate(node.expression, side)
            return exp.paren(type(node)(this=sides[0], expression=sides[1]), copy=False)
        if isinstance(node, exp.Not):
            return exp.Not(this=exp.paren(self.predicate(node.this, self.under_not(side)), copy=False))
        if is_look(node):
            return self.look(cast(exp.Anonymous, node), side)
        if isinstance(node, exp.Exists):
            return exp.Exists(this=self.query(node.this, side))
        if isinstance(node, exp.In) and node.args.get("query") is not None and not has_looks(node.this):
            return exp.In(this=node.this.copy(), query=self.query(node.args["query"], side).subquery(copy=False))
        return self._comparison(node, side)

    def under_not(self, side: Side) -> Side:
        """The side on which a part stands whose whole is negated."""
        return OTHER[side]

    def _comparison(self, node: exp.Expression, side: Side) -> exp.Expression:
        if isinstance(node, exp.GT | exp.GTE):
            return type(node)(this=self.number(node.this, side), expression=self.number(node.expression, OTHER[side]))
        if isinstance(node, exp.LT | exp.LTE):
            return type(node)(this=self.number(node.this, OTHER[side]), expression=self.number(node.expression, side))
        if isinstance(node, exp.EQ):
            pair = (
                exp.GTE(this=node.this.copy(), expression=node.expression.copy()),
                exp.LTE(this=node.this.copy(), expression=node.expression.copy()),
            )
            return exp.paren(exp.And(this=self._comparison(pair[0], side), expression=self._comparison(pair[1], side)))
        if isinstance(node, exp.NEQ):
            same = exp.EQ(this=node.this.copy(), expression=node.expression.copy())
            return exp.Not(this=exp.paren(self._comparison(same, OTHER[side]), copy=False))
        if isinstance(node, exp.Between):
            low, high = node.args["low"], node.args["high"]
            lower = exp.GTE(this=node.this.copy(), expression=low.copy())
            upper = exp.LTE(this=node.this.copy(), expression=high.copy())
            return exp.paren(exp.And(this=self._comparison(lower, side), expression=self._comparison(upper, side)))
        raise NoBoundError(f"{node.key.upper()} over a look")

    def look(self, look: exp.Anonymous, side: Side) -> exp.Expression:
        """A call as a test against the table of its answers; NULL for a NULL study, as a function would give."""
        call = self.calls[number_of(look)]
        studies = studies_of(look)
        said = exp.column("said")
        if side == "certain":
            test = among(studies, call, said)
        else:
            test = exp.Not(this=among(studies, call, exp.Not(this=said)))
        return guarded(studies, [(None, test)])

    # --------------------------------------------------------------------------------------------------------- numbers

    def number(self, node: exp.Expression, side: Side) -> exp.Expression:
        """The least (certain) or the greatest (possible) value of a number that hangs on looks.

        Raises:
            NoBoundError: It is no count, or a count in an expression that is not monotone.
        """
        if not has_looks(node):
            return node.copy()
        if isinstance(node, exp.Paren):
            return exp.paren(self.number(node.this, side), copy=False)
        if isinstance(node, exp.Add):
            return exp.Add(this=self.number(node.this, side), expression=self.number(node.expression, side))
        if isinstance(node, exp.Sub):
            return exp.Sub(this=self.number(node.this, side), expression=self.number(node.expression, OTHER[side]))
        if isinstance(node, exp.Subquery) and is_count(node.this):
            return self.query(node.this, side).subquery(copy=False)
        raise NoBoundError("a value other than a count")

    # --------------------------------------------------------------------------------------------------------- queries

    def query(self, node: exp.Expression, side: Side) -> exp.Query:
        """A query whose rows are certainly, or possibly, rows of `node`; its counts the least, or the greatest.

        Raises:
            NoBoundError: A construct of which no bound is known.
        """
        if isinstance(node, exp.Subquery):
            return self.query(node.this, side)
        if not has_looks(node):
            return cast(exp.Query, node.copy())
        if isinstance(node, exp.SetOperation):
            if node.args.get("limit") or node.args.get("offset"):
                raise NoBoundError("LIMIT")
            right = self.right_of_except(side) if isinstance(node, exp.Except) else side
            made = node.copy()
            made.set("this", self.query(node.this, side))
            made.set("expression", self.query(node.expression, right))
            return cast(exp.Query, made)
        if isinstance(node, exp.Select):
            return self._select(node, side)
        raise NoBoundError(node.key.upper())

    def right_of_except(self, side: Side) -> Side:
        """The side on which the rows stand that are taken away."""
        return OTHER[side]

    def _select(self, node: exp.Select, side: Side) -> exp.Select:
        check_select(node)
        made = node.copy()
        for old, new in zip(sources_of(node), sources_of(made), strict=True):
            if has_looks(old):
                if not isinstance(old, exp.Subquery) or not keeps_rows(old):
                    raise NoBoundError("the outer side of a LEFT JOIN")
                new.set("this", self.query(old.this, side))
        if has_looks(node.args.get("where")):
            made.set("where", exp.Where(this=self.predicate(node.args["where"].this, side)))
        if has_looks(node.args.get("having")):
            raise NoBoundError("HAVING over a look")
        made.set("expressions", [self._item(each, side) for each in node.expressions])
        self.join_lists(made, side)
        return made

    def _item(self, node: exp.Expression, side: Side) -> exp.Expression:
        """An item of SELECT: a truth value of three states, a number's bound, or a list (joined afterwards)."""
        if not has_looks(node):
            return node.copy()
        if isinstance(node, exp.Alias):
            return exp.alias_(self._item(node.this, side), node.args["alias"].copy(), copy=False)
        if is_look(node) and self.calls[number_of(cast(exp.Anonymous, node))].kind == "set":
            return node.copy()
        if is_boolean(node):
            return self.three_valued(node)
        if isinstance(node, exp.Count):
            return node.copy()
        return self.number(node, side)

    def three_valued(self, node: exp.Expression) -> exp.Expression:
        """TRUE where a boolean is certain, FALSE where it is not even possible, else NULL."""
        certain, possible = self.predicate(node, "certain"), self.predicate(node, "possible")
        return exp.Case(ifs=[_when(certain, exp.true()), _when(possible, exp.null())], default=exp.false())

    def join_lists(self, select: exp.Select, side: Side | None) -> None:
        """Lists of a SELECT as joins with their tables, in place; `side` None takes what was answered."""
        for look in [each for each in looks_of_block(select) if self.calls[number_of(each)].kind == "set"]:
            call = self.calls[number_of(look)]
            self._joined += 1
            alias = f"{call.table}_{self._joined}"
            table = exp.alias_(
                exp.to_table(call.possible_table if side == "possible" else call.table), alias, table=True
            )
            on = [
                exp.EQ(this=exp.column(key, alias), expression=study.copy())
                for key, study in zip(call.keys, studies_of(look), strict=True)
            ]
            look.replace(exp.column(SET_ITEM, alias))
            if select.args.get("from_") is None:
                select.from_(table, copy=False).where(*on, copy=False)
            else:
                select.join(table, on=exp.and_(*on), copy=False)

    # ----------------------------------------------------------------------------------------------- as answered so far

    def as_answered(self, tree: exp.Query) -> exp.Query:
        """The query over the tables of answers, an unknown look as NULL: SQL's own three-valued logic."""
        made = tree.copy()
        for select in list(made.find_all(exp.Select)):
            self.join_lists(select, None)
        for look in looks_of(made):
            call, studies = self.calls[number_of(look)], studies_of(look)
            said = exp.column("said")
            yes, no = among(studies, call, said), among(studies, call, exp.Not(this=said.copy()))
            look.replace(guarded(studies, [(yes, exp.true()), (no, exp.false())]))
        return made


# ----------------------------------------------------------------------------------------------------- pieces of a tree


def among(studies: list[exp.Expression], call: Call, where: exp.Expression) -> exp.Expression:
    """`(study, ...) IN (SELECT look_study, ... FROM vqa_n WHERE ...)`."""
    table = exp.select(*call.keys).from_(call.table).where(where, copy=False)
    copies = [study.copy() for study in studies]
    return exp.In(this=copies[0] if len(copies) == 1 else exp.Tuple(expressions=copies), query=table.subquery())


def guarded(studies: list[exp.Expression], cases: list[tuple[exp.Expression | None, exp.Expression]]) -> exp.Expression:
    """CASE over a look: NULL where a study is NULL, then the cases; one without a condition is the rest."""
    is_null = exp.or_(*(exp.Is(this=study.copy(), expression=exp.null()) for study in studies))
    ifs = [_when(is_null, exp.null()), *(_when(test, value) for test, value in cases if test is not None)]
    rest = next((value for test, value in cases if test is None), None)
    return exp.Case(ifs=ifs, default=rest)


def _when(test: exp.Expression, value: exp.Expression) -> exp.If:
    return exp.If(this=test, true=value)


def surely(node: exp.Expression) -> exp.Expression:
    """TRUE where `node` is true, FALSE where it is false or NULL."""
    return exp.Case(ifs=[_when(node, exp.true())], default=exp.false())


def surely_not(node: exp.Expression) -> exp.Expression:
    """TRUE where `node` is false, FALSE where it is true or NULL."""
    return exp.Case(ifs=[_when(exp.Not(this=exp.paren(node, copy=False)), exp.true())], default=exp.false())


def is_boolean(node: exp.Expression) -> bool:
    """Whether an expression is a truth value by its form."""
    if isinstance(node, exp.Paren):
        return is_boolean(node.this)
    return is_look(node) or isinstance(node, exp.Connector | exp.Not | exp.Exists | exp.In | exp.Predicate)


def is_count(node: exp.Expression) -> bool:
    """Whether a query is one COUNT over rows, without groups."""
    if not isinstance(node, exp.Select) or len(node.expressions) != 1 or node.args.get("group"):
        return False
    return isinstance(node.expressions[0].unalias(), exp.Count) and not node.args.get("having")


def sources_of(select: exp.Select) -> list[exp.Expression]:
    """Tables and derived tables of FROM and JOIN, in order."""
    first = select.args.get("from_")
    return [*([first.this] if first else []), *(join.this for join in select.args.get("joins") or [])]


def keeps_rows(source: exp.Expression) -> bool:
    """Whether more rows of a source can only add rows to the join that it stands in."""
    select = cast(exp.Select, source.find_ancestor(exp.Select))
    sides = {(join.side or "").upper() for join in select.args.get("joins") or []}
    if not sides - {""}:
        return True
    return isinstance(source.parent, exp.From) and sides <= {"", "LEFT"}


def block_of(node: exp.Expression) -> exp.Select:
    """The SELECT that a node belongs to."""
    return cast(exp.Select, node.find_ancestor(exp.Select))


def looks_of_block(select: exp.Select) -> list[exp.Anonymous]:
    """Numbered calls of one SELECT, without those of its subqueries."""
    return [each for each in looks_of(select) if block_of(each) is select]


def looks_of(tree: exp.Expression) -> list[exp.Anonymous]:
    """Numbered calls below a node."""
    return [node for node in tree.find_all(exp.Anonymous) if is_look(node)]


def own_nodes(select: exp.Select, wanted: type[exp.Expression]) -> Iterator[exp.Expression]:
    """Nodes of a kind in one SELECT, without those of its subqueries."""
    return (node for node in select.find_all(wanted) if node is not select and block_of(node) is select)


def check_select(node: exp.Select, fail: Callable[[str], Exception] = NoBoundError) -> None:
    """Refuse a SELECT whose rows do not only grow with the rows below it.

    Raises:
        NoBoundError: It has one of those constructs.
    """
    if node.args.get("limit") or node.args.get("offset"):
        raise fail("LIMIT")
    if any(own_nodes(node, exp.Window)):
        raise fail("a window function")
    filtered = has_looks(node.args.get("where")) or any(map(has_looks, sources_of(node)))
    aggregates = list(own_nodes(node, exp.AggFunc))
    if filtered and any(not isinstance(each, exp.Count) for each in aggregates):
        raise fail("an aggregate other than COUNT")
    group = node.args.get("group")
    if filtered and (group or aggregates):
        keys = {each.sql() for each in group.expressions} if group else set()
        bare = [
            each for each in node.expressions
            if each.unalias().sql() not in keys and each.find(exp.Column) and not each.find(exp.AggFunc)
        ]  # fmt: skip
        if bare:
            raise fail("a bare column beside an aggregate")
        if node.args.get("having"):
            raise fail("HAVING above a look")
        if any(not isinstance(each.unalias(), exp.Count) for each in node.expressions if each.find(exp.AggFunc)):
            raise fail("arithmetic with a count")
