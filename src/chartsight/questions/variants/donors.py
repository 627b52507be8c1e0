"""Films of other patients that stand in for a question's own: by chance, and with a computed right answer.

`shuffled` draws a film of another patient with the same view, one for each film. `swap` draws one for each question, so
that its right answers are balanced: about a template and an own answer, each other answer is right as often as the own
(of two answers half and half), whatever is common among the films. Among the films with the wanted answer one is drawn
that has as much as possible in common with the own film of what could stand in for looking. Every donor is a film of
the same split and view that is asked about itself, so that it is read no more often.

A deterministic answerer that does not look says the same to both films, so that it is never right on both where the
answers differ: its counterfactual grounding is 0. A coin is right on both a quarter of the time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import QuestionError
from chartsight.imaging.film_index import FilmIndex
from chartsight.questions.gold import Ask
from chartsight.questions.templates import slot_kind
from chartsight.questions.variants.known_films import DEVICE_CATEGORIES, KnownFilms
from chartsight.questions.variants.mentions import mention_of
from chartsight.questions.variants.regold import GoldMaker
from chartsight.schema import Question, Variant

STREAM = 83  # of the swap's draws


def donor_films(image_ids: set[str], index: FilmIndex, seed: int) -> dict[str, str]:
    """For each film another patient's film of the same view (of any view when there is none), drawn with a seed.

    Raises:
        QuestionError: All films are of one patient.
    """
    ordered = sorted(image_ids)
    by_view: dict[str | None, list[str]] = {}
    for image_id in ordered:
        by_view.setdefault(index[image_id].view_position, []).append(image_id)
    donors = {}
    for position, image_id in enumerate(ordered):
        film = index[image_id]
        same_view = by_view[film.view_position]
        options = [each for each in same_view if index[each].subject_id != film.subject_id]
        options = options or [each for each in ordered if index[each].subject_id != film.subject_id]
        if not options:
            raise QuestionError("one-patient", "condition shuffled", "all films are of one patient", "two patients")
        donors[image_id] = options[int(np.random.default_rng([seed, position]).integers(len(options)))]
    return donors


def shuffle_films(questions: Sequence[Question], gold: GoldMaker, seed: int) -> list[Variant]:
    """Every question asked of another patient's film; what would be right there is told where it is known.

    Raises:
        QuestionError: All films are of one patient.
    """
    donors = donor_films({image_id for each in questions for image_id in each.image_ids}, gold.known.index, seed)
    variants = []
    for question in questions:
        shown = tuple(donors[image_id] for image_id in question.image_ids)
        variants.append(
            Variant(
                question.question_id, "shuffled", question.asked, shown, shown, None, question.answer_type,
                question.allowed_answers, gold.regold(question, shown[0]),
            )
        )  # fmt: skip
    return variants


@dataclass(frozen=True)
class _Pool:
    """The films of one split that are asked about, as arrays.

    Args:
        image_ids: Sorted.
        rows: int [films], of the labels.
        subjects: int [films].
        digests: Of the files [films].
        views: [films].
        confounders: Of each film.
    """

    image_ids: tuple[str, ...]
    rows: NDArray[np.int64]
    subjects: NDArray[np.int64]
    digests: NDArray[np.str_]
    views: NDArray[np.str_]
    confounders: tuple[Mapping[str, str], ...]


def swap_films(questions: Sequence[Question], gold: GoldMaker, seed: int) -> list[Variant]:
    """Questions with a donor film on which the right answer is known; those without such a film are left out."""
    known = gold.known
    films: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        if question.looks_at_one_film and question.image_ids[0] in known.row_of:
            films[question.split].add(question.image_ids[0])
    pools = {split: _gather(sorted(those), known) for split, those in films.items()}
    used: Counter[tuple[str, str, str]] = Counter()
    variants = []
    for question in sorted(questions, key=lambda each: each.question_id):
        ask = gold.ask_of(question)
        if ask is not None and (variant := _swap(question, ask, pools[question.split], gold, seed, used)) is not None:
            variants.append(variant)
    return variants


def _swap(
    question: Question, ask: Ask, pool: _Pool, gold: GoldMaker, seed: int, used: Counter[tuple[str, str, str]]
) -> Variant | None:
    known = gold.known
    [own] = question.image_ids
    film = known.index[own]
    random = np.random.default_rng([STREAM, seed, *question.question_id.encode()])
    codes = gold.answers(ask).codes[pool.rows]
    open_ = (codes >= 0) & (pool.subjects != film.subject_id) & (pool.digests != film.digest)
    if not any(slot_kind(slot) == "view" for slot in ask.template.slots):
        open_ &= pool.views == (film.view_position or "")
    if not open_.any():
        return None
    wanted = _choose_answer(question, ask, codes[open_], gold, used, random)
    names = [name for name in known.confounders(own) if not _is_asked(name, ask, known)]
    mine = known.confounders(own)
    candidates = np.flatnonzero(open_ & (codes == wanted))
    alike = np.array([sum(pool.confounders[n].get(name) == mine[name] for name in names) for n in candidates])
    best = candidates[alike == alike.max()]
    n = int(best[int(random.integers(len(best)))])
    donor = pool.image_ids[n]
    shared = tuple(f"{name}={mine[name]}" for name in names if pool.confounders[n].get(name) == mine[name])
    said = mention_of(ask, known, donor)
    return Variant(
        question.question_id, "swap", question.asked, (donor,), (donor,), None, question.answer_type,
        question.allowed_answers, gold.answer(ask, donor),
        (*shared, *([f"mention={said}"] if said is not None else [])), len(shared) == len(names),
    )  # fmt: skip


def _choose_answer(
    question: Question, ask: Ask, codes: NDArray[np.int32], gold: GoldMaker, used: Counter[tuple[str, str, str]],
    random: np.random.Generator,
) -> int:  # fmt: skip
    """The donor's right answer, as a code: the own or another one, whichever was wanted less often so far.

    Counted by template and own answer, so that from the donor's answer nobody can tell the own one.
    """
    answers = gold.answers(ask)
    own = int(answers.codes[gold.known.row_of[question.image_ids[0]]])
    others = sorted(set(codes.tolist()) - {own})
    stratum = question.template_id, question.answer if question.answer_type == "boolean" else ""
    same, other = used[*stratum, "same"], used[*stratum, "other"]
    is_same = same < other if same != other else bool(random.random() < 0.5)
    if own not in codes or not others:  # nothing to choose; those that can be chosen make up for it
        is_same = not others
    used[*stratum, "same" if is_same else "other"] += 1
    return own if is_same else others[int(random.integers(len(others)))]


def _is_asked(confounder: str, ask: Ask, known: KnownFilms) -> bool:
    """Whether the question is about the very thing: then films with another answer cannot have it in common."""
    kinds = {slot_kind(slot) for slot in ask.template.slots}
    if confounder in ("view", "portable"):
        return "view" in kinds
    if confounder != "device" or known.labels is None:
        return False
    categories = dict(zip(known.labels.attributes, known.labels.categories, strict=True))
    named = {categories.get(value, value) for value in ask.slots.values()}
    asks_of_all = "abnormality" in ask.template.gold.test or ask.template.gold.list == "category"
    return asks_of_all or bool(named & set(DEVICE_CATEGORIES))


def _gather(image_ids: Sequence[str], known: KnownFilms) -> _Pool:
    films = known.index
    return _Pool(
        tuple(image_ids),
        np.array([known.row_of[each] for each in image_ids], np.int64),
        np.array([films[each].subject_id for each in image_ids], np.int64),
        np.array([films[each].digest for each in image_ids]),
        np.array([films[each].view_position or "" for each in image_ids]),
        tuple(known.confounders(each) for each in image_ids),
    )
