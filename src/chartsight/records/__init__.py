"""Source tables and films to one relational record in DuckDB.

What it offers is loaded when it is asked for: EHRXQA's builder starts processes that need none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chartsight.records.build import build_record
    from chartsight.records.digest import content_digest
    from chartsight.records.ehrsql import build_ehrsql
    from chartsight.records.published_sql import open_published, run_published
    from chartsight.records.record import Record, open_record
    from chartsight.records.sources import FilmFolder, RecordSources

__all__ = [
    "FilmFolder",
    "Record",
    "RecordSources",
    "build_ehrsql",
    "build_record",
    "content_digest",
    "open_published",
    "open_record",
    "run_published",
]
MODULES = {
    "FilmFolder": "sources", "Record": "record", "RecordSources": "sources", "build_ehrsql": "ehrsql",
    "build_record": "build", "content_digest": "digest", "open_published": "published_sql", "open_record": "record",
    "run_published": "published_sql",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
