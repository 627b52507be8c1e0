"""From answers to findings: how good each model is, how sure that is, and whether the fine-tuned one looks at the film.

Everything here is numbers and words in frozen dataclasses; `report.py` and `plots.py` only show them. Every interval
of a comparison comes from the same draws of patients, so that every difference is a paired one.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import ROLE_WORDS, ComparedModel, CompareRecipe, Role
from chartsight.errors import RecipeError
from chartsight.evaluation import (
    PUBLISHED,
    Answer,
    BooleanCounts,
    ChoiceScores,
    ClusterBootstrap,
    DesignEffect,
    ErrorScores,
    Interval,
    PairedDifference,
    SetScores,
    TextScores,
    adjusted,
    benjamini_hochberg,
    count_booleans,
    design_effect,
    gold_answer,
    holm,
    paired_difference,
    paired_differences,
    patients_of,
    score_choices,
    score_errors,
    score_sets,
    score_texts,
    scorer_stamp,
    wilson_clustered,
)
from chartsight.evaluation.published import RELIABILITY_LABELS, RuleScore, reliability_of, score_by
from chartsight.schema import (
    AnswerType,
    Condition,
    Outcome,
    Pairing,
    Question,
    Terms,
    strictest_pairing,
    strictest_terms,
)

VerdictKind = Literal["looks", "guesses", "cannot be told"]
NO_LOSS_POINTS = 2.0  # a shuffled film that costs surely less than this shows a model that does not look
FEWEST_PATIENTS = 10  # below it no verdict is given
MIN_GROUP = 20  # a group's gain over its prior is shown from so many questions on ...
MAX_PRIOR = 0.98  # ... and where the prior leaves something to gain
SHOWN_FILMS = 12

ANSWER_TYPE_WORDS = {
    "boolean": "verify (yes or no)",
    "choice": "choose (one of a few)",
    "set": "query (a list)",
    "count": "count",
    "number": "number",
    "date": "date",
    "text": "open",
}


@dataclass(frozen=True)
class UnderCondition:
    """A model's answers with another film: its accuracy, what that costs, and how many answers changed."""

    condition: Condition
    accuracy: Interval
    drop: PairedDifference
    changed: Interval


@dataclass(frozen=True)
class ModelResult:
    """One row of the main table; `gain` is None without training questions to take a prior from.

    `wilson` is the accuracy's interval at the effective number of questions of `design`.
    """

    model: ComparedModel
    fingerprint: str
    accuracy: Interval
    verify: Interval
    choose: Interval
    query_exact: Interval
    query_f1: Interval
    gain: Interval | None
    conditions: tuple[UnderCondition, ...]
    outcomes: Mapping[Outcome, int]
    booleans: BooleanCounts
    sets: SetScores
    design: DesignEffect
    wilson: Interval
    choices: ChoiceScores
    counts: ErrorScores
    numbers: ErrorScores
    dates: ErrorScores
    texts: TextScores

    def under(self, condition: Condition) -> UnderCondition | None:
        """The result under a condition; None when it was not asked."""
        return next((each for each in self.conditions if each.condition == condition), None)


@dataclass(frozen=True)
class Difference:
    """Accuracy of one model minus that of another on the same questions; p adjusted by Holm over all model pairs."""

    first: str
    second: str
    interval: PairedDifference
    wins: int
    losses: int


@dataclass(frozen=True)
class GroupResult:
    """One line of the forest plot: a group of questions, its prior and every model (accuracy, gain over the prior).

    `differences` are the compared model minus each other, p adjusted by Benjamini and Hochberg over all groups.
    """

    section: Literal["kind", "answer type", "template"]
    name: str
    n: int
    clusters: int
    prior: float
    accuracy: Mapping[str, Interval]
    gain: Mapping[str, float | None]
    differences: Mapping[str, PairedDifference]


@dataclass(frozen=True)
class ScoredBy:
    """One line of the scorer strip: the same answers of every model by one rule.

    Args:
        label: The rule in words, and whose it is.
        fault: What to know before comparing with it.
        stamp: Its version.
        figures: By model.
    """

    label: str
    fault: str
    stamp: str
    figures: Mapping[str, RuleScore]


