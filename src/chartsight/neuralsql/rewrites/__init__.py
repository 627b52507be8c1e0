"""The rewrites in the order in which they are made; each is small, pure, and has its pairs of SQL under tests/."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import Settings
from chartsight.neuralsql.rewrites.now import put_now
from chartsight.neuralsql.rewrites.published_formats import restore_formats
from chartsight.neuralsql.rewrites.reference_ranges import put_ranges

Rewrite = Callable[[exp.Query, Settings], exp.Query]

PREPARING: tuple[Rewrite, ...] = (restore_formats, put_now, put_ranges)
