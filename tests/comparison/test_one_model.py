"""One model audited: its blind controls, the cost beforehand, gates and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chartsight.audit.gates import Gate
from chartsight.cli import main
from chartsight.comparison.one_model import audit_model, audit_recipe, failed_gates, name_of
from chartsight.errors import OutputError, RecipeError
from chartsight.evaluation import scorer_stamp
from tests.comparison.made_up import always_the_same, declines, guesses, sees, stand_in

pytest_plugins = ["tests.fixtures_hospital"]
HABITS = {"sees": sees, "guess": guesses, "declines": declines, "blind": always_the_same, "twin": always_the_same}


def test_one_model_with_its_twin(questions: Path, tmp_path: Path) -> None:
    recipe = audit_recipe("sees", questions, twin="twin", resamples=200)
    assert [(each.name, each.role) for each in recipe.models] == [("sees", "tuned"), ("twin", "twin")]
    result, report = audit_model(recipe, tmp_path / "out", predict=stand_in(HABITS), quiet=True)
    assert report.passed and result.report.is_file()
    audited = report.models[0]
    assert [each.kind for each in audited.question_only.controls] == ["twin", "no film", "words"]
    assert audited.question_only.image_part.low > 0
    assert audited.verdict.kind == "sees the finding"
    # No record is behind these films: what the film index knows is held alike, and the verdict says so.
    assert any(each.startswith("Held alike between films: ") for each in audited.verdict.reasons)
    assert report.scorer == scorer_stamp() and report.leaks is not None
    with pytest.raises(OutputError, match="finished"):
        audit_model(recipe, tmp_path / "out", predict=stand_in(HABITS), quiet=True)


def test_a_model_that_guesses_fails_the_gate_of_the_film(questions: Path, tmp_path: Path) -> None:
    recipe = audit_recipe("blind", questions, resamples=200)
    _, report = audit_model(recipe, tmp_path / "out", predict=stand_in(HABITS), quiet=True)
    assert report.models[0].verdict.kind == "guesses" and not report.passed
    assert failed_gates(report.gates)[0] == "red: question only of blind: 100.0%, at most 90%"


def test_who_declines_fails_no_gate_and_who_cannot_be_read_does(questions: Path, tmp_path: Path) -> None:
    recipe = audit_recipe("declines", questions, role="baseline", resamples=200)
    _, report = audit_model(recipe, tmp_path / "out", predict=stand_in(HABITS), quiet=True)
    assert "red: unparsed of declines: 50.0%, at most 5%" in failed_gates(report.gates)
    assert report.models[0].accuracy.estimate == 0.0


def test_gates_in_words_red_before_amber() -> None:
    gates = [
        Gate("yes-bias", "m", "amber", 0.2, 0.1, False), Gate("unparsed", "m", "red", 0.01, 0.05, True),
        Gate("patient leak", "", "red", 1.0, 0.0, False),
    ]  # fmt: skip
    assert failed_gates(gates) == ["red: patient leak: 1, at most 0", "amber: yes-bias of m: 20.0%, at most 10%"]


def test_names_come_from_paths() -> None:
    assert name_of("runs/my tuned!/") == "my-tuned-" and name_of("starter") == "starter" and name_of("/") == "model"
    with pytest.raises(RecipeError, match="nothing at"):
        audit_recipe("no/such/model", Path(__file__))


def test_the_verb_tells_the_cost_first_and_ends_with_three(
    tiny_questions: Path, starter_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untrained model on a real record: every condition is asked, and what it says cannot be read."""
    out = tmp_path / "audit"
    arguments = ["audit", str(starter_folder), str(tiny_questions), str(out), "--limit", "8", "--resamples", "100"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--json"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert end.value.code == 3 and not found["passed"]
    assert any(each.startswith("red: unparsed of tiny") for each in found["failed_gates"])
    assert found["kind"] == "cannot be told" and found["rule"].startswith("chartsight verdict v")
    cost = printed.err.splitlines()
    assert cost[0].startswith("full: 8 questions") and any("plain passes" in line for line in cost)
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["audit"]["models"][0]["name"] == "tiny"
    # All test films are of one patient: nobody's can be exchanged.
    assert {"tiny.full.parquet", "tiny.question_only.parquet", "tiny.paraphrase.parquet", "variants.parquet"} <= {
        each.name for each in (out / "predictions").iterdir()
    }
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2  # finished already
