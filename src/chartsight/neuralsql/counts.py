"""How many there are, beyond how many the model said: counts corrected for its errors, or refused that.

    880 studies, 126 said to show it, sensitivity 0.90 and specificity 0.90 each from 200 labelled films
    apparent 14.3 %      corrected 5.4 %, 95 % from 0 to 9.5 %        (Rogan and Gladen)

A count of patients joins many looks by OR: at a specificity of 0.90 a healthy patient with 20 studies is called ill
with a chance of 88 %. Such a count is simulated look by look, or has no interval and says so.

Source: Rogan WJ, Gladen B. Estimating prevalence from the results of a screening test. Am J Epidemiol 1978;107:71-76.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.bounds import sources_of
from chartsight.neuralsql.looks import Call, is_look, looks_in, number_of, studies_of
from chartsight.neuralsql.plan import Plan
from chartsight.neuralsql.run import QueryResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 4000
LEVEL = 0.95
Counted = Literal["studies", "patients"]


@dataclass(frozen=True)
class Validation:
    """What the model said of films whose truth is known.

    Args:
        true_positives: Said yes, is so.
        false_negatives: Said no, is so.
        true_negatives: Said no, is not so.
        false_positives: Said yes, is not so.
    """

    true_positives: int
    false_negatives: int
    true_negatives: int
    false_positives: int

    def __post_init__(self) -> None:
        if min(self.counts) < 0 or not self.n_present or not self.n_absent:
            raise QueryError(
                "bad-validation", "validation", f"{self.n_present} films with it, {self.n_absent} without",
                "at least one of each, and no negative number",
            )  # fmt: skip

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """All four."""
        return self.true_positives, self.false_negatives, self.true_negatives, self.false_positives

    @property
    def n_present(self) -> int:
        """Films that show it."""
        return self.true_positives + self.false_negatives

    @property
    def n_absent(self) -> int:
        """Films that do not."""
        return self.true_negatives + self.false_positives

    @property
    def sensitivity(self) -> float:
        """Share of yes among films that show it."""
        return self.true_positives / self.n_present

    @property
    def specificity(self) -> float:
        """Share of no among films that do not."""
        return self.true_negatives / self.n_absent


@dataclass(frozen=True)
class Corrected:
    """A count corrected for the model's errors.

    Args:
        counted: Studies or patients.
        low: Lower end of the interval at `LEVEL`; None when it is refused.
        value: The corrected count; None when it is refused.
        high: Upper end.
        note: How it was found, or why it was not, for a reader.
    """

    counted: Counted
    low: float | None
    value: float | None
    high: float | None
    note: str


def rogan_gladen(positive: int, total: int, validation: Validation, *, seed: int = 0) -> tuple[float, float, float]:
    """Lower end, estimate and upper end of a prevalence, clipped to [0, 1].

    The interval draws the apparent prevalence, sensitivity and specificity from their Beta posteriors under Jeffreys'
    priors, so that the errors of the count and of both validation figures are carried.

    Args:
        positive: Studies said to show it.
        total: Studies asked.
        validation: Of the same question and model.
        seed: Of the draws.

    Raises:
        QueryError: Nothing was asked, or the model is no better than chance, so that nothing can be corrected.

    Source: Rogan and Gladen 1978, equation 1: (apparent + specificity - 1) / (sensitivity + specificity - 1).
    """
    import numpy as np

    if not 0 <= positive <= total or not total:
        raise QueryError("nothing-counted", "count", f"{positive} of {total}", "some of at least one")
    better = validation.sensitivity + validation.specificity - 1
    if better <= 0:
        raise QueryError("no-better-than-chance", "validation", "sensitivity + specificity is 1 or less", "more than 1")
    estimate = (positive / total + validation.specificity - 1) / better
    sensitivity, specificity, generator = _draw_errors(validation, seed)
    apparent = generator.beta(positive + 0.5, total - positive + 0.5, DRAWS)
    informative = sensitivity + specificity > 1
    if informative.mean() < LEVEL:
        return 0.0, float(np.clip(estimate, 0, 1)), 1.0
    gained = (sensitivity + specificity - 1)[informative]
    drawn = np.clip((apparent + specificity - 1)[informative] / gained, 0, 1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(np.clip(estimate, 0, 1))
    return min(float(low), value), value, max(float(high), value)


def simulate_patients(
    answers: Mapping[int, Sequence[bool]], validation: Validation, *, seed: int = 0
) -> tuple[float, float, float]:
    """Lower end, median and upper end of the number of patients with at least one study that truly shows it.

    Every answer is turned into the chance that it is right, under drawn errors of the model and the prevalence that
    they imply; then the truth of every study is drawn. Errors of one patient's studies are taken as independent.

    Args:
        answers: Patient → what was said of each of its studies; all of them must have been asked.
        validation: Of the same question and model.
        seed: Of the draws.

    Raises:
        QueryError: As `rogan_gladen`.
    """
    import numpy as np

    yes = np.array([sum(said) for said in answers.values()])
    no = np.array([len(said) - sum(said) for said in answers.values()])
    total = int(yes.sum() + no.sum())
    rogan_gladen(int(yes.sum()), total, validation, seed=seed)  # refuses what cannot be corrected
    sensitivity, specificity, generator = _draw_errors(validation, seed)
    apparent = generator.beta(yes.sum() + 0.5, no.sum() + 0.5, DRAWS)
    gained = np.maximum(sensitivity + specificity - 1, 1e-6)
    prevalence = np.clip((apparent + specificity - 1) / gained, 0, 1)
    right_yes = _share(prevalence * sensitivity, (1 - prevalence) * (1 - specificity))
    wrong_no = _share(prevalence * (1 - sensitivity), (1 - prevalence) * specificity)
    healthy = (1 - right_yes)[:, None] ** yes[None, :] * (1 - wrong_no)[:, None] ** no[None, :]
    counts = (generator.random(healthy.shape) >= healthy).sum(1)
    low, value, high = np.quantile(counts, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return float(low), float(value), float(high)


def _draw_errors(
    validation: Validation, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], np.random.Generator]:
    import numpy as np

    generator = np.random.default_rng(seed)
    sensitivity = generator.beta(validation.true_positives + 0.5, validation.false_negatives + 0.5, DRAWS)
    specificity = generator.beta(validation.true_negatives + 0.5, validation.false_positives + 0.5, DRAWS)
    return sensitivity, specificity, generator


def _share(part: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    whole = part + rest
    share: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return share


# ------------------------------------------------------------------------------------------------------ of a query


@dataclass(frozen=True)
class CountOf:
    """What a query counts, when it is one count under one look.

    Args:
        counted: Studies or patients.
        call: The look.
        negated: Counted are those that do not show it.
    """

    counted: Counted
    call: Call
    negated: bool


def count_of(plan: Plan) -> CountOf | None:
    """What a query counts; None when it is no count of studies or patients under one look."""
    tree = plan.tree
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or len(looks_in(tree)) != 1:
        return None
    item, where = tree.expressions[0].unalias(), tree.args.get("where")
    if not isinstance(item, exp.Count) or where is None or tree.args.get("group"):
        return None
    (look,) = looks_in(tree)
    parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    own = next((part for part in parts if looks_in(part)), None)
    if own is None:
        return None
    bare, negated = own.unnest() if isinstance(own, exp.Paren) else own, False
    while isinstance(bare, exp.Not):
        bare, negated = bare.this.unnest() if isinstance(bare.this, exp.Paren) else bare.this, not negated
    call = plan.calls[number_of(look) - 1]
    if not is_look(bare) or call.arity != 1:
        return None
    counted = _counted(item, cast(exp.Expression, studies_of(look)[0]), tree)
    return None if counted is None else CountOf(counted, call, negated)


def _counted(item: exp.Count, study: exp.Expression, tree: exp.Select) -> Counted | None:
    if isinstance(item.this, exp.Distinct) and len(item.this.expressions) == 1:
        column = item.this.expressions[0]
        if column == study:
            return "studies"
        return "patients" if isinstance(column, exp.Column) and column.name.lower() == "subject_id" else None
    return "studies" if len(sources_of(tree)) == 1 and (isinstance(item.this, exp.Star) or item.this == study) else None


def correct_count(plan: Plan, result: QueryResult, validation: Validation | None, *, seed: int = 0) -> Corrected | None:
    """The corrected count of a result; None when the query is no count under one look.

    Args:
        plan: Of the query.
        result: Of running it.
        validation: What is known of the model at this question; None when nothing is.
        seed: Of the draws.
    """
    what = count_of(plan)
    if what is None:
        return None
    if validation is None:
        return _refused(what, "the model's errors at this question are not known: give --validation")
    asked = [each for each in result.looks if each.call == what.call and each.answer.state == "answered"]
    said = [bool(each.answer.value) for each in asked]
    if result.open_looks:
        return _refused(what, f"{result.open_looks} looks that matter have no answer")
    if not said:
        return _refused(what, "no study was looked at")
    if what.negated:
        return _refused(what, "films without a finding are counted")
    try:
        if what.counted == "studies":
            low, value, high = rogan_gladen(sum(said), len(said), validation, seed=seed)
            note = "Rogan-Gladen, errors of the count and of the validation carried"
            return Corrected("studies", low * len(said), value * len(said), high * len(said), note)
        by_patient: dict[int, list[bool]] = {}
        for each, is_yes in zip(asked, said, strict=True):
            by_patient.setdefault(int(each.subject_ids[0] or 0), []).append(is_yes)
        low, value, high = simulate_patients(by_patient, validation, seed=seed)
    except QueryError as error:
        return _refused(what, error.found)
    most = max(map(len, by_patient.values()))
    false_alarm = 1 - validation.specificity**most
    note = (
        f"simulated over every look that was made, errors taken as independent; up to {most} studies a patient, of "
        f"which one is called positive by error with a chance of {false_alarm:.0%} in a healthy patient"
    )
    return Corrected("patients", low, value, high, note)


def _refused(what: CountOf, reason: str) -> Corrected:
    return Corrected(what.counted, None, None, None, f"no interval: {reason}")
