"""Words that are misspelled, read as the nearest known ones.

>>> Speller({"furosemide", "prescribed"}).correct("furosimide")
(Correction(word='furosemide', edits=1),)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

SHORTEST = 4  # letters of a word that is corrected: any three letters are near many abbreviations
MOST_EDITS = 2
LONG = 8  # letters; a shorter word with two edits is another word


@dataclass(frozen=True)
class Correction:
    """A known word and the edits to it; an exchange of two neighbours is one edit."""

    word: str
    edits: int


class Speller:
    """Corrects towards `known` words.

    Args:
        known: Spelled by `words.spell`; they are never corrected themselves.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.known = frozenset(known)
        self._candidates = sorted(word for word in self.known if len(word) >= SHORTEST and word.isalpha())

    def correct(self, word: str) -> tuple[Correction, ...]:
        """The nearest known words, fewest edits first, then by the alphabet; none for a known, short or numeric one."""
        if word in self.known or len(word) < SHORTEST or not word.isalpha():
            return ()
        most = MOST_EDITS if len(word) >= LONG else 1
        found = process.extract(
            word, self._candidates, scorer=OSA.distance, processor=None, score_cutoff=most, limit=None
        )
        return tuple(
            Correction(near, int(edits)) for near, edits, _ in sorted(found, key=lambda each: (each[1], each[0]))
        )
