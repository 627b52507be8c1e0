"""The content of a record as one hash a table: equal for equal content, wherever and however it was stored."""

from __future__ import annotations

import hashlib
from pathlib import Path

from chartsight.records.record import open_record
from chartsight.records.sql import quoted

PLACE_TABLES = ("film_roots",)  # they say where files stand on this machine, not what they are


def content_digest(path: Path) -> dict[str, str]:
    """table → sha256 over its rows as JSON, sorted; tables that name places of this machine are left out.

    Raises:
        RecordError: `path` is no record.
    """
    digests = {}
    with open_record(path) as record:
        tables = record.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
        ).fetchall()
        for (table,) in tables:
            if table in PLACE_TABLES:
                continue
            digest = hashlib.sha256()
            rows = record.connection.execute(f"SELECT to_json(each) AS row FROM {quoted(table)} AS each ORDER BY 1")
            while batch := rows.fetchmany(100_000):
                digest.update("".join(row + "\n" for (row,) in batch).encode())
            digests[table] = digest.hexdigest()
    return digests
