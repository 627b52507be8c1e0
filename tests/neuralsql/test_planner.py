"""The planner beside an independent reading of the same query, on random NeuralSQL; planted faults are found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.neuralsql.random_queries import SHAPES, check_trial, run_trial

trials = {
    "seed": st.integers(0, 10**6), "shape": st.sampled_from(SHAPES), "unknown": st.sampled_from([0.0, 0.0, 0.15, 0.5]),
    "batch": st.sampled_from([1, 2, 4, 16]),
}  # fmt: skip


@settings(max_examples=150)
@given(**trials)
def test_the_planner_gives_what_naive_execution_gives(seed: int, shape: str, unknown: float, batch: int) -> None:
    check_trial(run_trial(seed, shape, unknown, batch))


@pytest.mark.slow
@settings(max_examples=5000)
@given(**trials)
def test_the_planner_on_thousands_of_queries(seed: int, shape: str, unknown: float, batch: int) -> None:
    check_trial(run_trial(seed, shape, unknown, batch))
