"""A whole audit report of made-up figures, to see how the page shows them; no figure here was found by an audit."""

from __future__ import annotations

from dataclasses import replace

from chartsight.audit import AuditReport, Exposure, LeakCounts, ModelAudit, ModelVerdict, VerdictKind
from chartsight.audit.aligned import Alignment
from chartsight.audit.blind import Control, OtherFilm, QuestionOnly
from chartsight.audit.calibration import Calibration, ReliabilityBin
from chartsight.audit.clean_subset import CleanSubset
from chartsight.audit.decomposition import Decomposition
from chartsight.audit.distribution import Distribution
from chartsight.audit.gates import Gate
from chartsight.audit.label_errors import AccuracyBound, LabelErrors
from chartsight.audit.memorisation import Memorisation, Similarity
from chartsight.audit.occlusion import Occlusion
from chartsight.audit.priors import GainOverPrior, TemplateGain, TemplatePrior
from chartsight.audit.quadrants import QUADRANTS, Quadrants, QuadrantShare
from chartsight.audit.selective import RiskPoint, Selective
from chartsight.audit.subgroups import Group, Slice, Slices, SubgroupGaps
from chartsight.audit.swap import Mirrored, Swap, SwapGroup
from chartsight.audit.wording import Contradictions, Paraphrase, RuleBroken
from chartsight.audit.yes_bias import YesBias
from chartsight.comparison.recipe import Role
from chartsight.evaluation import Interval, PairedDifference, scorer_stamp
from chartsight.evaluation.intervals import EMPTY

N, PATIENTS = 360, 60


def around(estimate: float, half: float = 0.04, n: int = N) -> Interval:
    return Interval(estimate, estimate - half, estimate + half, n, PATIENTS)


def apart(estimate: float, half: float = 0.05) -> PairedDifference:
    fields = {name: float("nan") for name in PairedDifference.__dataclass_fields__}
    whole = {"n": N, "clusters": PATIENTS, "wins": 90, "losses": 30}
    return PairedDifference(
        **{**fields, "estimate": estimate, "low": estimate - half, "high": estimate + half, **whole}
    )  # type: ignore[arg-type]


