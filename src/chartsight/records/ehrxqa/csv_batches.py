"""A source file in batches of typed columns, read once: its digest grows while it is read.

Whole numbers come as int64, numbers and what is said often as dictionaries of texts, all else as text; words for
nothing are null. What Arrow does not take at once (`12.0` where a whole number stands, a line of other length, a gzip
that is cut short) is not decided here: `NotPlain` sends the file to the ordinary reader, which reads it or names what
is wrong.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as csv

from chartsight.records.ehrxqa.files import Source
from chartsight.records.ehrxqa.published_csv import NOTHING

BLOCK_BYTES = 2**20
SOME_TEXTS = pa.dictionary(pa.int32(), pa.string())
SAID_OFTEN = (
    "amountuom", "bbox", "bbox_name", "categoryID", "dose_unit_rx", "dose_val_rx", "drug", "icd_code", "label_name",
    "org_name", "route", "spec_type_desc", "test_name", "valueuom",
)  # fmt: skip


class NotPlain(Exception):
    """The file has to be read by the ordinary reader."""


class HashedFile(io.RawIOBase):
    """A file and the sha256 of what was read of it.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.file = path.open("rb", buffering=0)
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        data = self.file.read(size) or b""
        self.digest.update(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes, into a buffer; how many."""
        size = self.file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:size])
        return size

    def unpacked(self) -> BinaryIO:
        """What the file holds: the same, or what is in the gzip."""
        raw = cast(BinaryIO, self)
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self.path.suffix == ".gz" else raw

    def sha256(self) -> str:
        """Hex digest of the whole file; what was not read yet is read now."""
        while self.read(BLOCK_BYTES):
            pass
        return self.digest.hexdigest()

    def close(self) -> None:
        """Close it."""
        self.file.close()
        super().close()


def read_batches(file: BinaryIO, source: Source, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The wanted columns of a file, in its order.

    Args:
        file: Unpacked; its header has every column that is wanted.
        source: What its columns are.
        wanted: In the order of the file.

    Raises:
        NotPlain: It has to be read by the ordinary reader.
    """
    kinds = dict.fromkeys((*source.numbers, *SAID_OFTEN), SOME_TEXTS) | dict.fromkeys(source.whole, pa.int64())
    try:
        reader = csv.open_csv(
            pa.PythonFile(file, "r"),
            read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter="\t" if source.tabs else ",", ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                include_columns=list(wanted),
                column_types={name: kinds.get(name, pa.string()) for name in wanted},
                null_values=list(NOTHING),
                strings_can_be_null=True,
            ),
        )
        yield from reader
    except (pa.ArrowInvalid, pa.ArrowKeyError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        raise NotPlain from error
