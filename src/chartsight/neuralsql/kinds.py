"""What a node of a tree holds, and which affinity SQLite gives it: the two facts that its comparisons depend on.

    labevents.valuenum            real, numeric affinity
    strftime('%Y', charttime)     text, no affinity
    (SELECT max(age) FROM …)      int, no affinity

A kind is that of every value of a column or expression: records hold no column of mixed kinds, and an expression that
mixes text with numbers is refused. Times and dates are text to SQLite; other engines store them as what they are.

Source: https://sqlite.org/datatype3.html, sections 3 (affinity) and 4 (comparisons).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, cast

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from chartsight.errors import QueryError
from chartsight.neuralsql.rewrites.base import Plus, call_name

Kind = Literal["int", "real", "text", "time", "date", "bool", "null"]
Affinity = Literal["numeric", "text"] | None
NUMBERS = frozenset({"int", "real", "bool"})
CLOCKED = frozenset({"time", "date"})

COLUMN_KINDS: Mapping[str, Kind] = {
    "int": "int", "bigint": "int", "float": "real", "text": "text", "date": "date", "time": "time", "bool": "bool",
}  # fmt: skip
_RESULTS: Mapping[str, Kind] = {
    "datetime": "time", "date": "text", "time": "text", "strftime": "text", "julianday": "real",
    "length": "int", "instr": "int", "substr": "text", "substring": "text", "lower": "text", "upper": "text",
    "trim": "text", "ltrim": "text", "rtrim": "text", "replace": "text", "round": "real", "total": "real",
    "row_number": "int", "rank": "int", "dense_rank": "int", "ntile": "int", "percent_rank": "real",
    "cume_dist": "real", "sign": "int", "func_vqa": "bool",
}  # fmt: skip
WHOLE_FORMATS = frozenset({"%Y", "%m", "%d", "%H", "%M", "%S", "%s", "%w", "%W"})  # strftime writes one whole number
_OF_ARGUMENTS = {"ifnull", "nullif", "lag", "lead", "first_value"}  # iif skips its condition
_TRUTHS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.And, exp.Or, exp.Not, exp.In, exp.Between, exp.Like, exp.Is,
    exp.Exists, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Boolean, exp.Glob,
)  # fmt: skip
_CAST_KINDS: Mapping[str, Kind] = {
    "INT": "int", "BIGINT": "int", "SMALLINT": "int", "TINYINT": "int", "DOUBLE": "real", "FLOAT": "real",
    "DECIMAL": "real", "TEXT": "text", "VARCHAR": "text", "CHAR": "text",
}  # fmt: skip


def with_kind(node: exp.Expression, kind: Kind) -> exp.Expression:
    """`node`, known to hold `kind`."""
    node.meta["kind"] = kind
    return node


def annotate(tree: exp.Query, tables: Mapping[str, Mapping[str, str]]) -> exp.Query:
    """The tree with a kind and an affinity on every column, which must be qualified.

    Args:
        tree: Qualified.
        tables: Table → column → type.
    """
    scopes, before = traverse_scope(tree), -1
    while True:  # a subquery in FROM may project what its outer query has not told it yet
        unknown = 0
        for scope in scopes:
            for column in scope.columns:
                found = _of_source(scope, column, tables)
                if found is not None:
                    column.meta["kind"], column.meta["affinity"] = found
                else:
                    unknown += 1
        if not unknown or unknown == before:
            return tree
        before = unknown


def _of_source(
    scope: Scope, column: exp.Column, tables: Mapping[str, Mapping[str, str]]
) -> tuple[Kind, Affinity] | None:
    source = scope.sources.get(column.table)
    if isinstance(source, exp.Table):
        declared = tables.get(source.name.lower(), {}).get(column.name.lower())
        if declared is None:
            return None
        kind = COLUMN_KINDS.get(declared, "text")
        return kind, "text" if kind == "text" else "numeric"
    if isinstance(source, Scope):
        for projection in source.expression.selects:
            if projection.alias_or_name.lower() == column.name.lower():
                return kind_of(projection), affinity_of(projection)
    return None


def kind_of(node: exp.Expression | None) -> Kind:
    """What `node` holds.

    Raises:
        QueryError: It mixes text with numbers, or calls a function that NeuralSQL does not know.
    """
    if node is None or isinstance(node, exp.Null):
        return "null"
    if "kind" in node.meta:
        return cast(Kind, node.meta["kind"])
    if isinstance(node, exp.Column):
        return "null"  # not known yet: `annotate` comes back to it
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "int" if node.name.isdigit() else "real"
    if isinstance(node, _TRUTHS):
        return "bool"
    if isinstance(node, (exp.Paren, exp.Alias, exp.Ordered, exp.Window, exp.IgnoreNulls, Plus)):
        return kind_of(node.this)
    if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
        query = node.unnest() if isinstance(node, exp.Subquery) else node
        return kind_of(query.selects[0]) if query.selects else "null"
    if isinstance(node, exp.Cast):
        return _CAST_KINDS.get(node.to.this.name, "real")
    if isinstance(node, exp.Neg):
        return "int" if _reckoned(node.this) in ("int", "bool") else "real"
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        kinds = {_reckoned(node.left), _reckoned(node.right)}
        return "int" if kinds <= {"int", "bool", "null"} else "real"
    if isinstance(node, exp.DPipe):
        return "text"
    if isinstance(node, exp.Case):
        return common_kind([*(each.args["true"] for each in node.args["ifs"]), node.args.get("default")])
    if isinstance(node, exp.Coalesce):
        return common_kind([node.this, *node.expressions])
    return _of_function(node)


def _reckoned(node: exp.Expression) -> Kind:
    """The kind of an operand: '05', the text of a day, is reckoned with as the whole number 5."""
    call = node.unnest()
    if "number" in call.meta:
        return kind_of(call.meta["number"])
    if call_name(call) == "strftime" and call.expressions and call.expressions[0].name in WHOLE_FORMATS:
        return "int"
    return kind_of(node)


def _of_function(node: exp.Expression) -> Kind:
    if isinstance(node, exp.Count):
        return "int"
    if isinstance(node, exp.Sum):
        return "int" if kind_of(node.this) in ("int", "bool") else "real"
    if isinstance(node, exp.Avg):
        return "real"
    if isinstance(node, (exp.Min, exp.Max, exp.Greatest, exp.Least)):
        kind = common_kind([node.this, *node.expressions])
        return "int" if kind == "bool" else kind
    if isinstance(node, exp.Distinct):
        return common_kind(node.expressions)
    name = call_name(node)
    if name in _RESULTS:
        return _RESULTS[name]
    if name in _OF_ARGUMENTS:
        return common_kind(node.expressions[:1] if name in ("lag", "lead") else node.expressions)
    if name == "abs" and node.expressions:
        return "int" if kind_of(node.expressions[0]) in ("int", "bool") else "real"
    if name == "iif":
        return common_kind(node.expressions[1:])
    if name == "group_concat" or isinstance(node, exp.GroupConcat):
        return "text"
    words = name or node.key
    raise QueryError("unknown-function", "query", f"`{words}` is unknown here", "a function of docs/neuralsql.md")


def common_kind(nodes: Iterable[exp.Expression | None]) -> Kind:
    """The kind that holds all of them.

    Raises:
        QueryError: Some are text and some are numbers.
    """
    kinds = {kind_of(node) for node in nodes} - {"null"}
    if not kinds:
        return "null"
    if len(kinds) == 1:
        return kinds.pop()
    if kinds <= NUMBERS:
        return "real" if "real" in kinds else "int"
    if kinds & NUMBERS:
        raise QueryError("mixed-kinds", "query", "one column mixes text with numbers", "one kind in a column")
    return "text"


def affinity_of(node: exp.Expression) -> Affinity:
    """The affinity that SQLite lends to what `node` is compared with."""
    if "affinity" in node.meta:
        return cast(Affinity, node.meta["affinity"])
    if isinstance(node, (exp.Paren, exp.Alias)):
        return affinity_of(node.this)
    if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
        query = node.unnest() if isinstance(node, exp.Subquery) else node
        return affinity_of(query.selects[0]) if query.selects else None
    if isinstance(node, exp.Cast) and "native" not in node.meta:
        return "text" if kind_of(node) == "text" else "numeric"
    return None
