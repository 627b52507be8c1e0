from __future__ import annotations

from pathlib import Path

import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, compare
from chartsight.review import ReviewConfig, export_review
from tests.comparison.made_up import always_the_same, guesses, make_questions, sees, stand_in

HABITS = {"sees": sees, "guess": guesses, "twin": always_the_same}


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of three stand-ins on 240 questions about 40 patients."""
    folder = tmp_path_factory.mktemp("reviewed")
    questions = make_questions(folder / "questions", patients=40)
    models = (
        ComparedModel(name="plain", path="guess", role="baseline"),
        ComparedModel(name="taught", path="sees", role="tuned", label="taught-here"),
        ComparedModel(name="filmless", path="twin", role="twin"),
    )
    recipe = CompareRecipe(questions=questions, models=models, bootstrap=100, audits=False)
    compare(recipe, folder / "report", predict=stand_in(HABITS), quiet=True)
    return folder / "report"


@pytest.fixture(scope="session")
def review(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sheets of two raters for 60 of those questions, half of them rated twice."""
    out = tmp_path_factory.mktemp("review") / "review"
    export_review(compared, out, ReviewConfig(items=60, double=0.5, film_pixels=128))
    return out
