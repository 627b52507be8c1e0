"""How each question is put under a condition: which films are shown, what is asked, and by which key it is stored.

`full` shows the film, `shuffled` another patient's film of the same view, `blank` a uniform grey film, `question_only`
none at all. A text-only model is asked without the film whatever the condition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from chartsight.answers import answer_key
from chartsight.errors import FilmError, QuestionError
from chartsight.imaging.film_index import FilmIndex
from chartsight.questions.list_items import list_items
from chartsight.schema import Condition, Question

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

OFFERED: tuple[Condition, ...] = ("full", "shuffled", "blank", "question_only")
BLANK = "blank"  # the donor of a blank film
Sets = Literal["generate", "itemwise"]
SETS: tuple[Sets, ...] = get_args(Sets)
DECODING = "greedy/48"


@dataclass(frozen=True)
class Asked:
    """A question as it is put under a condition.

    Args:
        question: As stored.
        films: What the model is shown; empty when it is asked without a film.
        donors: Films that stand in for the question's own; empty under `full`.
        key: Of the answer.
        parts: Prompt and key of each yes/no question that decides a list; empty when the model writes it.
    """

    question: Question
    films: tuple[str, ...]
    donors: tuple[str, ...]
    key: str
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def put(self) -> tuple[tuple[str, str], ...]:
        """What the model is really asked, and the key of each answer."""
        return self.parts or ((self.question.asked, self.key),)


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
    index: FilmIndex,
    vlm: Vlm,
    seed: int,
    sets: Sets = "generate",
) -> Iterator[Asked]:
    """Every question with the films it is shown and the key of its answer.

    Raises:
        QuestionError: A question about several films; under `shuffled`, films of one patient only.
        FilmError: A question about a film that the index lacks.
    """
    image_ids = {image_id for each in questions for image_id in each.image_ids}
    if unknown := sorted(image_ids - index.keys()):
        raise FilmError("unknown-film", index.source, f"lacks {len(unknown)} of the films asked about: {unknown[0]}")
    donors = donor_films(image_ids, index, seed) if condition == "shuffled" else {}
    sees = vlm.card.reads_film and condition != "question_only"
    preprocessing = vlm.card.preprocessing.digest()
    for question in questions:
        if len(question.image_ids) > 1:
            raise QuestionError(
                "many-films", question.question_id, f"{len(question.image_ids)} films", "questions about one film"
            )
        shown = question.image_ids
        if condition == "shuffled":
            shown = tuple(donors[image_id] for image_id in shown)
        elif condition == "blank":
            shown = (BLANK,) * len(shown)
        digests = [BLANK if film == BLANK else index[film].digest for film in shown] if sees else []

        def key_of(text: str, digests: Sequence[str] = digests, films: int = len(shown) if sees else 0) -> str:
            return answer_key(
                image_digests=digests, preprocessing_digest=preprocessing,
                prompt=vlm.prompts.template.render(text, films), model_fingerprint=vlm.fingerprint, decoding=DECODING,
                dtype=str(vlm.model.dtype), back_end="transformers",
            )  # fmt: skip

        items = list_items(question) if sets == "itemwise" else ()
        parts = tuple((ask, key_of(ask)) for ask in sorted({ask for item in items for ask in item.asks}))
        key = hashlib.sha256("".join(each for _, each in parts).encode()).hexdigest() if parts else None
        yield Asked(
            question,
            shown if sees else (),
            shown if shown != question.image_ids else (),
            key or key_of(question.asked),
            parts,
        )


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
