"""Do towers that were taught on drawings help on real films? Two questions, with intervals over patients.

    python benchmarks/real_films.py children --model starter-med        pneumonia or not, on children never seen
    python benchmarks/real_films.py transfer --model starter-med        NIH's findings: a tower taught and untaught

Films are read from ../shared/open-data, or CHARTSIGHT_OPEN_DATA; they stay there. Every film is cropped to one aspect
before it is padded, because the children's file shapes alone tell pneumonia (AUROC .76). Films of the NIH sample are
brought to 64 pixels first, because some are stored so and others are not. Folds never share a patient.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import nn

from chartsight.errors import ChartsightError
from chartsight.evaluation import ClusterBootstrap
from chartsight.evaluation.areas import AreaDraws, area_difference, interval_of, mean_area
from chartsight.exits import exit_code
from chartsight.imaging.pixels import pad_to_square, read_film
from chartsight.progress import track
from chartsight.training.tower import shift_films
from chartsight.vlm.checkpoint import load_vlm
from chartsight.vlm.film_tower import FilmTower

FOLDS = 5
ASPECT = 1.2  # width over height to which every film is cropped; the children's median is 1.4, adults' 1.0
NIH_STORED_PX = 64
PENALTIES = (0.3, 3.0, 30.0, 300.0)  # of the squared weights; chosen within the training folds
FEWEST_PATIENTS = 15  # with a finding, for its area to be worth a number
EPOCHS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RealFilms:
    """Films of one source.

    Args:
        pixels: uint8 [F, S, S], cropped, padded, reduced.
        patients: [F].
        labels: bool [F, L].
        names: Of the labels.
        geometry: float [F, 5]: width, height, aspect, mean intensity and deviation of the file.
    """

    pixels: NDArray[np.uint8]
    patients: NDArray[np.str_]
    labels: NDArray[np.bool_]
    names: tuple[str, ...]
    geometry: Floats


def open_data(name: str) -> Path:
    """The folder of an open data set.

    Raises:
        ChartsightError: This machine does not have it.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "open-data"
    folder = Path(os.environ.get("CHARTSIGHT_OPEN_DATA") or beside) / name
    if not (folder / "labels.csv").is_file():
        raise ChartsightError("no-open-data", folder, "is not there", "the open data set", "set CHARTSIGHT_OPEN_DATA")
    return folder


def crop_to_aspect(pixels: NDArray[np.uint8], aspect: float = ASPECT) -> NDArray[np.uint8]:
    """The middle of a film, `aspect` times as wide as high, so that its shape says nothing any more.

    A narrower film loses its top and bottom, a wider one its sides.
    """
    rows, columns = pixels.shape
    height, width = min(rows, round(columns / aspect)), min(columns, round(rows * aspect))
    top, left = (rows - height) // 2, (columns - width) // 2
    return pixels[top : top + height, left : left + width]


