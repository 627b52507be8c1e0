"""The planner beside an independent reading of the same query, on random NeuralSQL; planted faults are found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.neuralsql.random_queries import SHAPES, check_trial, run_trial, table_rows

trials = {
    "seed": st.integers(0, 10**6), "shape": st.sampled_from(SHAPES), "unknown": st.sampled_from([0.0, 0.0, 0.15, 0.5]),
    "batch": st.sampled_from([1, 2, 4, 16]),
}  # fmt: skip


@settings(max_examples=400)
@given(**trials)
def test_the_planner_gives_what_naive_execution_gives(seed: int, shape: str, unknown: float, batch: int) -> None:
    check_trial(run_trial(seed, shape, unknown, batch))


@pytest.mark.slow
@settings(max_examples=5000)
@given(**trials)
def test_the_planner_on_thousands_of_queries(seed: int, shape: str, unknown: float, batch: int) -> None:
    check_trial(run_trial(seed, shape, unknown, batch))


def test_queries_are_of_all_shapes_and_mostly_not_empty() -> None:
    """The quotas: every shape as often as the others, NOT, OR and several looks in many, most results not empty."""
    texts, filled, uncertain = [], 0, 0
    for seed in range(12):
        for shape in SHAPES:
            trial = run_trial(seed, shape, (0.0, 0.3)[seed % 2], 4)
            texts.append(trial.query.sql())
            # A count of nothing is a row; it is not counted as filled.
            filled += any(row and row[0] not in (0, None, False) for row in table_rows(trial.result.rows))
            uncertain += not trial.result.is_exact
    assert filled >= len(texts) / 2
    assert uncertain >= len(texts) / 10
    for word, least in {
        "NOT": 24, " OR ": 30, "EXISTS": 10, "LIMIT": 12, "COUNT(": 30, " IN (": 10, "patients": 36, "DISTINCT": 12,
        "GROUP BY": 12,
    }.items():  # fmt: skip
        assert sum(word in text for text in texts) >= least, word
    assert sum(any(word in text for word in ("UNION", "INTERSECT", "EXCEPT")) for text in texts) >= 12
    assert sum(text.count("FUNC_VQA") > 1 for text in texts) >= len(texts) / 5
