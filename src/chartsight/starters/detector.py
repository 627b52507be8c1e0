"""The reference detector: boxes drawn on synthetic films teach a network to find the same things on fresh ones.

    python -m chartsight.starters.detector runs/detector                 # draw, teach, measure
    python -m chartsight.starters.detector runs/detector --json
    python -m chartsight.starters.detector runs/detector --write docs/starter.md

The starter's tower with one more layer that says, for every cell of its grid and every kind of finding: here is the
middle of one, and this is its box. It shows that boxes and films belong together, left and right included; it is no
detector to use. mAP follows Everingham 2010 (all points); the pointing game is Zhang 2016.
"""

from __future__ import annotations

import json
import math
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
from torch import Tensor, nn

from chartsight.errors import RecipeError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.progress import track
from chartsight.runs import make_folder, new_output, write_json
from chartsight.starters.reference_films import DrawnFilms, FilmPlan, draw_plan, plan_digest
from chartsight.training.learning import Parts, rate_at, resume, save_state, take_step
from chartsight.training.precision import use_bfloat16
from chartsight.vlm.film_tower import FilmTower, FilmTowerConfig
from chartsight.vlm.preprocessing import STARTER_PREPROCESSING

# Findings with an outline of their own that a reader could point at.
KINDS = (
    "cardiac pacer and wires", "endotracheal tube", "mass/nodule (not otherwise specified)", "pleural effusion",
    "pneumothorax",
)  # fmt: skip
OVERLAPS = (0.3, 0.5)
CONFIDENT = 0.5  # of a box that counts when sides are compared
FIT = FilmPlan(films=6_000, seed=320_001, favoured=KINDS)
FRESH = FilmPlan(films=1_200, seed=320_002, favoured=KINDS)
SECTION = Section("detector")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DetectorLesson:
    """How the detector is taught."""

    steps: int = 2_000
    films_per_step: int = 32
    learning_rate: float = 2e-3
    save_every: int = 200
    seed: int = 0
    widths: tuple[int, ...] = (24, 48, 96, 128)
    blocks: tuple[int, ...] = (0, 1, 2, 2)