def read_children(size_px: int, limit: int | None) -> RealFilms:
    """Kermany's films: pneumonia, of bacteria or of viruses, or none."""
    folder = open_data("kermany-pneumonia-subset")
    rows = list(csv.DictReader((folder / "labels.csv").open(encoding="utf-8")))
    rows = sorted(rows, key=lambda row: (row["person_id"], row["file"]))[:: -(-len(rows) // (limit or len(rows)))]
    return read_rows(
        folder, [row["file"] for row in rows], [row["person_id"] for row in rows],
        [[row["label"] != "normal"] for row in rows], ("pneumonia",), size_px, None,
    )  # fmt: skip


def read_adults(size_px: int, limit: int | None) -> RealFilms:
    """NIH's sample: findings mined from reports; each film once, though some lie in two folders."""
    folder = open_data("nih-cxr14-sample")
    rows = list(csv.DictReader((folder / "labels.csv").open(encoding="utf-8")))
    once = {Path(row["file"]).name: row for row in sorted(rows, key=lambda row: row["file"], reverse=True)}
    kept = sorted(once.values(), key=lambda row: (int(row["patient_id"]), Path(row["file"]).name))
    kept = kept[:: -(-len(kept) // (limit or len(kept)))]
    found = [set(row["finding_labels"].split("|")) for row in kept]
    carriers: dict[str, set[str]] = {}
    for row, names in zip(kept, found, strict=True):
        for name in names - {"No Finding"}:
            carriers.setdefault(name, set()).add(row["patient_id"])
    names = tuple(sorted(name for name, patients in carriers.items() if len(patients) >= FEWEST_PATIENTS))
    return read_rows(
        folder, [row["file"] for row in kept], [row["patient_id"] for row in kept],
        [[name in each for name in names] for each in found], names, size_px, NIH_STORED_PX,
    )  # fmt: skip


def read_rows(
    folder: Path, files: Sequence[str], patients: Sequence[str], labels: Sequence[Sequence[bool]],
    names: tuple[str, ...], size_px: int, stored_px: int | None,
) -> RealFilms:  # fmt: skip
    """Films with what is known of them, all cropped to one aspect."""
    pixels = np.empty((len(files), size_px, size_px), np.uint8)
    geometry = np.empty((len(files), 5))
    for row, file in enumerate(track(files, "reading films")):
        film = read_film(folder / file)
        height, width = film.shape
        geometry[row] = width, height, width / height, film.mean(), film.std()
        cropped = crop_to_aspect(film)
        if stored_px is not None:
            small = Image.fromarray(cropped).resize((stored_px, round(stored_px / ASPECT)), Image.Resampling.BILINEAR)
            cropped = np.asarray(small, np.uint8)
        pixels[row] = pad_to_square(cropped, size_px)
    return RealFilms(
        pixels, np.array(patients), np.array(labels, bool).reshape(len(files), len(names)), names, geometry
    )


# ------------------------------------------------------------------------------------------------------- classifiers


def folds_of(patients: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each film [F]; a patient's films share one."""
    each, number = np.unique(patients, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(each)) % folds)[number]


def fit_logistic(features: Floats, labels: NDArray[np.bool_], penalty: float) -> Callable[[Floats], Floats]:
    """Logits of a linear classifier in which both classes weigh the same; features are standardised within."""
    from scipy.optimize import minimize

    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = (features - mean) / deviation
    sign = np.where(labels, 1.0, -1.0)
    weight = np.where(labels, 0.5 / max(labels.sum(), 1), 0.5 / max((~labels).sum(), 1))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        margin = sign * (scaled @ parameters[:-1] + parameters[-1])
        pull = -sign * weight / (1 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.append(scaled.T @ pull, pull.sum())
        gradient[:-1] += penalty / len(labels) * parameters[:-1]
        value = (weight * np.logaddexp(0, -margin)).sum() + penalty / len(labels) / 2 * (parameters[:-1] ** 2).sum()
        return float(value), gradient

    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return lambda fresh: (fresh - mean) / deviation @ found[:-1] + found[-1]


def probe(features: Floats, labels: NDArray[np.bool_], patients: NDArray[np.str_], seed: int) -> Floats:
    """Logits [F] of films whose patients the linear classifier has never seen; the penalty is chosen likewise."""
    fold = folds_of(patients, FOLDS, seed)
    logits = np.zeros(len(labels))
    for held_out in range(FOLDS):
        train = fold != held_out
        inner = folds_of(patients[train], 3, seed + 1)

        def area(penalty: float, train: NDArray[np.bool_] = train, inner: NDArray[np.int64] = inner) -> float:
            inside = np.zeros(int(train.sum()))
            for left_out in range(3):
                learn = inner != left_out
                fitted = fit_logistic(features[train][learn], labels[train][learn], penalty)
                inside[~learn] = fitted(features[train][~learn])
            estimate = AreaDraws(range(len(inside)), resamples=1).draw(inside, labels[train]).estimate
            return estimate if np.isfinite(estimate) else 0.0

        best = max(PENALTIES, key=area)
        logits[~train] = fit_logistic(features[train], labels[train], best)(features[~train])
    return logits


def tower_of(model: str, *, untaught_seed: int | None = None) -> tuple[FilmTower, Any]:
    """A model's tower and its preprocessing; with a seed, a tower of the same build with random weights."""
    vlm = load_vlm(model)
    tower = vlm.model.model.vision_tower
    if not isinstance(tower, FilmTower):
        raise ChartsightError("no-film-tower", model, "has another tower", "a starter")
    if untaught_seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(untaught_seed)
            tower = FilmTower(tower.config)
    return tower.eval(), vlm.card.preprocessing


@torch.inference_mode()
def tower_features(tower: FilmTower, preprocessing: Any, films: NDArray[np.uint8]) -> Floats:
    """Mean and maximum of a tower's tokens: float [F, 2 D]."""
    pooled = []
    for start in range(0, len(films), 64):
        tokens = tower(preprocessing.pixel_values(films[start : start + 64])).last_hidden_state
        pooled.append(torch.cat([tokens.mean(1), tokens.amax(1)], dim=1).double().numpy())
    return np.concatenate(pooled)


def fine_tune(model: str, films: RealFilms, epochs: int, seed: int, *, quiet: bool) -> Floats:
    """Logits [F] of a tower taught on all folds but the film's own; every fold begins with the model's tower."""
    fold = folds_of(films.patients, FOLDS, seed)
    logits = np.zeros(len(films.pixels))
    for held_out in track(range(FOLDS), "fine-tuning (a fold a step)", quiet=quiet):
        tower, preprocessing = tower_of(model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(2 * tower.config.hidden_size, 1)
        learner = nn.ModuleList([tower, head]).train()
        train = np.flatnonzero(fold != held_out)
        labels = films.labels[:, 0]
        balance = torch.tensor([(~labels[train]).sum() / max(labels[train].sum(), 1)], dtype=torch.float32)
        optimizer = torch.optim.AdamW(
            [{"params": tower.parameters(), "lr": 5e-4}, {"params": head.parameters(), "lr": 2e-3}], weight_decay=0.05
        )
        steps = epochs * -(-len(train) // 32)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [5e-4, 2e-3], total_steps=steps, pct_start=0.2)
        random = np.random.default_rng([seed, held_out])
        for _ in range(epochs):
            shuffled = random.permutation(train)
            for start in range(0, len(shuffled), 32):
                chosen = shuffled[start : start + 32]
                pixels = preprocessing.pixel_values(shift_films(films.pixels[chosen], 6, random))
                tokens = tower(pixels).last_hidden_state
                found = head(torch.cat([tokens.mean(1), tokens.amax(1)], dim=1))[:, 0]
                wanted = torch.from_numpy(labels[chosen].astype(np.float32))
                loss = nn.functional.binary_cross_entropy_with_logits(found, wanted, pos_weight=balance)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
                optimizer.step()
                schedule.step()
        learner.eval()
        held = fold == held_out
        with torch.inference_mode():
            features = torch.from_numpy(tower_features(tower, preprocessing, films.pixels[held])).float()
            logits[held] = head(features)[:, 0].numpy()
    return logits


# ---------------------------------------------------------------------------------------------------- the two questions


def measure_children(model: str, limit: int | None, epochs: int, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Pneumonia or not: file geometry and grey, a linear probe on the frozen tower, the tower fine-tuned."""
    tower, preprocessing = tower_of(model)
    films = read_children(preprocessing.size_px, limit)
    labels = films.labels[:, 0]
    logits = {
        "file geometry, mean grey and its deviation": probe(films.geometry, labels, films.patients, seed),
        "linear probe on the frozen tower": probe(
            tower_features(tower, preprocessing, films.pixels), labels, films.patients, seed
        ),
        "tower fine-tuned": fine_tune(model, films, epochs, seed, quiet=quiet),
    }
    bootstrap = ClusterBootstrap(films.patients.tolist(), seed=7)
    draws = AreaDraws(films.patients.tolist(), seed=7)
    baseline = (next(iter(logits.values())) > 0) == labels
    rows = []
    for name, found in logits.items():
        right = (found > 0) == labels
        rows.append(
            {
                "classifier": name,
                "balanced_accuracy": asdict(bootstrap.balanced_accuracy(labels, right)),
                "auroc": asdict(draws.area(found, labels)),
                "difference_to_geometry": asdict(bootstrap.balanced_difference(labels, right, baseline)),
            }
        )
    return {"model": model, "films": len(labels), "children": len(set(films.patients)), "rows": rows}


def measure_transfer(model: str, limit: int | None, seed: int) -> dict[str, Any]:
    """NIH's findings, linearly, from a tower taught on drawings and from the same tower untaught."""
    tower, preprocessing = tower_of(model)
    films = read_adults(preprocessing.size_px, limit)
    if not films.names:
        raise ChartsightError("too-few-films", "--limit", str(limit), f"{FEWEST_PATIENTS} patients with a finding")
    untaught, _ = tower_of(model, untaught_seed=seed)
    draws = AreaDraws(films.patients.tolist(), seed=7)
    areas = {}
    for name, each in (("taught", tower), ("untaught", untaught)):
        features = tower_features(each, preprocessing, films.pixels)
        areas[name] = [
            draws.draw(probe(features, films.labels[:, column], films.patients, seed), films.labels[:, column])
            for column in range(len(films.names))
        ]
    return {
        "model": model,
        "films": len(films.pixels),
        "patients": len(set(films.patients)),
        "findings": [
            {
                "finding": name,
                "positives": one.positives,
                "taught": asdict(interval_of(one)),
                "untaught": asdict(interval_of(other)),
            }
            for name, one, other in zip(films.names, areas["taught"], areas["untaught"], strict=True)
        ],
        "mean": {name: asdict(mean_area(each)) for name, each in areas.items()},
        "difference": asdict(area_difference(areas["taught"], areas["untaught"])),
    }


# --------------------------------------------------------------------------------------------------------- command line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Model = Annotated[str, typer.Option(help="A shipped starter, or a model folder.")]
Limit = Annotated[int | None, typer.Option(min=40, help="About so many films only.")]
SeedOption = Annotated[int, typer.Option(help="Of folds and of random weights.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def said(interval: dict[str, Any]) -> str:
    """`.873 (.851 to .894)`."""
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


@app.command()
def children(
    model: Model = "starter-med",
    limit: Limit = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of fine-tuning.")] = EPOCHS,
    seed: SeedOption = 0,
    as_json: Json = False,
) -> None:
    """Pneumonia or not, on children never seen."""
    measured = measure_children(model, limit, epochs, seed, quiet=as_json)
    if as_json:
        print(json.dumps(measured, indent=2))
        return
    table = Table(title=f"{measured['films']} films of {measured['children']} children; {model}", title_justify="left")
    for name in ("classifier", "balanced accuracy", "AUROC", "difference to geometry"):
        table.add_column(name)
    for row in measured["rows"]:
        figures = (said(row[key]) for key in ("balanced_accuracy", "auroc", "difference_to_geometry"))
        table.add_row(row["classifier"], *figures)
    Console().print(table)


@app.command()
def transfer(
    model: Model = "starter-med", limit: Limit = None, seed: SeedOption = 0, as_json: Json = False
) -> None:  # fmt: skip
    """NIH's findings: a taught tower against the same tower untaught."""
    measured = measure_transfer(model, limit, seed)
    if as_json:
        print(json.dumps(measured, indent=2))
        return
    title = f"{measured['films']} films of {measured['patients']} adults; {model}"
    table = Table(title=title, title_justify="left")
    for name in ("finding", "films with it", "taught", "untaught"):
        table.add_column(name)
    for row in measured["findings"]:
        table.add_row(row["finding"], str(row["positives"]), said(row["taught"]), said(row["untaught"]))
    table.add_row("mean", "", said(measured["mean"]["taught"]), said(measured["mean"]["untaught"]))
    Console().print(table)
    print(f"taught minus untaught: {said(measured['difference'])}")


def main() -> None:
    """One clear line for a mistake, as on the command line."""
    raise SystemExit(exit_code(lambda: app(standalone_mode=False), as_json="--json" in sys.argv))


if __name__ == "__main__":
    main()
