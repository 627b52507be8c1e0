"""Cells of films: packed and unpacked, learned by a tower, said in words by a projector that has not learned yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from chartsight.errors import CheckpointError, QuestionError
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.training.cells import Cells, begin_readout, load_readout, read_cells, save_readout, write_cells
from chartsight.training.recipe import TowerRecipe, WordsRecipe
from chartsight.training.tower import train_tower, write_targets
from chartsight.training.words import align_words, begin_projector, label_embeddings
from chartsight.vlm.checkpoint import load_vlm

LABELS = ("bright", "left")
GRID = 4  # of the tiny starter: 64 px


def cells_of(present: NDArray[np.bool_], known: NDArray[np.bool_] | None = None) -> Cells:
    """From bool [F, grid * grid, L] and [F, L]."""
    if known is None:
        known = np.ones((len(present), present.shape[2]), np.bool_)
    names = tuple(f"film-{nth:03d}" for nth in range(len(present)))
    labels = tuple(LABELS[: present.shape[2]])
    return Cells(names, labels, GRID, np.packbits(present, axis=-1), np.packbits(known, axis=-1))


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 noisy films with a bright cell each, what stands in every cell, and whether the film is bright on the left."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(3)
    present = np.zeros((48, GRID * GRID, 2), np.bool_)
    present.reshape(48, GRID, GRID, 2)[:, :, : GRID // 2, 1] = True
    films, targets = [], []
    for nth in range(48):
        pixels = random.normal(100, 10, (64, 64))
        row, column = random.integers(0, GRID, 2)
        pixels[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] += 100
        present[nth, row * GRID + column, 0] = True
        path = folder / f"film-{nth:03d}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        films.append(IndexedFilm(path.stem, nth, nth, None, path, 64, 64, f"digest-{nth}"))
        targets.append((path.stem, "bright on the left", float(column < GRID // 2)))
    write_film_index(folder / "films.parquet", films)
    write_targets(folder / "targets.parquet", targets)
    write_cells(folder / "cells.npz", cells_of(present))
    return folder


def tower_recipe(squares: Path, starter_folder: Path, **choices: object) -> TowerRecipe:
    usual = {
        "name": "tower", "base": str(starter_folder), "targets": squares / "targets.parquet",
        "films": squares / "films.parquet", "cells": squares / "cells.npz", "epochs": 20, "films_per_step": 8,
        "learning_rate": 4e-3, "shift_px": 0, "valid_share": 0.25, "precision": "float32",
    }  # fmt: skip
    return TowerRecipe.model_validate({**usual, **choices})


@pytest.fixture(scope="module")
def taught_tower(squares: Path, starter_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tower") / "out"
    train_tower(tower_recipe(squares, starter_folder), out, quiet=True)
    return out


def test_cells_come_back_as_they_went_and_the_same_cells_are_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    present, known = random.random((3, GRID * GRID, 2)) < 0.3, random.random((3, 2)) < 0.5
    cells = cells_of(present, known)
    for name in ("one.npz", "two.npz"):
        write_cells(tmp_path / name, cells)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = read_cells(tmp_path / "one.npz").of(("film-002", "film-000"))
    there, is_known = found.gather(np.array([1, 0]))
    assert torch.equal(there.bool(), torch.from_numpy(present[[0, 2]]))
    assert torch.equal(is_known, torch.from_numpy(known[[0, 2]]))


def test_files_that_are_no_cells_and_films_without_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK not a zip")
    for path in (tmp_path / "bad.npz", tmp_path / "missing.npz"):
        with pytest.raises(QuestionError, match="a cells"):
            read_cells(path)
    with pytest.raises(QuestionError, match="film-9"):
        cells_of(np.zeros((2, GRID * GRID, 2), np.bool_)).of(("film-9",))
    with pytest.raises(CheckpointError, match="taught with cells"):
        load_readout(tmp_path)


def test_what_is_not_known_carries_no_loss() -> None:
    present = np.zeros((2, GRID * GRID, 2), np.bool_)
    known = np.array([[True, False], [True, True]])
    cells = cells_of(present, known)
    readout = begin_readout(8, cells, np.arange(2))
    tokens = torch.randn(2, GRID * GRID, 8)
    there, is_known = cells.gather(np.arange(2))
    changed = there.clone()
    changed[0, :, 1] = 1
    assert torch.equal(readout.loss(tokens, there, is_known), readout.loss(tokens, changed, is_known))
    changed[1, 0, 1] = 1
    assert not torch.equal(readout.loss(tokens, there, is_known), readout.loss(tokens, changed, is_known))


def test_every_token_learns_what_stands_in_its_own_cell(squares: Path, taught_tower: Path) -> None:
    from PIL import Image

    vlm, readout = load_vlm(taught_tower), load_readout(taught_tower)
    cells = read_cells(squares / "cells.npz")
    films = np.stack([np.asarray(Image.open(squares / f"{name}.png")) for name in cells.image_ids])
    with torch.no_grad():
        tokens = vlm.model.model.vision_tower(vlm.card.preprocessing.pixel_values(films)).last_hidden_state
        said = readout(tokens)[..., 0]
    there, _ = cells.gather(np.arange(48))
    assert (said.argmax(1) == there[..., 0].argmax(1)).float().mean() > 0.9


def test_the_projector_says_the_words_of_what_is_in_the_cell(squares: Path, taught_tower: Path, tmp_path: Path) -> None:
    """Without any learning: a bright cell's token lies nearer to the word than the others' tokens."""
    from PIL import Image

    recipe = WordsRecipe(name="words", base=str(taught_tower), readout=taught_tower, quieter=("left",))
    align_words(recipe, tmp_path / "words")
    vlm = load_vlm(tmp_path / "words")
    cells = read_cells(squares / "cells.npz")
    films = np.stack([np.asarray(Image.open(squares / f"{name}.png")) for name in cells.image_ids])
    with torch.no_grad():
        tokens = vlm.model.model.vision_tower(vlm.card.preprocessing.pixel_values(films)).last_hidden_state
        spoken = vlm.model.model.multi_modal_projector(tokens)
        towards = spoken @ label_embeddings(vlm, ("bright",))[0]
    there, _ = cells.gather(np.arange(48))
    assert (towards.argmax(1) == there[..., 0].argmax(1)).float().mean() > 0.9
    before, after = load_vlm(taught_tower).model.state_dict(), vlm.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("multi_modal_projector" in name for name in changed)


def test_a_grid_or_a_readout_of_another_tower_is_refused(
    squares: Path, taught_tower: Path, starter_folder: Path, tmp_path: Path
) -> None:
    cells = read_cells(squares / "cells.npz")
    write_cells(tmp_path / "other.npz", Cells(cells.image_ids, cells.labels, 2, cells.present[:, :4], cells.known))
    with pytest.raises(QuestionError, match="2 x 2 cells"):
        train_tower(tower_recipe(squares, starter_folder, cells=tmp_path / "other.npz"), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
    other = begin_readout(8, cells, np.arange(4))
    (tmp_path / "readout").mkdir()
    save_readout(other, tmp_path / "readout")
    with pytest.raises(CheckpointError, match="tokens 8 wide"):
        begin_projector(load_vlm(taught_tower), load_readout(tmp_path / "readout"))
