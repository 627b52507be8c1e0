"""Published queries were lower-cased, and with them the letters of time formats."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings, is_call


def restore_formats(tree: exp.Query, settings: Settings) -> exp.Query:
    """`%y` is the year (`%Y`), `%j` the Julian day (`%J`) of strftime.

    SQLite 3.40 has no `%y`; its `%j`, the day of the year, is never meant in a published query and not to be had here.
    """
    for call in tree.find_all(exp.Anonymous):
        if is_call(call, "strftime") and call.expressions and call.expressions[0].is_string:
            text = call.expressions[0].name.replace("%y", "%Y").replace("%j", "%J")
            call.expressions[0].replace(exp.Literal.string(text))
    return tree