def swap_group(name: str, sight: float, n: int = N // 2) -> SwapGroup:
    return SwapGroup(
        name, around(0.5 + sight / 2, n=n), around(0.15 + 0.7 * sight, n=n), around(0.8 - 0.6 * sight, n=n),
        around(0.8 * sight, n=n), around(0.7 * sight, n=n), around(0.5),
    )  # fmt: skip


def model_audit(name: str, role: Role, sight: float, kind: VerdictKind) -> ModelAudit:
    """`sight`, 0 to 1, moves every figure; a model without it is the prior."""
    accuracy = 0.45 + 0.4 * sight
    is_twin = role == "twin"
    controls = (
        Control("twin", around(0.47), apart(accuracy - 0.47), around(0.47 / accuracy)),
        Control("no film", around(0.40), apart(accuracy - 0.40), around(0.40 / accuracy)),
        Control("words", around(0.44), apart(accuracy - 0.44), around(0.44 / accuracy)),
    )
    groups = (
        Group("female", 180, 31, around(accuracy - 0.02, n=180), around(accuracy - 0.01, n=180)),
        Group("male", 174, 28, around(accuracy + 0.02, n=174), around(accuracy + 0.01, n=174)),
        Group("not known", 6, 1, None, None),
    )
    shares = (0.1 + 0.6 * sight, 0.1, 0.7 - 0.6 * sight, 0.1)
    return ModelAudit(
        name=name, role=role, accuracy=around(accuracy),
        verdict=ModelVerdict(
            name, kind, f"It {kind}: image part {100 * (accuracy - 0.47):.1f} points.",
            ("Beyond the best answer without looking: above 0.", "It follows matched donors."), "rule v1 0123456789ab",
        ),
        gain=GainOverPrior(around(0.7 * sight), around(0.5 * sight),
                           (TemplateGain("choose-side", around(0.7), 0.5, None),)),
        question_only=QuestionOnly(() if is_twin else controls, None if is_twin else "twin",
                                   EMPTY if is_twin else around(accuracy - 0.47)),
        other_films=() if is_twin else tuple(
            OtherFilm(each, around(0.45), apart(accuracy - 0.45), around(0.45 / accuracy), around(0.6 * sight))
            for each in ("blank", "shuffled", "noise", "scrambled")
        ),
        swap=None if is_twin else Swap((swap_group("all", sight), swap_group("matched", sight, 90))),
        occlusion=None if is_twin else Occlusion(
            around(0.4 * sight, n=80), around(0.1, n=80), around(0.3 * sight, n=80)
        ),
        quadrants=None if is_twin else Quadrants(tuple(
            QuadrantShare(each, around(share), around(0.5 + 0.3 * sight))
            for each, share in zip(QUADRANTS, shares, strict=True)
        )),
        paraphrase=Paraphrase(around(0.12), apart(0.02), around(0.6), around(0.2)),
        contradictions=Contradictions(around(0.9), around(0.08),
                                      (RuleBroken("list ↔ verify", around(0.9), around(0.1)),)),
        distribution=Distribution(around(0.99), around(0.98), around(0.05), around(0.8), around(0.6), around(0.5)),
        yes_bias=YesBias(around(0.06), around(0.8), around(0.7), around(-0.1), around(0.5)),
        alignment=Alignment(around(0.46), around(0.9), around(0.1 + 0.6 * sight), around(0.8 - 0.6 * sight)),
        clean_subset=CleanSubset(("baseline", "twin"), around(0.4), around(accuracy - 0.2)),
        subgroups=(SubgroupGaps("sex", groups, "female", around(0.04), around(0.02), around(0.05), 0.98),),
        memorisation=Memorisation(around(0.03), (Similarity(0.0, 0.5, around(0.6)),)),
        calibration=Calibration(
            around(0.06), around(0.2), around(0.5 + 0.35 * sight),
            () if is_twin else tuple(
                ReliabilityBin(0.05 + place / 10, around(0.5 + sight * (0.05 + place / 10 - 0.5), 0.1, 36))
                for place in range(10)
            ),
            (1.1, 0.05), around(0.04), around(0.19),
        ),
        selective=Selective(
            tuple(RiskPoint(step / 100, (1 - accuracy) * (0.4 + 0.6 * step / 100)) for step in range(1, 101)),
            around(0.2), around(accuracy + 0.05), {"0": around(accuracy), "5": around(accuracy - 1.0)}, around(1.7),
        ),
        mirrored=None if is_twin else Mirrored(around(0.3 + 0.5 * sight, n=60), swap_group("mirrored", sight, 60)),
        slices=Slices((Slice("mentioned", around(0.8, n=120), around(0.3, n=120)),
                       Slice("unmentioned", around(0.6, n=200), around(0.1, n=200))), ()),
    )  # fmt: skip


def made_up_report(candidates: tuple[str, ...] = ()) -> AuditReport:
    """Of the three models that tests compare: a baseline, a tuned one that sees, a twin."""
    models = (
        model_audit("baseline", "baseline", 0.05, "guesses"),
        model_audit("tuned", "tuned", 0.95, "sees the finding"),
        model_audit("twin", "twin", 0.0, "guesses"),
    )
    gained = Decomposition(
        "baseline", "tuned", apart(0.36), around(0.03), around(0.33), around(0.02), around(0.35), around(0.1),
        around(0.26), around(0.28), around(0.7),
    )  # fmt: skip
    return AuditReport(
        n=N, clusters=PATIENTS, scorer=scorer_stamp(), rule="rule v1 0123456789ab",
        prior=TemplatePrior(around(0.43), around(0.46)), models=models, decompositions=(gained,),
        leaks=LeakCounts({"patient": {"train, test": 0}, "text": {"train, test": 240}}),
        exposure=(Exposure("tuned", "the demo's own training split", "yes", "training manifest"),),
        label_errors=LabelErrors(candidates, around(len(candidates) / N), EMPTY,
                                 tuple(AccuracyBound(each.name, 0.4, 0.9) for each in models)),
        gates=(Gate("patient leak", "", "red", 0, 0, True), Gate("unparsed", "tuned", "red", 0.0, 0.05, True),
               Gate("yes-bias", "baseline", "amber", 0.14, 0.1, False)),
        warning=None,
    )  # fmt: skip


def poor_report() -> AuditReport:
    """The same where nothing could be measured: one patient, no swaps, no paraphrases, no chances."""
    report = made_up_report()
    none = QuestionOnly((), None, EMPTY)
    nothing = Calibration(EMPTY, EMPTY, EMPTY, (), None, EMPTY, EMPTY)
    silent = Selective((), EMPTY, EMPTY, {}, EMPTY)
    models = tuple(
        replace(
            each, question_only=none, other_films=(), swap=None, occlusion=None, quadrants=None, paraphrase=None,
            contradictions=None, clean_subset=None, subgroups=(), memorisation=None, calibration=nothing,
            selective=silent, mirrored=None, slices=Slices((), ()), accuracy=Interval(0.0, *[float("nan")] * 2, 6, 1),
        )
        for each in report.models
    )  # fmt: skip
    return replace(report, models=models, decompositions=(), leaks=None, exposure=(), gates=())
