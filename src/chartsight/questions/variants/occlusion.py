"""A film on which the place that decides is hidden, and the same film with as much of another place hidden.

Hidden is the box of the finding itself where it is known, else the region that the labels see it in. The other place is
the same set of boxes, moved as a whole (so that just as much is hidden) to where nothing of the finding is: across the
film if it fits, else by chance. Asked are yes/no questions that are true and choices: there a seen place decides. One
set of boxes is hidden a film, the one that most of its questions are about, so that a film is read twice more at most.

What would be right on the film with the finding hidden nobody knows (a film may tell of what is behind a patch), so it
has no gold answer; with another place hidden the own answer stays right.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from chartsight.questions.gold import Ask
from chartsight.questions.labels import PARENT_OBJECTS
from chartsight.questions.templates import slot_kind
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.questions.variants.regold import GoldMaker
from chartsight.schema import WHOLE_FILM, Box, Condition, FilmChange, Question, Variant

STREAM = 97  # of the draws of other places
MOST_HIDDEN = 0.4  # of the film: with more of it hidden there is no other place, and little film
TRIES = 200


def occlude_films(questions: Sequence[Question], gold: GoldMaker, seed: int) -> tuple[list[Variant], list[Variant]]:
    """Questions with the deciding place hidden, and with another place hidden; those without boxes are left out."""
    hidden: dict[str, dict[tuple[Box, ...], list[Question]]] = defaultdict(lambda: defaultdict(list))
    for question in questions:
        if boxes := deciding_boxes(question, gold):
            hidden[question.image_ids[0]][boxes].append(question)
    there, elsewhere = [], []
    for image_id, by_boxes in sorted(hidden.items()):
        film = gold.known.index[image_id]
        for boxes, asked in sorted(by_boxes.items(), key=lambda each: (-len(each[1]), each[0])):
            random = np.random.default_rng([STREAM, seed, *image_id.encode()])
            moved = move_elsewhere(boxes, film.rows, film.columns, random)
            if moved is None:
                continue
            there += [_hide(question, "occluded", boxes, None) for question in asked]
            elsewhere += [_hide(question, "occluded_elsewhere", moved, question.answer) for question in asked]
            break
    return there, elsewhere


def deciding_boxes(question: Question, gold: GoldMaker) -> tuple[Box, ...]:
    """Boxes of what makes the question's answer right, in pixels of the stored film; () where none is known."""
    ask = gold.ask_of(question)
    answer = json.loads(question.answer)
    if ask is None or answer is False or isinstance(answer, list):
        return ()
    return asked_boxes(ask, question.image_ids[0], gold.known, answer if isinstance(answer, str) else None)


def asked_boxes(ask: Ask, image_id: str, known: KnownFilms, chosen: str | None = None) -> tuple[Box, ...]:
    """Boxes on one film of the findings that a question names; () where none is known, or a finding has none.

    Args:
        ask: The question.
        image_id: Of a film.
        known: What is known of it.
        chosen: The right option of a choice: boxes of the others do not count.
    """
    if ask.template.gold.list is not None or any(slot_kind(slot) in ("view", "sex") for slot in ask.template.slots):
        return ()
    findings = [value for slot, value in ask.slots.items() if slot_kind(slot) == "attribute"]
    places = [value for slot, value in ask.slots.items() if slot_kind(slot) in ("object", "side")]
    if chosen is not None:
        findings = [chosen] if chosen in findings else findings
        places = [chosen] if chosen in places else places
    marks, regions = known.marks.get(image_id, {}), known.regions.get(image_id, {})
    if not findings:
        return tuple(sorted({regions[place] for place in places if place in regions}))
    found: set[Box] = set()
    for finding in findings:
        own = {
            box for (where, attribute), boxes in marks.items() if attribute == finding and _lies(where, places)
            for box in boxes
        }  # fmt: skip
        found |= own or {regions[where] for where in _seen_in(finding, image_id, known, places) if where in regions}
    return tuple(sorted(found))


def _seen_in(finding: str, image_id: str, known: KnownFilms, places: Sequence[str]) -> Iterable[str]:
    """Where the labels literally see a finding on a film, of these places if there are some."""
    for (where, attribute), state in known.statements.get(image_id, {}).items():
        if attribute == finding and state == "present" and where != WHOLE_FILM and _lies(where, places):
            yield where


def _lies(where: str, places: Sequence[str]) -> bool:
    """Whether a place is one of these, a part of one, or on one of these sides; anywhere when there are none."""
    part_of = PARENT_OBJECTS.get(where)
    return not places or any(place in (where, part_of) or where.startswith(f"{place} ") for place in places)


def move_elsewhere(
    boxes: Sequence[Box], rows: int, columns: int, random: np.random.Generator
) -> tuple[Box, ...] | None:
    """The boxes, moved together so that they lie on the film and touch none of their old places; None if they cannot.

    Args:
        boxes: In pixels of the film.
        rows: Of the film.
        columns: Of the film.
        random: For where to, when the other side of the film is taken or too small.
    """
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    area = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes)
    if left < 0 or top < 0 or right > columns or bottom > rows or not 0 < area <= MOST_HIDDEN * rows * columns:
        return None
    across = tuple(sorted((columns - x2, y1, columns - x1, y2) for x1, y1, x2, y2 in boxes))
    if not _touch(across, boxes):
        return across
    for _ in range(TRIES):
        dx = float(random.integers(int(-left), int(columns - right) + 1))
        dy = float(random.integers(int(-top), int(rows - bottom) + 1))
        moved = tuple(sorted((x1 + dx, y1 + dy, x2 + dx, y2 + dy) for x1, y1, x2, y2 in boxes))
        if not _touch(moved, boxes):
            return moved
    return None


def _touch(ones: Iterable[Box], others: Sequence[Box]) -> bool:
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for a in ones for b in others)


def _hide(question: Question, condition: Condition, boxes: tuple[Box, ...], answer: str | None) -> Variant:
    return Variant(
        question.question_id, condition, question.asked, question.image_ids, (), FilmChange("occlude", boxes=boxes),
        question.answer_type, question.allowed_answers, answer,
    )  # fmt: skip
