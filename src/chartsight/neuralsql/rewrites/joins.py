"""A comma between tables, beside joins, as the CROSS JOIN that it is: elsewhere it binds less."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import EngineName, Settings


def name_cross_joins(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """`a, b JOIN c ON …` as `a CROSS JOIN b JOIN c ON …`."""
    for join in list(tree.find_all(exp.Join)):
        if not any(join.args.get(key) for key in ("kind", "side", "method", "on", "using")):
            join.set("kind", "CROSS")
        elif not any(join.args.get(key) for key in ("on", "using", "method")) and join.args.get("kind") != "CROSS":
            join.set("on", exp.true())
    return tree
