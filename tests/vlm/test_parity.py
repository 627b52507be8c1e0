"""The golden cases of the original's own code, where they are at hand (`make parity` prints the figures)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.llava_parity import CaseResult, RoundTrip, run_parity

CASES = 21  # nine of each checkpoint, three of the frozen flag


@pytest.fixture(scope="module")
def measured(golden_llava: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[CaseResult], list[RoundTrip]]:
    return run_parity(golden_llava, tmp_path_factory.mktemp("parity"))


@pytest.mark.opendata
def test_every_golden_case_holds(measured: tuple[list[CaseResult], list[RoundTrip]]) -> None:
    cases, _ = measured
    assert len(cases) == CASES
    assert [each for each in cases if not each.holds] == []
    assert sum(each.logits is not None for each in cases) == CASES - 4, "text alone and batches are generated only"
    assert sum(each.tokens_equal is True for each in cases) == 7
    assert sum(each.labels_equal is True for each in cases) == 7


@pytest.mark.opendata
def test_every_golden_checkpoint_comes_back_bit_by_bit(measured: tuple[list[CaseResult], list[RoundTrip]]) -> None:
    _, trips = measured
    assert len(trips) == 3
    assert [each for each in trips if not each.holds] == []


@pytest.mark.parametrize(
    "fault",
    [{"logits": 6e-5}, {"loss": 2e-5}, {"tokens_equal": False}, {"labels_equal": False}, {"logits": float("nan")}],
)
def test_a_case_that_differs_does_not_hold(fault: dict[str, object]) -> None:
    right = CaseResult("r", "c", 1e-5, 1e-6, True, True)
    assert right.holds
    assert not replace(right, **fault).holds  # type: ignore[arg-type]
