"""How often the tests cry wolf, and how long the intervals take.

    python benchmarks/evaluation.py                                   both, some minutes on one core
    python benchmarks/evaluation.py --trials 1000                     sooner, and coarser
    python benchmarks/evaluation.py --write docs/evaluation.md        put between the markers of that page

Two models that are equally good are compared in every trial. Patients differ: some are easy for both, some suit one of
the two, so that the answers about one patient rise and fall together. A test at the 5% level should find a difference
in 5 trials of 100. Ends with exit code 3 when the primary test leaves 4 to 6% at 100 or 400 patients, or when the
intervals take too long.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from chartsight.errors import GateError
from chartsight.evaluation.clustering import design_effect
from chartsight.evaluation.differences import ALPHA, paired_difference, paired_differences
from chartsight.evaluation.intervals import ClusterBootstrap
from chartsight.exits import run_alone
from chartsight.figures import Section, Stopwatch, describe_machine
from chartsight.progress import track
from chartsight.runs import machine, package_versions

SECTION = Section("type-one-error")
COMMAND = "python benchmarks/evaluation.py --write docs/evaluation.md"
SEED = 7
PATIENTS = (40, 100, 400)
GATED = (100, 400)
LOWEST, HIGHEST = 0.04, 0.06
TRIALS = 10_000
TRIALS_AT_ONCE = 256
FEWEST_QUESTIONS, MOST_QUESTIONS = 4, 16  # about one patient
# Spread of what a patient adds, in units of the spread of a single answer: to both models, and to each by itself.
SHARED_EFFECT, OWN_EFFECT, ITEM_EFFECT = 0.7, 0.45, 0.7
THRESHOLD = -0.7  # both models are right about seven times of ten
ITEMS, MODELS, ITEMS_A_PATIENT = 4_200, 3, 10
LONGEST_S = 5.0


@dataclass(frozen=True)
class ErrorRates:
    """Shares of trials in which each test found a difference that was not there.

    Args:
        patients: In every trial.
        questions: About all of them.
        trials: How many.
        bootstrap: The primary: its interval excludes 0.
        cluster_t: The cluster-robust t test.
        mcnemar_clustered: Durkalski's.
        mcnemar: Exact, every question taken for a patient.
        deff: Mean design effect of the differences.
    """

    patients: int
    questions: int
    trials: int
    bootstrap: float
    cluster_t: float
    mcnemar_clustered: float
    mcnemar: float
    deff: float

    @property
    def margin(self) -> float:
        """Two standard errors of a rate of 5%."""
        return 2 * math.sqrt(ALPHA * (1 - ALPHA) / self.trials)


def question_counts(patients: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The patient of every question: each has between `FEWEST_QUESTIONS` and `MOST_QUESTIONS`."""
    return np.repeat(np.arange(patients), generator.integers(FEWEST_QUESTIONS, MOST_QUESTIONS + 1, patients))


def equal_models(
    patient_of: NDArray[np.int64], trials: int, generator: np.random.Generator, own_effect: float = OWN_EFFECT
) -> Iterator[NDArray[np.float64]]:
    """float [N, at most `TRIALS_AT_ONCE`] in -1, 0, 1, until there were `trials` columns: who alone was right."""
    patients, n = int(patient_of.max()) + 1, len(patient_of)
    for start in range(0, trials, TRIALS_AT_ONCE):
        columns = min(TRIALS_AT_ONCE, trials - start)
        shared = SHARED_EFFECT * generator.standard_normal((patients, columns))[patient_of]
        shared += ITEM_EFFECT * generator.standard_normal((n, columns))
        is_right = [
            shared
            + own_effect * generator.standard_normal((patients, columns))[patient_of]
            + generator.standard_normal((n, columns))
            > THRESHOLD
            for _ in range(2)
        ]
        yield is_right[0].astype(np.float64) - is_right[1]


