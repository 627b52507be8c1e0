"""The tower's lesson: it learns what is plain to see, the same again from the same seed, and never mirrors a film."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from chartsight.errors import OutputError, QuestionError
from chartsight.imaging.film_index import IndexedFilm, write_film_index
from chartsight.training.learning import save_state
from chartsight.training.recipe import TowerRecipe
from chartsight.training.tower import (
    area_under_roc,
    read_targets,
    shift_films,
    split_patients,
    train_tower,
    write_targets,
)
from chartsight.vlm.checkpoint import load_vlm, read_card

Recipes = Callable[..., TowerRecipe]


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 noisy films, half of them with a bright blob, and half of all with a dark left half."""
    folder = tmp_path_factory.mktemp("blobs")
    rows: list[tuple[str, str, float]] = []
    films = []
    for nth in range(60):
        random = np.random.default_rng([8, nth])
        pixels = random.normal(110, 12, size=(64, 64))
        has_blob, is_left = nth % 2 == 0, nth % 4 < 2
        if has_blob:
            y, x = random.integers(8, 44, size=2)
            pixels[y : y + 12, x : x + 12] += 90
        pixels[:, slice(0, 20) if is_left else slice(44, 64)] -= 60
        path = folder / f"film-{nth:03d}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        films.append(IndexedFilm(path.stem, nth, nth, None, path, 64, 64, f"digest-{nth}"))
        rows += [(path.stem, "blob", float(has_blob)), (path.stem, "dark on the left", float(is_left))]
    write_film_index(folder / "films.parquet", films)
    write_targets(folder / "targets.parquet", rows)
    return folder


@pytest.fixture
def tower_recipe(blobs: Path, starter_folder: Path) -> Recipes:
    usual = {
        "name": "tower", "base": str(starter_folder), "targets": blobs / "targets.parquet",
        "films": blobs / "films.parquet", "epochs": 25, "films_per_step": 8, "learning_rate": 4e-3, "shift_px": 2,
        "valid_share": 0.3, "precision": "float32",
    }  # fmt: skip
    return lambda **choices: TowerRecipe.model_validate({**usual, **choices})


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]


def weights(folder: Path) -> dict[str, Tensor]:
    return load_vlm(folder).model.state_dict()


def test_it_learns_what_is_plain_to_see_and_which_side_it_is_on(
    tower_recipe: Recipes, starter_folder: Path, tmp_path: Path
) -> None:
    run = train_tower(tower_recipe(), tmp_path / "out", quiet=True)
    last = metrics(tmp_path / "out")[-1]
    assert last["by_label"]["blob"] > 0.9
    assert last["by_label"]["dark on the left"] > 0.9, "a mirrored film would make this 0.5"
    assert run.kept == {"films": 60, "labels": 2}
    before, after = weights(starter_folder), weights(tmp_path / "out")
    assert before.keys() == after.keys(), "the head is thrown away"
    for name in before:
        assert torch.equal(before[name], after[name]) == ("vision_tower" not in name), name
    assert read_card(tmp_path / "out" / "model").name == "tower"


def test_the_same_seed_gives_the_same_tower(tower_recipe: Recipes, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        train_tower(tower_recipe(epochs=2, seed=seed), tmp_path / name, quiet=True)
    one, again, other = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in
                         ("one", "again", "other"))  # fmt: skip
    assert one == again
    assert one != other
    assert metrics(tmp_path / "one") == metrics(tmp_path / "again")


