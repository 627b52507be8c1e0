"""Whether a network learns the hospital's habits instead of the finding, and how one sees it.

    python -m chartsight.starters.shortcut runs/shortcut          # three networks, some minutes on two cores

A finding becomes likelier with sickness, and by the dial of `hospital.confounding` so does how the film is taken. One
network a dial learns the finding; each then reads the same patients with the same findings under every dial, and each
film once more as the opposite habits would have taken it. A network that has learned the habit loses when it is
reversed, follows the swap, and is worse for those who go against the habit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from chartsight.evaluation.areas import AreaDraws, interval_of
from chartsight.evaluation.intervals import ClusterBootstrap, Interval
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital.confounding import choose_view_and_technique
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.imaging.pixels import pad_to_square
from chartsight.progress import track
from chartsight.runs import make_folder, write_json
from chartsight.starters.reference import Lesson, ReferenceClassifier, fit_classifier
from chartsight.starters.reference_films import DrawnFilms

STREAM = 67
DIALS = (1.0, 0.0, -1.0)
SECTION = Section("shortcut")


@dataclass(frozen=True)
class ShortcutPlan:
    """One experiment.

    Args:
        attribute: The finding to be learned.
        learn: Films that each network learns from.
        test: Films that all read.
        size_px: Side in which films are drawn and read.
        steps: Optimiser steps of each network.
        pull: How strongly the finding goes with sickness, in log odds over its whole range.
        difficulty: Of `difficulty.DIFFICULTIES`. What is too faint to be learned from so few films leaves habits alone
            to be learned, whatever the dial.
        style: One of `styles.STYLE_NAMES`.
        seed: The same plan gives the same figures.
    """

    attribute: str = "consolidation"
    learn: int = 2_000
    test: int = 1_000
    size_px: int = 64
    steps: int = 1_400
    pull: float = 9.0
    difficulty: str = "easy"
    style: str = "harbour"
    seed: int = 330_001


@dataclass(frozen=True)
class Exam:
    """What one network made of one hospital's films.

    Args:
        learned: The dial of its own hospital.
        dial: The dial of this one.
        area: AUROC of the finding.
        aligned: Balanced accuracy where the habit says what is true: portable and ill, or upright and well.
        opposed: Balanced accuracy where it says the opposite.
        flipped: Share of films whose answer changes when only the technique is swapped for the opposite dial's.
    """

    learned: float
    dial: float
    area: Interval
    aligned: Interval
    opposed: Interval
    flipped: Interval


def plan_request(plan: ShortcutPlan, number: int, dial: float) -> tuple[FilmRequest, bool]:
    """One film, and whether it shows the finding; the dial decides how it is taken and nothing else."""
    random = np.random.default_rng([STREAM, plan.seed, number])
    body = Body(
        "F" if random.random() < 0.5 else "M", int(random.integers(18, 92)), float(random.random()),
        int(random.integers(2**31)),
    )  # fmt: skip
    sickness = float(random.random())
    shown = bool(random.random() < 1 / (1 + np.exp(-plan.pull * (sickness - 0.5))))
    places = list(FINDINGS[plan.attribute].places.values())
    planted = PlantedFinding(plan.attribute, places[int(random.integers(len(places)))], float(random.uniform(0.25, 1)))
    seed = int(random.integers(2**31))
    taken = choose_view_and_technique(random, dial, sickness)
    level = find_difficulty(plan.difficulty)
    findings = level.as_drawn((planted,) if shown else ())
    return FilmRequest(
        body, taken.view, findings, plan.style, plan.size_px, seed, taken.technique, distraction=level.distraction
    ), shown  # fmt: skip


def draw_films(plan: ShortcutPlan, numbers: Sequence[int], dial: float, *, quiet: bool = False) -> DrawnFilms:
    """Films of a hospital with that dial; the finding is their only attribute."""
    pixels = np.empty((len(numbers), plan.size_px, plan.size_px), np.uint8)
    severity = np.zeros((len(numbers), 1), np.float32)
    views = []
    for row, number in enumerate(track(numbers, f"films of dial {dial:+g}", quiet=quiet)):
        request, shown = plan_request(plan, number, dial)
        pixels[row] = pad_to_square(np.asarray(render_film(request).pixels, np.uint8), plan.size_px)
        severity[row] = request.findings[0].severity if shown else 0
        views.append(request.view)
    none = np.zeros(0, np.int64)
    return DrawnFilms(
        pixels=pixels, body_of=np.asarray(numbers, np.int64), views=np.array(views), attributes=(plan.attribute,),
        severity=severity, mark_film=none, mark_attribute=none, mark_object=np.zeros(0, np.str_),
        mark_box=np.zeros((0, 4), np.float32),
    )  # fmt: skip


def teach(plan: ShortcutPlan, films: DrawnFilms, state: Path, *, quiet: bool = False) -> ReferenceClassifier:
    """A network that has learned the finding on those films."""
    lesson = Lesson(
        steps=plan.steps, films_per_step=32, save_every=max(plan.steps // 4, 1), seed=plan.seed,
        widths=(16, 32, 64, 64), blocks=(0, 1, 1, 1),
    )  # fmt: skip
    return fit_classifier(films, lesson, state, quiet=quiet)


def examine(
    network: ReferenceClassifier, learned: float, dial: float, films: Mapping[float, DrawnFilms], threshold: float
) -> Exam:
    """What a network makes of the films of one dial.

    Args:
        network: Which.
        learned: The dial of its own hospital.
        dial: Whose films it reads.
        films: Dial → the same patients' films.
        threshold: Score from which on it says yes.
    """
    read = films[dial]
    is_ill = read.targets[:, 0] == 1
    scores = network.score(read.pixels)[:, 0]
    # Without a habit of its own a hospital is swapped for the one with the strongest.
    swapped = network.score(films[-dial if dial else 1.0].pixels)[:, 0]
    says_yes = scores > threshold
    is_right = says_yes == is_ill
    by_habit = (read.views == "AP") == is_ill
    bootstrap = ClusterBootstrap(read.body_of.tolist(), 2_000, seed=7)
    return Exam(
        learned=learned,
        dial=dial,
        area=interval_of(AreaDraws(read.body_of.tolist(), 1_000, seed=7).draw(scores, is_ill)),
        aligned=bootstrap.balanced_accuracy(is_ill, is_right, by_habit),
        opposed=bootstrap.balanced_accuracy(is_ill, is_right, ~by_habit),
        flipped=bootstrap.proportion(says_yes != (swapped > threshold)),
    )


def run_study(plan: ShortcutPlan, work: Path, *, quiet: bool = False, learned: Sequence[float] = DIALS) -> list[Exam]:
    """Every network on every hospital; what is taught already in `work` is kept."""
    make_folder(work)
    tests = {dial: draw_films(plan, range(plan.learn, plan.learn + plan.test), dial, quiet=quiet) for dial in DIALS}
    exams = []
    for own in learned:
        films = draw_films(plan, range(plan.learn), own, quiet=quiet)
        network = teach(plan, films, work / f"dial{own:+g}.pt", quiet=quiet)
        # Half of its own hospital's films are ill: the threshold that says yes to as many.
        threshold = float(np.quantile(network.score(films.pixels)[:, 0], 1 - films.targets[:, 0].mean()))
        exams += [examine(network, own, dial, tests, threshold) for dial in DIALS]
    return exams


def as_markdown(exams: Sequence[Exam]) -> str:
    """The figures as a table."""

    def shown(interval: Interval) -> str:
        return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"

    lines = [
        "| learned where the dial is | read where it is | AUROC | balanced accuracy, with the habit | against it "
        "| answers that follow a swapped technique |", "|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    lines += [
        f"| {each.learned:+g} | {each.dial:+g} | {shown(each.area)} | {shown(each.aligned)} | {shown(each.opposed)} "
        f"| {shown(each.flipped)} |"
        for each in exams
    ]
    return "\n".join(lines)


def study(
    work: Annotated[Path, typer.Argument(help="Folder for the networks; a killed run goes on in it.")],
    attribute: Annotated[str, typer.Option(help="The finding.")] = ShortcutPlan.attribute,
    films: Annotated[int, typer.Option(help="That each network learns from.")] = ShortcutPlan.learn,
    steps: Annotated[int, typer.Option(help="Optimiser steps of each network.")] = ShortcutPlan.steps,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/hospital.md.")] = None,
) -> None:
    """Teach three networks, and show which of them has learned the habit."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    plan = replace(ShortcutPlan(), attribute=attribute, learn=films, steps=steps)
    exams = run_study(plan, work, quiet=quiet or as_json)
    figures: dict[str, Any] = {"plan": asdict(plan), "exams": [asdict(each) for each in exams]}
    write_json(work / "shortcut.json", figures)
    if write is not None:
        command = f"python -m chartsight.starters.shortcut {work}"
        SECTION.write(
            write, f"`{command}` on {datetime.now(UTC):%Y-%m-%d}: {describe_machine()}.\n\n{as_markdown(exams)}"
        )
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    table = Table("learned at", "read at", "AUROC", "with the habit", "against it", "follow the swap")
    for each in exams:
        values = (each.area, each.aligned, each.opposed, each.flipped)
        table.add_row(f"{each.learned:+g}", f"{each.dial:+g}",
                      *(f"{v.estimate:.2f} [{v.low:.2f}, {v.high:.2f}]" for v in values))  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    run_alone(study)
