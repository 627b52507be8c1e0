"""How a model was prepared and how its answers were taken; luck of training as a source of variance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chartsight.comparison import ComparedModel, CompareRecipe, compare
from chartsight.comparison.regimes import regime_of, with_trainings
from chartsight.evaluation import Interval
from tests.comparison.made_up import declines, guesses, sees, stand_in

HABITS = {"seed a": sees, "seed bb": sees, "seed c": guesses, "mute": declines, "guess": guesses}


def test_form_and_sight_fail_apart_and_trainings_spread(questions: Path, tmp_path: Path) -> None:
    told: list[tuple[str, str, int]] = []

    def predict(*given: Any, **options: Any) -> Any:
        told.append((options["name"], options["scoring"], options["shots"]))
        return stand_in(HABITS)(*given, **options)

    models = (
        ComparedModel(name="base", path="mute", role="baseline", shots=3),
        ComparedModel(name="base-allowed", path="guess", role="other", scoring="allowed"),
        *(ComparedModel(name=f"tuned-{each}", path=f"seed {each}", role="tuned", seed_of="the recipe")
          for each in ("a", "bb", "c")),
    )  # fmt: skip
    recipe = CompareRecipe(questions=questions, models=models, bootstrap=200, audits=False, conditions=("full",))
    result = compare(recipe, tmp_path / "out", predict=predict)
    assert told[:2] == [("base", "free", 3), ("base-allowed", "allowed", 0)]
    base, allowed, *tuned = result.analysis.regimes
    assert (base.regime, base.scoring, allowed.scoring) == ("3 examples", "free generation", "allowed answers")
    assert (base.accuracy.estimate, base.unread.estimate, base.wrong.estimate) == (0.0, 1.0, 0.0)
    assert base.right_of_read.n == 0 and math.isnan(base.right_of_read.estimate)
    for row in result.analysis.regimes:
        parts = row.accuracy.estimate + row.wrong.estimate + row.unread.estimate
        assert parts == pytest.approx(1.0)
    (spread,) = result.analysis.seeds
    accuracies = [row.accuracy.estimate for row in tuned]
    assert spread.accuracy.estimate == pytest.approx(np.mean(accuracies))
    assert spread.spread == pytest.approx(np.std(accuracies, ddof=1))
    assert spread.total.low < spread.accuracy.low and spread.total.high > spread.accuracy.high
    html = result.report.read_text("utf-8")
    assert "Prepared how, answering how" in html and "trainings of" in html and "the recipe" in html


def test_the_interval_over_trainings_is_students() -> None:
    sure = Interval(0.6, 0.6, 0.6, 100, 50)
    found = with_trainings(sure, 0.02, 5)
    assert found.high - 0.6 == pytest.approx(2.7764 * 0.02 / math.sqrt(5), rel=1e-4)  # t of 4 degrees of freedom
    assert with_trainings(Interval(0.6, 0.55, 0.66, 100, 50), 0.0, 5).low == pytest.approx(0.55)
    alone = with_trainings(Interval(0.6, 0.55, 0.65, 100, 50), math.nan, 1)
    assert alone.estimate == 0.6 and math.isnan(alone.low)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"role": "baseline"}, "zero-shot"),
        ({"role": "medical", "shots": 1}, "1 example"),
        ({"role": "tuned"}, "fine-tuned"),
        ({"role": "tuned", "shots": 4}, "fine-tuned, 4 examples"),
        ({"role": "other", "seed_of": "x"}, "fine-tuned"),
    ],
)
def test_regimes_have_the_field_s_names(fields: dict[str, Any], words: str) -> None:
    assert regime_of(ComparedModel.model_validate({"name": "m", "path": "p", **fields})) == words
