"""The reference classifier, which freezes how hard the synthetic films are.

    python -m chartsight.starters.reference fit runs/reference --ship     # draw, teach, measure, put into the package
    python -m chartsight.starters.reference fit runs/reference --ship --write docs/starter.md   # and into the page
    python -m chartsight.starters.reference measure runs/reference        # measure again, on fresh films
    python -m chartsight.starters.reference freeze runs/reference         # and put that into the card: the weights stay

A residual network of 1.1 million weights is taught to name every finding that the hospital can draw, on films of a
balanced design (`reference_films`), for a fixed number of steps. What it then reaches on fresh films is the films'
difficulty: .75 to .95 AUROC a finding is meant. A test draws the same few films again and refuses a renderer on which
the committed weights see much more, or much less, than they did.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chartsight.errors import CheckpointError, RecipeError
from chartsight.evaluation.areas import AreaDraws, interval_of, mean_area
from chartsight.evaluation.intervals import Interval
from chartsight.exits import exit_code
from chartsight.figures import Section, describe_machine
from chartsight.progress import track
from chartsight.runs import Run, make_folder, new_output, remove, write_json
from chartsight.starters.reference_films import DrawnFilms, FilmPlan, draw_plan, plan_digest, renderer_digest
from chartsight.training.learning import Parts, rate_at, resume, save_state, take_step
from chartsight.training.precision import use_bfloat16
from chartsight.training.tower import LabelHead, shift_films
from chartsight.vlm.film_tower import FilmTower, FilmTowerConfig
from chartsight.vlm.preprocessing import STARTER_PREPROCESSING

SHIPPED = Path(__file__).parents[1] / "models" / "reference-classifier"
SECTION = Section("reference")
WEIGHTS, CARD, README = "model.safetensors", "reference.json", "README.md"
MEANT = (0.75, 0.95)  # AUROC of a finding at the default level
RARE = -5.0  # logit at which a cell begins: nearly nothing is in nearly every cell
FEWEST_POSITIVES = 30  # below it an area says little, and counts in no mean

# Seeds of the reference alone: no hospital of a test, of the demo or of the starters is drawn with them.
# A break is a few pixels of one bone among two dozen: it takes more examples to be learned than a heart's width.
FIT = FilmPlan(films=7_000, seed=310_001, plain=0.5, favoured=("clavicle fracture", "rib fracture"))
FRESH = FilmPlan(films=1_500, seed=310_002)
CHECK = FilmPlan(films=300, seed=310_003)  # drawn by the test, every time


@dataclass(frozen=True)
class Lesson:
    """How the classifier is taught; fixed, so that another figure means other films.

    Args:
        steps: Optimiser steps.
        films_per_step: Batch size.
        learning_rate: At its peak; a tenth of the steps lead up to it, a cosine leads down.
        shift_px: Films are shifted by up to so many pixels; never flipped.
        cells: Weight of the loss of the cells beside that of the films.
        save_every: Steps between two saved states.
    """

    steps: int = 2_400
    films_per_step: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    shift_px: int = 4
    cells: float = 20.0
    save_every: int = 200
    seed: int = 0
    widths: tuple[int, ...] = (24, 48, 96, 128)
    blocks: tuple[int, ...] = (0, 1, 2, 2)


class ReferenceClassifier(nn.Module):
    """The starter's tower with one query a finding: float [B, 1, S, S] → logits [B, A].

    While it learns, what a finding's query reads in a cell has to say too whether the finding stands there; a tube of
    a few pixels is not found in thousands of films without being shown.
    """

    def __init__(
        self, attributes: Sequence[str], size_px: int, widths: Sequence[int], blocks: Sequence[int]
    ) -> None:  # fmt: skip
        super().__init__()
        self.attributes = tuple(attributes)
        self.size_px = size_px
        self.tower = FilmTower(FilmTowerConfig(image_size=size_px, widths=tuple(widths), blocks=tuple(blocks)))
        self.head = LabelHead(self.tower.config.hidden_size, len(self.attributes))
        self.cell_bias = nn.Parameter(torch.full((len(self.attributes),), RARE))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Logits of every attribute."""
        logits, _ = self.look(pixel_values)
        return logits

    def look(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, A] of every attribute, and [B, N, A] of every attribute in every cell, in reading order."""
        tokens = self.tower(pixel_values).last_hidden_state.float()
        logits: Tensor = self.head(tokens)
        cells: Tensor = tokens @ self.head.read.T + self.cell_bias
        return logits, cells

    @torch.inference_mode()
    def score(self, films: NDArray[np.uint8], batch: int = 128) -> NDArray[np.float32]:
        """float32 [F, A] of uint8 films [F, S, S]."""
        self.eval()
        device = next(self.parameters()).device
        scores = [
            self(STARTER_PREPROCESSING.pixel_values(films[at : at + batch]).to(device)).cpu().numpy()
            for at in range(0, len(films), batch)
        ]
        return np.concatenate(scores) if scores else np.zeros((0, len(self.attributes)), np.float32)


def new_classifier(attributes: Sequence[str], size_px: int, lesson: Lesson) -> ReferenceClassifier:
    """One that has learned nothing; the lesson's seed decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        return ReferenceClassifier(attributes, size_px, lesson.widths, lesson.blocks)


