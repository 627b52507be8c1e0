"""The error rates of the tests: a small simulation always, the 10,000 trials of the page when slow tests run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import evaluation

from chartsight.errors import GateError


def test_equal_models_are_told_apart_five_times_of_a_hundred_and_naively_too_often() -> None:
    found = evaluation.measure_errors(patients=100, trials=600, resamples=1000)
    assert 0.05 - 2 * found.margin <= found.bootstrap <= 0.05 + 2 * found.margin
    assert 0.05 - 2 * found.margin <= found.cluster_t <= 0.05 + 2 * found.margin
    assert found.mcnemar > 0.08
    assert 1.5 < found.deff < 2.5


def test_without_patient_effects_the_naive_test_is_no_worse() -> None:
    found = evaluation.measure_errors(patients=60, trials=300, resamples=500, own_effect=0.0)
    assert found.mcnemar < 0.08


def test_both_models_are_equally_good() -> None:
    generator = np.random.default_rng(1)
    patient_of = evaluation.question_counts(200, generator)
    gained = np.concatenate([block.ravel() for block in evaluation.equal_models(patient_of, 300, generator)])
    assert abs(gained.mean()) < 0.005
    assert set(np.unique(gained)) == {-1.0, 0.0, 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("patients", evaluation.GATED)
def test_type_one_error_is_4_to_6_percent_in_10_000_trials(patients: int) -> None:
    found = evaluation.measure_errors(patients, evaluation.TRIALS)
    assert evaluation.LOWEST <= found.bootstrap <= evaluation.HIGHEST
    assert found.mcnemar > evaluation.HIGHEST


def test_ten_thousand_draws_of_4_200_questions_and_three_models_take_less_than_five_seconds() -> None:
    assert evaluation.seconds_of_intervals() < evaluation.LONGEST_S


def test_the_page_is_written_and_a_broken_test_is_a_failed_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{evaluation.SECTION.start}\n{evaluation.SECTION.end}\nafter\n")
    monkeypatch.setattr(evaluation, "PATIENTS", (20,))
    evaluation.main(trials=20, as_json=True, write=page, quiet=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["errors"][0]["trials"] == 20 and shown["seconds"] > 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "| 20 |" in text
    good = evaluation.ErrorRates(100, 1000, evaluation.TRIALS, 0.05, 0.05, 0.05, 0.15, 1.8)
    evaluation.check([good], 1.0)
    evaluation.check([replace(good, patients=40, bootstrap=0.02)], 1.0)
    with pytest.raises(GateError, match=r"7\.00% false finds"):
        evaluation.check([replace(good, bootstrap=0.07)], 1.0)
    with pytest.raises(GateError, match=r"6\.0 s"):
        evaluation.check([good], 6.0)
