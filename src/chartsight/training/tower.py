"""The first lesson: a vision tower that learns to see, as a classifier of many labels, before any language.

`targets.parquet` holds what is known of each film: image_id, label, value (1.0 or 0.0; what is unknown has no row). A
head of one query a label reads the tower's grid; it is thrown away afterwards, the tower stays. Where a lesson also
says what stands in which cell (`training.cells`), every token learns to tell what is in its own, and that readout stays
beside the model: the projector can begin with it (`training.words`).

After every epoch the state stands beside the result, `OUT.state`: a killed lesson goes on from there, and ends in the
bytes of one that was not killed.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chartsight.errors import OutputError, QuestionError
from chartsight.imaging.film_cache import FilmCache, build_film_cache, default_cache_folder
from chartsight.imaging.film_index import read_film_index
from chartsight.progress import track
from chartsight.runs import Run, new_output
from chartsight.training.cells import CellReadout, Cells, begin_readout, read_cells, save_readout
from chartsight.training.learning import Parts, resume, save_state
from chartsight.training.precision import use_bfloat16
from chartsight.training.recipe import TowerRecipe
from chartsight.vlm.checkpoint import Vlm, load_llava, save_vlm
from chartsight.vlm.preprocessing import FilmPreprocessing

TARGET_SCHEMA = pa.schema([("image_id", pa.string()), ("label", pa.string()), ("value", pa.float32())])


class LabelHead(nn.Module):
    """One learned query a label looks over the grid: float [B, N, D] → logits [B, L]."""

    def __init__(self, width: int, n_labels: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(n_labels, width) * width**-0.5)
        self.read = nn.Parameter(torch.randn(n_labels, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_labels))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of every label."""
        weights = (tokens @ self.query.T).softmax(1)  # [B, N, L]
        values = tokens @ self.read.T
        return (weights * values).sum(1) + self.bias


@dataclass(frozen=True)
class Targets:
    """Labels of films as arrays: `values` float32 [films, labels], NaN where nothing is known."""

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    values: NDArray[np.float32]


def write_targets(path: Path, rows: list[tuple[str, str, float]]) -> None:
    """A targets.parquet of (image_id, label, value), sorted."""
    columns = [[row[place] for row in sorted(rows)] for place in range(3)]
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, TARGET_SCHEMA, strict=True)],
                     schema=TARGET_SCHEMA)  # fmt: skip
    pq.write_table(table, path)


