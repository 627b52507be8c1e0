"""The ways to read a question as known wording: which of its spans are values, and of which class.

was 10000032 given lasix in 2103    was ⟨patient⟩ give ⟨drug⟩ ⟨period⟩
                                    was ⟨patient⟩ give ⟨input⟩ ⟨period⟩
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from chartsight.translate.grounding import Grounding, Mention
from chartsight.translate.phrasings import JOINING, mask

MOST_READINGS = 96
# What it costs to leave a value unread: words that the language has anyway cost nothing.
UNREAD_NAME = 0.3
UNREAD_TIME = 0.05


@dataclass(frozen=True)
class MaskedQuestion:
    """One way to read a question.

    Args:
        words: With the class of each value in its place.
        values: The spans that are values, with their classes, in the order of the question.
        cost: For names that it leaves unread.
        unread: Words that could be a choice and are read as words.
    """

    words: tuple[str, ...]
    values: tuple[tuple[Mention, str], ...]
    cost: float
    unread: tuple[str, ...]


def mask_question(
    grounding: Grounding, classes: Mapping[str, str], language: Collection[str]
) -> tuple[MaskedQuestion, ...]:
    """The ways to read a question, those that leave least unread first.

    Args:
        grounding: Of the question.
        classes: Kind → class; a kind that is not in it is no value.
        language: Words that questions are worded with.
    """
    n_words = len(grounding.words)
    # Ways to read the words before each index.
    ways: list[list[MaskedQuestion]] = [[] for _ in range(n_words + 1)]
    ways[0] = [MaskedQuestion((), (), 0.0, ())]
    for index in range(n_words):
        word = grounding.words[index].text
        named = [each for each in grounding.starting_at(index) if any(kind in classes for kind in each.kinds)]
        unread_cost = _unread_cost(word, named, language)
        unread = (word,) if named and word in language and word not in JOINING else ()
        for way in _cheapest(ways[index]):
            ways[index + 1].append(
                MaskedQuestion((*way.words, word), way.values, way.cost + unread_cost, way.unread + unread)
            )
            for mention, kind_class in _options(named, classes):
                ways[mention.last].append(
                    MaskedQuestion(
                        (*way.words, mask(kind_class)), (*way.values, (mention, kind_class)), way.cost, way.unread
                    )
                )
    return tuple(_cheapest(ways[n_words]))


def _cheapest(ways: list[MaskedQuestion]) -> list[MaskedQuestion]:
    """Of equal cost, the reading with the longest values has the fewest words."""
    return sorted(ways, key=lambda way: (way.cost, len(way.words)))[:MOST_READINGS]


def _options(named: list[Mention], classes: Mapping[str, str]) -> Iterator[tuple[Mention, str]]:
    for mention in named:
        for kind_class in dict.fromkeys(classes[kind] for kind in mention.kinds if kind in classes):
            yield mention, kind_class


def _unread_cost(word: str, named: list[Mention], language: Collection[str]) -> float:
    if not named or word in JOINING:
        return 0.0
    if word not in language:
        return UNREAD_NAME
    return UNREAD_TIME if any(kind in ("period", "window") for each in named for kind in each.kinds) else 0.0