class Detector(nn.Module):
    """float [B, 1, S, S] → float [B, G, G, K, 5]: a logit and a box (middle in the cell, log of the sides)."""

    def __init__(self, size_px: int, lesson: DetectorLesson, kinds: Sequence[str] = KINDS) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        self.tower = FilmTower(FilmTowerConfig(image_size=size_px, widths=lesson.widths, blocks=lesson.blocks))
        width = self.tower.config.hidden_size
        # A cell must see its neighbours, and the whole film: a side has to be known from somewhere.
        self.mix = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.SiLU())
        self.out = nn.Conv2d(width, len(self.kinds) * 5, 1)
        nn.init.zeros_(self.out.weight)
        bias = torch.zeros(len(self.kinds), 5)
        bias[:, 0] = -4.0  # most cells hold nothing
        self.out.bias = nn.Parameter(bias.flatten())

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Logits and boxes of every cell and kind."""
        tokens = self.tower(pixel_values).last_hidden_state.float()
        side = math.isqrt(tokens.shape[1])
        grid = tokens.transpose(1, 2).unflatten(2, (side, side))
        whole = grid.mean((2, 3), keepdim=True).expand_as(grid)
        found: Tensor = self.out(self.mix(torch.cat([grid, whole], 1)))
        return found.permute(0, 2, 3, 1).reshape(len(found), side, side, len(self.kinds), 5)


@dataclass(frozen=True)
class Boxes:
    """Boxes on films: film [N], kind [N], box [N, 4] as fractions, score [N] (1 for true ones)."""

    film: NDArray[np.int64]
    kind: NDArray[np.int64]
    box: Floats
    score: Floats

    def of_kind(self, kind: int) -> Boxes:
        """Those of one kind."""
        mine = self.kind == kind
        return Boxes(self.film[mine], self.kind[mine], self.box[mine], self.score[mine])


def true_boxes(films: DrawnFilms, kinds: Sequence[str] = KINDS) -> Boxes:
    """The drawn boxes of the kinds."""
    numbers = {films.attributes.index(kind): nth for nth, kind in enumerate(kinds) if kind in films.attributes}
    mine = np.isin(films.mark_attribute, list(numbers))
    kind = np.array([numbers[int(number)] for number in films.mark_attribute[mine]], np.int64)
    return Boxes(films.mark_film[mine], kind, films.mark_box[mine].clip(0, 1), np.ones(int(mine.sum()), np.float32))


def encode(boxes: Boxes, n_films: int, side: int, n_kinds: int) -> Floats:
    """float32 [F, side, side, K, 5] as `Detector` writes it: 1 and the box in the cell of its middle, else 0."""
    grid = np.zeros((n_films, side, side, n_kinds, 5), np.float32)
    middle = (boxes.box[:, :2] + boxes.box[:, 2:]) / 2 * side
    cell = np.minimum(middle.astype(np.int64), side - 1)
    sides = np.log((boxes.box[:, 2:] - boxes.box[:, :2]).clip(1e-3) * side)
    values = np.column_stack([np.ones(len(cell)), middle - cell, sides])
    grid[boxes.film, cell[:, 1], cell[:, 0], boxes.kind] = values
    return grid


def decode(found: Floats, most: int = 4, first_film: int = 0) -> Boxes:
    """The `most` likeliest boxes of every film and kind, without those that overlap a likelier one by half."""
    side = found.shape[1]
    films, kinds, boxes, scores = [], [], [], []
    for film in range(len(found)):
        for kind in range(found.shape[3]):
            cells = found[film, :, :, kind]
            order = np.argsort(-cells[..., 0], axis=None, kind="stable")[: 3 * most]
            kept: list[Floats] = []
            for row, column in zip(*np.unravel_index(order, (side, side)), strict=True):
                logit, x, y, width, height = cells[row, column]
                half = np.exp(np.clip([width, height], -4, 4)) / side / 2
                middle = np.array([(column + x) / side, (row + y) / side])
                box = np.concatenate([middle - half, middle + half]).clip(0, 1).astype(np.float32)
                if len(kept) < most and all(overlap(box[None], other[None])[0, 0] < 0.5 for other in kept):
                    kept.append(box)
                    films.append(first_film + film)
                    kinds.append(kind)
                    boxes.append(box)
                    scores.append(1 / (1 + math.exp(-float(np.clip(logit, -50, 50)))))
    return Boxes(
        np.array(films, np.int64), np.array(kinds, np.int64), np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
    )  # fmt: skip


def overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes [N, 4] and [M, 4]: [N, M]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    inside = (high - low).clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1) for boxes in (one, other)]
    shares: Floats = inside / np.maximum(areas[0][:, None] + areas[1][None] - inside, 1e-9)
    return shares


# ------------------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class KindFigures:
    """What the detector does with one kind of finding on fresh films.

    Args:
        kind: Of `KINDS`.
        boxes: Drawn.
        precision: Average precision at each of `OVERLAPS`.
        pointing: Share of films with the finding on which the middle of the likeliest box lies in a true one.
        sides: Films on which the finding stands on one side only and a confident box was found.
        confused: Of these, those whose likeliest box lies on the other side.
    """

    kind: str
    boxes: int
    precision: tuple[float, ...]
    pointing: float
    sides: int
    confused: int


def average_precision(truth: Boxes, found: Boxes, least: float) -> float:
    """Area under precision over recall of boxes of one kind; each true box is found once. NaN without a true box."""
    if not len(truth.film):
        return math.nan
    order = np.argsort(-found.score, kind="stable")
    taken = np.zeros(len(truth.film), bool)
    hits = np.zeros(len(order), bool)
    for rank, number in enumerate(order):
        here = np.flatnonzero((truth.film == found.film[number]) & ~taken)
        if not len(here):
            continue
        shares = overlap(found.box[number : number + 1], truth.box[here])[0]
        if shares.max() >= least:
            taken[here[int(shares.argmax())]] = True
            hits[rank] = True
    recall = np.cumsum(hits) / len(truth.film)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * envelope).sum())


def measure_boxes(truth: Boxes, found: Boxes, kinds: Sequence[str] = KINDS) -> list[KindFigures]:
    """Figures of every kind."""
    figures = []
    for number, kind in enumerate(kinds):
        there, said = truth.of_kind(number), found.of_kind(number)
        pointed, sides, confused = [], 0, 0
        for film in np.unique(there.film):
            boxes, mine = there.box[there.film == film], said.film == film
            if not mine.any():
                pointed.append(False)
                continue
            best = int(np.flatnonzero(mine)[said.score[mine].argmax()])
            middle = (said.box[best, :2] + said.box[best, 2:]) / 2
            pointed.append(bool(((boxes[:, :2] <= middle) & (middle <= boxes[:, 2:])).all(1).any()))
            across = ((boxes[:, 0] + boxes[:, 2]) / 2 - 0.5) * 2
            # A box about the midline has no side.
            if said.score[best] >= CONFIDENT and (np.abs(across) > 0.15).all() and len(set(np.sign(across))) == 1:
                sides += 1
                confused += bool(np.sign(across[0]) * (middle[0] - 0.5) < -0.05)
        precision = tuple(average_precision(there, said, least) for least in OVERLAPS)
        pointing = float(np.mean(pointed)) if pointed else math.nan
        figures.append(KindFigures(kind, len(there.film), precision, pointing, sides, confused))
    return figures


# ------------------------------------------------------------------------------------------------------------- learning


def fit_detector(
    films: DrawnFilms, lesson: DetectorLesson, state: Path, kinds: Sequence[str] = KINDS, *, quiet: bool = False
) -> Detector:
    """A detector taught on films; goes on from `state` (a file) when that is of the same lesson.

    Raises:
        OutputError: Another lesson's state stands in `state`.
    """
    size = films.pixels.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        detector = Detector(size, lesson, kinds).train()
    side = size // detector.tower.config.patch_size
    targets = torch.from_numpy(encode(true_boxes(films, kinds), len(films.pixels), side, len(kinds)))
    optimizer = torch.optim.AdamW(detector.parameters(), lr=lesson.learning_rate, weight_decay=0.05)
    identity = json.dumps([asdict(lesson), list(kinds), len(films.pixels)])
    parts: Parts = {"detector": detector, "optimizer": optimizer}
    first, _ = resume(state, identity, parts)
    bfloat16 = use_bfloat16("auto")
    losses: list[float] = []
    for step in track(range(first, lesson.steps), "teaching the reference detector", quiet=quiet):
        random = np.random.default_rng([lesson.seed, step])
        chosen = random.integers(0, len(films.pixels), lesson.films_per_step)
        # Lighter or darker, not moved: the boxes would have to move along.
        gain = random.uniform(0.85, 1.15, (len(chosen), 1, 1))
        lit = np.clip(films.pixels[chosen] * gain + random.uniform(-15, 15, gain.shape), 0, 255).astype(np.uint8)
        pixels = STARTER_PREPROCESSING.pixel_values(lit)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            found = detector(pixels)
        loss = box_loss(found.float(), targets[chosen])
        take_step(detector, optimizer, loss, lesson.learning_rate * rate_at(step, lesson.steps))
        losses.append(loss.item())
        if (step + 1) % lesson.save_every == 0 or step + 1 == lesson.steps:
            save_state(state, identity, step + 1, parts)
            if not quiet:
                print(f"step {step + 1}: loss {np.mean(losses[-lesson.save_every :]):.4f}", flush=True)
    return detector.eval()


def box_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Focal loss of the middles (Lin 2017) and distance of the boxes where there is one; both [B, G, G, K, 5]."""
    there = wanted[..., 0]
    plain = nn.functional.binary_cross_entropy_with_logits(found[..., 0], there, reduction="none")
    chance = found[..., 0].sigmoid()
    wrong = torch.where(there > 0, 1 - chance, chance)
    count = there.sum().clamp(min=1)
    middles = (wrong**2 * plain).sum() / count
    distance = nn.functional.smooth_l1_loss(found[..., 1:], wanted[..., 1:], reduction="none", beta=0.2).sum(-1)
    return middles + (distance * there).sum() / count


