"""From answers to findings: how good each model is, how sure that is, and whether the fine-tuned one looks at the film.

Everything here is numbers and words in frozen dataclasses; `report.py` and `plots.py` only show them. Every interval
of a comparison comes from the same draws of patients, so that every difference is a paired one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chartsight.comparison.curves import Curve, read_curve
from chartsight.comparison.films import pick_films
from chartsight.comparison.groups import GroupResult, find_groups, template_priors
from chartsight.comparison.models import ModelResult, model_result
from chartsight.comparison.pairs import Difference, compare_pairs
from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe, Role, subject_and_reference
from chartsight.comparison.regimes import RegimeRow, SeedSpread, regime_rows, seed_spreads
from chartsight.comparison.strip import ScoredBy, scorer_strip
from chartsight.comparison.verdict import Verdict, reach_verdict
from chartsight.evaluation import ClusterBootstrap, Interval, patients_of, scorer_stamp
from chartsight.schema import Condition, Pairing, Question, Terms, strictest_pairing, strictest_terms


@dataclass(frozen=True)
class Analysis:
    """All findings of a comparison.

    `pairs` are all pairs of models, `differences` those of the compared model, which stands first in them.
    `without_patient` counts questions that name no patient (their film stands for one); `shown` are positions of the
    questions whose films the report shows.
    """

    n: int
    clusters: int
    without_patient: int
    terms: Terms
    pairing: Pairing
    prior_accuracy: Interval | None
    prior_answers: tuple[str | None, ...]
    models: tuple[ModelResult, ...]
    differences: tuple[Difference, ...]
    pairs: tuple[Difference, ...]
    groups: tuple[GroupResult, ...]
    curves: tuple[Curve, ...]
    verdict: Verdict
    warning: str | None
    shown: tuple[int, ...]
    strip: tuple[ScoredBy, ...]
    scorer: str
    regimes: tuple[RegimeRow, ...] = ()
    seeds: tuple[SeedSpread, ...] = ()

    def with_role(self, role: Role) -> ModelResult | None:
        """The first model of a role; None when there is none."""
        return next((result for result in self.models if result.model.role == role), None)


def analyse(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    training: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
) -> Analysis:
    """The findings.

    Args:
        recipe: The comparison.
        asked: The questions that every model answered [N].
        training: Those whose majority answers make the template prior; may be empty.
        answers: Each model's answers under each condition, in the order of `asked`.
    """
    bootstrap = ClusterBootstrap(patients_of(asked), recipe.bootstrap, recipe.seed)
    prior_answers = template_priors(asked, training)
    prior_is_right = np.array(
        [prior == question.answer for prior, question in zip(prior_answers, asked, strict=True)], dtype=bool
    )
    has_prior = bool(training)
    models = tuple(
        model_result(model, recipe, asked, answers, bootstrap, prior_is_right if has_prior else None)
        for model in recipe.models
    )
    prior_accuracy = bootstrap.proportion(prior_is_right) if has_prior else None
    overall = models[0].accuracy
    subject, _ = subject_and_reference(recipe.models)
    pairs = compare_pairs(recipe, answers, bootstrap)
    return Analysis(
        n=len(asked),
        clusters=overall.clusters,
        without_patient=sum(question.subject_id is None for question in asked),
        terms=strictest_terms(question.terms for question in asked),
        pairing=strictest_pairing(question.pairing for question in asked),
        prior_accuracy=prior_accuracy,
        prior_answers=prior_answers,
        models=models,
        differences=tuple(pair for pair in pairs if pair.first == subject.name),
        pairs=pairs,
        groups=find_groups(recipe, asked, answers, bootstrap, prior_is_right, has_prior),
        curves=tuple(read_curve(model) for model in recipe.models if model.training is not None),
        verdict=reach_verdict(recipe, answers, bootstrap),
        warning=overall.warning,
        shown=pick_films(recipe, asked, answers),
        strip=scorer_strip(recipe, asked, answers),
        scorer=scorer_stamp(),
        regimes=regime_rows(recipe.models, answers, bootstrap),
        seeds=seed_spreads(recipe.models, answers, bootstrap),
    )
