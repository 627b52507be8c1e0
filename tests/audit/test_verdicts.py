"""The verdict tells six models that have really learned apart, in words, by one frozen rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chartsight.audit import AuditReport, run_audits
from chartsight.audit.blind import OtherFilm, QuestionOnly, measure_question_only
from chartsight.audit.verdict import Sight, decide, measure_sight, rule_stamp
from chartsight.evaluation import Interval
from chartsight.evaluation.differences import NO_DIFFERENCE
from chartsight.evaluation.intervals import EMPTY
from tests.audit.made_up import columns, facts, model, variants, yes_no
from tests.audit.tiny_models import RIGHT_VERDICTS, Audited, Mixture, prepare

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return prepare(tmp_path_factory.mktemp("six"), 1)


def figures(report: AuditReport) -> str:
    """One line a model, for docs/audit.md."""
    lines = []
    for each in report.models:
        image = each.question_only.image_part
        gains = ", ".join(f"{check.name} {100 * check.gain.estimate:+.1f}" for check in each.verdict.checks)
        lines.append(
            f"{each.name}: {100 * each.accuracy.estimate:.1f}% right, image part {100 * image.estimate:+.1f} "
            f"[{100 * image.low:+.1f}, {100 * image.high:+.1f}], {gains}: {each.verdict.kind}"
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


# ------------------------------------------------------------------------------------------ the checks on made-up ones


def test_strata_by_hand() -> None:
    """Three films of one stratum and one alone: right, less what the answer would score on the neighbours' films."""
    asked = yes_no([True, False, True, True])
    audited = model([True, False, False, True], question_only=[True] * 4)
    known = {each.question_id: facts(confounders={"view": "PA"}) for each in asked[:3]}
    known["q00003"] = facts(confounders={"view": "AP"})
    (found,) = measure_sight(columns(asked, audited, facts=known), audited)
    # moved 1 - 1/2, 1 - 0, 0 - 1/2 of what could be moved: 1 - 1/2, 1 - 0, 1 - 1/2
    assert (found.name, found.gain.n, found.gain.estimate) == ("strata", 3, pytest.approx(0.5))
    assert found.excess.estimate == pytest.approx(0.5 - 0.5 * (3 / 4 - 3 / 4))


def test_a_matched_swap_by_hand() -> None:
    asked = yes_no([True, True, False, False])
    audited = model([True, True, True, False], question_only=[True] * 4, swap=[False, True, True, True])
    donors = variants(asked, "swap", [False, False, True, True], matched=[True, True, True, False])
    (found,) = measure_sight(columns(asked, audited, variants={"swap": donors}), audited)
    # answers that the donors want: F-, -F, T: two of three with their films, one of three with the own ones
    assert (found.name, found.gain.n, found.gain.estimate) == ("matched swap", 3, pytest.approx(1 / 3))
    assert found.excess.estimate == pytest.approx(1 / 3 - 0.5 * (3 / 4 - 2 / 4))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_who_sees_a_share_gains_that_share_and_adds_no_more(share: float) -> None:
    """In both checks, with a confounder that agrees with the finding four times of five."""
    generator = np.random.default_rng(9)
    truth = generator.random(6000) < 0.4
    habit = np.where(generator.random(6000) < 0.8, truth, ~truth)
    donor = np.array([generator.choice(np.flatnonzero((habit == each) & (truth != own)))
                      for each, own in zip(habit, truth, strict=True)])  # fmt: skip
    asked = yes_no(truth.tolist())
    known = {each.question_id: facts(confounders={"marker": str(one)}) for each, one in zip(asked, habit, strict=True)}
    swapped = {"swap": variants(asked, "swap", truth[donor].tolist(), matched=True)}
    sees = generator.random(6000) < share
    honest = model(np.where(sees, truth, False).tolist(), question_only=[False] * 6000,
                   swap=np.where(sees, truth[donor], False).tolist())  # fmt: skip
    fooled = model(habit.tolist(), name="fooled", question_only=[False] * 6000, swap=habit[donor].tolist())
    arrays = columns(asked, honest, fooled, facts=known, variants=swapped)
    for check in measure_sight(arrays, honest):
        assert check.gain.estimate == pytest.approx(share, abs=0.04)
    part = measure_question_only(arrays, honest).image_part.estimate
    assert part <= share + 1e-9 and part == pytest.approx(0.4 * share, abs=0.02)
    for check in measure_sight(arrays, fooled):
        assert check.gain.estimate == pytest.approx(0.0, abs=0.04) and check.excess.high < 0
    assert measure_question_only(arrays, fooled).image_part.low > 0.1


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
        ("guesses", blind(0.011, 0.006), shuffled(0.1), [check(0.0, 0.0)]),  # surely some, and surely little
        ("guesses", blind(0.1), shuffled(0.012, 0.005), [check(0.0, 0.0)]),
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
