"""The spelling of published queries, mended before they are read; every repair keeps the length of the text.

    SELECT … WHERE a < = “b” AND c = ''d''      as published
    SELECT … WHERE a <=  "b" AND c =  'd'       as it is read

Lines and columns of an error, and of every name in the tree, are therefore those of the text as it was published.
"""

from __future__ import annotations

import re

_CURLY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})
_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]"""
# An empty text is followed by a blank, an operator or the end; two quotes before anything else open a doubled text.
_TOKENS = re.compile(
    rf"(?P<doubled>''(?=[^\s'),;=<>!|+*/%-])(?P<inner>(?:(?!'').)*)'')|{_QUOTED}|(?P<split>[<>!] +=)", re.DOTALL
)


def straighten_quotes(text: str) -> str:
    """Curly quotes are the straight ones that they were before a word processor saw them."""
    return text.translate(_CURLY)


def mend_tokens(text: str) -> str:
    """`< =` is one operator, `''word''` a text in single quotes; nothing inside of another text is touched.

    A quote inside of a doubled text ends nothing there and is doubled here, in the place of the two outer ones.
    """
    return _TOKENS.sub(_mend, text)


def _mend(found: re.Match[str]) -> str:
    if found["split"]:
        return f"{found['split'][0]}={' ' * (len(found['split']) - 2)}"
    if found["doubled"]:
        mended = "'" + found["inner"].replace("'", "''") + "'"
        return mended.rjust(len(found[0]))
    return found[0]


SPELLING = (straighten_quotes, mend_tokens)
