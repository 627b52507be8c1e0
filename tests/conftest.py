"""A tiny real starter and a lesson of drawn scenes, shared by the model rooms; loaded when a test asks for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from chartsight.schema import Question
    from chartsight.training.recipe import AnswerRecipe
    from chartsight.vlm.checkpoint import Vlm

SIZE_PX = 64

# A deadline measures the machine's other work, not ours.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def film_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Padded films of tests go here, never into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("film-caches")
        patch.setenv("CHARTSIGHT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def golden_llava() -> Path:
    """Reference values of the original LLaVA, beside the project."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "golden"
    folder = Path(os.environ.get("CHARTSIGHT_GOLDEN") or beside) / "llava"
    if not folder.is_dir():
        pytest.skip(f"no reference values at {folder} (set CHARTSIGHT_GOLDEN to the folder that holds llava/)")
    return folder


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes 0 to 80 with their questions; 0, 40 and 80 are the valid split."""
    from chartsight.starters.lessons import write_scene_lesson

    folder = tmp_path_factory.mktemp("lesson") / "scenes"
    write_scene_lesson(folder, scenes=81, seed=3, quiet=True)
    return folder


@pytest.fixture(scope="session")
def scene_questions(lesson: Path) -> list[Question]:
    from chartsight.questions.files import read_questions

    return read_questions(lesson / "questions.parquet")


@pytest.fixture(scope="session")
def starter_folder(tmp_path_factory: pytest.TempPathFactory, lesson: Path) -> Path:
    """An untrained starter of about 40,000 weights on disk: a film of 64 pixels is 16 tokens."""
    import torch

    from chartsight.starters.lessons import corpus
    from chartsight.vlm.checkpoint import ModelCard, save_vlm
    from chartsight.vlm.preprocessing import FilmPreprocessing
    from chartsight.vlm.starter import StarterSize, build_starter, train_tokenizer

    torch.set_num_threads(1)
    size = StarterSize(
        vocabulary=420, hidden=32, layers=2, heads=2, mlp=48, tower_widths=(8, 8, 16, 16), tower_blocks=(0, 1, 1, 1)
    )
    preprocessing = FilmPreprocessing(SIZE_PX, channels=1, fill=0, mean=(0.45,), std=(0.25,))
    card = ModelCard("tiny", "An untrained starter for tests.", "starter", preprocessing, image_tokens=16)
    vlm = build_starter(train_tokenizer(corpus(lesson), size.vocabulary), card, size, seed=1)
    with torch.no_grad():
        for name, weight in vlm.model.named_parameters():
            # With the usual 0.02 nothing attends to anything, and a wrong mask would pass.
            if weight.ndim == 2 and "vision_tower" not in name:
                weight.mul_(6)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_vlm(vlm, folder)
    return folder


@pytest.fixture
def starter(starter_folder: Path) -> Vlm:
    """The tiny starter, freshly loaded: a test may change it."""
    from chartsight.vlm.checkpoint import load_vlm

    return load_vlm(starter_folder)


@pytest.fixture(scope="session")
def answer_recipe(starter_folder: Path, lesson: Path) -> Callable[..., AnswerRecipe]:
    """Makes a recipe of 12 steps from the tiny starter over the lesson; keyword arguments replace its fields."""
    from chartsight.training.recipe import AnswerRecipe

    usual = {
        "name": "tiny-taught",
        "base": str(starter_folder),
        "questions": str(lesson / "questions.parquet"),
        "steps": 12,
        "rows_per_step": 4,
        "branches_per_row": 6,
        "lora": {"rank": 4, "alpha": 8},
        "learning_rates": {"language_model": 2e-2, "projector": 5e-3},
        "precision": "float32",
        "evaluate": {"every_steps": 4, "questions": 12},
        "seed": 5,
    }
    return lambda **choices: AnswerRecipe.model_validate({**usual, **choices})


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory, answer_recipe: Callable[..., AnswerRecipe]) -> Path:
    """The folder of a finished run of `answer_recipe`: an adapter over the tiny starter."""
    from chartsight.training.run import train_answers

    out = tmp_path_factory.mktemp("runs") / "taught"
    train_answers(answer_recipe(), out, quiet=True)
    return out


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory, answer_recipe: Callable[..., AnswerRecipe]) -> Path:
    """A run with whole weights, long enough to answer each kind of question in its own words and to stop."""
    from chartsight.training.run import train_answers

    out = tmp_path_factory.mktemp("runs") / "speaker"
    recipe = answer_recipe(
        steps=200, branches_per_row=16, train={"language_model": "full"},
        learning_rates={"language_model": 5e-3, "projector": 5e-3}, evaluate={"every_steps": 200, "questions": 12},
    )  # fmt: skip
    train_answers(recipe, out, quiet=True)
    return out


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about a synthetic hospital of 40 patients, films of 64 px; truth and techniques stand beside them."""
    from chartsight.hospital import HospitalConfig, build_hospital
    from chartsight.questions import QuestionConfig, build_questions
    from chartsight.records import build_record
    from tests.fixtures_hospital import sources

    folder = tmp_path_factory.mktemp("rendered")
    config = HospitalConfig(patients=40, seed=5, film_size_px=64, confounding=0.5)
    build_hospital(folder / "hospital", config, workers=1, quiet=True)
    build_record(folder / "record.duckdb", sources(folder / "hospital"), quiet=True)
    out = folder / "questions.parquet"
    shares = QuestionConfig(min_support=2, test_share=0.4, valid_share=0.1)
    build_questions(folder / "record.duckdb", out, shares, quiet=True)
    return out
