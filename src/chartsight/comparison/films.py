"""Which films the page shows, by a rule that cannot flatter, and each of them once as a small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe, subject_and_reference
from chartsight.evaluation import patients_of
from chartsight.schema import Condition, Question

SHOWN_FILMS = 12


def pick_films(
    recipe: CompareRecipe, asked: Sequence[Question], answers: Mapping[tuple[str, Condition], Answers]
) -> tuple[int, ...]:
    """Positions of up to twelve questions, by a rule that cannot flatter.

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
        seen = {patients[index] for index in picked}
        waiting = [[index for index in stratum if index not in picked] for stratum in strata]
        while any(waiting) and len(picked) < SHOWN_FILMS:
            for stratum in waiting:
                while stratum and not may_repeat and patients[stratum[0]] in seen:
                    stratum.pop(0)
                if stratum and len(picked) < SHOWN_FILMS:
                    seen.add(patients[stratum[0]])
                    picked.append(stratum.pop(0))
    return tuple(picked)
