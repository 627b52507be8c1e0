"""Lines of some patients out of a very long CSV file, without parsing the others.

`chartevents` has 313 million rows, of which a few patients' are needed. Its lines begin with the patient, so the ends
of lines and their first eight bytes are all that is looked at, a block of the file at a time; that every line has the
columns of the header is still seen. Where the file is not that plain (damaged, other line ends, quoted ones, other
identifiers) nothing is decided here: the ordinary reader takes the file, and names what is wrong with it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chartsight.records.ehrxqa.csv_batches import NotPlain

BLOCK_BYTES = 2**18  # so that a block stays in the cache of a core while it is looked at several times
ID_DIGITS = 8
BEYOND = 8  # bytes that may be read behind a block
COMMA, NEWLINE, QUOTE = b',\n"'
FIRST_BEYOND_ASCII = 0x80
ITEM_DIGITS = 6
ITEM_AND_COMMA = np.uint64(0x00FFFFFFFFFFFFFF)
SIX_DIGITS, SIX_ZEROS = np.uint64(0x00FFF0F0F0F0F0F0), np.uint64(0x002C303030303030)  # a digit is 0x30 to 0x39
SIX_SIXES = np.uint64(0x0000060606060606)  # what is no digit is then above 0x3F
NO_ITEMS = np.zeros(0, np.uint64)
BYTE_OF_WORD = np.uint64(0x0001020304050607)  # times a word with a single 1 in byte k, its highest byte is k


def copy_patient_lines(
    file: BinaryIO, out: Path, columns: Sequence[str], subjects: Iterable[int], items: Iterable[int] = ()
) -> bool:
    """Write the header and the lines of some patients to `out`, in their order; False when the file is not plain.

    Args:
        file: CSV, unpacked, whose first column is subject_id.
        out: To be written.
        columns: Of the header.
        subjects: Whose lines are kept.
        items: Of these, lines of another itemid may be left out, and mostly are; none keeps all.
    """
    subjects = sorted(set(subjects))
    if any(len(str(subject)) != ID_DIGITS for subject in subjects):
        return False
    keys = np.array([str(subject).encode() for subject in subjects], f"S{ID_DIGITS}").view("<u8")
    keys.sort()
    texts = [f"{item},".encode() for item in items]
    if any(len(text) != ITEM_DIGITS + 1 for text in texts):
        texts = []
    item_keys = np.array(texts, "S8").view("<u8")
    lines = Lines(len(columns), keys, columns.index("itemid") if texts else 0, item_keys)
    try:
        with out.open("wb") as kept:
            for buffer, size in whole_lines(file):
                view = memoryview(buffer)
                start = 0
                if not lines.has_header:
                    lines.has_header, start = True, buffer.index(b"\n") + 1
                    kept.write(view[:start])
                for stretch in lines.kept(buffer, start, size):
                    kept.write(stretch)
                view.release()
    except (NotPlain, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
        out.unlink()
        return False
    return True


def whole_lines(file: BinaryIO) -> Iterator[tuple[bytearray, int]]:
    """The file in blocks that end with a line: one buffer, always the same as long as lines are short, and its use.

    Raises:
        NotPlain: The last line has no end.
    """
    buffer, used = bytearray(BLOCK_BYTES + BEYOND), 0
    while True:
        if used + BEYOND >= len(buffer):
            buffer = buffer + bytearray(len(buffer))  # a line longer than a block
        with memoryview(buffer) as view, view[used : len(buffer) - BEYOND] as free:
            more = file.readinto(free)  # type: ignore[attr-defined]
        if not more:
            break
        end = buffer.rfind(b"\n", used, used + more) + 1
        used += more
        if end:
            yield buffer, end
            buffer[: used - end] = buffer[end:used]
            used -= end
    if used:
        raise NotPlain


class Lines:
    """Looks at blocks of lines; the arrays that it needs for that are made once.

    Args:
        columns: That each line must have.
        keys: The patients' identifiers as they are read from memory, sorted.
        item_column: The column of items, from 0.
        items: The wanted items and a comma as they are read from memory; empty for all.
    """

    def __init__(
        self, columns: int, keys: NDArray[np.uint64], item_column: int = 0, items: NDArray[np.uint64] = NO_ITEMS
    ) -> None:
        self.columns, self.keys = columns, keys
        self.item_column, self.items = item_column, items
        self.has_header = False
        self.found = np.zeros(0, np.uint8)

    def kept(self, buffer: bytearray, start: int, size: int) -> Iterator[memoryview]:
        """Stretches of the lines of the wanted patients.

        Args:
            buffer: Whole lines, and `BEYOND` bytes more than are used.
            start: Where the first one begins.
            size: Where the last one ends.

        Raises:
            NotPlain: A line is not plain.
            UnicodeDecodeError: It is not UTF-8.
        """
        if start == size:
            return
        held = np.frombuffer(buffer, np.uint8)[start:size]
        if held.max() >= FIRST_BEYOND_ASCII:
            str(memoryview(buffer)[start:size], "utf-8")
        if buffer.find(b"\r", start, size) >= 0:
            raise NotPlain
        ends = self.line_ends(held)
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        commas = self.equal(held, COMMA)
        has_quotes = buffer.find(b'"', start, size) >= 0
        if has_quotes or np.count_nonzero(commas) != (self.columns - 1) * len(ends):
            check_lines(bytes(held), starts, ends, commas, self.columns)
        # What is read beyond the last line, when that is shorter than an identifier, is no part of the block but there.
        words = np.ndarray(len(held) + 1, "<u8", buffer, offset=start, strides=(1,))
        found = words[starts]
        changes = np.flatnonzero(found[1:] != found[:-1]) + 1  # a patient's lines mostly follow each other
        changes = np.append(0, changes)
        patients = found[changes]
        nth = np.minimum(np.searchsorted(self.keys, patients), max(len(self.keys) - 1, 0))
        is_wanted = self.keys[nth] == patients if len(self.keys) else np.zeros(len(patients), np.bool_)
        last = np.append(changes[1:], len(starts)) - 1
        view = memoryview(buffer)
        for first, end in zip(changes[is_wanted], last[is_wanted], strict=True):
            if (held[starts[first : end + 1] + ID_DIGITS] != COMMA).any():  # a longer identifier
                raise NotPlain
            if has_quotes or not len(self.items):
                yield view[start + starts[first] : start + ends[end] + 1]
                continue
            begin = starts[first]
            places = begin + np.flatnonzero(commas[begin : ends[end]])
            if len(places) != (self.columns - 1) * (end + 1 - first):
                raise NotPlain
            places = places.reshape(-1, self.columns - 1)
            if (places[:, 0] < starts[first : end + 1]).any() or (places[:, -1] > ends[first : end + 1]).any():
                raise NotPlain  # one has too many, another too few
            kept = first + np.flatnonzero(self.may_be_wanted(words[places[:, self.item_column - 1] + 1]))
            for stretch in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
                if len(stretch):
                    yield view[start + starts[stretch[0]] : start + ends[stretch[-1]] + 1]

    def may_be_wanted(self, items: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether an item is wanted, or is not written as six digits, so that the reader decides: bool.

        Args:
            items: Its first eight bytes, as they are read from memory.
        """
        wanted = np.isin(items & ITEM_AND_COMMA, self.items)
        wanted |= (items & SIX_DIGITS) != SIX_ZEROS
        wanted |= ((items + SIX_SIXES) & SIX_DIGITS) != SIX_ZEROS
        return wanted

    def equal(self, held: NDArray[np.uint8], byte: int) -> NDArray[np.bool_]:
        """Where a byte stands, in the array that is always the same: bool, as long as `held`."""
        if len(self.found) < len(held) + 8:
            self.found = np.zeros(len(held) + 8, np.uint8)
        place = self.found[: len(held)].view(np.bool_)
        np.equal(held, byte, out=place)
        return place

    def line_ends(self, held: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where lines end: int64. Looked for eight bytes at a time, since lines are longer than that.

        Raises:
            NotPlain: Two lines end within eight bytes.
        """
        self.equal(held, NEWLINE)
        size = -(-len(held) // 8) * 8
        self.found[len(held) : size] = 0
        words = self.found[:size].view("<u8")
        places = np.flatnonzero(words != 0)
        word = words[places]
        if (word & (word - np.uint64(1))).any():
            raise NotPlain
        word *= BYTE_OF_WORD
        word >>= np.uint64(56)
        ends: NDArray[np.int64] = places
        ends *= 8
        ends += word.view(np.int64)
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