@torch.inference_mode()
def find_boxes(detector: Detector, films: NDArray[np.uint8]) -> Boxes:
    """The likeliest boxes on uint8 films [F, S, S]."""
    parts = [
        decode(detector(STARTER_PREPROCESSING.pixel_values(films[at : at + 64])).float().numpy(), first_film=at)
        for at in range(0, len(films), 64)
    ]
    return Boxes(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("film", "kind", "box", "score"))
    )  # fmt: skip


def mean_precisions(figures: Sequence[KindFigures]) -> tuple[float, ...]:
    """Mean average precision over the kinds at each of `OVERLAPS`."""
    return tuple(float(np.nanmean([each.precision[nth] for each in figures])) for nth in range(len(OVERLAPS)))


def as_markdown(figures: Sequence[KindFigures]) -> str:
    """The figures as a table, the mean last."""
    names = ("finding", "boxes", *(f"AP at {least}" for least in OVERLAPS), "pointing", "on the wrong side")
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for each in figures:
        shares = " | ".join(f"{value:.3f}" for value in (*each.precision, each.pointing))
        lines.append(f"| {each.kind} | {each.boxes} | {shares} | {each.confused} of {each.sides} |")
    means = " | ".join(f"{value:.3f}" for value in mean_precisions(figures))
    wrong, sided = sum(each.confused for each in figures), sum(each.sides for each in figures)
    lines.append(f"| all | {sum(each.boxes for each in figures)} | {means} | | {wrong} of {sided} |")
    return "\n".join(lines)


