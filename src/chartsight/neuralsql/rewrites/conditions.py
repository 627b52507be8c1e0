"""Truth is a number to SQLite: 1 or 0, and any number may stand where a condition is asked for."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.native import to_truth
from chartsight.neuralsql.rewrites.base import EngineName, Settings, deepest_first


def translate_conditions(tree: exp.Query, settings: Settings, engine: EngineName) -> exp.Query:
    """Numbers in WHERE, HAVING, ON, WHEN, AND, OR and NOT as conditions."""
    for node in deepest_first(tree, exp.Where, exp.Having, exp.And, exp.Or, exp.Not, exp.If, exp.Join, exp.Filter):
        keys = {exp.And: ("this", "expression"), exp.Or: ("this", "expression"), exp.Join: ("on",)}.get(
            type(node), ("this",)
        )
        if isinstance(node, exp.Filter):
            continue  # its condition is a WHERE
        for key in keys:
            value = node.args.get(key)
            if isinstance(value, exp.Expression):
                node.set(key, to_truth(value, engine))
    return tree
