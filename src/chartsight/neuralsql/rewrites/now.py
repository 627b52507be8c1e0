"""The time at which a question is asked is a setting: an answer must not depend on the day it is computed."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import DATE_FUNCTIONS, Settings, is_call


def put_now(tree: exp.Query, settings: Settings) -> exp.Query:
    """`current_time` and `current_timestamp` are the setting, `current_date` its day, `'now'` and `date()` likewise.

    In SQLite `current_time` is the hour alone; the published queries mean the whole time by it.
    """
    for node in list(tree.find_all(exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDate, exp.Anonymous)):
        if isinstance(node, (exp.CurrentTime, exp.CurrentTimestamp)):
            node.replace(exp.Literal.string(settings.now))
        elif isinstance(node, exp.CurrentDate):
            node.replace(exp.Literal.string(settings.now[:10]))
        elif is_call(node, *DATE_FUNCTIONS):
            place = 1 if is_call(node, "strftime") else 0
            if len(node.expressions) == place:
                node.append("expressions", exp.Literal.string(settings.now))
            elif len(node.expressions) > place and _is_now(node.expressions[place]):
                node.expressions[place].replace(exp.Literal.string(settings.now))
    return tree


def _is_now(node: exp.Expression) -> bool:
    return bool(node.is_string) and node.name.lower() == "now"