def detect(
    work: Annotated[Path, typer.Argument(help="Folder for films and state; a killed run goes on in it.")],
    films: Annotated[int, typer.Option(help="Films to learn from.")] = FIT.films,
    fresh: Annotated[int, typer.Option(help="Films to measure on.")] = FRESH.films,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = DetectorLesson.steps,
    size: Annotated[int, typer.Option(help="Side in which a film is read, a multiple of 16.")] = 160,
    difficulty: Annotated[str, typer.Option(help="How faint findings are.")] = FIT.difficulty,
    workers: Annotated[int | None, typer.Option(help="Processes that draw films.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/starter.md.")] = None,
) -> None:
    """Teach the reference detector on drawn boxes and measure it on fresh films."""
    if size < 32 or size % 16:
        raise RecipeError("out-of-range", "--size", str(size), "a multiple of 16, at least 32")
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    make_folder(work)
    quiet = quiet or as_json
    plans = [
        replace(FIT, films=films, size_px=size, difficulty=difficulty),
        replace(FRESH, films=fresh, size_px=size, difficulty=difficulty),
    ]
    learned, measured = (draw_plan(plan, work / "films", workers=workers, quiet=quiet) for plan in plans)
    state = work / f"state-{plan_digest(plans[0])}.pt"
    detector = fit_detector(learned, DetectorLesson(steps=steps), state, quiet=quiet)
    figures = measure_boxes(true_boxes(measured), find_boxes(detector, measured.pixels))
    means = mean_precisions(figures)
    result: dict[str, Any] = {
        "films": len(measured.pixels), "mean_average_precision": dict(zip(map(str, OVERLAPS), means, strict=True)),
        "sides": sum(each.sides for each in figures), "confused": sum(each.confused for each in figures),
        "kinds": [asdict(each) for each in figures],
    }  # fmt: skip
    with new_output(work / "figures.json", replace=True) as partial:
        write_json(partial, result)
    if write is not None:
        said = (
            f"`python -m chartsight.starters.detector {work} --films {films} --fresh {fresh} --steps {steps}` on "
            f"{datetime.now(UTC):%Y-%m-%d}: {describe_machine()}. {films:,} films to learn from, {fresh:,} fresh ones "
            f"to measure on, {size} px, difficulty {difficulty}."
        )
        SECTION.write(write, f"{said}\n\n{as_markdown(figures)}")
    if as_json:
        print(json.dumps(result, indent=2))
        return
    table = Table(title=f"{len(measured.pixels):,} fresh films, {size} px", title_justify="left")
    for name in ("finding", "boxes", *(f"AP at {least}" for least in OVERLAPS), "pointing", "side confused"):
        table.add_column(name)
    for each in figures:
        cells = [f"{value:.3f}" for value in (*each.precision, each.pointing)]
        table.add_row(each.kind, str(each.boxes), *cells, f"{each.confused} of {each.sides}")
    Console().print(table)
    print(", ".join(f"mAP at {least} {mean:.3f}" for least, mean in zip(OVERLAPS, means, strict=True)))


if __name__ == "__main__":
    run_alone(detect)
