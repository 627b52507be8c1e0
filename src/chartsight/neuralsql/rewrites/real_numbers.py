"""A number with a point is one of floating point; other engines would make a decimal of it, and reckon otherwise.

2.5                              SQLite
CAST(2.5 AS DOUBLE PRECISION)    PostgreSQL
"""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.kinds import kind_of
from chartsight.neuralsql.native import native
from chartsight.neuralsql.rewrites.base import EngineName, Settings, deepest_first


def translate_real_numbers(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """`2.5` with its type."""
    for node in deepest_first(tree, exp.Literal):
        if kind_of(node) == "real":
            node.replace(native(engine, f"CAST({node.name} AS DOUBLE PRECISION)", "real"))
    return tree
