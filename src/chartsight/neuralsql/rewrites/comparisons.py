"""Comparisons under SQLite's affinities, where other engines refuse, or convert another side.

    subject_id = '10020740'        the column is a number: so becomes the text
    dose_val_rx = 20               the column is text: '20', which is not '20.0'
    strftime('%Y', dob) = 2100     neither has an affinity: a number is less than any text

Source: https://sqlite.org/datatype3.html, section 4.2.
"""

from __future__ import annotations

import re

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.kinds import CLOCKED, NUMBERS, Affinity, affinity_of, kind_of
from chartsight.neuralsql.native import WHOLE_NUMBER, is_numeric_text, native, to_number, to_text
from chartsight.neuralsql.rewrites.base import EngineName, Settings, deepest_first

_ORDER = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.Is: "IS NOT DISTINCT FROM",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
_NUMBER_IS_LESS = {"=": False, "<>": True, ">": False, ">=": False, "<": True, "<=": True}
_CANONICAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def translate_comparisons(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """Every comparison between values of two kinds, with its sides converted as SQLite converts them.

    Raises:
        QueryError: IN with a subquery of the other kind.
    """
    for node in deepest_first(tree, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ):
        compared = compare(_ORDER[type(node)], node.left, node.right, engine)
        if compared is not None:
            node.replace(compared)
    for node in deepest_first(tree, exp.Is):
        if not isinstance(node.expression, exp.Null):
            node.replace(_compare_always("IS NOT DISTINCT FROM", node.this, node.expression, engine))
    for node in deepest_first(tree, exp.Between):
        low, high = node.args["low"], node.args["high"]
        pair = compare(">=", node.this, low, engine), compare("<=", node.this, high, engine)
        if any(each is not None for each in pair):
            lower = pair[0] if pair[0] is not None else exp.GTE(this=node.this.copy(), expression=low.copy())
            upper = pair[1] if pair[1] is not None else exp.LTE(this=node.this.copy(), expression=high.copy())
            node.replace(exp.paren(exp.and_(lower, upper), copy=False))
    for node in deepest_first(tree, exp.In):
        _translate_in(node, engine)
    for node in deepest_first(tree, exp.Case):
        subject = node.this
        if subject is not None:
            for branch in node.args["ifs"]:
                branch.set("this", _compare_always("=", subject, branch.this, engine))
            node.set("this", None)
    return tree


def _compare_always(symbol: str, left: exp.Expression, right: exp.Expression, engine: EngineName) -> exp.Expression:
    found = compare(symbol, left, right, engine)
    return found if found is not None else native(engine, f"__a {symbol} __b", "bool", a=left, b=right)


def compare(symbol: str, left: exp.Expression, right: exp.Expression, engine: EngineName) -> exp.Expression | None:
    """The comparison in the engine's SQL; None when it is right as it stands."""
    if isinstance(left, exp.Tuple) or isinstance(right, exp.Tuple):
        return None  # row values of one kind each, as they stand
    kinds = kind_of(left), kind_of(right)
    if "null" in kinds or kinds[0] == kinds[1]:
        return None

    def plain(one: exp.Expression, other: exp.Expression) -> exp.Expression:
        return native(engine, f"__a {symbol} __b", "bool", a=one, b=other)

    if set(kinds) <= NUMBERS:
        return plain(to_number(left, engine), to_number(right, engine)) if "bool" in kinds else None
    if not set(kinds) & NUMBERS:
        return _compare_texts(symbol, left, right, engine)
    if kinds[1] in NUMBERS:
        turned = compare(_turned(symbol), right, left, engine)
        assert turned is not None  # a number is left of something else
        return turned
    number, text = to_number(left, engine), to_text(right, engine)
    affinities: tuple[Affinity, Affinity] = affinity_of(left), affinity_of(right)
    never = native(engine, _class_order(symbol), "bool", a=number, b=text)
    if kinds[1] in CLOCKED:
        return never
    if affinities[1] == "text" and affinities[0] is None:
        return plain(to_text(left, engine), text)
    if "numeric" not in affinities:
        return never
    if right.is_string:
        if re.fullmatch(WHOLE_NUMBER, right.name):
            return plain(number, exp.Literal.number(right.name.strip().lstrip("+")))
        return never
    fits = is_numeric_text(text, engine)
    return native(
        engine, f"CASE WHEN __f THEN __a {symbol} __n ELSE __o END", "bool",
        f=fits, a=number, n=to_number(text, engine), o=never,
    )  # fmt: skip


def _compare_texts(symbol: str, left: exp.Expression, right: exp.Expression, engine: EngineName) -> exp.Expression:
    """Times, dates and texts among each other: as text, unless both can be times."""
    for one, other, is_turned in ((left, right, False), (right, left, True)):
        if kind_of(one) not in CLOCKED or kind_of(other) != "text":
            continue
        if kind_of(one) == "time" and other.is_string and _CANONICAL.fullmatch(other.name):
            time = native(engine, "CAST(__x AS TIMESTAMP)", "time", x=other)
            sides = (time, one) if is_turned else (one, time)
            return native(engine, f"__a {symbol} __b", "bool", a=sides[0], b=sides[1])
        if affinity_of(one) != "numeric" or "digits" in other.meta:
            continue
        # The column's affinity makes a number of a text such as '2100', and a number is less than any time.
        order = native(engine, _class_order(symbol if is_turned else _turned(symbol)), "bool", a=other, b=one)
        if other.is_string:
            if re.fullmatch(WHOLE_NUMBER, other.name):
                return order
            continue
        as_text = native(engine, f"__a {symbol} __b", "bool", a=to_text(left, engine), b=to_text(right, engine))
        fits = is_numeric_text(other, engine)
        return native(engine, "CASE WHEN __f THEN __o ELSE __t END", "bool", f=fits, o=order, t=as_text)
    return native(engine, f"__a {symbol} __b", "bool", a=to_text(left, engine), b=to_text(right, engine))


def _class_order(symbol: str) -> str:
    """What comparing a number with a text gives: unknown when one is null, else always the same."""
    if symbol in ("IS NOT DISTINCT FROM", "IS DISTINCT FROM"):
        both = "__a IS NULL AND __b IS NULL"
        return both if symbol == "IS NOT DISTINCT FROM" else f"NOT ({both})"
    return f"CASE WHEN __a IS NULL OR __b IS NULL THEN NULL ELSE {str(_NUMBER_IS_LESS[symbol]).upper()} END"


def _turned(symbol: str) -> str:
    return {">": "<", "<": ">", ">=": "<=", "<=": ">="}.get(symbol, symbol)


def _translate_in(node: exp.In, engine: EngineName) -> None:
    left = node.this
    query = node.args.get("query")
    if query is not None:
        selects = query.unnest().selects
        if isinstance(left, exp.Tuple) or not selects:
            return
        kinds = kind_of(left), kind_of(selects[0])
        if kinds[0] == kinds[1] or "null" in kinds:
            return
        if set(kinds) <= NUMBERS:
            node.set("this", to_number(left, engine))
            _convert_projection(query, engine, is_number=True)
        elif not set(kinds) & NUMBERS:
            node.set("this", to_text(left, engine))
            _convert_projection(query, engine, is_number=False)
        else:
            raise QueryError("mixed-kinds", "query", "IN compares text with numbers of a subquery", "one kind")
        return
    for item in node.expressions:
        item.meta["affinity"] = None  # inside of a list even a column has none
    pairs = [compare("=", left, item, engine) for item in node.expressions]
    if any(pair is not None for pair in pairs):
        each = [
            pair if pair is not None else exp.EQ(this=left.copy(), expression=item.copy())
            for pair, item in zip(pairs, node.expressions, strict=True)
        ]
        node.replace(exp.paren(exp.or_(*each), copy=False))


def _convert_projection(query: exp.Expression, engine: EngineName, *, is_number: bool) -> None:
    inner = query.unnest()
    selects = [inner] if isinstance(inner, exp.Select) else list(inner.find_all(exp.Select))
    for select in selects[:1] if isinstance(inner, exp.Select) else selects:
        projection = select.selects[0]
        value = projection.this if isinstance(projection, exp.Alias) else projection
        value.replace(to_number(value, engine) if is_number else to_text(value, engine))