@dataclass(frozen=True)
class Curve:
    """A training run's log: (step, value) of each series that it holds."""

    model: str
    loss: tuple[tuple[float, float], ...]
    valid_loss: tuple[tuple[float, float], ...]
    valid_accuracy: tuple[tuple[float, float], ...]
    seconds: float | None


@dataclass(frozen=True)
class Verdict:
    """What the page says first, and why."""

    kind: VerdictKind
    sentence: str
    reasons: tuple[str, ...]


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
        _model_result(model, recipe, asked, answers, bootstrap, prior_is_right if has_prior else None)
        for model in recipe.models
    )
    prior_accuracy = bootstrap.proportion(prior_is_right) if has_prior else None
    overall = models[0].accuracy
    subject, _ = subject_and_reference(recipe.models)
    pairs = _pairs(recipe, answers, bootstrap)
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
        groups=_groups(recipe, asked, answers, bootstrap, prior_is_right, has_prior),
        curves=tuple(read_curve(model) for model in recipe.models if model.training is not None),
        verdict=_verdict(recipe, answers, bootstrap),
        warning=overall.warning,
        shown=pick_films(recipe, asked, answers),
        strip=scorer_strip(recipe, asked, answers),
        scorer=scorer_stamp(),
    )


def scorer_strip(
    recipe: CompareRecipe, asked: Sequence[Question], answers: Mapping[tuple[str, Condition], Answers]
) -> tuple[ScoredBy, ...]:
    """The same answers under every rule: what changes from line to line is the scorer alone."""
    full = {model.name: answers[model.name, "full"] for model in recipe.models}
    n = len(asked)

    def share(right: int, of: int) -> RuleScore:
        return RuleScore(of, n, right / of if of else float("nan"))

    ours = {name: int(each.is_correct.sum()) for name, each in full.items()}
    parsed = {name: sum(outcome == "answered" for outcome in each.outcomes) for name, each in full.items()}
    lines = [
        ScoredBy(
            "chartsight: strict", "what cannot be read or declines is wrong; the figure of this page", scorer_stamp(),
            {name: share(right, n) for name, right in ours.items()},
        ),
        ScoredBy(
            "chartsight: parsed only", "flatters whoever is seldom readable", scorer_stamp(),
            {name: share(ours[name], parsed[name]) for name in full},
        ),
    ]  # fmt: skip
    lines += [
        ScoredBy(
            rule.label, rule.fault, rule.stamp,
            {name: score_by(rule, asked, each.texts, each.values) for name, each in full.items()},
        )
        for rule in PUBLISHED.values()
    ]  # fmt: skip
    reliability = {name: reliability_of(asked, each.scores).as_dict() for name, each in full.items()}
    stamp = PUBLISHED["ehrxqa-exact"].stamp.partition(" ")[2]
    lines += [
        ScoredBy(
            label, "no answer costs nothing, a wrong one as much as it says", f"ehrsql-{key} {stamp}",
            {name: RuleScore(n, n, figures[key]) for name, figures in reliability.items()},
        )
        for key, label in RELIABILITY_LABELS.items()
    ]  # fmt: skip
    return tuple(lines)