def test_a_killed_lesson_ends_in_the_bytes_of_one_that_was_not(
    tower_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tower_recipe(epochs=3)
    train_tower(recipe, tmp_path / "whole", quiet=True, cache_folder=tmp_path)

    def killed_after_two(path: Path, identity: str, step: int, *rest: Any) -> None:
        save_state(path, identity, step, *rest)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("chartsight.training.tower.save_state", killed_after_two)
        train_tower(recipe, tmp_path / "cut", quiet=True, cache_folder=tmp_path)
    assert not (tmp_path / "cut").exists() and (tmp_path / "cut.state").exists()
    with pytest.raises(OutputError, match="another lesson"):
        train_tower(recipe.model_copy(update={"seed": 1}), tmp_path / "cut", quiet=True, cache_folder=tmp_path)
    train_tower(recipe, tmp_path / "cut", quiet=True, cache_folder=tmp_path)
    assert not (tmp_path / "cut.state").exists()
    for name in ("model/model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_film_is_shifted_and_never_mirrored() -> None:
    """One bright corner: after a mirror it would be another one."""
    films = np.zeros((200, 32, 32), dtype=np.uint8)
    films[:, 6:10, 6:12] = 200  # up and to the left, wider than high
    moved = shift_films(films, 4, np.random.default_rng(0))
    places = set()
    for film in moved:
        ys, xs = np.nonzero(film > 100)
        assert (ys.min(), xs.min()) == (ys.max() - 3, xs.max() - 5), "the same 4 x 6 pixels"
        assert ys.max() < 16 and xs.max() < 16, "still the upper left"
        places.add((int(ys.min()) - 6, int(xs.min()) - 6))
    assert {dy for dy, _ in places} == {dx for _, dx in places} == set(range(-4, 5))
    assert np.array_equal(shift_films(films, 0, np.random.default_rng(0)), films)


@given(st.integers(0, 6), st.integers(0, 10_000))
def test_every_film_finds_itself_again_at_its_shift(most: int, seed: int) -> None:
    film = np.random.default_rng([seed, 1]).integers(20, 100, size=(16, 16)).astype(np.float64)
    # Lighter or darker moves no film past another: rows and columns still rise where the original's do.
    [moved] = shift_films(film[None].astype(np.uint8), most, np.random.default_rng(seed)).astype(np.float64)
    best = max(correlation(film, moved, dy, dx) for dy in range(-most, most + 1) for dx in range(-most, most + 1))
    assert best > 0.99


def correlation(film: NDArray[np.float64], moved: NDArray[np.float64], dy: int, dx: int) -> float:
    size = len(film)
    here = film[max(0, -dy) : size - max(0, dy), max(0, -dx) : size - max(0, dx)]
    there = moved[max(0, dy) : size - max(0, -dy), max(0, dx) : size - max(0, -dx)]
    return float(np.corrcoef(here.ravel(), there.ravel())[0, 1])


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=30))
def test_area_under_roc_agrees_with_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    from sklearn.metrics import roc_auc_score

    scores, values = (np.array(each, dtype=np.float32) for each in zip(*pairs, strict=True))
    area = area_under_roc(scores, values)
    if len(set(values)) < 2:
        assert math.isnan(area)
    else:
        assert area == pytest.approx(roc_auc_score(values, scores))


def test_what_is_unknown_counts_neither_way() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.3], dtype=np.float32)
    values = np.array([1, 0, np.nan, np.nan], dtype=np.float32)
    assert area_under_roc(scores, values) == 1.0


def test_targets_come_back_as_a_table_with_gaps(tmp_path: Path) -> None:
    write_targets(tmp_path / "targets.parquet", [("b", "ring", 1.0), ("a", "bar", 0.0), ("a", "ring", 0.0)])
    targets = read_targets(tmp_path / "targets.parquet")
    assert targets.image_ids == ("a", "b") and targets.labels == ("bar", "ring")
    assert np.array_equal(targets.values, np.array([[0, 0], [np.nan, 1]], np.float32), equal_nan=True)
    with pytest.raises(QuestionError, match="cannot be read"):
        read_targets(tmp_path / "nothing.parquet")


def test_a_label_that_the_training_films_do_not_know(tower_recipe: Recipes, blobs: Path, tmp_path: Path) -> None:
    """One film alone says it, and that film may be in the valid share."""
    targets = read_targets(blobs / "targets.parquet")
    rows = [
        (image_id, "blob", float(value))
        for image_id, value in zip(targets.image_ids, targets.values[:, 0], strict=True)
    ]
    for nth in range(6):
        path = tmp_path / f"targets-{nth}.parquet"
        write_targets(path, [*rows, (targets.image_ids[nth], "rare", 1.0)])
        train_tower(tower_recipe(targets=path, epochs=1), tmp_path / f"out-{nth}", quiet=True)
        assert math.isfinite(metrics(tmp_path / f"out-{nth}")[-1]["loss"])


def test_mistakes_are_one_line_and_leave_nothing(tower_recipe: Recipes, blobs: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="exists"):
        train_tower(tower_recipe(), tmp_path / "there", quiet=True)
    write_targets(tmp_path / "one.parquet", [("film-000", "blob", 1.0)])
    with pytest.raises(QuestionError, match="film"):
        train_tower(tower_recipe(targets=tmp_path / "one.parquet"), tmp_path / "out", quiet=True)
    write_targets(tmp_path / "none.parquet", [])
    with pytest.raises(QuestionError, match="film"):
        train_tower(tower_recipe(targets=tmp_path / "none.parquet"), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=40).filter(lambda each: len(set(each)) > 1), st.floats(0.05, 0.9)
)
def test_no_patient_teaches_and_checks(subjects: list[int], share: float) -> None:
    patients = np.array(subjects)
    valid, train = split_patients(patients, share, np.random.default_rng(0))
    assert sorted([*valid, *train]) == list(range(len(subjects)))
    assert len(valid) and len(train)
    assert not set(patients[valid]) & set(patients[train])
