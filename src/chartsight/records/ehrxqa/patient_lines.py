"""Lines of some patients out of a very long CSV file, without parsing the others.

`chartevents` has 313 million rows, of which a few patients' are needed. Its lines begin with the patient, so the ends
of lines and their first eight bytes are all that is looked at, a block of the file at a time; that every line has the
columns of the header is still seen. Where the file is not that plain (damaged, other line ends, quoted ones, other
identifiers) nothing is decided here: the ordinary reader takes the file, and names what is wrong with it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chartsight.records.ehrxqa.csv_batches import NotPlain

BLOCK_BYTES = 2**19  # so that a block stays in the cache of a core while it is looked at several times
ID_DIGITS = 8
COMMA, NEWLINE, QUOTE, RETURN = b',\n"\r'
BYTE_OF_WORD = np.uint64(0x0001020304050607)  # times a word with a single 1 in byte k, its highest byte is k


def copy_patient_lines(file: BinaryIO, out: Path, columns: int, subjects: Iterable[int]) -> bool:
    """Write the header and the lines of some patients to `out`, in their order; False when the file is not plain.

    Args:
        file: CSV, unpacked, whose first column is subject_id.
        out: To be written.
        columns: Of the header.
        subjects: Whose lines are kept.
    """
    wanted = np.array([f"{subject:0{ID_DIGITS}d}"[:ID_DIGITS].encode() for subject in sorted(set(subjects))], "S8")
    if any(len(str(subject)) != ID_DIGITS for subject in subjects):
        return False
    keys = wanted.view("<u8")
    keys.sort()
    try:
        with out.open("wb") as kept:
            for number, block in enumerate(whole_lines(file)):
                header, lines = b"", block
                if number == 0:
                    header, _, lines = block.partition(b"\n")
                    kept.write(header + b"\n")
                for stretch in kept_lines(lines, columns, keys):
                    kept.write(stretch)
    except (NotPlain, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
        out.unlink()
        return False
    return True


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The file in blocks that end with a line.

    Raises:
        NotPlain: The last line has no end.
    """
    rest = b""
    while more := file.read(BLOCK_BYTES):
        end = more.rfind(b"\n") + 1
        if end == 0:
            rest += more
            continue
        yield rest + more[:end]
        rest = more[end:]
    if rest:
        raise NotPlain


def kept_lines(lines: bytes, columns: int, keys: NDArray[np.uint64]) -> Iterator[memoryview]:
    """Stretches of the lines of the wanted patients.

    Args:
        lines: Whole ones.
        columns: That each must have.
        keys: The patients' identifiers as they are read from memory, sorted.

    Raises:
        NotPlain: A line is not plain.
        UnicodeDecodeError: It is not UTF-8.
    """
    if not lines:
        return
    if not lines.isascii():
        lines.decode("utf-8")
    held = np.frombuffer(lines, np.uint8)
    ends = line_ends(held)
    starts = np.concatenate([[0], ends[:-1] + 1])
    # Every line must reach to the comma behind its identifier, so that nothing is read beyond the block.
    if RETURN in lines or (ends - starts).min() <= ID_DIGITS or (held[starts + ID_DIGITS] != COMMA).any():
        raise NotPlain
    commas = held == COMMA
    if QUOTE in lines or np.count_nonzero(commas) != (columns - 1) * len(ends):
        check_lines(lines, starts, ends, commas, columns)
    found = np.ndarray(len(held) - 7, "<u8", held, strides=(1,))[starts]
    changes = np.flatnonzero(
        np.concatenate([[True], found[1:] != found[:-1]])
    )  # a patient's lines mostly follow each other
    patients = found[changes]
    nth = np.minimum(np.searchsorted(keys, patients), max(len(keys) - 1, 0))
    is_wanted = keys[nth] == patients if len(keys) else np.zeros(len(patients), np.bool_)
    view = memoryview(lines)
    last = np.append(changes[1:], len(starts)) - 1
    for first, end in zip(starts[changes[is_wanted]], ends[last[is_wanted]], strict=True):
        yield view[first : end + 1]


def line_ends(held: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where lines end: int64. Looked for eight bytes at a time, since lines are longer than that.

    Raises:
        NotPlain: Two lines end within eight bytes.
    """
    padded = np.zeros(-(-len(held) // 8) * 8, np.uint8)
    np.equal(held, NEWLINE, out=padded[: len(held)].view(np.bool_))
    words = padded.view("<u8")
    places = np.flatnonzero(words != 0)
    word = words[places]
    if (word & (word - np.uint64(1))).any():
        raise NotPlain
    ends: NDArray[np.int64] = places * 8 + ((word * BYTE_OF_WORD) >> np.uint64(56)).astype(np.int64)
    return ends


def check_lines(
    lines: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], commas: NDArray[np.bool_], columns: int
) -> None:
    """Nothing, when every line has its columns, commas inside of quotes left out.

    Raises:
        NotPlain: One has not, or a quote is not closed on its line.
    """
    counts = np.add.reduceat(commas, starts, dtype=np.int32)
    quoted = np.add.reduceat(np.frombuffer(lines, np.uint8) == QUOTE, starts, dtype=np.int32)
    if (counts[quoted == 0] != columns - 1).any() or (quoted % 2).any():
        raise NotPlain
    for place in np.flatnonzero(quoted):
        outside = lines[starts[place] : ends[place]].split(b'"')[::2]
        if sum(part.count(b",") for part in outside) != columns - 1:
            raise NotPlain
