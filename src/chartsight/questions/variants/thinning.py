"""Fewer variants where an audit would cost too much: those of some films only, the same for every model.

An audit must cost less than six plain passes (every question once, of its own film). Every question keeps what the
verdict rests on (`full`, `swap`, `shuffled`, `question_only`, `blank`); paraphrases, opposites, mirrored films, hidden
places and noise are asked about as many films as the rest allows, drawn with a seed, a film with all its questions.

Counted are films read and asks made, before any model is there, so that all models of a comparison get the same
variants: a film counts as four asks, which is what it costs the smallest model that comes with the package (106 tokens
against 26). With more tokens a film an audit costs less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from chartsight.questions.variants.build import build_variants
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.schema import CONDITIONS, Condition, FilmChange, Question, Variant

FILM_IN_ASKS = 4.0
MOST_PASSES = 5.7  # what is left to six is for words that are longer under a condition than in the question itself
THINNED: tuple[Condition, ...] = (
    "paraphrase", "noise", "negated", "mirrored", "occluded", "occluded_elsewhere",
)  # fmt: skip

Variants = Mapping[Condition, Mapping[str, Variant]]


def plan_variants(
    questions: Sequence[Question], conditions: Iterable[Condition], known: KnownFilms, seed: int
) -> dict[Condition, dict[str, Variant]]:
    """The variants of these conditions in an audit: as many as if all conditions were asked, whichever are.

    So that of two models one can be asked under fewer conditions, or under more of them later, and both of the same.

    Args:
        questions: About one film each.
        conditions: Of `schema.CONDITIONS`.
        known: Their films.
        seed: Of everything that is drawn.

    Raises:
        QuestionError: A question about several films; under `shuffled`, films of one patient only.
    """
    wanted = list(conditions)
    patients = {known.index[image_id].subject_id for each in questions for image_id in each.image_ids}
    possible = [each for each in CONDITIONS if each in wanted or each != "shuffled" or len(patients) > 1]
    planned = thin_variants(build_variants(questions, possible, known, seed), questions, seed)
    return {condition: planned[condition] for condition in wanted}


def thin_variants(
    variants: Variants, questions: Sequence[Question], seed: int, most_passes: float = MOST_PASSES
) -> dict[Condition, dict[str, Variant]]:
    """All of them where they cost no more than `most_passes`, else `THINNED` of as many films as that allows.

    Args:
        variants: By condition and question_id.
        questions: That they are of.
        seed: Of the films that are kept.
        most_passes: Multiples of the plain pass.
    """
    film_of = {question.question_id: question.image_ids for question in questions}
    films = sorted(set(film_of.values()), key=lambda ids: hashlib.sha256(f"{seed} {ids}".encode()).digest())
    allowed = most_passes * count_asks({"full": {each.question_id: _plain(each) for each in questions}})

    def kept_of(n: int) -> dict[Condition, dict[str, Variant]]:
        kept = set(films[:n])
        return {
            condition: {
                question_id: each
                for question_id, each in those.items()
                if condition not in THINNED or film_of[question_id] in kept
            }
            for condition, those in variants.items()
        }

    low, high = 0, len(films)  # with `low` films it is cheap enough, as far as it can be
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_asks(kept_of(middle)) <= allowed else (low, middle - 1)
    return kept_of(low)


def count_asks(variants: Variants) -> float:
    """What variants cost together, in asks: a film that is read, changed or not, counts as `FILM_IN_ASKS`."""
    shown: set[tuple[tuple[str, ...], FilmChange | None]] = set()
    asks: set[tuple[tuple[str, ...], FilmChange | None, str]] = set()
    for those in variants.values():
        for each in those.values():
            seen = each.image_ids if each.change is None or each.change.shows_film else ()
            if each.image_ids:
                shown.add((seen, each.change))
            asks.add((seen, each.change, each.asked))
    return FILM_IN_ASKS * len(shown) + len(asks)


def _plain(question: Question) -> Variant:
    return Variant(
        question.question_id, "full", question.asked, question.image_ids, (), None, question.answer_type,
        question.allowed_answers, question.answer,
    )  # fmt: skip
