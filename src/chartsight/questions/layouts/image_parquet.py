"""Questions whose images stand in the Parquet files themselves, as Hugging Face keeps them.

data/train-00000-of-00002.parquet:  image {bytes, path} · question · answer
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from chartsight.errors import QuestionError
from chartsight.questions.imported import (
    SPLIT_NAMES,
    Entries,
    Entry,
    ImportedRow,
    RowProblem,
    parse_plain_answer,
    parse_question,
)

BATCH = 64  # rows held at a time; an image may have megabytes
COLUMNS = ("image", "question", "answer")
SIGNATURES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png"}


def find_parquet(source: Path) -> list[Path]:
    """The Parquet files of `source` (a file, a folder, or a folder with `data/`), sorted; empty when there are none."""
    if source.is_file():
        return [source] if source.suffix == ".parquet" else []
    return sorted(source.glob("data/*.parquet")) or sorted(source.glob("*.parquet"))


def read_image_parquet(files: Sequence[Path], unpacked: Path, name: str) -> Entries:
    """Every row of the files; each image is written once into `unpacked`, named by its bytes.

    Args:
        files: Their names begin with the split: `train-00000-of-00002.parquet`.
        unpacked: A folder that is made when the first image comes.
        name: Of the data set; the template of its questions.

    Raises:
        QuestionError: A file is damaged or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        try:
            table = pq.ParquetFile(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise QuestionError("no-parquet", file, "is no Parquet file", ", ".join(COLUMNS)) from error
        if missing := [each for each in COLUMNS if each not in table.schema_arrow.names]:
            raise QuestionError("missing-column", file, f"no column {missing[0]}", ", ".join(COLUMNS))
        split = SPLIT_NAMES.get(file.stem.split("-")[0].lower())
        number = 0
        for batch in table.iter_batches(BATCH, columns=list(COLUMNS)):
            for row in batch.to_pylist():
                number += 1
                try:
                    path = unpack_image(row["image"], unpacked)
                    answer_type, answer = parse_plain_answer(row["answer"])
                    yield Entry(file, number, ImportedRow(
                        number, (path,), parse_question(row["question"]), answer, answer_type, (), split, None,
                        f"{name}/{answer_type}", f"{file.stem}:{number}",
                    ))  # fmt: skip
                except RowProblem as problem:
                    yield Entry(file, number, problem)


def unpack_image(image: object, folder: Path) -> Path:
    """The file of an image that was kept as {bytes, path}, written when it is not there yet.

    Raises:
        RowProblem: It holds no JPEG and no PNG.
    """
    data = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(data, bytes):
        raise RowProblem("no image")
    suffix = next((end for start, end in SIGNATURES.items() if data.startswith(start)), None)
    if suffix is None:
        raise RowProblem("image: neither JPEG nor PNG")
    path = folder / f"{hashlib.sha256(data).hexdigest()[:24]}{suffix}"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path
