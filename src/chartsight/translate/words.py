"""Text as words with their places, spelled so that two ways of writing one thing are equal.

>>> [word.text for word in split_words("Was 10000032's Hgb (g/dL) < 7.5?")]
['was', '10000032', 'hgb', 'g', 'dl', '<', '7.5']
>>> spell("Pleural effusions, unspecified")
'pleural effusion unspecified'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


def listed(words: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(words.split())


# A number keeps its point, a date its dashes, a time its colon; everything else breaks at what is no letter or digit.
_WORD = re.compile(r"\d+(?:[-./:]\d+)+|\d+(?:st|nd|rd|th)?(?![^\W_])(?:['’]s)?|[^\W_]+(?:['’][^\W_]+)?|[<>]=?")
_POSSESSIVE = re.compile(r"['’]s?$")
# Words whose last letter is no plural.
_SINGULAR = listed(
    """abscess address always arms as atelectasis basis bias bus consensus dialysis diagnosis does gas has his
    illness is lens loss mass perhaps plus previous process prognosis pus sepsis stenosis status this thrombosis times
    us uterus various versus was yes"""
)


@dataclass(frozen=True)
class Word:
    """One word and where it stands.

    Args:
        text: Lower-cased, without accents, without a plural's s.
        start: Offset of its first character in the text it was taken from.
        end: Offset behind its last.
    """

    text: str
    start: int
    end: int


def split_words(text: str) -> tuple[Word, ...]:
    """The words of a text in their order; punctuation is left out."""
    return tuple(Word(singular(fold(match[0])), match.start(), match.end()) for match in _WORD.finditer(text))


@lru_cache(maxsize=65_536)
def spell(text: str) -> str:
    """A name as its words: what is looked up, on both sides."""
    return " ".join(word.text for word in split_words(text))


def fold(text: str) -> str:
    """Lower case without accents and possessives."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return _POSSESSIVE.sub("", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def singular(word: str) -> str:
    """A word without a plural's s; what merely ends in s is left alone.

    >>> singular("effusions"), singular("opacities"), singular("masses"), singular("atelectasis")
    ('effusion', 'opacity', 'mass', 'atelectasis')
    """
    if len(word) < 4 or not word.endswith("s") or word in _SINGULAR or word.endswith(("ss", "us", "sis", "itis")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    return word[:-1]


def join_words(words: Sequence[Word]) -> str:
    """Their texts, with spaces."""
    return " ".join(word.text for word in words)