def fit_classifier(films: DrawnFilms, lesson: Lesson, state: Path, *, quiet: bool = False) -> ReferenceClassifier:
    """A classifier taught on films; goes on from `state` (a file) when that is of the same lesson.

    Raises:
        OutputError: Another lesson's state stands in `state`.
    """
    classifier = new_classifier(films.attributes, films.pixels.shape[1], lesson)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classifier.to(device).train()
    targets = films.targets
    _start_at_prevalence(classifier, targets)
    grid = CellGrid(films, films.pixels.shape[1] // classifier.tower.config.patch_size)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=lesson.learning_rate, weight_decay=lesson.weight_decay)
    identity = json.dumps([asdict(lesson), films.attributes, len(films.pixels)])
    parts: Parts = {"classifier": classifier, "optimizer": optimizer}
    first, _ = resume(state, identity, parts)
    bfloat16 = use_bfloat16("auto") or device.type == "cuda"
    losses: list[float] = []
    for step in track(range(first, lesson.steps), "teaching the reference classifier", quiet=quiet):
        # Of the step alone, so that a run that goes on sees what it would have seen.
        random = np.random.default_rng([lesson.seed, step])
        chosen = random.integers(0, len(films.pixels), lesson.films_per_step)
        pixels = STARTER_PREPROCESSING.pixel_values(shift_films(films.pixels[chosen], lesson.shift_px, random))
        wanted = torch.from_numpy(targets[chosen]).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
            logits, cells = classifier.look(pixels.to(device))
        known = ~wanted.isnan()
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float()[known], wanted[known])
        if lesson.cells:
            there = torch.from_numpy(grid.of(chosen)).to(device)
            each = nn.functional.binary_cross_entropy_with_logits(cells.float(), there, reduction="none").mean(1)
            loss = loss + lesson.cells * each[known].mean()
        take_step(classifier, optimizer, loss, lesson.learning_rate * rate_at(step, lesson.steps))
        losses.append(loss.item())
        done = step + 1
        if done % lesson.save_every == 0 or done == lesson.steps:
            save_state(state, identity, done, parts)
            if not quiet:
                print(f"step {done} of {lesson.steps}: loss {np.mean(losses[-lesson.save_every :]):.4f}", flush=True)
    return classifier.to("cpu").eval()


