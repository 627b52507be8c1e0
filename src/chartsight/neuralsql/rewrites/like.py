"""LIKE as SQLite has it: the letters A to Z are equal in both cases, no character escapes another."""

from __future__ import annotations

import string

from sqlglot import exp

from chartsight.neuralsql.native import native, to_text
from chartsight.neuralsql.rewrites.base import EngineName, Settings, deepest_first

_LOWERED = f"TRANSLATE(__{{0}}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"


def lower_ascii(node: exp.Expression, engine: EngineName) -> exp.Expression:
    """A text with its letters A to Z small, and no others."""
    return native(engine, _LOWERED.format("x"), "text", x=node)


def translate_like(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """`a LIKE 'B%'` on both sides in small letters."""
    for node in deepest_first(tree, exp.Like):
        parent = node.parent
        target = node
        escape = "ESCAPE ''" if engine == "postgres" else ""
        if isinstance(parent, exp.Escape):
            target, escape = parent, f"ESCAPE {parent.expression.sql(dialect=engine)}"
        subject = lower_ascii(to_text(node.this, engine), engine)
        pattern = node.expression
        if pattern.is_string:
            lowered: exp.Expression = exp.Literal.string(_lower(pattern.name))
        else:
            lowered = lower_ascii(to_text(pattern, engine), engine)
        target.replace(native(engine, f"__a LIKE __b {escape}".strip(), "bool", a=subject, b=lowered))
    return tree


def _lower(text: str) -> str:
    return text.translate(str.maketrans(string.ascii_uppercase, string.ascii_lowercase))
