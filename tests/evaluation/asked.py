"""A question with a gold answer, for scorers."""

from __future__ import annotations

import json

from chartsight.schema import AnswerType, Question


def question(
    answer_type: AnswerType, gold: object, allowed: tuple[str, ...] = (), *, answerable: bool = True, **options: object
) -> Question:
    return Question(
        question_id="q", split="test", template_id="t", phrasing_id="1", kind="image/one", modality="image",
        scope="single", subject_id=1, study_ids=(1,), image_ids=("i",), question="?", visual_question="?", program="",
        parameters=json.dumps(options), now=None, answer_type=answer_type, answer=json.dumps(gold),
        allowed_answers=allowed, answerable=answerable, tied=False, label_source="made up", pairing="synthetic",
        terms="synthetic", source="made up",
    )  # fmt: skip
