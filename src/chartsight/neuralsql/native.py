"""Pieces of an engine's own SQL around pieces of a tree, and values turned from one kind into another.

    native("duckdb", "DATE_TRUNC('month', __x)", "time", x=column)

What is built here is `native`: no later rewrite takes it for SQLite's. The pieces put into it are not.

Source: https://sqlite.org/datatype3.html and lang_expr.html for what a conversion gives.
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

from chartsight.neuralsql.kinds import Kind, kind_of, with_kind
from chartsight.neuralsql.rewrites.base import EngineName

TIME_FORMAT = {"duckdb": "%Y-%m-%d %H:%M:%S", "postgres": "YYYY-MM-DD HH24:MI:SS"}
NUMBER_AHEAD = r"^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
WHOLE_NUMBER = NUMBER_AHEAD + r"\s*$"


@lru_cache(maxsize=512)
def _template(engine: EngineName, text: str) -> exp.Expression:
    return sqlglot.parse_one(text, dialect=engine)


def native(engine: EngineName, text: str, kind: Kind, **pieces: exp.Expression) -> exp.Expression:
    """SQL of `engine` that holds `kind`; `__name` in it is the piece of that name."""
    tree = _template(engine, text).copy()
    holes = []
    for node in tree.walk():
        node.meta["native"] = True
        if isinstance(node, exp.Column) and node.name.startswith("__"):
            holes.append(node)
    for hole in holes:
        piece = pieces[hole.name[2:]].copy()
        if isinstance(piece, (exp.Binary, exp.Unary, exp.Between, exp.In)) and not isinstance(piece, exp.Paren):
            piece = exp.Paren(this=piece)
        if hole is tree:
            tree = piece
        else:
            hole.replace(piece)
    return with_kind(tree, kind)


def literal(text: str) -> exp.Literal:
    """A text that no rewrite changes."""
    node = exp.Literal.string(text)
    node.meta["native"] = True
    return node


def to_text(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """`node` as the text that SQLite makes of it."""
    kind = kind_of(node)
    if kind in ("text", "null"):
        return node
    if node.is_string:
        return node
    if kind == "time":
        if engine == "duckdb":
            return native(engine, f"STRFTIME(__x, '{TIME_FORMAT[engine]}')", "text", x=node)
        return native(engine, f"TO_CHAR(__x, '{TIME_FORMAT[engine]}')", "text", x=node)
    if kind == "bool":
        return native(engine, "CAST(CAST(__x AS INT) AS VARCHAR)", "text", x=node)
    if kind == "real":  # 15 digits, always with a point
        if engine == "duckdb":
            text = "REGEXP_REPLACE(PRINTF('%.15g', CAST(__x AS DOUBLE)), '^(-?[0-9]+)$', '\\1.0')"
        else:
            text = "REGEXP_REPLACE(CAST(TRIM_SCALE(CAST(__x AS DECIMAL)) AS TEXT), '^(-?[0-9]+)$', '\\1.0')"
        return native(engine, text, "text", x=node)
    return native(engine, "CAST(__x AS VARCHAR)", "text", x=node)


def to_number(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """`node` as the number that SQLite reckons with: of a text, what stands at its beginning, or 0."""
    if "number" in node.meta:
        number: exp.Expression = node.meta["number"]
        return number.copy()
    kind = kind_of(node)
    if isinstance(node, exp.Paren):
        inner = to_number(node.this, engine)
        return node if inner is node.this else exp.Paren(this=inner)
    if kind == "bool":
        return native(engine, "CAST(__x AS INT)", "int", x=node)
    if kind in ("int", "real", "null"):
        return node
    text = to_text(node, engine)
    if engine == "duckdb":
        found = f"TRY_CAST(REGEXP_EXTRACT(__x, '{NUMBER_AHEAD}') AS DOUBLE)"
    else:
        found = f"CAST(SUBSTRING(__x FROM '{NUMBER_AHEAD.replace('(', '(?:')}') AS DOUBLE PRECISION)"
    return native(engine, f"COALESCE({found}, CASE WHEN NOT __x IS NULL THEN 0 END)", "real", x=text)


def is_numeric_text(text: exp.Expression, engine: EngineName) -> exp.Expression:
    """Whether all of a text is a number, so that numeric affinity makes one of it."""
    if engine == "duckdb":
        return native(engine, f"REGEXP_MATCHES(__x, '{WHOLE_NUMBER}')", "bool", x=text)
    return native(engine, f"__x ~ '{WHOLE_NUMBER}'", "bool", x=text)


def to_truth(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """`node` as a condition: a number is true unless it is 0."""
    kind = kind_of(node)
    if kind == "bool":
        return node
    if kind == "null":
        return native(engine, "CAST(NULL AS BOOLEAN)", "bool")
    return native(engine, "__x <> 0", "bool", x=to_number(node, engine))


def to_real(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """`node` as a number of floating point."""
    return native(engine, "CAST(__x AS DOUBLE PRECISION)", "real", x=to_number(node, engine))