def read_targets(path: Path) -> Targets:
    """The targets of a targets.parquet.

    Raises:
        QuestionError: The file is missing or has other columns.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        raise QuestionError("bad-targets", path, "cannot be read", "a targets.parquet") from None
    if not table.schema.equals(TARGET_SCHEMA):
        raise QuestionError("bad-targets", path, f"columns {table.column_names}", f"{TARGET_SCHEMA.names}")
    films, film = np.unique(table["image_id"].to_numpy(), return_inverse=True)
    labels, label = np.unique(table["label"].to_numpy(), return_inverse=True)
    values = np.full((len(films), len(labels)), np.nan, dtype=np.float32)
    values[film, label] = table["value"].to_numpy()
    return Targets(tuple(map(str, films)), tuple(map(str, labels)), values)


def train_tower(
    recipe: TowerRecipe, out: Path, *, force: bool = False, quiet: bool = False, cache_folder: Path | None = None
) -> Run:
    """The base model with a taught tower, in `out/model`; `out/metrics.jsonl` holds AUROC by label.

    With cells in the recipe, their readout stands beside the model.

    Raises:
        OutputError, RecipeError, QuestionError, CheckpointError: As found.
    """
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="--force replaces it")
    run = Run("train", recipe.model_dump(mode="json"), seed=recipe.seed)
    run.read(recipe.targets)
    targets = read_targets(recipe.targets)
    vlm = load_llava(recipe.base)
    preprocessing = vlm.card.preprocessing
    index = read_film_index(recipe.films)
    cache = build_film_cache(
        index.films(targets.image_ids), preprocessing.size_px, cache_folder or default_cache_folder(),
        fill=preprocessing.fill, resampling=preprocessing.resampling, quiet=quiet,
    )  # fmt: skip
    kept = np.array([image_id in cache for image_id in targets.image_ids], dtype=bool)
    for image_id, reason in sorted(cache.failed.items()):
        run.drop("unreadable film", image_id, row=reason)
    targets = Targets(tuple(np.array(targets.image_ids)[kept].tolist()), targets.labels, targets.values[kept])
    subjects = np.array([index[image_id].subject_id for image_id in targets.image_ids], dtype=np.int64)
    if len(np.unique(subjects)) < 2:
        raise QuestionError(
            "too-few-patients", recipe.targets, f"{kept.sum()} of its films can be read, not of two patients",
            "films of two patients: to learn, and to check",
        )  # fmt: skip
    tower = vlm.model.model.vision_tower
    cells = None if recipe.cells is None else _cells(recipe.cells, targets, vlm, run)
    state = State(out.with_name(f"{out.name}.state"), _identity(recipe, vlm))
    lines, readout = _fit(recipe, tower, targets, cells, subjects, cache, preprocessing, state, quiet=quiet)
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        card = replace(vlm.card, name=recipe.name, description=recipe.description)
        save_vlm(replace(vlm, card=card), partial / "model")
        if readout is not None:
            save_readout(readout, partial)
        (partial / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        run.kept = {"films": len(targets.image_ids), "labels": len(targets.labels)}
        run.write(partial)
    state.path.unlink(missing_ok=True)
    return run


@dataclass(frozen=True)
class State:
    """Where a lesson keeps what it needs to go on.

    Args:
        path: A file beside the result.
        identity: Digest of what is learned from what; only the same lesson goes on.
    """

    path: Path
    identity: str


def _identity(recipe: TowerRecipe, vlm: Vlm) -> str:
    sources = [recipe.targets.read_bytes(), recipe.cells.read_bytes() if recipe.cells else b""]
    parts = [recipe.model_dump_json(), vlm.fingerprint, *(hashlib.sha256(each).hexdigest() for each in sources)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _cells(path: Path, targets: Targets, vlm: Vlm, run: Run) -> Cells:
    """The cells of the films of `targets`.

    Raises:
        QuestionError: They cannot be read, miss a film, or are not as many as the tower makes tokens.
    """
    run.read(path)
    cells = read_cells(path)
    if cells.grid**2 != vlm.card.image_tokens:
        raise QuestionError(
            "other-grid", path, f"{cells.grid} x {cells.grid} cells", f"{vlm.card.image_tokens}, one a token"
        )
    return cells.of(targets.image_ids)


def _fit(
    recipe: TowerRecipe,
    tower: nn.Module,
    targets: Targets,
    cells: Cells | None,
    subjects: NDArray[np.int64],
    cache: FilmCache,
    preprocessing: FilmPreprocessing,
    state: State,
    *,
    quiet: bool,
) -> tuple[list[dict[str, object]], CellReadout | None]:
    random = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    films = cache.gather(targets.image_ids)
    valid, train = split_patients(subjects, recipe.valid_share, random)
    head = LabelHead(tower.config.hidden_size, len(targets.labels))  # type: ignore[union-attr, arg-type]
    counts = (~np.isnan(targets.values[train])).sum(axis=0)
    shares = np.nansum(targets.values[train], axis=0) / counts.clip(min=1)
    # A label that only valid films know starts undecided.
    prevalence = np.where(counts > 0, shares, 0.5).astype(np.float32).clip(0.01, 0.99)
    head.bias.data = torch.from_numpy(np.log(prevalence / (1 - prevalence)).astype(np.float32))
    tower.requires_grad_(True).train()
    # A quarter faster on a CPU (10.5 instead of 13.3 ms a film, two threads, bfloat16, 2026-11-24).
    _lay_out(tower, torch.channels_last)
    readout = None if cells is None else begin_readout(tower.config.hidden_size, cells, train)  # type: ignore[union-attr, arg-type]
    parameters = [*tower.parameters(), *head.parameters(), *(readout.parameters() if readout else ())]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * math.ceil(len(train) / recipe.films_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.1)
    bfloat16 = use_bfloat16(recipe.precision)
    parts: Parts = {"tower": tower, "head": head, "optimizer": optimizer, "schedule": schedule}
    parts = parts if readout is None else {**parts, "readout": readout}
    first, notes = resume(state.path, state.identity, parts)
    lines: list[dict[str, object]] = notes.get("lines", [])
    random.bit_generator.state = notes.get("random", random.bit_generator.state)
    for epoch in track(range(first, recipe.epochs), "teaching the tower (an epoch a step)", quiet=quiet):
        losses = []
        shuffled = random.permutation(train)
        for start in range(0, len(shuffled), recipe.films_per_step):
            chosen = shuffled[start : start + recipe.films_per_step]
            pixels = preprocessing.pixel_values(shift_films(films[chosen], recipe.shift_px, random))
            wanted = torch.from_numpy(targets.values[chosen])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
                tokens = tower(pixels.contiguous(memory_format=torch.channels_last)).last_hidden_state
            logits = head(tokens.float())
            known = ~wanted.isnan()
            loss = nn.functional.binary_cross_entropy_with_logits(logits[known], wanted[known])
            if cells is not None and readout is not None:
                loss = loss + readout.loss(tokens.float(), *cells.gather(chosen))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        areas = _areas(tower, head, films[valid], targets.values[valid], preprocessing)
        known_areas = {
            label: round(float(area), 4)
            for label, area in zip(targets.labels, areas, strict=True)
            if not math.isnan(area)
        }
        line: dict[str, object] = {
            "epoch": epoch + 1,
            "loss": round(float(np.mean(losses)), 5),
            "valid_auroc": round(sum(known_areas.values()) / len(known_areas), 4) if known_areas else None,
            "by_label": known_areas,
        }
        lines.append(line)
        notes = {"lines": lines, "random": random.bit_generator.state}
        save_state(state.path, state.identity, epoch + 1, parts, notes)
        if not quiet:
            print(f"epoch {epoch + 1}: loss {line['loss']}, valid AUROC {line['valid_auroc']}", flush=True)
    _lay_out(tower.eval(), torch.contiguous_format)
    return lines, readout


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """The same weights of convolutions in another order in memory."""
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)


def split_patients(
    subjects: NDArray[np.int64], valid_share: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the valid films and of the train films: no patient has films on both sides.

    Args:
        subjects: [films], at least two different ones.
        valid_share: Of the patients; at least one goes to each side.
        random: Draws the patients.
    """
    patients = random.permutation(np.unique(subjects))
    n_valid = min(max(1, round(len(patients) * valid_share)), len(patients) - 1)
    is_valid = np.isin(subjects, patients[:n_valid])
    return np.flatnonzero(is_valid), np.flatnonzero(~is_valid)


