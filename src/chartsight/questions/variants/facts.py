"""What is known of every question's film beside the answer: who, how it was taken, what was said, how large it is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chartsight.imaging.changes import largest_side
from chartsight.questions.subgroups import UNKNOWN, age_group
from chartsight.questions.variants.known_films import KnownFilms
from chartsight.questions.variants.mentions import mention_of
from chartsight.questions.variants.occlusion import asked_boxes
from chartsight.questions.variants.regold import GoldMaker
from chartsight.schema import FilmFacts, Question


def film_facts(questions: Sequence[Question], known: KnownFilms, size_px: int) -> dict[str, FilmFacts]:
    """question_id → facts of its film.

    Boxes are those of what the question asks about, where it is on the film: of the findings that it names, else of the
    places; of a choice, of the right option.

    Args:
        questions: About one film each; others are left out.
        known: Their films.
        size_px: Side of the square that the model sees.
    """
    gold = GoldMaker(known)
    facts = {}
    for question in questions:
        if not question.looks_at_one_film or question.image_ids[0] not in known.index:
            continue
        [image_id] = question.image_ids
        film = known.index[image_id]
        ask = gold.parse(question)
        answer = json.loads(question.answer)
        boxes = () if ask is None else asked_boxes(ask, image_id, known, answer if isinstance(answer, str) else None)
        band = age_group(known.ages.get(image_id))
        facts[question.question_id] = FilmFacts(
            sex=known.sexes.get(film.subject_id),
            age_band=None if band == UNKNOWN else band,
            view=film.view_position,
            devices=known.devices(image_id),
            mention=None if ask is None else mention_of(ask, known, image_id),
            lesion_px=largest_side(boxes, film.rows, film.columns, size_px) if answer is not False else None,
            boxes=boxes,
            confounders=known.confounders(image_id),
        )
    return facts
