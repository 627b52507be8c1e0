"""Splits by patient, by a seeded hash of the patient's own id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from chartsight.errors import GateError, QuestionError
from chartsight.schema import SPLITS, Question, Split

Key = TypeVar("Key", int, str)

# From here on a patient's split depends on seed and id alone, so that it stays when the record grows. Below, chance
# would leave shares far off (46 patients can have an empty valid), and the shares are kept exactly instead.
FEWEST_PATIENTS_TO_HASH = 500


def place_patient(key: int | str, seed: int) -> float:
    """Where a patient stands between 0 and 1; test lies at the low end, then valid, then train."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign_splits(
    subjects: Iterable[tuple[Key, str]], seed: int, valid_share: float, test_share: float
) -> dict[Key, Split]:
    """The split of every patient; patients who share an image go together.

    Args:
        subjects: (patient, image digest), one for each film.
        seed: Another seed, another split.
        valid_share: Share of patients in valid.
        test_share: Share of patients in test.

    Raises:
        QuestionError: The shares leave nothing to train on.
    """
    if valid_share < 0 or test_share < 0 or valid_share + test_share >= 1:
        raise QuestionError(
            "bad-shares", "valid_share, test_share", f"{valid_share} and {test_share}", "not negative, together below 1"
        )
    leader: dict[Key, Key] = {}

    def find(key: Key) -> Key:
        while leader[key] != key:
            key = leader[key]
        return key

    first_with: dict[str, Key] = {}
    for key, digest in sorted(set(subjects)):
        leader.setdefault(key, key)
        a, b = find(key), find(first_with.setdefault(digest, key))
        leader[max(a, b)] = min(a, b)
    places = {key: place_patient(key, seed) for key in leader if find(key) == key}
    if len(places) < FEWEST_PATIENTS_TO_HASH:
        ranked = sorted(places, key=lambda key: (places[key], key))
        places = {key: (n + 0.5) / len(ranked) for n, key in enumerate(ranked)}

    def split_at(place: float) -> Split:
        if place < test_share:
            return "test"
        return "valid" if place < test_share + valid_share else "train"

    return {key: split_at(places[find(key)]) for key in leader}


def scored_split(questions: Iterable[Question]) -> Split:
    """The split that models are measured on: test, or valid where there is no test question."""
    splits = {question.split for question in questions}
    return "valid" if "valid" in splits and "test" not in splits else "test"


def leak_values(question: Question, digests: Mapping[str, str]) -> Iterator[Mapping[str, object]]:
    """What of a question must not stand in two splits: its patient, every study, every image."""
    yield {"patient": question.subject_id}
    for study_id in question.study_ids:
        yield {"study": study_id}
    for image_id in question.image_ids:
        yield {"image": digests.get(image_id, image_id)}


def find_leaks(rows: Iterable[tuple[Split, Mapping[str, object]]]) -> dict[str, dict[str, int]]:
    """How many values stand in more than one split: kind → pair of splits → number.

    Args:
        rows: (split, {kind: value}) such as ("test", {"patient": 10000032, "image": "9f..."}); None is skipped.
    """
    seen: dict[str, dict[object, set[Split]]] = {}
    for split, values in rows:
        for kind, value in values.items():
            if value is not None:
                seen.setdefault(kind, {}).setdefault(value, set()).add(split)
    pairs = [(a, b) for n, a in enumerate(SPLITS) for b in SPLITS[n + 1 :]]
    return {
        kind: {f"{a}-{b}": sum(a in splits and b in splits for splits in values.values()) for a, b in pairs}
        for kind, values in seen.items()
    }


def check_splits(rows: Iterable[tuple[Split, Mapping[str, object]]], where: object) -> None:
    """Stops the run when a patient, a study or an image stands in two splits.

    Raises:
        GateError: With the kind and the number; never the identifiers.
    """
    for kind, pairs in find_leaks(rows).items():
        for pair, number in pairs.items():
            if number:
                raise GateError(
                    "leakage", where, f"{number} {kind}(s) in both {pair.replace('-', ' and ')}",
                    "each in one split", "split by patient",
                )  # fmt: skip
