"""The film index: image_id to the file of a film, from a record or from a Parquet file beside a question set.

| image_id | study_id | subject_id | view_position | path                        | rows | columns | digest |
|----------|----------|------------|---------------|-----------------------------|------|---------|--------|
| 0a1b-... | 50000123 | 10000032   | PA            | .../files/p10/p1000.../.jpg | 2544 | 3056    | 9f...  |

Paths are kept relative to a root. When the films move, `CHARTSIGHT_FILM_ROOT` names the new root (or several, separated
like `PATH`); a film is taken from the first of them that has it, otherwise from where it stood on import.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartsight.errors import FilmError
from chartsight.runs import new_output
from chartsight.schema import SCHEMA_VERSION

FILM_ROOT_VARIABLE = "CHARTSIGHT_FILM_ROOT"
_COLUMNS = ("image_id", "study_id", "subject_id", "view_position", "path", "rows", "columns", "digest")


@dataclass(frozen=True)
class IndexedFilm:
    """One film of the index. `view_position` is None when the source does not say; `path` is absolute."""

    image_id: str
    study_id: int
    subject_id: int
    view_position: str | None
    path: Path
    rows: int
    columns: int
    digest: str


class FilmIndex(Mapping[str, IndexedFilm]):
    """image_id → IndexedFilm, in the order of the ids."""

    def __init__(self, films: Iterable[IndexedFilm], source: Path) -> None:
        self.source = source
        self._films = {film.image_id: film for film in sorted(films, key=lambda film: film.image_id)}

    def __getitem__(self, image_id: str) -> IndexedFilm:
        return self._films[image_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._films)

    def __len__(self) -> int:
        return len(self._films)

    def films(self, image_ids: Iterable[str]) -> list[IndexedFilm]:
        """The films of `image_ids`, in that order, each known and there on the disk.

        Raises:
            FilmError: Ids that the index lacks, or files that are gone; one line with their number and the first.
        """
        image_ids = list(image_ids)
        unknown = sorted(set(image_ids) - self._films.keys())
        if unknown:
            raise FilmError(
                "unknown-film", self.source, f"{len(unknown)} image_id(s) are not in the film index, first {unknown[0]}"
            )
        films = [self._films[image_id] for image_id in image_ids]
        missing = [film for film in films if not film.path.is_file()]
        if missing:
            raise FilmError(
                "missing-film", missing[0].path, f"no such film ({len(missing)} of {len(films)} are missing)",
                hint=f"if the films have moved, set {FILM_ROOT_VARIABLE}",
            )  # fmt: skip
        return films


def read_film_index(path: Path) -> FilmIndex:
    """The film index of a record (`.duckdb`) or of a sidecar (`.parquet`).

    Raises:
        FilmError: `path` is missing, is neither, or was written by a newer chartsight.
    """
    path = Path(path)
    if not path.is_file():
        raise FilmError("missing-film-index", path, "no such file", "a record (.duckdb) or a film index (.parquet)")
    rows = _sidecar_rows(path) if path.suffix == ".parquet" else _record_rows(path)
    elsewhere = [Path(root) for root in os.environ.get(FILM_ROOT_VARIABLE, "").split(os.pathsep) if root]
    films = [
        IndexedFilm(image_id, study_id, subject_id, view, _located(relative, root, elsewhere), height, width, digest)
        for image_id, study_id, subject_id, view, relative, height, width, digest, root in rows
    ]
    return FilmIndex(films, path)


def write_film_index(path: Path, films: Iterable[IndexedFilm]) -> None:
    """A film index as a Parquet file, sorted by image_id; paths are relative to the folder that all films share.

    Raises:
        OutputError: `path` exists, or the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    films = sorted(films, key=lambda film: film.image_id)
    root = Path(os.path.commonpath([film.path.parent for film in films])) if films else Path()
    columns: dict[str, list[Any]] = {name: [getattr(film, name) for film in films] for name in _COLUMNS}
    columns["path"] = [film.path.relative_to(root).as_posix() for film in films]
    columns["root"] = [str(root)] * len(films)
    text, number = pa.string(), pa.int64()
    types = {"study_id": number, "subject_id": number, "rows": pa.int32(), "columns": pa.int32()}
    schema = pa.schema(
        [(name, types.get(name, text)) for name in columns],
        metadata={"chartsight.schema_version": str(SCHEMA_VERSION)},
    )
    with new_output(path) as partial:
        pq.write_table(pa.table(columns, schema=schema), partial)


def _sidecar_rows(path: Path) -> Sequence[tuple[Any, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise FilmError("no-film-index", path, "is no Parquet file", "a film index") from error
    version = int((table.schema.metadata or {}).get(b"chartsight.schema_version", b"0"))
    _check_version(path, version)
    missing = {*_COLUMNS, "root"} - set(table.column_names)
    if missing:
        raise FilmError("no-film-index", path, f"has no column {', '.join(sorted(missing))}", "a film index")
    return list(zip(*(table[name].to_pylist() for name in (*_COLUMNS, "root")), strict=True))


def _record_rows(path: Path) -> Sequence[tuple[Any, ...]]:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            version = connection.execute("SELECT value FROM record_info WHERE key = 'schema_version'").fetchone()
            _check_version(path, int(version[0]) if version else 0)
            columns = ", ".join(f"films.{name}" for name in _COLUMNS)
            query = f"SELECT {columns}, film_roots.path FROM films JOIN film_roots USING (root_id) ORDER BY image_id"
            return connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise FilmError("no-film-index", path, "is no record with films", "a record (.duckdb)") from error


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise FilmError(
            "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}", "upgrade chartsight"
        )


def _located(relative: str, root: str, elsewhere: Sequence[Path]) -> Path:
    for folder in elsewhere:
        if (folder / relative).is_file():
            return folder / relative
    return Path(root) / relative