def template_priors(asked: Sequence[Question], training: Sequence[Question]) -> tuple[str | None, ...]:
    """For each question the commonest answer of its template in training (JSON), None for a template unseen there.

    Of equally common answers the first in the alphabet is taken: any rule would do, but it must be one.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in training:
        counts[question.template_id][question.answer] += 1
    majority = {
        template: min(answers, key=lambda answer: (-answers[answer], answer)) for template, answers in counts.items()
    }
    return tuple(majority.get(question.template_id) for question in asked)


def read_curve(model: ComparedModel) -> Curve:
    """The training curves of a model, from its run's metrics.jsonl; a last line that a killed run cut off is left out.

    Raises:
        RecipeError: A line before the last is no JSON object.
    """
    assert model.training is not None
    path = Path(model.training) / "metrics.jsonl"
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds: float | None = None
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = float(entry["step"])
        except (ValueError, TypeError, KeyError):
            if number == len(lines):
                break
            raise RecipeError("bad-metrics", f"{path}:{number}", "is no JSON object with a step") from None
        for key in ("loss", "valid_loss", "valid_accuracy"):
            if entry.get(key) is not None:
                series[key].append((step, float(entry[key])))
        seconds = entry.get("seconds", seconds)
    return Curve(
        model=model.name,
        loss=tuple(series["loss"]),
        valid_loss=tuple(series["valid_loss"]),
        valid_accuracy=tuple(series["valid_accuracy"]),
        seconds=seconds,
    )


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


def subject_and_reference(models: Sequence[ComparedModel]) -> tuple[ComparedModel, ComparedModel]:
    """The model that a comparison is about, and the one that it is first read against."""

    def first(*roles: Role) -> ComparedModel | None:
        return next((model for role in roles for model in models if model.role == role), None)

    subject = first("tuned") or models[-1]
    others = [model for model in models if model.name != subject.name]
    reference = first("baseline", "medical", "twin") or (others[0] if others else subject)
    return subject, reference


def _model_result(
    model: ComparedModel,
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    prior_is_right: NDArray[np.bool_] | None,
) -> ModelResult:
    full = answers[model.name, "full"]
    types = np.array([question.answer_type for question in asked])
    gold = [gold_answer(question) for question in asked]
    is_boolean, is_choice, is_set = types == "boolean", types == "choice", types == "set"
    is_yes = np.array([answer is True for answer in gold])
    booleans = [index for index, is_one in enumerate(is_boolean) if is_one]
    sets = [index for index, is_one in enumerate(is_set) if is_one]
    return ModelResult(
        model=model,
        fingerprint=full.fingerprint,
        accuracy=bootstrap.proportion(full.is_correct),
        verify=bootstrap.balanced_accuracy(is_yes, full.is_correct, is_boolean),
        choose=bootstrap.proportion(full.is_correct, is_choice),
        query_exact=bootstrap.proportion(full.is_correct, is_set),
        query_f1=bootstrap.mean(full.f1, is_set),
        gain=None if prior_is_right is None else bootstrap.gain_over_prior(full.is_correct, prior_is_right),
        conditions=tuple(
            UnderCondition(
                condition=condition,
                accuracy=bootstrap.proportion(answers[model.name, condition].is_correct),
                drop=paired_difference(bootstrap, full.is_correct, answers[model.name, condition].is_correct),
                changed=bootstrap.proportion(_changed(full, answers[model.name, condition])),
            )
            for condition in model.asked_under(recipe.conditions)
            if condition != "full"
        ),
        outcomes=dict(sorted(Counter(full.outcomes).items())),
        booleans=count_booleans(
            [bool(gold[index]) for index in booleans],
            [value if isinstance(value := full.values[index], bool) else None for index in booleans],
        ),
        sets=score_sets(
            [_as_set(gold[index]) or () for index in sets],
            [_as_set(full.values[index]) for index in sets],
        ),
        design=design_effect(full.is_correct, bootstrap.cluster_of),
        wilson=wilson_clustered(full.is_correct, bootstrap.cluster_of),
        choices=score_choices(*_of_type("choice", asked, gold, full, str)),
        counts=score_errors("count", *_of_type("count", asked, gold, full, (int, float))),
        numbers=score_errors("number", *_of_type("number", asked, gold, full, (int, float))),
        dates=score_errors("date", *_of_type("date", asked, gold, full, str)),
        texts=score_texts(*_of_type("text", asked, gold, full, str)),
    )


def _of_type(
    answer_type: AnswerType, asked: Sequence[Question], gold: Sequence[Answer], full: Answers, kinds: Any
) -> tuple[list[Any], list[Any]]:
    """Gold and said answers of one type; None where what was said is of another kind."""
    places = [index for index, question in enumerate(asked) if question.answer_type == answer_type]
    said = [full.values[index] for index in places]
    return [gold[index] for index in places], [value if isinstance(value, kinds) else None for value in said]


def _changed(first: Answers, second: Answers) -> NDArray[np.bool_]:
    """Whether the answer is another one; two answers that could not be read are the same."""
    return np.array([one != other for one, other in zip(first.values, second.values, strict=True)], dtype=bool)


def _as_set(answer: object) -> tuple[str, ...] | None:
    return answer if isinstance(answer, tuple) else None


def _pairs(
    recipe: CompareRecipe, answers: Mapping[tuple[str, Condition], Answers], bootstrap: ClusterBootstrap
) -> tuple[Difference, ...]:
    """Every model against every later one, the compared model first of all; the pairs are one family of tests."""
    subject, _ = subject_and_reference(recipe.models)
    ordered = [subject.name, *(model.name for model in recipe.models if model.name != subject.name)]
    pairs = []
    for first, second in combinations(ordered, 2):
        ours, theirs = answers[first, "full"].is_correct, answers[second, "full"].is_correct
        pairs.append((first, second, paired_difference(bootstrap, ours, theirs)))
    intervals = adjusted([interval for _, _, interval in pairs], holm)
    return tuple(
        Difference(first, second, interval, interval.wins, interval.losses)
        for (first, second, _), interval in zip(pairs, intervals, strict=True)
    )


def _groups(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    prior_is_right: NDArray[np.bool_],
    has_prior: bool,
) -> tuple[GroupResult, ...]:
    names: list[tuple[Literal["kind", "answer type", "template"], str, NDArray[np.bool_]]] = []
    columns: tuple[tuple[Literal["kind", "answer type", "template"], list[str]], ...] = (
        ("kind", [question.kind for question in asked]),
        ("answer type", [ANSWER_TYPE_WORDS[question.answer_type] for question in asked]),
        ("template", [question.template_id for question in asked]),
    )
    for section, values in columns:
        names += [(section, name, np.array(values) == name) for name in sorted(set(values))]
    models = [model.name for model in recipe.models]
    is_right = np.column_stack([answers[name, "full"].is_correct for _ in names for name in models])
    members = np.column_stack([member for _, _, member in names for _ in models])
    intervals = iter(bootstrap.proportions(is_right, members))
    differences = _group_differences(recipe, answers, bootstrap, [member for _, _, member in names])
    groups = []
    for place, (section, name, member) in enumerate(names):
        accuracy = {model: next(intervals) for model in models}
        first = accuracy[models[0]]
        prior = float(prior_is_right[member].mean()) if has_prior else float("nan")
        is_telling = has_prior and first.n >= MIN_GROUP and prior <= MAX_PRIOR
        gain = {
            model: (interval.estimate - prior) / (1 - prior) if is_telling else None
            for model, interval in accuracy.items()
        }
        apart = {model: found[place] for model, found in differences.items()}
        groups.append(GroupResult(section, name, first.n, first.clusters, prior, accuracy, gain, apart))
    return tuple(groups)


def _group_differences(
    recipe: CompareRecipe,
    answers: Mapping[tuple[str, Condition], Answers],
    bootstrap: ClusterBootstrap,
    members: Sequence[NDArray[np.bool_]],
) -> dict[str, list[PairedDifference]]:
    """The compared model minus each other in every group; the groups of one pair of models are one family of tests."""
    subject, _ = subject_and_reference(recipe.models)
    ours = answers[subject.name, "full"].is_correct.astype(np.float64)
    found = {}
    for model in recipe.models:
        if model.name != subject.name:
            gained = ours - answers[model.name, "full"].is_correct
            columns = np.tile(gained[:, None], (1, len(members)))
            found[model.name] = adjusted(
                paired_differences(bootstrap, columns, np.column_stack(members)), benjamini_hochberg
            )
    return found


def _verdict(
    recipe: CompareRecipe, answers: Mapping[tuple[str, Condition], Answers], bootstrap: ClusterBootstrap
) -> Verdict:
    """Looks: every check surely above 0. Guesses: the film surely does not matter. Else it cannot be told.

    The checks are the paired difference to the text-only twin and the loss under shuffled films. "Surely does not
    matter": shuffling costs less than `NO_LOSS_POINTS` with the whole interval; without a shuffled run, the twin is
    ahead or level within as much.
    """
    subject = next((model for model in recipe.models if model.role == "tuned"), None)
    if subject is None:
        return Verdict(
            "cannot be told", "Whether a model looks at the film cannot be told: no model here has the role tuned.", ()
        )
    ours = answers[subject.name, "full"].is_correct

    def over(role: Role) -> Interval | None:
        other = next((model for model in recipe.models if model.role == role), None)
        return None if other is None else bootstrap.difference(ours, answers[other.name, "full"].is_correct)

    twin, baseline = over("twin"), over("baseline")
    shuffled = None
    if (subject.name, "shuffled") in answers:
        shuffled = bootstrap.difference(ours, answers[subject.name, "shuffled"].is_correct)
    checks = [check for check in (twin, shuffled) if check is not None]
    parts = []
    if twin is not None:
        parts.append(f"{points(twin.estimate)} points {bounds(twin)} against its {ROLE_WORDS['twin']}")
    if shuffled is not None:
        parts.append(f"{points(-shuffled.estimate)} points {bounds(shuffled, -1)} when films are shuffled")
    if baseline is not None:
        parts.append(f"{points(baseline.estimate)} points {bounds(baseline)} against the baseline")
    reasons = _reasons(twin, shuffled)
    patients = bootstrap.n_clusters
    if not checks:
        return Verdict(
            "cannot be told",
            "Whether the fine-tuned model looks at the film cannot be told: neither a text-only twin nor shuffled "
            "films are part of this comparison.",
            reasons,
        )
    facts = _enumerate(parts)
    if patients < FEWEST_PATIENTS:
        sentence = f"Whether the fine-tuned model looks at the film cannot be told from {patients} patients: {facts}."
        return Verdict("cannot be told", sentence, reasons)
    if all(check.low > 0 for check in checks):
        return Verdict("looks", f"The fine-tuned model looks at the film: {facts}.", reasons)
    margin = NO_LOSS_POINTS / 100
    deciding = shuffled if shuffled is not None else twin
    if deciding is not None and deciding.high < margin:
        return Verdict("guesses", f"The fine-tuned model guesses without looking at the film: {facts}.", reasons)
    sentence = f"Whether the fine-tuned model looks at the film cannot be told: {facts}."
    return Verdict("cannot be told", sentence, reasons)


def _reasons(twin: Interval | None, shuffled: Interval | None) -> tuple[str, ...]:
    """Each check in words."""
    reasons = []
    for interval, better, none in (
        (
            twin,
            "Trained without films, the same recipe does worse.",
            "Trained without films, the same recipe does not surely do worse.",
        ),
        (
            shuffled,
            "With another patient's film the answers get worse.",
            "With another patient's film the answers do not surely get worse.",
        ),
    ):
        if interval is not None:
            reasons.append(better if interval.low > 0 else none)
    if twin is None:
        reasons.append("No text-only twin was compared: what the questions alone give away is not known.")
    if shuffled is None:
        reasons.append("No shuffled films were tried.")
    return tuple(reasons)


def points(share: float) -> str:
    """A difference of shares as signed percentage points: `+12.3`, `−0.4`, `0.0`."""
    value = round(100 * share, 1)
    if value == 0:
        return "0.0"
    return f"+{value:,.1f}" if value > 0 else f"−{-value:,.1f}"


def bounds(interval: Interval, sign: int = 1) -> str:
    """The interval of a difference in points: `[+8.1, +16.2]`; `sign` -1 turns a loss round."""
    low, high = sorted((sign * interval.low, sign * interval.high))
    return f"[{points(low)}, {points(high)}]"


def _enumerate(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