def measure_errors(
    patients: int, trials: int, resamples: int = 10_000, seed: int = SEED, *, own_effect: float = OWN_EFFECT,
    quiet: bool = True,
) -> ErrorRates:  # fmt: skip
    """The error rates of all tests at one number of patients, by the functions that a comparison uses."""
    generator = np.random.default_rng([seed, patients])
    patient_of = question_counts(patients, generator)
    bootstrap = ClusterBootstrap(patient_of.tolist(), resamples, seed)
    found, deff = np.zeros(4), 0.0
    blocks = math.ceil(trials / TRIALS_AT_ONCE)
    for gained in track(
        equal_models(patient_of, trials, generator, own_effect), f"{patients} patients", blocks, quiet=quiet
    ):
        for each in paired_differences(bootstrap, gained, np.ones(gained.shape, dtype=bool)):
            p_values = np.array([each.p_t, each.p_mcnemar_clustered, each.p_mcnemar])
            found += [each.excludes_zero, *(p_values < ALPHA)]
            deff += each.deff
    rates = [float(each) for each in found / trials]
    return ErrorRates(patients, len(patient_of), trials, *rates, deff / trials)


def seconds_of_intervals(items: int = ITEMS, resamples: int = 10_000) -> float:
    """Draws, accuracies and differences of three models with all tests, from nothing."""
    generator = np.random.default_rng(SEED)
    patient_of = np.repeat(np.arange(items // ITEMS_A_PATIENT), ITEMS_A_PATIENT).tolist()
    is_right = generator.random((items, MODELS)) < 0.7
    with Stopwatch() as watch:
        bootstrap = ClusterBootstrap(patient_of, resamples, SEED)
        for model in range(MODELS):
            bootstrap.proportion(is_right[:, model])
            design_effect(is_right[:, model], bootstrap.cluster_of)
            paired_difference(bootstrap, is_right[:, model], is_right[:, (model + 1) % MODELS])
    return watch.seconds


def render_page(rates: list[ErrorRates], seconds: float, command: str) -> str:
    """The section in Markdown."""
    from datetime import UTC, datetime

    trials = rates[0].trials
    lines = [
        f"`{command}` on {datetime.now(UTC).date().isoformat()}, chartsight {package_versions()['chartsight']}: "
        f"{describe_machine()}.", "",
        f"Share of {trials:,} trials in which a test at the 5% level found a difference between two equal models, in "
        f"per cent (two standard errors of 5%: {100 * rates[0].margin:.1f}):", "",
        "| patients | questions | deff | **bootstrap over patients** (primary) | cluster-robust t | clustered McNemar "
        "| naive exact McNemar |",
        "|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {each.patients} | {each.questions:,} | {each.deff:.2f} | **{100 * each.bootstrap:.2f}** "
            f"| {100 * each.cluster_t:.2f} | {100 * each.mcnemar_clustered:.2f} | {100 * each.mcnemar:.2f} |"
            for each in rates
        ),
        "",
        f"10,000 draws of {ITEMS // ITEMS_A_PATIENT} patients, then accuracies, differences and all tests of {MODELS} "
        f"models on {ITEMS:,} questions: {seconds:.2f} s.",
    ]  # fmt: skip
    return "\n".join(lines)


def main(
    trials: Annotated[int, typer.Option(min=1, help="Comparisons of two equal models.")] = TRIALS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="Put the section into this page.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure type-I errors and the time that intervals take."""
    if write is not None:
        SECTION.split(write)  # a page without markers is told before the work
    seconds = seconds_of_intervals()
    rates = [measure_errors(patients, trials, quiet=quiet) for patients in PATIENTS]
    text = render_page(rates, seconds, COMMAND)
    if write is not None:
        SECTION.write(write, text)
    if as_json:
        shown: dict[str, Any] = {"machine": machine(), "seconds": seconds, "errors": [asdict(each) for each in rates]}
        typer.echo(json.dumps(shown, indent=2))
    else:
        typer.echo(text)
    check(rates, seconds)


def check(rates: list[ErrorRates], seconds: float) -> None:
    """Raises a GateError when the primary test or the time is not as promised (fewer trials: a wider gate)."""
    for each in rates:
        allowed = each.margin if each.trials < TRIALS else 0.0
        if each.patients in GATED and not LOWEST - allowed <= each.bootstrap <= HIGHEST + allowed:
            raise GateError(
                "type-one-error", f"{each.patients} patients", f"{100 * each.bootstrap:.2f}% false finds", "4 to 6%"
            )
    if seconds > LONGEST_S:
        raise GateError("too-slow", f"{ITEMS:,} questions", f"{seconds:.1f} s", f"at most {LONGEST_S:.0f} s")


if __name__ == "__main__":
    run_alone(main)
