"""What counts as normal is a setting, named in the query."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings


def put_ranges(tree: exp.Query, settings: Settings) -> exp.Query:
    """`heart_rate_upper` is the upper end of the setting's `heart_rate`, `heart_rate_lower` the lower."""
    bounds = {
        f"{vital}_{bound}": value
        for vital, ends in settings.ranges.items()
        for bound, value in zip(("lower", "upper"), ends, strict=True)
    }
    for column in list(tree.find_all(exp.Column)):
        if not column.table and not column.this.args.get("quoted") and column.name.lower() in bounds:
            column.replace(exp.Literal.number(str(bounds[column.name.lower()])))
    return tree
