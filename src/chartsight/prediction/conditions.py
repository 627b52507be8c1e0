"""How each question is put under a condition: what is shown, what is asked, and by which key the answer is stored.

What becomes of a question (its donor, the change of its film, its other words) is decided in `questions.variants`; here
it meets a model. A text-only model is asked without the film whatever the condition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chartsight.errors import FilmError, QuestionError
from chartsight.imaging.film_index import FilmIndex
from chartsight.prediction.backends import Identity
from chartsight.prediction.rules import DECODING, SETS, YES_NO, Scoring, Sets, rule_of
from chartsight.prediction.shots import Shot
from chartsight.questions.list_items import list_items
from chartsight.questions.variants import KnownFilms, build_variants, donor_films
from chartsight.schema import CONDITIONS, Condition, FilmChange, Question, Variant
from chartsight.vlm.grammars import Rule, Weighed
from chartsight.vlm.prompts import Turn

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

__all__ = [
    "BLANK", "DECODING", "OFFERED", "SETS", "Asked", "Sets", "donor_films", "put_questions", "put_variants",
    "select_questions",
]  # fmt: skip

OFFERED: tuple[Condition, ...] = CONDITIONS
FROM_LABELS: tuple[Condition, ...] = ("swap", "mirrored", "occluded", "occluded_elsewhere")
BLANK = "blank"  # what stands for the film, and for its donor, where a uniform grey one is shown


@dataclass(frozen=True)
class Asked:
    """A question as it is put under a condition.

    Args:
        question: With the words, the answer type and the allowed answers that it has there.
        films: What the model is shown; empty when it is asked without a film.
        donors: Films that stand in for the question's own; empty under `full`.
        key: Of the answer.
        parts: Prompt and key of each yes/no question that decides a list; empty when the list is asked for whole.
        change: What is done to the films before they are shown; None when they are shown as they are, or not at all.
        rule: By which it, or each of its parts, is answered; None for free text.
        turns: Examples before it, and before each of its parts.
    """

    question: Question
    films: tuple[str, ...]
    donors: tuple[str, ...]
    key: str
    parts: tuple[tuple[str, str], ...] = ()
    change: FilmChange | None = None
    rule: Rule | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def put(self) -> tuple[tuple[str, str], ...]:
        """What the model is really asked, and the key of each answer."""
        return self.parts or ((self.question.asked, self.key),)

    @property
    def shown(self) -> tuple[tuple[str, ...], FilmChange | None]:
        """What is read once for all that is asked of it."""
        return self.films, self.change


def select_questions(questions: Sequence[Question], split: str, limit: int | None, where: Path) -> list[Question]:
    """The questions of a split about one film, at most `limit`, in an order that keeps a film's questions together.

    Raises:
        QuestionError: There is none.
    """
    chosen = [each for each in questions if each.looks_at_one_film and split in {each.split, "all"}]
    if not chosen:
        raise QuestionError(
            "empty-split", where, f"has no question about one film in split {split}", "train, valid, test or all"
        )
    chosen.sort(key=lambda each: each.question_id)
    if limit is not None and limit < len(chosen):
        step = len(chosen) / limit
        chosen = [chosen[int(i * step)] for i in range(limit)]
    return sorted(chosen, key=lambda each: (each.image_ids, each.question_id))


def put_questions(
    questions: Sequence[Question],
    condition: Condition,
    films: FilmIndex | KnownFilms,
    who: Identity | Vlm,
    seed: int,
    sets: Sets = "generate",
    *,
    scoring: Scoring = "free",
    shots: Sequence[Shot] = (),
) -> Iterator[Asked]:
    """Every question that has a variant under the condition, with what it is shown and the key of its answer.

    Raises:
        QuestionError: A question about several films; under `shuffled`, films of one patient only.
        FilmError: A question about a film that the index lacks.
    """
    known = films if isinstance(films, KnownFilms) else KnownFilms(films)
    check_films(questions, known.index)
    variants = build_variants(questions, [condition], known, seed)[condition]
    yield from put_variants(questions, variants, known.index, who, sets, scoring=scoring, shots=shots)


def check_films(questions: Sequence[Question], index: FilmIndex) -> None:
    """Nothing, when the index has every film that is asked about.

    Raises:
        FilmError: It lacks some.
    """
    if unknown := sorted({image_id for each in questions for image_id in each.image_ids} - index.keys()):
        raise FilmError("unknown-film", index.source, f"lacks {len(unknown)} of the films asked about: {unknown[0]}")


def put_variants(
    questions: Sequence[Question],
    variants: Mapping[str, Variant],
    index: FilmIndex,
    who: Identity | Vlm,
    sets: Sets = "generate",
    *,
    scoring: Scoring = "free",
    shots: Sequence[Shot] = (),
) -> Iterator[Asked]:
    """The questions that have a variant, in their order, as the model is asked.

    Args:
        questions: About one film each.
        variants: question_id → variant, under one condition.
        index: Of all films that are shown.
        who: Is asked.
        sets: How lists are asked.
        scoring: Free text, or allowed answers only.
        shots: Examples before every question, with their films where it has one.
    """
    identity = who if isinstance(who, Identity) else Identity.of(who)
    sees = identity.card.reads_film
    examples = {film: tuple(shot.turn(film=film) for shot in shots) for film in (True, False)}
    example_digests = [index[shot.image_id].digest for shot in shots] if sees else []
    for question in questions:
        variant = variants.get(question.question_id)
        if variant is None:
            continue
        put = replace(
            question, visual_question=variant.asked, answer_type=variant.answer_type,
            allowed_answers=variant.allowed_answers,
        )  # fmt: skip
        change = variant.change if sees else None
        stand_ins = _names(variant)
        films = stand_ins if sees else ()
        turns = examples[bool(films)]
        digests = [*(example_digests if films else ()), *(_digest(name, change, index) for name in films)]
        items = list_items(put) if sets == "itemwise" else ()
        rule = (YES_NO if scoring == "allowed" else Weighed()) if items else rule_of(put, sets, scoring)
        asks = sorted({ask for item in items for ask in item.asks})
        parts = tuple((ask, identity.key(ask, digests, rule, turns)) for ask in asks)
        key = hashlib.sha256("".join(each for _, each in parts).encode()).hexdigest() if parts else None
        donors = stand_ins if stand_ins != question.image_ids else ()
        key = key or identity.key(put.asked, digests, rule, turns)
        yield Asked(put, films, donors, key, parts, change, rule, turns)


def _names(variant: Variant) -> tuple[str, ...]:
    """The films that are shown, by their ids; what shows nothing of any film has a name of its own."""
    if variant.change is None or variant.change.shows_film:
        return variant.image_ids
    name = BLANK if variant.change.kind == "blank" else f"{variant.change.kind}-{variant.change.seed}"
    return (name,) * len(variant.image_ids)


def _digest(name: str, change: FilmChange | None, index: FilmIndex) -> str:
    """What stands in the answer's key for a film as it is shown."""
    if change is None:
        return index[name].digest
    if not change.shows_film:
        return name
    places = ";".join(",".join(f"{side:g}" for side in box) for box in change.boxes)
    return f"{index[name].digest}:{change.kind}:{places}"
