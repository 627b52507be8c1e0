"""Source tables and films to one relational record in DuckDB."""

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
