"""The benchmark of the planner on a small hospital: three ways, equal rows, and a gate that can fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import planner

from chartsight.errors import GateError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "PATIENTS", 30)
    monkeypatch.setattr(planner, "STUDIES_EACH", 3)
    monkeypatch.setattr(planner, "QUESTIONS", [each for each in planner.QUESTIONS if "over 85" in each.what][:3])


def test_three_ways_are_compared(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- planner -->\n<!-- /planner -->\nafter\n")
    planner.main(write=page, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 3
    assert {each["planner"]["rows"] for each in told} == {each["SQLite function"]["rows"] for each in told}
    assert "| planner |" in page.read_text() and page.read_text().endswith("after\n")


def test_what_differs_or_looks_too_much_is_no_result() -> None:
    asked = planner.QUESTIONS[0]
    hospital = planner.Hospital((90, 30))
    good = planner.Outcome(1, 0.1, "[[1]]")
    with pytest.raises(GateError, match="different rows"):
        planner.check([(asked, {"planner": good, "DuckDB function": planner.Outcome(1, 0.1, "[[2]]")})], hospital)
    with pytest.raises(GateError, match="one batch"):
        planner.check([(asked, {"planner": planner.Outcome(10**6, 0.1, "[[1]]")})], hospital)