def shift_films(films: NDArray[np.uint8], most: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Every film moved by up to `most` pixels each way, and made a little lighter or darker; never flipped."""
    if most == 0:
        return films
    moved = np.zeros_like(films)
    size = films.shape[1]
    for row, (dy, dx) in enumerate(random.integers(-most, most + 1, size=(len(films), 2))):
        source = films[row, max(0, -dy) : size - max(0, dy), max(0, -dx) : size - max(0, dx)]
        moved[row, max(0, dy) : size - max(0, -dy), max(0, dx) : size - max(0, -dx)] = source
    gain = random.uniform(0.85, 1.15, size=(len(films), 1, 1))
    offset = random.uniform(-15, 15, size=(len(films), 1, 1))
    return np.clip(moved * gain + offset, 0, 255).astype(np.uint8)


@torch.inference_mode()
def _areas(
    tower: nn.Module,
    head: LabelHead,
    films: NDArray[np.uint8],
    values: NDArray[np.float32],
    preprocessing: FilmPreprocessing,
) -> NDArray[np.float64]:
    """AUROC of each label, NaN where the valid films hold one value only."""
    tower.eval()
    logits = np.concatenate(
        [
            head(tower(preprocessing.pixel_values(films[start : start + 128])).last_hidden_state).numpy()
            for start in range(0, len(films), 128)
        ]
    )
    tower.train()
    return np.array([area_under_roc(logits[:, i], values[:, i]) for i in range(values.shape[1])])


def area_under_roc(scores: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """Chance that a positive outscores a negative, ties counted half; NaN without both."""
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    positive = values[known] > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return math.nan
    ranks = rankdata(scores[known])
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
