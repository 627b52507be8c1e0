"""The planner's queries on an engine: written in its SQL, with the answers of looks as temporary relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from chartsight.neuralsql.dialect import settle, write
from chartsight.neuralsql.engines import Limits, OpenEngine
from chartsight.neuralsql.rewrites.base import Settings

if TYPE_CHECKING:
    import pyarrow as pa


class EngineRows:
    """See `run.Rows`.

    Args:
        engine: Open.
        settings: Of the query; their tables are those of the engine's catalog.
        limits: Of each of the planner's queries.
    """

    def __init__(self, engine: OpenEngine, settings: Settings, limits: Limits | None = None) -> None:
        self.engine, self.limits = engine, limits or Limits()
        self.settings = replace(settings, tables=engine.catalog.tables)
        self._written: dict[int, tuple[exp.Query, str]] = {}

    def settle(self, tree: exp.Query) -> exp.Query:
        """The tree of stable mode, its ties in order, so that a LIMIT looks at the rows that it will give."""
        return tree if self.settings.mode == "published" else settle(tree, self.settings)

    def __call__(self, tree: exp.Query, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The rows."""
        if id(tree) not in self._written:
            # A search is run again after every batch; the tree is kept, so that no other one takes its id.
            catalog = self.engine.catalog.with_tables(tables)
            settings = replace(self.settings, tables=catalog.tables)
            self._written[id(tree)] = (tree, write(tree, self.engine.name, settings))
        return self.engine.run_sql(self._written[id(tree)][1], {}, self.limits, tables)
