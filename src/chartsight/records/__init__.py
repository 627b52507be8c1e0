"""Source tables and films to one relational record in DuckDB."""

from chartsight.records.build import build_record
from chartsight.records.digest import content_digest
from chartsight.records.record import Record, open_record
from chartsight.records.sources import FilmFolder, RecordSources

__all__ = ["FilmFolder", "Record", "RecordSources", "build_record", "content_digest", "open_record"]
