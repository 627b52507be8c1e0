"""Films of a balanced design, for small networks that measure what can be seen: every finding about as often as any.

A hospital's findings come in company: who has a tube has opacities. Here each is planted for itself, on bodies and
techniques drawn at random, so that a network that names it must see it. One shard of films a file; a killed drawing
goes on, and a renderer that has changed draws anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chartsight.hospital
from chartsight.errors import RecipeError
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding, View
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.hospital.sites import opposite
from chartsight.imaging.pixels import pad_to_square
from chartsight.processes import drawing_pool, usable_cores
from chartsight.progress import track
from chartsight.runs import make_folder, new_output, write_json

FILMS_A_SHARD = 250
PLAN_STREAM = 61

# What cannot be together on one film.
EXCLUSIONS = (
    ("hyperaeration", "low lung volumes"),
    ("endotracheal tube", "tracheostomy tube"),
    ("pneumothorax", "hydropneumothorax"),
)
# Of the hospital package: what a film's pixels depend on.
DRAWN_BY = (
    "anatomy",
    "artefacts",
    "difficulty",
    "exposure",
    "film_request",
    "frame",
    "layers",
    "render",
    "skeleton",
    "strokes",
    "styles",
    "tissue",
)


@dataclass(frozen=True)
class FilmPlan:
    """Which films to draw.

    Args:
        films: How many.
        seed: The same plan gives the same films.
        style: One of `styles.STYLE_NAMES`.
        drawn_px: Side in which a film is drawn; it is then reduced as any reader reduces it.
        size_px: Side in which it is kept.
        findings_a_film: Mean number of findings of a film that is not healthy.
        healthy: Share of films without a finding.
        views: Each film takes one of these.
        films_a_body: Of one patient, each with findings of its own.
        severity: Least and greatest that a course gives a finding, uniform between.
        favoured: Findings that are planted three times as often as the others.
        plain: Share of films on which every finding is drawn as severely as the course has it, where that is more: what
            is always faint is not learned in any number of steps that one would wait for.
    """

    films: int
    seed: int
    style: str = "harbour"
    drawn_px: int = 256
    size_px: int = 160
    findings_a_film: float = 4.0
    healthy: float = 0.12
    views: tuple[View, ...] = ("PA", "AP")
    films_a_body: int = 2
    severity: tuple[float, float] = (0.25, 1.0)
    difficulty: str = "standard"
    favoured: tuple[str, ...] = ()
    plain: float = 0.0


@dataclass(frozen=True)
class DrawnFilms:
    """Films and what is true of them.

    Args:
        pixels: uint8 [F, S, S].
        body_of: int64 [F], the patient of each film.
        views: str [F].
        attributes: All that can be planted, A of them.
        severity: float32 [F, A]: 0 absent; NaN where it is there and this view does not show it, or where it follows
            from another finding.
        mark_film: int64 [M], the film of each mark.
        mark_attribute: int64 [M], its attribute's number.
        mark_object: str [M], the object in which it is drawn.
        mark_box: float32 [M, 4], x1, y1, x2, y2 as fractions of the film.
    """

    pixels: NDArray[np.uint8]
    body_of: NDArray[np.int64]
    views: NDArray[np.str_]
    attributes: tuple[str, ...]
    severity: NDArray[np.float32]
    mark_film: NDArray[np.int64]
    mark_attribute: NDArray[np.int64]
    mark_object: NDArray[np.str_]
    mark_box: NDArray[np.float32]

    @property
    def targets(self) -> NDArray[np.float32]:
        """float32 [F, A]: 1 there, 0 absent, NaN unknown."""
        return np.where(np.isnan(self.severity), np.float32(np.nan), (self.severity > 0).astype(np.float32))


def plan_film(plan: FilmPlan, number: int) -> FilmRequest:
    """The request of one film of a plan; the same numbers give the same request."""
    body_number = number // plan.films_a_body
    of_body = np.random.default_rng([PLAN_STREAM, plan.seed, 0, body_number])
    body = Body(
        "F" if of_body.random() < 0.5 else "M", int(of_body.integers(18, 92)), float(of_body.random()),
        int(of_body.integers(2**31)),
    )  # fmt: skip
    random = np.random.default_rng([PLAN_STREAM, plan.seed, 1, number])
    view = plan.views[int(random.integers(len(plan.views)))]
    findings = () if random.random() < plan.healthy else tuple(plan_findings(plan, random))
    seed = int(random.integers(2**31))
    level = find_difficulty(plan.difficulty)
    drawn = level.as_drawn(findings)
    if np.random.default_rng([PLAN_STREAM, plan.seed, 2, number]).random() < plan.plain:
        drawn = tuple(
            replace(faint, severity=max(faint.severity, asked.severity))
            for faint, asked in zip(drawn, findings, strict=True)
        )
    return FilmRequest(body, view, drawn, plan.style, plan.drawn_px, seed, distraction=level.distraction)


def plan_findings(plan: FilmPlan, random: np.random.Generator) -> Iterator[PlantedFinding]:
    """Each finding for itself with the same chance, in a random place; one in five stands on both sides."""
    share = min(plan.findings_a_film / len(FINDINGS), 0.4)
    names = np.array(list(FINDINGS))
    shares = np.where(np.isin(names, plan.favoured), min(3 * share, 0.4), share)
    chosen: list[str] = []
    for name in random.permutation(names[random.random(len(names)) < shares]):
        if not any(name in pair and other in chosen for pair in EXCLUSIONS for other in pair if other != name):
            chosen.append(str(name))
    for name in chosen:
        sites = list(FINDINGS[name].places.values())
        site = sites[int(random.integers(len(sites)))]
        yield PlantedFinding(name, site, float(random.uniform(*plan.severity)))
        across = opposite(site)
        if random.random() < 0.2 and across in sites and across != site and set(across).isdisjoint(site):
            yield PlantedFinding(name, across, float(random.uniform(*plan.severity)))


def draw_plan(plan: FilmPlan, folder: Path, *, workers: int | None = None, quiet: bool = False) -> DrawnFilms:
    """The films of a plan, from `folder` where they have been drawn already.

    Args:
        plan: What to draw.
        folder: Keeps one file a shard, in a folder a plan and renderer.
        workers: Processes; None for one a core.
        quiet: No progress.

    Raises:
        RecipeError: A plan without films, or `workers` is not positive.
        OutputError: The folder cannot be written.
    """
    if plan.films < 1:
        raise RecipeError("out-of-range", "films", str(plan.films), "1 or more")
    if workers is not None and workers < 1:
        raise RecipeError("out-of-range", "workers", str(workers), "1 or more")
    folder = folder / plan_digest(plan)
    make_folder(folder)
    write_json(folder / "plan.json", {**asdict(plan), "renderer": renderer_digest()})
    edges = [*range(0, plan.films, FILMS_A_SHARD), plan.films]
    shards = [(plan, first, last, folder / f"films-{first:06d}.npz") for first, last in pairwise(edges)]
    missing = [shard for shard in shards if not shard[3].exists()]
    workers = min(workers or usable_cores(), max(len(missing), 1))
    if workers == 1:
        for shard in track(missing, "drawing films", quiet=quiet):
            write_shard(*shard)
    else:
        with drawing_pool(workers) as pool:
            for _ in track(
                pool.map(write_shard, *zip(*missing, strict=True)), "drawing films", len(missing), quiet=quiet
            ):
                pass
    return join_shards([shard[3] for shard in shards])


def write_shard(plan: FilmPlan, first: int, last: int, path: Path) -> None:
    """Films `first` to `last` (exclusive) of a plan as one .npz."""
    attributes = list(FINDINGS)
    pixels = np.empty((last - first, plan.size_px, plan.size_px), np.uint8)
    severity = np.zeros((last - first, len(attributes)), np.float32)
    marks: list[tuple[int, int, str, tuple[float, ...]]] = []
    views = []
    for row, number in enumerate(range(first, last)):
        request = plan_film(plan, number)
        film = render_film(request)
        pixels[row] = pad_to_square(np.asarray(film.pixels, np.uint8), plan.size_px)
        views.append(request.view)
        for planted, mark in zip(request.findings, film.marks, strict=True):
            place = attributes.index(planted.attribute)
            if mark is None:
                severity[row, place] = np.nan
                continue
            severity[row, place] = np.fmax(severity[row, place], planted.severity)
            marks.append((number, place, planted.objects[0], tuple(edge / plan.drawn_px for edge in mark.box)))
        for implied in implied_by(request):
            if implied in FINDINGS and severity[row, attributes.index(implied)] == 0:
                severity[row, attributes.index(implied)] = np.nan
    columns: dict[str, NDArray[Any]] = {
        "pixels": pixels,
        "body_of": np.arange(first, last) // plan.films_a_body,
        "views": np.array(views),
        "attributes": np.array(attributes),
        "severity": severity,
        "mark_film": np.array([mark[0] for mark in marks], np.int64),
        "mark_attribute": np.array([mark[1] for mark in marks], np.int64),
        "mark_object": np.array([mark[2] for mark in marks], np.str_),
        "mark_box": np.array([mark[3] for mark in marks], np.float32).reshape(-1, 4),
    }
    with new_output(path) as partial, partial.open("wb") as file:
        np.savez(file, **columns)  # type: ignore[arg-type]


def implied_by(request: FilmRequest) -> Iterator[str]:
    """Attributes that are true of the film by definition, besides those planted."""
    for planted in request.findings:
        for attribute, _ in FINDINGS[planted.attribute].implies(planted):
            yield attribute


def join_shards(paths: list[Path]) -> DrawnFilms:
    """The films of several files, in order."""
    shards: list[Mapping[str, NDArray[np.generic]]] = []
    for path in paths:
        with np.load(path) as stored:
            shards.append({name: stored[name] for name in stored.files})
    attributes = tuple(str(name) for name in shards[0]["attributes"])
    joined = {
        name: np.concatenate([shard[name] for shard in shards]) for name in shards[0] if name != "attributes"
    }  # fmt: skip
    return DrawnFilms(attributes=attributes, **joined)


def plan_digest(plan: FilmPlan) -> str:
    """Of a plan and of the renderer that draws it today: another digest, other films."""
    identity = {**asdict(plan), "renderer": renderer_digest()}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def renderer_digest() -> str:
    """Of the source files on which a film's pixels depend."""
    home = Path(chartsight.hospital.__file__).parent
    files = [home / f"{name}.py" for name in DRAWN_BY]
    files += [path for room in ("findings", "lateral") for path in (home / room).rglob("*.py")]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
