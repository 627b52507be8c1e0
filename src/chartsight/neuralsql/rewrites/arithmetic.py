"""Reckoning as SQLite does it: whole numbers divide to whole numbers, by 0 is null, texts count as numbers.

365 / 2      182
5 % 0        NULL
'20.0' * 2   40.0
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.kinds import kind_of
from chartsight.neuralsql.native import native, to_number, to_text
from chartsight.neuralsql.rewrites.base import EngineName, Plus, Settings, deepest_first


def translate_arithmetic(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """`+ - * / %`, the signs and `||` on the operands that SQLite would reckon with."""
    for node in deepest_first(tree, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, Plus):
        kind = kind_of(node)
        if isinstance(node, Plus):
            node.this.meta["affinity"] = None
            node.replace(node.this)
        elif isinstance(node, exp.DPipe):
            text = native(engine, "__a || __b", "text", a=to_text(node.left, engine), b=to_text(node.right, engine))
            node.replace(text)
        elif isinstance(node, exp.Neg):
            node.set("this", to_number(node.this, engine))
        elif isinstance(node, (exp.Div, exp.Mod)):
            left, right = to_number(node.left, engine), to_number(node.right, engine)
            node.replace(_divide(node, left, right, engine, is_whole=kind == "int"))
        else:
            node.set("this", _wide(to_number(node.left, engine), engine, isinstance(node, exp.Mul)))
            node.set("expression", to_number(node.right, engine))
    return tree


def _wide(node: exp.Expression, engine: EngineName, is_product: bool) -> exp.Expression:
    """A factor in 64 bits: products of two smaller columns would not fit."""
    if is_product and kind_of(node) == "int" and not isinstance(node, exp.Literal):
        return native(engine, "CAST(__x AS BIGINT)", "int", x=node)
    return node


def _divide(
    node: exp.Expression, left: exp.Expression, right: exp.Expression, engine: EngineName, *, is_whole: bool
) -> exp.Expression:
    if isinstance(node, exp.Mod):
        whole = "CAST(TRUNC(CAST({0} AS DOUBLE PRECISION)) AS BIGINT)"
        a, b = ("__a", "__b") if is_whole else (whole.format("__a"), whole.format("__b"))
        text = f"{a} % NULLIF({b}, 0)"
        if not is_whole:
            text = f"CAST({text} AS DOUBLE PRECISION)"
    elif is_whole:
        symbol = "//" if engine == "duckdb" else "/"
        text = f"__a {symbol} NULLIF(__b, 0)"
    else:
        text = "CAST(__a AS DOUBLE PRECISION) / NULLIF(__b, 0)"
    return native(engine, text, "int" if is_whole else "real", a=left, b=right)
