"""DuckDB, SQLite and PostgreSQL behind one seam: rows for SQL, read-only, under limits, in a child process."""

from chartsight.neuralsql.engines.base import EngineName, OpenEngine, open_engine
from chartsight.schema import Limits

__all__ = ["EngineName", "Limits", "OpenEngine", "open_engine"]
