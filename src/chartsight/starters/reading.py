"""The reading lesson: is it there? Of very many findings and places of a film, in as few words as can be.

A question of the instructions costs twenty tokens and teaches one bit of the film. These cost half of that, and a row
holds a dozen: the language model learns to look before it learns the many ways of being asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from chartsight.starters.asked import Asked
from chartsight.starters.instructions import FilmFacts, Vocabulary

Option = TypeVar("Option")
FEWEST_ABSENT = 4  # asked of a film, however little is on it
MOST_PLACED = 6  # findings in their places


def read_film(facts: FilmFacts, vocabulary: Vocabulary, random: np.random.Generator) -> Iterator[Asked]:
    """Every finding of a film, as many that are not there, and some of both in their places.

    What is not there is drawn as often as it is there elsewhere; half of the wrong places are wrong of the place alone.

    Args:
        facts: Of the film.
        vocabulary: Of all films.
        random: Of this film.
    """
    present = sorted(facts.present & set(vocabulary.attributes))
    absent = [name for name in vocabulary.attributes if name not in facts.present]
    missing = draw(absent, [vocabulary.attributes[name] for name in absent], max(FEWEST_ABSENT, len(present)), random)
    for name, there in (*((name, True) for name in present), *((name, False) for name in missing)):
        yield Asked("read-finding", f"{name}?", "boolean", json.dumps(there))
    if not facts.knows_places:
        return
    found = draw(sorted(pair for pair in facts.found if pair in vocabulary.pairs), None, MOST_PLACED, random)
    wrong = [pair for pair in vocabulary.pairs if pair not in facts.found]
    elsewhere = draw([pair for pair in wrong if pair[0] in facts.present], None, len(found) // 2, random)
    others = [pair for pair in wrong if pair not in elsewhere]
    count = max(FEWEST_ABSENT, len(found)) - len(elsewhere)
    elsewhere += draw(others, [vocabulary.pairs[pair] for pair in others], count, random)
    for (name, place), there in (*((pair, True) for pair in found), *((pair, False) for pair in elsewhere)):
        yield Asked("read-place", f"{name}, {place}?", "boolean", json.dumps(there))


def draw(
    options: Sequence[Option], weights: Sequence[int] | None, count: int, random: np.random.Generator
) -> list[Option]:  # fmt: skip
    """At most `count` different options, by weight, or all alike."""
    shares = None if weights is None or not weights else np.array(weights, np.float64) / sum(weights)
    chosen = random.choice(len(options), min(count, len(options)), replace=False, p=shares) if options else ()
    return [options[int(place)] for place in chosen]
