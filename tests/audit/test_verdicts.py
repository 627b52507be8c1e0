"""The verdict tells six models that have really learned apart, in words, by one frozen rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from chartsight.audit import AuditReport, run_audits
from chartsight.audit.blind import OtherFilm, QuestionOnly
from chartsight.audit.verdict import Sight, decide, rule_stamp
from chartsight.evaluation import Interval
from chartsight.evaluation.differences import NO_DIFFERENCE
from chartsight.evaluation.intervals import EMPTY
from tests.audit.tiny_models import RIGHT_VERDICTS, Audited, Mixture, prepare

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return prepare(tmp_path_factory.mktemp("six"), 1)


def figures(report: AuditReport) -> str:
    """One line a model, for docs/audit.md."""
    lines = []
    for model in report.models:
        image = model.question_only.image_part
        gains = ", ".join(f"{each.name} {100 * each.gain.estimate:+.1f}" for each in model.verdict.checks)
        lines.append(
            f"{model.name}: {100 * model.accuracy.estimate:.1f}% right, image part {100 * image.estimate:+.1f} "
            f"[{100 * image.low:+.1f}, {100 * image.high:+.1f}], {gains}: {model.verdict.kind}"
        )
    return "\n".join(lines)


def test_six_models_get_their_right_verdicts(first: Audited, capsys: pytest.CaptureFixture[str]) -> None:
    report = run_audits(first.audit_input(first.models))
    with capsys.disabled():
        print(f"\n{figures(report)}")
    assert {model.name: model.verdict.kind for model in report.models} == RIGHT_VERDICTS
    assert report.model("border").verdict.sentence.startswith("border reads a shortcut: the film adds +")
    swap = report.model("border").swap
    assert swap is not None
    matched = swap.group("matched")
    # Over all its accuracy it looks as if it saw: only what the confounders share gives it away.
    assert report.model("border").accuracy.low > report.model("majority").accuracy.high
    assert matched is not None and matched.gain.high < report.model("good").verdict.checks[0].gain.low


def test_the_image_part_rises_with_the_share_of_the_good_model(first: Audited) -> None:
    names = {f"{share:.0%} good": Mixture(share, first.models["good"], first.models["majority"]) for share in SHARES}
    report = run_audits(first.audit_input({**names, "without film": first.models["without film"]}))
    parts = [report.model(name).question_only.image_part.estimate for name in names]
    assert all(one < other for one, other in pairwise(parts)), parts
    gains = [report.model(name).verdict.checks[0].gain.estimate for name in names]
    assert all(one < other for one, other in pairwise(gains)), gains
    assert report.model("0% good").verdict.kind == "guesses"
    assert report.model("100% good").verdict.kind == "sees the finding"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_six_models_get_their_right_verdicts_in_every_seed(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare(tmp_path, seed)
    report = run_audits(prepared.audit_input(prepared.models))
    with capsys.disabled():
        print(f"\nseed {seed}\n{figures(report)}")
    assert {model.name: model.verdict.kind for model in report.models} == RIGHT_VERDICTS


# -------------------------------------------------------------------------------------------------- the rule on figures


def about(estimate: float, half: float = 0.02, n: int = 1000, clusters: int = 200) -> Interval:
    return Interval(estimate, estimate - half, estimate + half, n, clusters)


def blind(estimate: float, half: float = 0.02) -> QuestionOnly:
    return QuestionOnly((), "twin", about(estimate, half))


def shuffled(estimate: float, half: float = 0.01) -> OtherFilm:
    drop = replace(NO_DIFFERENCE, estimate=estimate, low=estimate - half, high=estimate + half, n=1000, clusters=200)
    return OtherFilm("shuffled", EMPTY, drop, EMPTY, EMPTY)


def check(gain: float, excess: float, half: float = 0.02, **sizes: int) -> Sight:
    return Sight("matched swap", about(gain, half, **sizes), about(excess, half, **sizes))


@pytest.mark.parametrize(
    ("kind", "image", "other", "checks"),
    [
        ("sees the finding", blind(0.1), shuffled(0.1), [check(0.2, 0.15)]),
        ("sees the finding", blind(0.1), None, [check(0.2, 0.15)]),
        ("reads a shortcut", blind(0.1), shuffled(0.1), [check(0.0, -0.05)]),
        ("reads a shortcut", blind(0.1), shuffled(0.1), [check(0.2, 0.15), check(0.0, -0.05)]),
        ("cannot be told", blind(0.1), shuffled(0.1), [check(0.05, 0.01)]),  # not surely more than half, nor less
        ("sees the finding", blind(0.1), shuffled(0.1), [check(0.05, 0.01), check(0.2, 0.15)]),
        ("cannot be told", blind(0.1), shuffled(0.1), []),
        ("cannot be told", blind(0.1), shuffled(0.1), [check(0.2, 0.15, n=49)]),
        ("cannot be told", blind(0.1), shuffled(0.1), [check(0.0, -0.05, clusters=19)]),
        ("guesses", blind(0.0), shuffled(0.05), [check(0.0, 0.0)]),
        ("guesses", blind(0.1), shuffled(0.0), [check(0.0, 0.0)]),  # right whatever film it gets
        ("guesses", blind(-0.2), None, []),
        ("cannot be told", blind(0.02), shuffled(0.02, 0.03), [check(0.0, 0.0)]),  # up to four points: too unsure
        ("cannot be told", blind(-0.05), shuffled(0.1), [check(0.3, 0.3)]),  # follows, and is right no more often
        ("guesses", blind(-0.05), shuffled(0.0), [check(0.06, 0.06)]),  # a chance likeness
        ("cannot be told", QuestionOnly((), None, EMPTY), shuffled(0.1), [check(0.2, 0.15)]),
    ],
)
def test_the_rule(kind: str, image: QuestionOnly, other: OtherFilm | None, checks: list[Sight]) -> None:
    assert decide(200, image, other, checks)[0] == kind


def test_too_few_patients_are_told_apart_from_nothing() -> None:
    assert decide(19, blind(0.1), None, [check(0.2, 0.15)]) == ("cannot be told", "cannot be judged from 19 patients.")
    assert decide(1, blind(0.1), None, [])[1] == "cannot be judged from 1 patient."


def test_the_rule_has_a_stamp() -> None:
    assert rule_stamp().startswith("chartsight verdict v1 ") and len(rule_stamp().split()[-1]) == 12
