"""Which films the page shows, by a rule that cannot flatter."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe, subject_and_reference
from chartsight.evaluation import patients_of
from chartsight.schema import Condition, Question

SHOWN_FILMS = 12  # as cards on the page
GALLERY_ITEMS = 240  # whose films the page holds, the cards among them


def pick_films(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    count: int = SHOWN_FILMS,
) -> tuple[int, ...]:
    """Positions of up to `count` questions, by a rule that cannot flatter; more begin with the same.

    In turn from four groups (only the fine-tuned model right, only the reference right, both right, both wrong), drawn
    by the seed, one a patient while patients last. The reference is the baseline, else another model.
    """
    subject, reference = subject_and_reference(recipe.models)
    ours = answers[subject.name, "full"].is_correct
    theirs = answers[reference.name, "full"].is_correct
    patients = patients_of(asked)
    has_film = np.array([bool(question.image_ids) for question in asked])
    order = np.random.default_rng([recipe.seed, len(asked)]).permutation(len(asked))
    strata = [
        [int(index) for index in order if has_film[index] and (ours[index], theirs[index]) == pattern]
        for pattern in ((True, False), (False, True), (True, True), (False, False))
    ]
    picked: list[int] = []
    for may_repeat in (False, True):
        taken = set(picked)
        seen = {patients[index] for index in picked}
        waiting = [deque(index for index in stratum if index not in taken) for stratum in strata]
        while any(waiting) and len(picked) < count:
            for stratum in waiting:
                while stratum and not may_repeat and patients[stratum[0]] in seen:
                    stratum.popleft()
                if stratum and len(picked) < count:
                    seen.add(patients[stratum[0]])
                    picked.append(stratum.popleft())
    return tuple(picked)
