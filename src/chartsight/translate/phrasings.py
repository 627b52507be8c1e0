"""Known ways of asking, and how near a question comes to each: words and their pairs weighted by how much they tell.

asked   has <patient> been put on <drug> before
known   was <drug> ever given to <patient>            .58
        how much does <drug> cost                      .12
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from chartsight.translate.words import listed, spell, split_words

_FIELD = re.compile(r"\{([a-z_]+\d*)\}")
PAIR_WEIGHT = 0.8  # of two words in a row beside a single word
STEM = 5  # letters that words of one family share: `prescribed`, `prescription`
# They join a sentence and tell nothing of what it asks.
JOINING = listed(
    """a an the of to in on for is are was were be been do does did has have had this that it at by with me who whose
    whom i"""
)
JOINING_WEIGHT = 0.2


@dataclass(frozen=True)
class Phrasing:
    """One known way of asking.

    Args:
        template_id: Whose program answers it.
        phrasing_id: Of the phrasing.
        text: With slots in braces.
        kinds: Slot → kind.
    """

    template_id: str
    phrasing_id: str
    text: str
    kinds: Mapping[str, str]

    @property
    def slots(self) -> tuple[str, ...]:
        """In the order in which it names them, each once."""
        return tuple(dict.fromkeys(_FIELD.findall(self.text)))

    @property
    def named(self) -> tuple[str, ...]:
        """The slots in the order in which it names them, again where it names one again."""
        return tuple(_FIELD.findall(self.text))

    @property
    def words(self) -> list[str]:
        """Its words, with the kind of each slot in its place."""
        found: list[str] = []
        for number, part in enumerate(_FIELD.split(self.text)):
            found += [mask(self.kinds[part])] if number % 2 else [word.text for word in split_words(part)]
        return found


def mask(kind: str) -> str:
    """The word that stands for a value of a kind; no text holds it."""
    return f"⟨{kind}⟩"


@cache
def read_thesaurus() -> tuple[Mapping[str, str], Mapping[tuple[str, ...], str]]:
    """Single word → the one that stands for it; several in a row → the same."""
    text = (resources.files("chartsight.translate") / "thesaurus.yaml").read_text("utf-8")
    single: dict[str, str] = {}
    several: dict[tuple[str, ...], str] = {}
    for line in yaml.safe_load(text):
        for each in line:
            words = tuple(spell(str(each)).split())
            if len(words) > 1:
                several.setdefault(words, line[0])
            elif words:
                single.setdefault(words[0], line[0])
    return single, several


@cache
def language_words() -> frozenset[str]:
    """Every word of the thesaurus and those that join a sentence."""
    single, several = read_thesaurus()
    return frozenset(single) | {word for words in several for word in words} | JOINING


def canonical_words(words: Sequence[str]) -> list[str]:
    """The words with one in the place of all that ask the same."""
    single, several = read_thesaurus()
    longest = max(map(len, several))
    found: list[str] = []
    index = 0
    while index < len(words):
        for length in range(min(longest, len(words) - index), 1, -1):
            joined = several.get(tuple(words[index : index + length]))
            if joined is not None:
                found.append(joined)
                index += length
                break
        else:
            found.append(single.get(words[index], words[index]))
            index += 1
    return found


def features(words: Sequence[str]) -> dict[str, float]:
    """What is compared of a wording: words, their beginnings, pairs in a row."""
    counted: dict[str, float] = {}
    for word in words:
        weight = JOINING_WEIGHT if word in JOINING else 1.0
        counted[word] = counted.get(word, 0.0) + weight
        if len(word) > STEM and word.isalpha():
            counted[f"{word[:STEM]}~"] = counted.get(f"{word[:STEM]}~", 0.0) + weight / 2
    telling = [word for word in words if word not in JOINING]
    for pair in pairwise(telling):
        counted[" ".join(pair)] = counted.get(" ".join(pair), 0.0) + PAIR_WEIGHT
    for first, second in zip(telling, telling[2:], strict=False):  # `after giving ⟨drug⟩`, `after ⟨drug⟩`
        if second.startswith("⟨"):
            counted[f"{first} {second}"] = counted.get(f"{first} {second}", 0.0) + PAIR_WEIGHT / 2
    return counted


class PhrasingIndex:
    """All known phrasings as rows of weights.

    Args:
        phrasings: In a fixed order.
    """

    def __init__(self, phrasings: Iterable[Phrasing]) -> None:
        self.phrasings = tuple(phrasings)
        self._words = [canonical_words(each.words) for each in self.phrasings]
        counted = [features(words) for words in self._words]
        self._columns = {name: n for n, name in enumerate(sorted({name for each in counted for name in each}))}
        # A word tells much when few templates use it, however many phrasings of one template do.
        templates: dict[str, set[str]] = {}
        for phrasing, each in zip(self.phrasings, counted, strict=True):
            for name in each:
                templates.setdefault(name, set()).add(phrasing.template_id)
        n_templates = len({each.template_id for each in self.phrasings})
        self._weights = np.array(
            [np.log((1 + n_templates) / (1 + len(templates[name]))) + 0.5 for name in self._columns]
        )
        self._unseen_weight = float(np.log(1 + n_templates) + 0.5)
        self._matrix = self._rows(counted)
        self.template_ids = tuple(dict.fromkeys(each.template_id for each in self.phrasings))
        rows = {template_id: n for n, template_id in enumerate(self.template_ids)}
        self.template_words: dict[str, set[str]] = {}
        for phrasing in self.phrasings:
            self.template_words.setdefault(phrasing.template_id, set()).update(phrasing.words)
        self._used = np.zeros((len(self.template_ids), len(self._columns)))
        for phrasing, each in zip(self.phrasings, counted, strict=True):
            self._used[rows[phrasing.template_id], [self._columns[name] for name in each]] = 1

    @cached_property
    def language(self) -> frozenset[str]:
        """The words that phrasings are worded with."""
        return frozenset(word for each in self.phrasings for word in each.words) | language_words()

    def similarities(self, questions: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Nearness of every masked question to every phrasing: float64 [questions, phrasings], 0 to 1.

        A word that no phrasing has makes a question less like each of them.
        """
        counted = [features(canonical_words(words)) for words in questions]
        unseen = np.array(
            [
                sum(
                    (value * self._unseen_weight) ** 2
                    for name, value in each.items()
                    if name not in self._columns and " " not in name and "~" not in name
                )
                for each in counted
            ]
        )
        rows = self._rows(counted, normalised=False)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel() + unseen)
        scores: NDArray[np.float64] = (rows @ self._matrix.T).toarray()
        scores /= np.maximum(lengths, 1e-9)[:, None]
        return scores

    def weight(self, word: str) -> float:
        """How much a word tells; most for one that no phrasing has."""
        return float(self._weights[self._columns[word]]) if word in self._columns else self._unseen_weight

    def coverages(self, questions: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """How much of what a masked question says each template's phrasings say too: float64 [questions, templates]."""
        shares = np.zeros((len(questions), len(self.template_ids)))
        for row, words in enumerate(questions):
            told = [word for word in dict.fromkeys(canonical_words(words)) if word not in JOINING and "⟨" not in word]
            weights = [
                self._weights[self._columns[word]] if word in self._columns else self._unseen_weight for word in told
            ]
            known = [
                (self._columns[word], weight)
                for word, weight in zip(told, weights, strict=True)
                if word in self._columns
            ]
            covered = sum(
                (self._used[:, column] * weight for column, weight in known), np.zeros(len(self.template_ids))
            )
            shares[row] = covered / sum(weights) if weights else 0.0
        return shares

    def _rows(self, counted: Sequence[Mapping[str, float]], *, normalised: bool = True) -> csr_matrix:
        data, columns, starts = [], [], [0]
        for each in counted:
            for name, value in each.items():
                if name in self._columns:
                    columns.append(self._columns[name])
                    data.append(value * self._weights[self._columns[name]])
            starts.append(len(columns))
        matrix = csr_matrix((data, columns, starts), shape=(len(counted), len(self._columns)), dtype=np.float64)
        if normalised:
            lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
            matrix = csr_matrix(matrix.multiply(1 / np.maximum(lengths, 1e-9)[:, None]))
        return matrix
