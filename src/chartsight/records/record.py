"""A finished record, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb

from chartsight.errors import RecordError
from chartsight.imaging.film_index import FilmIndex, read_film_index
from chartsight.schema import ATTRIBUTES, SCHEMA_VERSION, Category, Pairing, Terms


@dataclass(frozen=True)
class Record:
    """A record as its readers see it.

    Args:
        path: The file.
        connection: Read-only; closed when the `with` block of `open_record` ends.
        info: The rows of `record_info`.
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    info: Mapping[str, str]

    @property
    def terms(self) -> Terms:
        """What the record may be used for: the strictest of its sources."""
        return cast(Terms, self.info["terms"])

    @property
    def pairing(self) -> Pairing:
        """How its films belong to its tables: the least clinical of its sources."""
        return cast(Pairing, self.info["pairing"])

    def vocabulary(self) -> dict[str, Category]:
        """attribute → category: the house vocabulary and the findings that the user declared on import."""
        declared = self.connection.execute("SELECT attribute, category FROM label_vocabulary ORDER BY 1").fetchall()
        return {**ATTRIBUTES, **dict(declared)}

    def film_index(self) -> FilmIndex:
        """image_id → film."""
        return read_film_index(self.path)


@contextmanager
def open_record(path: Path) -> Iterator[Record]:
    """The record at `path`, read-only, for the length of the block.

        with open_record(Path("record.duckdb")) as record:
            record.connection.execute("SELECT count(*) FROM films")

    Raises:
        RecordError: `path` is missing, is no record, or was written by a newer chartsight.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordError("missing-record", path, "no such file", "a record", "make one: chartsight records build")
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        raise RecordError("no-record", path, "is no record", "a file that `records build` made") from error
    with connection:
        try:
            info = dict(connection.execute("SELECT key, value FROM record_info").fetchall())
        except duckdb.Error as error:
            raise RecordError("no-record", path, "is no record", "a file that `records build` made") from error
        version = int(info.get("schema_version", "0"))
        if version > SCHEMA_VERSION:
            raise RecordError(
                "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
            )
        yield Record(path, connection, info)
