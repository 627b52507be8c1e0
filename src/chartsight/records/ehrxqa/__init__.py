"""EHRXQA's own database from the credentialed source files: 19 tables in SQLite, row for row as its builder makes them.

files ─▶ staging ─▶ films ─▶ labels ─▶ cohort ─▶ cleaning + permutation + times ─▶ costs ─▶ database
"""

from typing import TYPE_CHECKING, Any

from chartsight.records.ehrxqa.build import build_ehrxqa
from chartsight.records.ehrxqa.config import EhrxqaConfig, EhrxqaSources

if TYPE_CHECKING:
    from chartsight.records.ehrxqa.database import database_digest

__all__ = ["EhrxqaConfig", "EhrxqaSources", "build_ehrxqa", "database_digest"]


def __getattr__(name: str) -> Any:
    if name != "database_digest":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chartsight.records.ehrxqa.database import database_digest  # Arrow: not for who only hands out work

    return database_digest
