"""Everything that the audits found, in frozen dataclasses: pages and plots only show it."""

from __future__ import annotations

from dataclasses import dataclass

from chartsight.audit.aligned import Alignment
from chartsight.audit.blind import OtherFilm, QuestionOnly
from chartsight.audit.calibration import Calibration
from chartsight.audit.clean_subset import CleanSubset
from chartsight.audit.decomposition import Decomposition
from chartsight.audit.distribution import Distribution
from chartsight.audit.gates import Gate
from chartsight.audit.inputs import Exposure, LeakCounts, Role
from chartsight.audit.label_errors import LabelErrors
from chartsight.audit.memorisation import Memorisation
from chartsight.audit.occlusion import Occlusion
from chartsight.audit.priors import GainOverPrior, TemplatePrior
from chartsight.audit.quadrants import Quadrants
from chartsight.audit.selective import Selective
from chartsight.audit.subgroups import Slices, SubgroupGaps
from chartsight.audit.swap import Mirrored, Swap
from chartsight.audit.verdict import ModelVerdict
from chartsight.audit.wording import Contradictions, Paraphrase
from chartsight.audit.yes_bias import YesBias
from chartsight.evaluation import Interval
from chartsight.schema import Condition


@dataclass(frozen=True)
class ModelAudit:
    """All audits of one model; None where its conditions were not asked, or nothing is known.

    Args:
        name: Of the model.
        role: What it is compared as.
        accuracy: Strict.
        verdict: By the frozen rule.
        gain: A2.
        question_only: A3.
        other_films: A4 (blank, noise), A5 (shuffled), A15 (scrambled), by condition.
        swap: A6.
        occlusion: A7.
        quadrants: A8.
        paraphrase: A9.
        contradictions: A10.
        distribution: A11.
        yes_bias: A12.
        alignment: A13.
        clean_subset: A14.
        subgroups: A16, one a feature.
        memorisation: A19.
        calibration: A20.
        selective: A21.
        mirrored: A23.
        slices: By mention and lesion size.
    """

    name: str
    role: Role
    accuracy: Interval
    verdict: ModelVerdict
    gain: GainOverPrior
    question_only: QuestionOnly
    other_films: tuple[OtherFilm, ...]
    swap: Swap | None
    occlusion: Occlusion | None
    quadrants: Quadrants | None
    paraphrase: Paraphrase | None
    contradictions: Contradictions | None
    distribution: Distribution
    yes_bias: YesBias
    alignment: Alignment
    clean_subset: CleanSubset | None
    subgroups: tuple[SubgroupGaps, ...]
    memorisation: Memorisation | None
    calibration: Calibration
    selective: Selective
    mirrored: Mirrored | None
    slices: Slices

    def under(self, condition: Condition) -> OtherFilm | None:
        """A4, A5 or A15; None when it was not asked."""
        return next((each for each in self.other_films if each.condition == condition), None)


@dataclass(frozen=True)
class AuditReport:
    """The findings of all audits.

    Args:
        n: Questions.
        clusters: Patients.
        scorer: Stamp of the rules that make an answer right.
        rule: Stamp of the rule of the verdicts.
        prior: A1.
        models: In the order of the input.
        decompositions: Every tuned model against the first baseline.
        leaks: A17; None when they were not looked for.
        exposure: A18, as declared.
        label_errors: A22.
        gates: All of them; the run fails when a red one does.
        warning: Why intervals are to be read with care; None when they need not.
    """

    n: int
    clusters: int
    scorer: str
    rule: str
    prior: TemplatePrior
    models: tuple[ModelAudit, ...]
    decompositions: tuple[Decomposition, ...]
    leaks: LeakCounts | None
    exposure: tuple[Exposure, ...]
    label_errors: LabelErrors
    gates: tuple[Gate, ...]
    warning: str | None

    def model(self, name: str) -> ModelAudit:
        """The audits of a model; KeyError when there is none of that name."""
        for each in self.models:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def passed(self) -> bool:
        """Whether every red gate holds."""
        return all(gate.passed for gate in self.gates if gate.level == "red")