class CellGrid:
    """What stands in which cell of the films, by their marks.

    A cell holds a finding when the finding's box covers a quarter of it, or has its middle there.
    """

    def __init__(self, films: DrawnFilms, side: int) -> None:
        self.side, self.attributes = side, len(films.attributes)
        order = np.argsort(films.mark_film, kind="stable")
        self.boxes, self.kinds = films.mark_box[order] * side, films.mark_attribute[order]
        self.edges = np.searchsorted(films.mark_film[order], np.arange(len(films.pixels) + 1))

    def of(self, films: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [B, side * side, A] of these films, 1 where something stands."""
        there = np.zeros((len(films), self.side, self.side, self.attributes), np.float32)
        low = np.arange(self.side)
        for row, film in enumerate(films):
            for mark in range(self.edges[film], self.edges[film + 1]):
                x1, y1, x2, y2 = self.boxes[mark]
                wide, high = (
                    np.clip(np.minimum(last, low + 1) - np.maximum(first, low), 0, 1)
                    for first, last in ((x1, x2), (y1, y2))
                )
                covered = high[:, None] * wide[None] >= 0.25
                middle = np.clip(((y1 + y2) / 2, (x1 + x2) / 2), 0, self.side - 1).astype(np.int64)
                covered[tuple(middle)] = True
                there[row, covered, self.kinds[mark]] = 1
        return there.reshape(len(films), self.side * self.side, self.attributes)


def _start_at_prevalence(classifier: ReferenceClassifier, targets: NDArray[np.float32]) -> None:
    counts = (~np.isnan(targets)).sum(axis=0)
    prevalence = (np.nansum(targets, axis=0) / counts.clip(min=1)).clip(0.005, 0.995)
    bias = torch.from_numpy(np.log(prevalence / (1 - prevalence)).astype(np.float32))
    classifier.head.bias.data.copy_(bias)


# ------------------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class FindingDifficulty:
    """How well one finding is told on fresh films.

    Args:
        attribute: Of `schema.ATTRIBUTES`.
        area: AUROC with its interval over patients.
        positives: Films that show it.
    """

    attribute: str
    area: Interval
    positives: int

    @property
    def verdict(self) -> str:
        """`as meant`, `too easy`, `too hard`, or `too few` positives to say."""
        if self.positives < FEWEST_POSITIVES or math.isnan(self.area.estimate):
            return "too few"
        low, high = MEANT
        return "too hard" if self.area.estimate < low else "too easy" if self.area.estimate > high else "as meant"


@dataclass(frozen=True)
class Difficulty:
    """Of all findings of a set of films.

    Args:
        findings: In alphabetical order.
        mean: Over the findings with enough positives.
        films: Looked at.
        unknown: What can be drawn and the classifier was never taught.
    """

    findings: tuple[FindingDifficulty, ...]
    mean: Interval
    films: int
    unknown: tuple[str, ...] = ()

    @property
    def outside(self) -> tuple[FindingDifficulty, ...]:
        """Findings that are too easy or too hard."""
        return tuple(each for each in self.findings if each.verdict.startswith("too ") and each.verdict != "too few")

    def as_dict(self) -> dict[str, Any]:
        """JSON of all figures."""
        return {
            "films": self.films,
            "mean": asdict(self.mean),
            "meant": list(MEANT),
            "outside": [each.attribute for each in self.outside],
            "unknown": list(self.unknown),
            "findings": [
                {"attribute": each.attribute, "positives": each.positives, "verdict": each.verdict, **asdict(each.area)}
                for each in self.findings
            ],
        }


def measure_difficulty(
    classifier: ReferenceClassifier, films: DrawnFilms, *, resamples: int = 1_000, seed: int = 0
) -> Difficulty:  # fmt: skip
    """AUROC of each finding that classifier and films know, with intervals over patients."""
    scores = classifier.score(films.pixels)
    draws = AreaDraws(films.body_of.tolist(), resamples, seed)
    targets = films.targets
    findings, counted = [], []
    for column, attribute in enumerate(classifier.attributes):
        if attribute not in films.attributes:
            continue
        wanted = targets[:, films.attributes.index(attribute)]
        known = ~np.isnan(wanted)
        drawn = draws.draw(scores[:, column], wanted == 1, known)
        findings.append(FindingDifficulty(attribute, interval_of(drawn), drawn.positives))
        if drawn.positives >= FEWEST_POSITIVES:
            counted.append(drawn)
    unknown = tuple(sorted(set(films.attributes) - set(classifier.attributes)))
    return Difficulty(tuple(findings), mean_area(counted), len(films.pixels), unknown)


# -------------------------------------------------------------------------------------------------------- model folders


def save_classifier(classifier: ReferenceClassifier, lesson: Lesson, folder: Path) -> None:
    """Weights in bfloat16 and the facts to load them by, into a folder that exists."""
    weights = {name: each.to(torch.bfloat16).contiguous() for name, each in classifier.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    write_json(
        folder / CARD,
        {"attributes": list(classifier.attributes), "size_px": classifier.size_px, "lesson": asdict(lesson)},
    )


def load_classifier(folder: Path) -> ReferenceClassifier:
    """The classifier of a folder, in float32.

    Raises:
        CheckpointError: The folder lacks a file, or weights and card do not fit.
    """
    card = read_card(folder)
    lesson = card["lesson"]
    classifier = ReferenceClassifier(card["attributes"], card["size_px"], lesson["widths"], lesson["blocks"])
    try:
        weights = load_file(folder / WEIGHTS)
        classifier.load_state_dict({name: each.float() for name, each in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise CheckpointError("bad-weights", folder, f"cannot be read ({reason})", "a reference classifier") from None
    return classifier.eval()


def read_card(folder: Path) -> dict[str, Any]:
    """What a classifier's folder says of itself.

    Raises:
        CheckpointError: It is missing or no JSON.
    """
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError("no-model", folder, f"holds no {CARD}", "a reference classifier",
                              "make one: python -m chartsight.starters.reference fit FOLDER") from None  # fmt: skip
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CheckpointError("bad-card", folder / CARD, "is no JSON", "a card written by chartsight") from None
    return card


def make_reference(
    work: Path, lesson: Lesson, plans: tuple[FilmPlan, FilmPlan, FilmPlan], *, workers: int | None, quiet: bool
) -> Difficulty:
    """A classifier in `work/model` with its card; what has been drawn or learned already is kept.

    Args:
        work: For films, state and result.
        lesson: How it is taught.
        plans: To learn from, to measure on, and for the test.
        workers: Processes that draw.
        quiet: No progress.
    """
    fit, fresh, check = plans
    make_folder(work)
    state = work / f"state-{plan_digest(fit)}.pt"  # a state of other films is never gone on with
    films = draw_plan(fit, work / "films", workers=workers, quiet=quiet)
    classifier = fit_classifier(films, lesson, state, quiet=quiet)
    with new_output(work / "model", replace=True) as partial:
        partial.mkdir()
        save_classifier(classifier, lesson, partial)
        stored = load_classifier(partial)  # what is measured is what is kept, in bfloat16
        difficulty = measure_difficulty(stored, draw_plan(fresh, work / "films", workers=workers, quiet=quiet))
        checked = measure_difficulty(stored, draw_plan(check, work / "films", workers=workers, quiet=quiet))
        card = {
            **read_card(partial),
            "renderer": renderer_digest(),
            "plans": {"fit": asdict(fit), "fresh": asdict(fresh), "check": asdict(check)},
            "difficulty": difficulty.as_dict(),
            "check_mean_area": round(checked.mean.estimate, 4),
        }
        write_json(partial / CARD, card)
        (partial / README).write_text(render_card(lesson, plans, difficulty), "utf-8")
        Run("reference", {"lesson": asdict(lesson), **card["plans"]}, seed=lesson.seed).write(partial)
    return difficulty


def render_card(lesson: Lesson, plans: tuple[FilmPlan, FilmPlan, FilmPlan], difficulty: Difficulty) -> str:
    """The model card in Markdown."""
    fit, fresh, _ = plans
    lines = [
        "# Reference classifier",
        "",
        "Freezes how hard chartsight's synthetic films are. It has seen drawings only and says nothing about real "
        "films. Research use only.",
        "",
        f"Taught on {fit.films:,} films (style {fit.style}, seed {fit.seed}, drawn at {fit.drawn_px} px, read at "
        f"{fit.size_px} px, difficulty {fit.difficulty}), {lesson.steps:,} steps of "
        f"{lesson.films_per_step}; measured on {fresh.films:,} fresh films (seed {fresh.seed}). Each finding is "
        "planted for itself, so no other finding gives it away. Intervals are 95%, over patients.",
        "",
        render_difficulty(difficulty),
    ]
    return "\n".join(lines) + "\n"


def render_difficulty(difficulty: Difficulty) -> str:
    """Mean, how many findings are as hard as meant, and a table from hard to easy, those with too few last."""
    counted = [each for each in difficulty.findings if each.verdict != "too few"]
    meant = sum(each.verdict == "as meant" for each in counted)
    lines = [
        f"Mean AUROC {said(difficulty.mean)}. Meant: {MEANT[0]} to {MEANT[1]} a finding; so are {meant} of "
        f"{len(counted)}.",
        "",
        "| finding | AUROC | films with it | |",
        "|---|---|---:|---|",
        *(
            f"| {each.attribute} | {said(each.area)} | {each.positives} | {each.verdict} |"
            for each in sorted(
                difficulty.findings, key=lambda each: (math.isnan(each.area.estimate), each.area.estimate)
            )
        ),
    ]
    return "\n".join(lines)


def said(interval: Interval) -> str:
    """`.873 (.851 to .894)`; a dash where nothing was measured."""
    if math.isnan(interval.estimate):
        return "–"
    return f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"


# --------------------------------------------------------------------------------------------------------- command line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Workers = Annotated[int | None, typer.Option(help="Processes that draw films; all cores by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.command()
def fit(
    work: Annotated[Path, typer.Argument(help="Folder for films and states; a killed run goes on in it.")],
    films: Annotated[int, typer.Option(help="Films to learn from.")] = FIT.films,
    fresh: Annotated[int, typer.Option(help="Films to measure on.")] = FRESH.films,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = Lesson.steps,
    style: Annotated[str, typer.Option(help="How films look.")] = FIT.style,
    difficulty: Annotated[str, typer.Option(help="How faint findings are.")] = FIT.difficulty,
    ship: Annotated[bool, typer.Option("--ship", help="Copy the result into the package.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/starter.md.")] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw films, teach the classifier, measure it on fresh films."""
    if steps < 1:
        raise RecipeError("out-of-range", "--steps", str(steps), "1 or more")
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    lessons = (replace(FIT, films=films), replace(FRESH, films=fresh), CHECK)
    fit_plan, fresh_plan, check_plan = (replace(plan, style=style, difficulty=difficulty) for plan in lessons)
    plans = (fit_plan, fresh_plan, check_plan)
    measured = make_reference(work, Lesson(steps=steps), plans, workers=workers, quiet=quiet or as_json)
    show(measured, as_json=as_json)
    if write is not None:
        lesson = (
            f"`python -m chartsight.starters.reference fit {work}` on {datetime.now(UTC):%Y-%m-%d}: "
            f"{describe_machine()}. {films:,} films to learn from, {steps:,} steps of {Lesson.films_per_step}, "
            f"{fresh:,} fresh films to measure on, style {style}, difficulty {difficulty}."
        )
        SECTION.write(write, f"{lesson}\n\n{render_difficulty(measured)}")
    if ship:
        remove(SHIPPED)
        SHIPPED.mkdir()
        for name in (WEIGHTS, CARD, README):
            shutil.copy(work / "model" / name, SHIPPED)


@app.command()
def measure(
    work: Annotated[Path, typer.Argument(help="Folder for films.")],
    model: Annotated[Path, typer.Option(help="A classifier's folder; the shipped one by default.")] = SHIPPED,
    films: Annotated[int, typer.Option(help="Films to measure on.")] = FRESH.films,
    seed: Annotated[int, typer.Option(help="Of these films.")] = FRESH.seed,
    style: Annotated[str, typer.Option(help="How films look.")] = FRESH.style,
    difficulty: Annotated[str, typer.Option(help="How faint findings are.")] = FRESH.difficulty,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """How hard the films of today's renderer are for a classifier."""
    classifier = load_classifier(model)
    plan = replace(FRESH, films=films, seed=seed, style=style, difficulty=difficulty)
    drawn = draw_plan(plan, work / "films", workers=workers, quiet=quiet or as_json)
    show(measure_difficulty(classifier, drawn), as_json=as_json)


@app.command()
def freeze(
    work: Annotated[Path, typer.Argument(help="Folder for films.")],
    model: Annotated[Path, typer.Option(help="A classifier's folder; its card is rewritten.")] = SHIPPED,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/starter.md.")] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure today's films with weights that stay as they are, and write that into the card."""
    if write is not None:
        SECTION.split(write)
    card = read_card(model)
    classifier = load_classifier(model)
    fresh, check = (
        measure_difficulty(classifier, draw_plan(plan, work / "films", workers=workers, quiet=quiet or as_json))
        for plan in (FRESH, CHECK)
    )
    lesson = Lesson(**_with_tuples(card["lesson"]))
    fit_plan = FilmPlan(**_with_tuples(card["plans"]["fit"]))
    card |= {
        "renderer": renderer_digest(),
        "plans": {**card["plans"], "fresh": asdict(FRESH), "check": asdict(CHECK)},
        "difficulty": fresh.as_dict(),
        "check_mean_area": round(check.mean.estimate, 4),
    }
    write_json(model / CARD, card)
    with new_output(model / README, replace=True) as partial:
        partial.write_text(render_card(lesson, (fit_plan, FRESH, CHECK), fresh), "utf-8")
    show(fresh, as_json=as_json)
    if write is not None:
        SECTION.write(
            write,
            f"`python -m chartsight.starters.reference freeze {work}` on {datetime.now(UTC):%Y-%m-%d}: "
            f"{describe_machine()}. The classifier learned from {fit_plan.films:,} films in {lesson.steps:,} steps of "
            f"{lesson.films_per_step}; measured on {FRESH.films:,} fresh films, style {FRESH.style}, difficulty "
            f"{FRESH.difficulty}.\n\n{render_difficulty(fresh)}",
        )


def _with_tuples(stored: dict[str, Any]) -> dict[str, Any]:
    """A dataclass's fields as JSON keeps them, with tuples in the place of lists."""
    return {name: tuple(each) if isinstance(each, list) else each for name, each in stored.items()}


def show(difficulty: Difficulty, *, as_json: bool) -> None:
    """The figures on standard output."""
    if as_json:
        print(json.dumps(difficulty.as_dict(), indent=2))
        return
    table = Table(title=f"{difficulty.films:,} fresh films; mean AUROC {said(difficulty.mean)}", title_justify="left")
    table.add_column("finding")
    table.add_column("AUROC", justify="right")
    table.add_column("films with it", justify="right")
    table.add_column("")
    for each in difficulty.findings:
        table.add_row(each.attribute, said(each.area), str(each.positives), each.verdict)
    Console().print(table)
    if difficulty.unknown:
        print("never taught: " + ", ".join(difficulty.unknown))


def main() -> None:
    """One clear line for a mistake, as on the command line."""
    raise SystemExit(exit_code(lambda: app(standalone_mode=False), as_json="--json" in sys.argv))


if __name__ == "__main__":
    main()
