"""What rewrites share: the settings that they are given, and questions that they ask of a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

from chartsight.schema import VITAL_RANGES

EngineName = Literal["sqlite", "duckdb", "postgres"]
DATE_FUNCTIONS = frozenset({"date", "time", "datetime", "julianday", "strftime"})


@dataclass(frozen=True)
class Settings:
    """What a query means besides its words.

    Args:
        now: The time at which it is asked, `2105-12-31 23:59:00`.
        ranges: Vital sign → what is normal, from and to: `heart_rate` for `heart_rate_lower` and `heart_rate_upper`.
        mode: `published` is SQLite with the rows as they happen to lie; in `stable` ties have an order.
        tables: Table → column → type (`int`, `float`, `text`, `time`, or an engine's own name), of all that a query may
            read. Stable mode needs them; published mode does not.
        ties: Which of tied rows are taken: the `first` by their keys, the `last`, or `all`, beyond the limit.
            An answer that is not the same first and last is tied; the published one is among all.
    """

    now: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: VITAL_RANGES)
    mode: Literal["published", "stable"] = "stable"
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ties: Literal["first", "last", "all"] = "first"


class Plus(exp.Unary):  # type: ignore[misc]  # sqlglot is untyped to us
    """`+column`: the same value, without the column's affinity."""


def is_call(node: exp.Expression | None, *names: str) -> bool:
    """Whether `node` calls one of the functions, whatever its case."""
    return isinstance(node, exp.Anonymous) and node.name.lower() in names


def call_name(node: exp.Expression) -> str:
    """The name of the function that `node` calls, in lower case; empty when it is none that is called by name."""
    return node.name.lower() if isinstance(node, exp.Anonymous) else ""


def deepest_first(tree: exp.Expression, *kinds: type[exp.Expression]) -> list[exp.Expression]:
    """Nodes of these classes that a rewrite may still change, the inner ones before those that hold them."""
    return [node for node in reversed(list(tree.find_all(*kinds))) if "native" not in node.meta]
