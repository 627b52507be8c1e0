"""Named parts of a question set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, get_args

from chartsight.errors import QuestionError
from chartsight.schema import Question

Subset = Literal["all", "poster"]


def select_subset(questions: Sequence[Question], subset: Subset) -> list[Question]:
    """The questions of a part: `poster` is EHRXQA's 4,200 one-image questions (11xx), which name their one study.

    They are the items with a singular `study_id` among their values: 42 visual questions, a hundred of each.

    Raises:
        QuestionError: There is no such part, or the set has nothing of it.
    """
    if subset not in get_args(Subset):
        raise QuestionError("unknown-subset", "subset", str(subset), " or ".join(get_args(Subset)))
    chosen = [each for each in questions if subset == "all" or is_poster(each)]
    if not chosen:
        raise QuestionError(
            "empty-subset", f"subset {subset}", "the question set has nothing of it", "EHRXQA's questions"
        )
    return chosen


def is_poster(question: Question) -> bool:
    """Whether a question is one of EHRXQA's 4,200 one-image questions."""
    return question.source == "import:ehrxqa" and json.loads(question.parameters).get("subset") == "poster"
