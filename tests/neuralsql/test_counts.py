"""Counts corrected for a model's errors, against simulation; counts of patients, or a reason why not."""

from __future__ import annotations

import numpy as np
import pytest

from chartsight.errors import QueryError
from chartsight.neuralsql import parse
from chartsight.neuralsql.counts import Validation, correct_count, count_of, rogan_gladen, simulate_patients
from chartsight.neuralsql.plan import plan
from chartsight.neuralsql.run import run_query
from tests.neuralsql.random_queries import TABLES, SqliteRows
from tests.neuralsql.test_run import Scripted, every_tenth, hospital

GOOD = Validation(true_positives=180, false_negatives=20, true_negatives=180, false_positives=20)


def test_the_estimate_is_that_of_rogan_and_gladen() -> None:
    # apparent 126 / 880, sensitivity and specificity 0.9: (0.1432 + 0.9 - 1) / 0.8
    low, value, high = rogan_gladen(126, 880, GOOD)
    assert value == pytest.approx((126 / 880 - 0.1) / 0.8)
    assert low < value < high


@pytest.mark.parametrize("prevalence", [0.05, 0.3])
def test_the_interval_holds_the_truth_as_often_as_it_says(prevalence: float) -> None:
    generator = np.random.default_rng(5)
    held = 0
    for n in range(200):
        positives, negatives = generator.binomial(150, 0.85), generator.binomial(300, 0.92)
        validation = Validation(int(positives), int(150 - positives), int(negatives), int(300 - negatives))
        apparent = prevalence * 0.85 + (1 - prevalence) * 0.08
        low, _, high = rogan_gladen(int(generator.binomial(800, apparent)), 800, validation, seed=n)
        held += low <= prevalence <= high
    assert 183 <= held <= 199  # of 200, nominal 190; a count without the errors of validation holds fewer


def test_errors_of_validation_widen_the_interval() -> None:
    few = Validation(18, 2, 18, 2)
    width = [high - low for low, _, high in (rogan_gladen(400, 880, each) for each in (GOOD, few))]
    assert width[1] > 1.5 * width[0]


def test_what_leaves_the_range_is_clipped() -> None:
    low, value, high = rogan_gladen(10, 880, GOOD)  # fewer than false alarms alone would give
    assert (low, value) == (0, 0)
    assert 0 <= high < 0.1


@pytest.mark.parametrize(
    ("positive", "total", "counts", "code"),
    [(5, 10, (1, 1, 1, 1), "no-better-than-chance"), (0, 0, (9, 1, 9, 1), "nothing-counted")],
)
def test_what_cannot_be_corrected_is_refused(
    positive: int, total: int, counts: tuple[int, int, int, int], code: str
) -> None:
    with pytest.raises(QueryError) as found:
        rogan_gladen(positive, total, Validation(*counts))
    assert found.value.code == code


def test_a_validation_without_one_of_the_two_kinds_is_refused() -> None:
    with pytest.raises(QueryError):
        Validation(5, 5, 0, 0)


def test_patients_who_are_all_healthy_are_mostly_false_alarms() -> None:
    generator = np.random.default_rng(1)
    said = {n: [bool(each) for each in generator.random(20) < 0.1] for n in range(100)}
    called = sum(any(each) for each in said.values())
    assert called > 80  # 1 - 0.9 ** 20 is 0.88
    low, value, _ = simulate_patients(said, GOOD)
    assert low == 0
    assert value < called / 2


def test_patients_by_a_good_model_are_near_the_truth() -> None:
    sharp = Validation(990, 10, 9990, 10)
    said = {n: [n < 30, *[False] * 4] for n in range(100)}
    low, _, high = simulate_patients(said, sharp)
    assert low <= 30 <= high
    assert high - low < 12


# ------------------------------------------------------------------------------------------------------- of queries

CALL = 'FUNC_VQA("is there a nodule?", c.study_id)'


@pytest.mark.parametrize(
    ("sql", "counted"),
    [
        (f"SELECT count(*) FROM tb_cxr c WHERE {CALL}", "studies"),
        (f"SELECT count(DISTINCT c.study_id) FROM tb_cxr c WHERE {CALL} = TRUE AND c.subject_id < 9", "studies"),
        (f"SELECT count(DISTINCT c.subject_id) FROM tb_cxr c WHERE {CALL}", "patients"),
        (f"SELECT count(*) FROM tb_cxr c JOIN patients p ON p.age > 3 WHERE {CALL}", None),
        (f"SELECT count(*) FROM tb_cxr c WHERE {CALL} OR c.subject_id < 3", None),
        (f"SELECT c.study_id FROM tb_cxr c WHERE {CALL}", None),
    ],
)
def test_what_a_query_counts(sql: str, counted: str | None) -> None:
    found = count_of(plan(parse(sql), TABLES))
    assert (None if found is None else found.counted) == counted


def test_a_count_of_studies_has_an_interval_and_one_of_patients_says_how() -> None:
    for item, counted in (("count(*)", "studies"), ("count(DISTINCT c.subject_id)", "patients")):
        made = plan(parse(f"SELECT {item} FROM tb_cxr c WHERE {CALL}"), TABLES)
        result = run_query(made, SqliteRows(hospital()), Scripted(every_tenth), every_look=True)
        assert result.made == 400
        corrected = correct_count(made, result, GOOD)
        assert corrected is not None and corrected.low is not None and corrected.high is not None
        assert corrected.counted == counted
        assert ("Rogan-Gladen" if counted == "studies" else "simulated") in corrected.note
        without = correct_count(made, result, None)
        assert without is not None and without.value is None
        assert "not known" in without.note


def test_a_count_with_open_looks_has_no_interval() -> None:
    made = plan(parse(f"SELECT count(*) FROM tb_cxr c WHERE {CALL}"), TABLES)
    result = run_query(made, SqliteRows(hospital()), Scripted(every_tenth), budget=50)
    corrected = correct_count(made, result, GOOD)
    assert corrected is not None and corrected.value is None
    assert "350 looks" in corrected.note
