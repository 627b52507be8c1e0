"""`questions.parquet`: one row a question (`schema.Question`), with terms, pairing and where the films are listed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chartsight.errors import QuestionError
from chartsight.runs import new_output
from chartsight.schema import SCHEMA_VERSION, SPLITS, Question, question_schema, strictest_pairing, strictest_terms

PREFIX = "chartsight."
LISTS = ("study_ids", "image_ids", "allowed_answers")


def write_questions(
    path: Path, questions: Sequence[Question], metadata: Mapping[str, str], *, replace: bool = False
) -> None:
    """Questions as Parquet, sorted by split, patient, study, image and id: the same questions give the same bytes.

    Args:
        path: The file to appear.
        questions: In any order.
        metadata: More to keep in the file; `film_index` is a path and kept relative to `path`.
        replace: Replace an existing file instead of refusing it.

    Raises:
        QuestionError: Two questions have the same id.
        OutputError: `path` exists already, or the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    order = {split: n for n, split in enumerate(SPLITS)}
    rows = sorted(questions, key=lambda q: (order[q.split], q.subject_id or 0, q.study_ids, q.image_ids, q.question_id))
    if len({row.question_id for row in rows}) != len(rows):
        raise QuestionError("repeated-question", path, "two questions with the same id", "each question once")
    kept = {"schema_version": str(SCHEMA_VERSION), **metadata}
    kept["terms"] = strictest_terms(row.terms for row in rows)
    kept["pairing"] = strictest_pairing(row.pairing for row in rows)
    if "film_index" in kept:
        kept["film_index"] = Path(
            os.path.relpath(Path(kept["film_index"]).absolute(), path.absolute().parent)
        ).as_posix()
    schema = question_schema().with_metadata({PREFIX + key: value for key, value in sorted(kept.items())})
    columns = {name: pa.array([getattr(row, name) for row in rows], schema.field(name).type) for name in schema.names}
    with new_output(path, replace=replace) as partial:
        pq.write_table(pa.table(columns, schema=schema), partial, compression="zstd")


def read_questions(path: Path) -> list[Question]:
    """All questions of a file, in its order.

    Raises:
        QuestionError: There is no such file, it is no question set, lacks a column, or a newer chartsight wrote it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    read_question_metadata(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise QuestionError("no-questions", path, "is damaged", "a whole question set (.parquet)") from error
    names = question_schema().names
    if missing := [name for name in names if name not in table.column_names]:
        raise QuestionError("missing-column", path, f"no column {missing[0]}", "every column of a question set")
    columns: list[Any] = []
    for name in names:
        values = table[name].to_pylist()
        columns.append([tuple(value or ()) for value in values] if name in LISTS else values)
    for question_id, answer in zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True):
        try:
            json.loads(answer)
        except (TypeError, ValueError):
            raise QuestionError(
                "bad-answer", f"{path}: {question_id}", "its answer is no JSON", '`true`, `"a"`'
            ) from None
    return [Question(*row) for row in zip(*columns, strict=True)]


def read_question_metadata(path: Path) -> dict[str, str]:
    """What a question set says of itself: schema_version, terms, pairing, film_index, seed, ...

    Raises:
        QuestionError: There is no such file, it is no question set, or was written by a newer chartsight.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise QuestionError("missing-file", path, "no such file", "a question set (.parquet)")
    try:
        stored = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise QuestionError("no-questions", path, "is no Parquet file", "a question set (.parquet)") from error
    kept = {key.decode(): value.decode() for key, value in stored.items()}
    metadata = {key.removeprefix(PREFIX): value for key, value in kept.items() if key.startswith(PREFIX)}
    if not metadata.get("schema_version", "").isdecimal() or "terms" not in metadata:
        raise QuestionError(
            "no-questions", path, "is no question set", "a file of `chartsight questions build` or `import`"
        )
    if int(metadata["schema_version"]) > SCHEMA_VERSION:
        raise QuestionError(
            "newer-schema", path, f"schema_version {metadata['schema_version']}", f"at most {SCHEMA_VERSION}",
            "upgrade chartsight",
        )  # fmt: skip
    return metadata


def film_index_of(path: Path) -> Path:
    """Where the films of a question set are listed: a record (`.duckdb`) or a film index (`.parquet`).

    Raises:
        QuestionError: The question set names none, or it has moved.
    """
    named = read_question_metadata(path).get("film_index")
    if named is None:
        raise QuestionError("no-film-index", path, "names no film index", "questions about films")
    film_index = Path(os.path.normpath(Path(path).absolute().parent / named))
    if not film_index.is_file():
        raise QuestionError(
            "missing-film-index", film_index, "no such file", f"the film index of {Path(path).name}",
            "move both together, or build the questions again",
        )  # fmt: skip
    return film_index
