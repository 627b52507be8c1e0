"""The items of a large JSON array, one at a time: EHRXQA's and MIMIC-CXR-VQA's files hold hundreds of megabytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chartsight.errors import QuestionError

CHUNK = 1 << 20  # characters read at a time
LONGEST_ITEM = 1 << 26  # characters; a file whose brackets never close must not fill the memory
_SPACE = " \t\r\n"


def read_json_array(file: Path) -> Iterator[tuple[int, Any]]:
    """(number from 1, item) of the array that `file` holds.

    Raises:
        QuestionError: The file is missing, is no array, or is damaged; with the number of the item.
    """
    if not file.is_file():
        raise QuestionError("missing-file", file, "no such file", "a JSON array")
    decoder = json.JSONDecoder()
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        text, at, number = "", 0, 0

        def more() -> bool:
            nonlocal text, at
            chunk = stream.read(CHUNK)
            text, at = text[at:] + chunk, 0
            return bool(chunk)

        def skip(characters: str) -> str:
            """The next character that is none of these, "" at the end of the file."""
            nonlocal at
            while True:
                while at < len(text) and text[at] in characters:
                    at += 1
                if at < len(text):
                    return text[at]
                if not more():
                    return ""

        if skip(_SPACE) != "[":
            raise QuestionError("no-array", file, "does not begin with [", "a JSON array of items")
        at += 1
        if skip(_SPACE) == "]":
            return
        while True:
            number += 1
            skip(_SPACE)
            while True:
                try:
                    item, end = decoder.raw_decode(text, at)
                except RecursionError as error:
                    raise QuestionError("bad-json", f"{file}, item {number}", "is nested too deeply") from error
                except ValueError as error:
                    if len(text) - at > LONGEST_ITEM or not more():
                        raise QuestionError(
                            "bad-json", f"{file}, item {number}", "is no JSON or is cut short", "a whole array"
                        ) from error
                    continue
                # A number may go on in the next chunk; everything else ends with its own last character.
                is_number = isinstance(item, int | float) and not isinstance(item, bool)
                if not is_number or text[end : end + 1] in (*_SPACE, ",", "]") or not more():
                    break
            at = end
            yield number, item
            following = skip(_SPACE)
            if following == "]":
                return
            if following != ",":
                raise QuestionError("bad-json", f"{file}, after item {number}", "no comma and no ]", "a whole array")
            at += 1


def is_plain_text(item: Any) -> bool:
    """Whether every text of an item is Unicode: half a character, as \\ud800, cannot be written to Parquet."""
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
