"""The run: what it leaves, what it refuses, that kill -9 costs it nothing but time, that the twin is blind."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from chartsight.errors import ChartsightError, FilmError, GateError, OutputError, QuestionError
from chartsight.questions.files import film_index_of, read_questions, write_questions
from chartsight.runs import read_manifest
from chartsight.training import checkpoints
from chartsight.training import run as training
from chartsight.training.checkpoints import COMPLETE
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.run import train_answers
from chartsight.training.run_folder import is_finished
from chartsight.vlm.checkpoint import fingerprint, load_vlm, read_card

Recipes = Callable[..., AnswerRecipe]
KILLED = Path(__file__).with_name("kill_while_training.py")


def metrics(out: Path) -> list[dict[str, Any]]:
    """Every line without the clock."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in metrics(out) if "loss" in line]


def weights(folder: Path) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in load_vlm(folder).model.state_dict().items()}


def learned_bytes(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "model").iterdir())}


# ---------------------------------------------------------------------------------------------------- what a run leaves


def test_a_run_leaves_all_that_it_says(taught: Path) -> None:
    assert {path.name for path in taught.iterdir()} == {
        "recipe.yaml", "metrics.jsonl", "tensorboard", "checkpoints", "model", "run.json"
    }  # fmt: skip
    manifest = read_manifest(taught)
    assert manifest is not None and manifest["status"] == "done" and is_finished(taught)
    assert manifest["terms"] == "synthetic" and manifest["pairing"] == "synthetic"
    assert manifest["counts"]["kept"]["train questions"] > 500
    assert yaml.safe_load((taught / "recipe.yaml").read_text("utf-8"))["steps"] == 12
    lines = metrics(taught)
    assert [line["step"] for line in lines if "valid_accuracy" in line] == [4, 8, 12]
    assert all({"valid_loss", "valid_accuracy", "valid_accuracy_boolean"} <= set(line) for line in lines if
               "valid_loss" in line)  # fmt: skip
    asked = next(each["evaluated"] for each in manifest["outputs"] if "evaluated" in each)
    assert sum(asked.values()) == 12 and len(asked) > 1
    board = EventAccumulator(str(taught / "tensorboard")).Reload()
    for line in lines:
        if "valid_accuracy" in line:
            by_kind = {name: line[f"valid_accuracy/{name}"] for name in asked}
            right = sum(by_kind[name] * n for name, n in asked.items())
            assert right == pytest.approx(12 * line["valid_accuracy"], abs=1e-4)
    for name in ("valid_accuracy_boolean", *(f"valid_accuracy/{name}" for name in asked)):
        logged = {event.step: event.value for event in board.Scalars(name)}
        assert logged == pytest.approx({line["step"]: line[name] for line in lines if name in line}, abs=1e-6)
    card = read_card(taught / "model")
    assert card.name == "tiny-taught" and card.reads_film and card.base_fingerprint


def test_the_same_recipe_gives_the_same_bytes(
    answer_recipe: Recipes, taught: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = tmp_path_factory.mktemp("runs") / "again"
    train_answers(answer_recipe(), again, quiet=True)
    assert metrics(again) == metrics(taught)
    assert learned_bytes(again) == learned_bytes(taught)


def test_it_learns(speaker: Path) -> None:
    learned = losses(speaker)
    assert learned[-1] < 0.5 * learned[0]


def test_the_best_checkpoint_is_kept_not_the_last(answer_recipe: Recipes, tmp_path: Path) -> None:
    """A rate that ruins the model late: what is kept answers as the best evaluation did."""
    recipe = answer_recipe(
        steps=16, train={"language_model": "full"}, branches_per_row=16,
        learning_rates={"language_model": 5e-2, "projector": 5e-2},
    )  # fmt: skip
    run = train_answers(recipe, tmp_path / "out", quiet=True)
    seen = {line["step"]: line["valid_accuracy"] for line in metrics(tmp_path / "out") if "valid_accuracy" in line}
    best = max(seen, key=lambda step: (seen[step], -step))
    assert {"best": pytest.approx(seen[best], abs=1e-6), "best_step": best} in run.outputs
    stored = load_file(tmp_path / "out" / "checkpoints" / f"checkpoint-{best}" / "learned.safetensors")
    kept = weights(tmp_path / "out")
    assert all(torch.equal(kept[name], stored[name]) for name in stored)


# --------------------------------------------------------------------------------------------------------------- resume


@pytest.fixture(scope="module")
def killed(answer_recipe: Recipes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of `taught`, killed with SIGKILL after step 6 of 12; its last whole checkpoint is that of step 4."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = folder / "recipe.json"
    recipe.write_text(answer_recipe().model_dump_json(), "utf-8")
    done = subprocess.run(
        [sys.executable, KILLED, recipe, folder / "killed", "6"], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return (folder / "killed").rename(folder / "moved")  # its state names folders that are gone


@pytest.fixture
def interrupted(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy as deep below the temporary folder as `taught`, whose adapter names its base by a relative path."""
    return Path(shutil.copytree(killed, tmp_path_factory.mktemp("runs") / "taught"))


def test_after_kill_9_it_goes_on_as_if_nothing_had_been(
    answer_recipe: Recipes, interrupted: Path, taught: Path
) -> None:
    assert not is_finished(interrupted)
    assert not (interrupted / "model").exists()
    train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert is_finished(interrupted)
    assert metrics(interrupted) == metrics(taught)
    assert learned_bytes(interrupted) == learned_bytes(taught)


def test_a_checkpoint_that_was_not_finished_is_ignored(answer_recipe: Recipes, interrupted: Path, taught: Path) -> None:
    whole = interrupted / "checkpoints" / "checkpoint-4"
    assert (whole / COMPLETE).is_file()
    half = Path(shutil.copytree(whole, interrupted / "checkpoints" / "checkpoint-6"))
    (half / COMPLETE).unlink()
    (half / "learned.safetensors").write_bytes(b"half")
    train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert metrics(interrupted) == metrics(taught)
    assert learned_bytes(interrupted) == learned_bytes(taught)


def test_a_full_disk_says_where_and_leaves_what_can_go_on(
    answer_recipe: Recipes, interrupted: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    told = r"taught: the disk is full.*--resume goes on"
    with monkeypatch.context() as patch, pytest.raises(OutputError, match=told):
        patch.setattr(checkpoints, "save_file", full)
        train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert not (interrupted / "model").exists()
    train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert learned_bytes(interrupted) == learned_bytes(taught)


def test_a_line_of_metrics_that_was_cut_off_is_dropped(answer_recipe: Recipes, interrupted: Path, taught: Path) -> None:
    with (interrupted / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "sec')
    train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert metrics(interrupted) == metrics(taught)


def test_killed_before_its_first_checkpoint_it_starts_again(
    answer_recipe: Recipes, interrupted: Path, taught: Path
) -> None:
    shutil.rmtree(interrupted / "checkpoints")
    train_answers(answer_recipe(), interrupted, resume=True, quiet=True)
    assert metrics(interrupted) == metrics(taught)
    assert learned_bytes(interrupted) == learned_bytes(taught)


def test_resuming_a_finished_run_changes_nothing(
    answer_recipe: Recipes, taught: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = Path(shutil.copytree(taught, tmp_path_factory.mktemp("runs") / "taught"))
    train_answers(answer_recipe(), copy, resume=True, quiet=True)
    assert metrics(copy) == metrics(taught)
    assert learned_bytes(copy) == learned_bytes(taught)


def test_patience_that_was_used_up_stays_used_up(
    answer_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is learned at this rate: the first evaluation is the best, two without a gain end the run at step 6."""
    recipe = answer_recipe(
        learning_rates={"language_model": 1e-9, "projector": 1e-9},
        evaluate={"every_steps": 2, "questions": 4, "patience": 2},
    )
    train_answers(recipe, tmp_path / "whole", quiet=True)

    class Interrupted(training.FilmTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
            if self.state.global_step == 5:
                raise KeyboardInterrupt
            return super().training_step(*args, **kwargs)  # type: ignore[no-any-return]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "FilmTrainer", Interrupted)
        train_answers(recipe, tmp_path / "resumed", quiet=True)
    train_answers(recipe, tmp_path / "resumed", resume=True, quiet=True)
    assert [line["step"] for line in metrics(tmp_path / "whole") if "valid_loss" in line] == [2, 4, 6]
    assert metrics(tmp_path / "resumed") == metrics(tmp_path / "whole")


# ------------------------------------------------------------------------------------------------------------- refusals


def test_a_folder_that_exists_is_kept(answer_recipe: Recipes, taught: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(taught, tmp_path / "taught"))
    before = learned_bytes(copy)
    with pytest.raises(OutputError, match=r"--resume.*--force") as caught:
        train_answers(answer_recipe(), copy, quiet=True)
    assert caught.value.code == "output-exists"
    with pytest.raises(OutputError, match="another recipe"):
        train_answers(answer_recipe(seed=6), copy, resume=True, quiet=True)
    assert learned_bytes(copy) == before
    train_answers(answer_recipe(seed=6, steps=1), copy, force=True, quiet=True)
    assert learned_bytes(copy) != before


def test_force_never_removes_what_is_not_a_run(answer_recipe: Recipes, taught: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="a folder of something else"):
        train_answers(answer_recipe(), tmp_path, force=True, quiet=True)
    copy = Path(shutil.copytree(taught, tmp_path / "copy"))
    with pytest.raises(OutputError, match="is or holds the input"):
        train_answers(answer_recipe(base=str(copy)), copy, force=True, quiet=True)
    assert (tmp_path / "thesis.txt").is_file() and (copy / "model").is_dir()


def test_questions_that_cannot_teach(answer_recipe: Recipes, lesson: Path, tmp_path: Path) -> None:
    """Nothing is left behind by a run that never began."""
    questions = read_questions(lesson / "questions.parquet")
    index = {"film_index": str(film_index_of(lesson / "questions.parquet"))}

    def refused(name: str, kept: list[Any], **choices: Any) -> ChartsightError:
        write_questions(tmp_path / name, kept, {**index, **choices})
        recipe = answer_recipe(questions=str(tmp_path / name))
        with pytest.raises((QuestionError, FilmError, GateError)) as caught:
            train_answers(recipe, tmp_path / "out", quiet=True)
        assert not (tmp_path / "out").exists()
        return caught.value

    train = [each for each in questions if each.split == "train"]
    valid = [each for each in questions if each.split == "valid"]
    assert refused("no-valid.parquet", train).code == "empty-split"
    leaking = [replace(each, subject_id=train[0].subject_id) for each in valid]
    leak = refused("leak.parquet", [*train, *leaking])
    assert (leak.code, leak.exit_code) == ("leakage", 3)
    strangers = [replace(each, image_ids=("nobody",)) for each in train]
    assert refused("strangers.parquet", [*strangers, *valid]).code == "unknown-film"


@pytest.mark.parametrize(
    "choices",
    [
        {"train": {"language_model": "frozen", "projector": "frozen"}},
        {"film": False, "train": {"language_model": "frozen"}},
        {"rows_per_step": 4, "accumulate": 3},
        {"flip": True},
        {"lora": {"rank": 4, "dropout": 1.0}},
        {"steps": 5, "epochs": 1},
        {"tokens_per_batch": 400, "rows_per_step": 4, "accumulate": 2},
        {"checkpointing": "auto"},
        {"weights": "bfloat16", "train": {"language_model": "full"}},
        {"weights": "bfloat16", "precision": "float32"},
        {"steps": 0},
    ],
)
def test_recipes_that_make_no_sense(answer_recipe: Recipes, choices: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        answer_recipe(**choices)


# ------------------------------------------------------------------------------------------------------------- the twin


def test_the_twin_never_reads_a_film(
    answer_recipe: Recipes, starter_folder: Path, lesson: Path, tmp_path: Path
) -> None:
    blind = Path(shutil.copytree(lesson, tmp_path / "lesson"))
    shutil.rmtree(blind / "films")
    (blind / "films.parquet").unlink()
    recipe = answer_recipe(questions=str(blind / "questions.parquet"), film=False, steps=4)
    train_answers(recipe, tmp_path / "twin", quiet=True)
    assert not read_card(tmp_path / "twin" / "model").reads_film
    base, twin = weights(starter_folder), weights(tmp_path / "twin")
    same = {name for name in base if torch.equal(base[name], twin[name])}
    assert all(name in same for name in base if "vision_tower" in name or "projector" in name)
    assert any(name not in same for name in base if "language_model" in name)
    with pytest.raises(QuestionError, match="no such file"):
        train_answers(
            answer_recipe(questions=str(blind / "questions.parquet"), steps=4), tmp_path / "seeing", quiet=True
        )


def test_an_unreadable_film_costs_its_own_questions(answer_recipe: Recipes, lesson: Path, tmp_path: Path) -> None:
    from chartsight.imaging.film_index import read_film_index, write_film_index

    spoilt = Path(shutil.copytree(lesson, tmp_path / "lesson"))
    films = list(read_film_index(lesson / "films.parquet").values())
    (spoilt / "films.parquet").unlink()
    moved = [replace(film, path=spoilt / "films" / film.path.name) for film in films]
    moved[1].path.write_bytes(b"no picture")
    moved[1] = replace(moved[1], digest="0" * 64)
    write_film_index(spoilt / "films.parquet", moved)
    asked = read_questions(spoilt / "questions.parquet")
    (spoilt / "questions.parquet").unlink()
    asked[0] = replace(asked[0], image_ids=(moved[2].image_id, moved[3].image_id))  # nothing here reads two films
    write_questions(spoilt / "questions.parquet", asked, {"film_index": str(spoilt / "films.parquet")})
    recipe = answer_recipe(
        questions=str(spoilt / "questions.parquet"), steps=1, evaluate={"every_steps": 1, "questions": 2}
    )
    run = train_answers(recipe, tmp_path / "out", quiet=True)
    about_it = sum(each.image_ids == (moved[1].image_id,) for each in asked)
    assert run.dropped == {
        "unreadable film": 1, "question about an unreadable film": about_it, "question about several films": 1,
    }  # fmt: skip
    assert moved[1].image_id in {each["where"] for each in run.dropped_rows}


# ------------------------------------------------------------------------------------------------------ where it stands


def test_the_same_run_elsewhere_has_the_same_fingerprint(answer_recipe: Recipes, taught: Path, tmp_path: Path) -> None:
    deeper = tmp_path / "a" / "b" / "c"
    train_answers(answer_recipe(), deeper, quiet=True)
    assert read_card(deeper / "model").base != read_card(taught / "model").base
    assert fingerprint(deeper / "model") == fingerprint(taught / "model")


def test_a_run_over_a_run(answer_recipe: Recipes, taught: Path, tmp_path: Path) -> None:
    """An adapter is a base like any other."""
    recipe = answer_recipe(base=str(taught), steps=3, evaluate={"every_steps": 3, "questions": 2})
    train_answers(recipe, tmp_path / "second", quiet=True)
    card = read_card(tmp_path / "second" / "model")
    assert card.base_fingerprint == fingerprint(taught / "model")
    first, second = weights(taught), weights(tmp_path / "second")
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert all(torch.allclose(first[name], second[name], atol=0.2) for name in first)


# ------------------------------------------------------------------------------------------------ equal ways to compute


def test_two_micro_batches_are_one_batch(answer_recipe: Recipes, tmp_path: Path) -> None:
    """Rows of different numbers of questions: a mean of means would differ."""
    for name, accumulate in (("whole", 1), ("halves", 2)):
        recipe = answer_recipe(
            rows_per_step=8, accumulate=accumulate, branches_per_row=7, steps=20,
            evaluate={"every_steps": 20, "questions": 12},
        )  # fmt: skip
        train_answers(recipe, tmp_path / name, quiet=True)
    assert losses(tmp_path / "halves") == pytest.approx(losses(tmp_path / "whole"), abs=1e-5)
    assert len(losses(tmp_path / "whole")) >= 2
    whole, halves = weights(tmp_path / "whole"), weights(tmp_path / "halves")
    assert all(torch.allclose(whole[name], halves[name], atol=1e-3) for name in whole)


def test_shared_rows_and_plain_rows_teach_the_same(answer_recipe: Recipes, lesson: Path, tmp_path: Path) -> None:
    """One step over every question: 1 row a film, or 1 row a question."""
    questions = read_questions(lesson / "questions.parquet")
    films = sorted({each.image_ids for each in questions if each.split == "train"})[:4]
    kept = [each for each in questions if each.split == "valid" or each.image_ids in films]
    write_questions(
        tmp_path / "few.parquet", kept, {"film_index": str(film_index_of(lesson / "questions.parquet"))}
    )  # fmt: skip
    n_rows = {"shared": (16, 4), "plain": (1, sum(each.split == "train" for each in kept))}
    for name, (branches, rows) in n_rows.items():
        recipe = answer_recipe(
            questions=str(tmp_path / "few.parquet"), steps=3, rows_per_step=rows,
            branches_per_row=branches, train={"language_model": "full"}, evaluate={"every_steps": 1, "questions": 4},
        )  # fmt: skip
        train_answers(recipe, tmp_path / name, quiet=True)
    assert losses(tmp_path / "shared") == pytest.approx(losses(tmp_path / "plain"), abs=1e-4)


def test_kept_features_are_the_tower_run_each_step(
    answer_recipe: Recipes, starter_folder: Path, tmp_path: Path
) -> None:
    """Kept in bfloat16: 8 bits of a feature, so the losses agree to about three digits, not more."""
    for name, cached in (("kept", True), ("run", False)):
        recipe = answer_recipe(cache_tower=cached)
        train_answers(recipe, tmp_path / name, quiet=True)
    assert losses(tmp_path / "kept") == pytest.approx(losses(tmp_path / "run"), rel=2e-3)
    assert metrics(tmp_path / "kept") != metrics(tmp_path / "run"), (
        "bfloat16 leaves a trace: the tower was not run twice"
    )
    kept = weights(tmp_path / "kept")
    base = weights(starter_folder)
    assert all(torch.equal(kept[name], base[name]) for name in base if "vision_tower" in name)


PARTS = {"language_model": ("language_model", "lm_head"), "projector": ("projector",), "tower": ("vision_tower",)}


@pytest.mark.parametrize(
    "train",
    [
        {"language_model": "full", "projector": "frozen", "tower": "frozen"},
        {"language_model": "frozen", "projector": "full", "tower": "frozen"},
        {"language_model": "frozen", "projector": "frozen", "tower": "full"},
        {"language_model": "lora", "projector": "frozen", "tower": "frozen"},
        {"language_model": "lora", "projector": "full", "tower": "full"},
    ],
    ids=lambda train: "-".join(train.values()),
)
def test_frozen_parts_are_bit_identical_and_the_others_moved(
    answer_recipe: Recipes, starter_folder: Path, tmp_path: Path, train: dict[str, str]
) -> None:
    recipe = answer_recipe(
        steps=2, train=train, learning_rates={"tower": 1e-3},
        evaluate={"every_steps": 2, "questions": 4},
    )  # fmt: skip
    train_answers(recipe, tmp_path / "out", quiet=True)
    before, after = weights(starter_folder), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    for part, names in PARTS.items():
        changed = any(
            not torch.equal(before[name], after[name]) for name in before if any(each in name for each in names)
        )
        assert changed == (train[part] != "frozen"), part
    assert (read_card(tmp_path / "out" / "model").base is not None) == (train["language_model"] == "lora")
