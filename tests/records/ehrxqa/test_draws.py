"""Permutation, offsets, rotation and costs: small cases worked out by hand, or drawn again by the documented steps."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.errors import RecordError
from chartsight.records.ehrxqa import permutation
from chartsight.records.ehrxqa.cohort import draw_births
from chartsight.records.ehrxqa.costs import build_costs
from chartsight.records.ehrxqa.labels import held_out
from chartsight.records.ehrxqa.permutation import KeptRows, permuted, unit_mapping
from chartsight.records.ehrxqa.times import (
    MINUTES_A_YEAR,
    draw_offset,
    parse_times,
    rotate,
    shift,
    staying_offsets,
    time_texts,
)

NOW = np.datetime64("2105-12-31T23:59:00", "s")


def test_the_permutation_is_always_the_same_and_moves_rows() -> None:
    rows = np.arange(1000)
    order = permuted(1000, rows)
    assert sorted(order) == list(range(1000))
    assert (order == permuted(1000, rows)).all()
    assert (order == rows).sum() < 10
    assert list(permuted(0, rows[:0])) == []


@pytest.mark.parametrize("piece", [700, 4096, permutation.EXCHANGES_A_PIECE])
def test_large_tables_take_the_same_draws_as_the_published_array(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "EXCHANGES_A_PIECE", piece)
    for rows in (2, 9_999, 10_000, 10_001, 50_000):  # numpy changes its way at 10,000
        drawn = np.random.default_rng(0).choice(np.arange(rows), rows, replace=False)
        assert (permuted(rows, np.arange(rows)) == drawn).all()
        some = np.random.default_rng(1).permutation(rows)[:300]
        assert (permuted(rows, some) == drawn[some]).all()


def test_a_permutation_takes_no_memory_for_rows_that_are_not_asked_for() -> None:
    tracemalloc.start()
    try:
        permuted(3 * permutation.EXCHANGES_A_PIECE, np.arange(5))
        few = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        permuted(12 * permutation.EXCHANGES_A_PIECE, np.arange(5))
        assert tracemalloc.get_traced_memory()[1] < 1.1 * few
    finally:
        tracemalloc.stop()


def test_kept_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "ROWS_A_BLOCK", 64)
    is_kept = np.random.default_rng(0).random(1000) < 0.4
    is_kept[64:200] = False  # blocks without any
    kept, rows = KeptRows(is_kept), np.flatnonzero(is_kept)
    asked = np.random.default_rng(1).permutation(len(rows))
    assert len(kept) == len(rows)
    assert (kept.rows(asked) == rows[asked]).all()
    assert (kept.numbers(rows[asked]) == asked).all()
    nothing = KeptRows(np.zeros(0, np.bool_))
    assert len(nothing) == len(nothing.rows(asked[:0])) == 0


def test_units_change_names() -> None:
    units = ["a", "b", "c", "d"]
    order = permuted(4, np.arange(4))
    assert unit_mapping([*units], [*units]) == dict(zip(units, (units[place] for place in order), strict=True))
    assert unit_mapping([], []) == {}


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 99)), max_size=12))
def test_rotation_passes_times_on_within_a_patient(films: Sequence[tuple[int, int]]) -> None:
    subjects = [subject for subject, _ in films]
    times = [f"2100-01-01 00:00:{second:02d}" for _, second in films]
    order, passed = rotate(subjects, times)
    assert sorted(order) == list(range(len(films)))
    shown = list(zip((subjects[row] for row in order), passed, strict=True))
    assert shown == sorted(zip(subjects, times, strict=True))  # the same times, in order
    if len(set(times)) < len(times):
        return
    for subject in set(subjects):
        mine = sorted(time for each, time in zip(subjects, times, strict=True) if each == subject)
        new = {times[row]: time for row, time in zip(order, passed, strict=True) if subjects[row] == subject}
        assert new == dict(zip(mine, [*mine[1:], mine[0]], strict=True))  # the next one's, the last has the first's


def test_a_single_film_keeps_its_time() -> None:
    assert rotate([7], ["2100-01-01 00:00:00"]) == ([0], ["2100-01-01 00:00:00"])


def test_shifting() -> None:
    times = parse_times(["2180-05-06 07:00:00", None, "2180-05-06 07:00:00", "2180-05-06 07:00:00"], "file", "time")
    offsets = {1: -80 * MINUTES_A_YEAR, 2: -74 * MINUTES_A_YEAR}
    moved = shift(times, [1, 1, 2, 3], offsets, until=NOW)
    assert time_texts(moved) == ["2100-05-26 07:00:00", None, None, None]  # too late; a patient without offset
    start = np.datetime64("2100-06-01", "s")
    assert time_texts(shift(times, [1, 1, 2, 3], offsets, until=NOW, since=start)) == [None] * 4


def test_the_edges_of_the_window_stay() -> None:
    times = parse_times(["2105-12-31 23:59:00", "2100-01-01 00:00:00"], "file", "time")
    start = np.datetime64("2100-01-01", "s")
    assert None not in time_texts(shift(times, [1, 1], {1: 0}, until=NOW, since=start))


def test_a_bad_time_is_refused_with_its_row() -> None:
    with pytest.raises(RecordError, match=r"file: row 2 .*: charttime is no time") as error:
        parse_times(["2180-05-06 07:00:00", "yesterday noon, at"], "file", "charttime")
    assert "yesterday" not in str(error.value)
    assert time_texts(parse_times(["2180-5-6 7:00:00"], "file", "t")) == ["2180-05-06 07:00:00"]


def test_later_years_are_likelier() -> None:
    rng = np.random.default_rng(0)
    years = [2180 + draw_offset(rng, 2100, 5, 2180) // MINUTES_A_YEAR for _ in range(4000)]
    shares = [years.count(year) / len(years) for year in range(2100, 2106)]
    assert shares == pytest.approx([n / 21 for n in range(1, 7)], abs=0.03)


def test_an_offset_is_one_draw() -> None:
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    drawn = 2100 + int(np.searchsorted(np.cumsum(np.arange(1, 7) / 21), other.random(), side="right"))
    assert draw_offset(rng, 2100, 5, 2150) == (drawn - 2150) * MINUTES_A_YEAR
    assert rng.random() == other.random()


def test_those_who_stay_are_in_hospital_at_the_end() -> None:
    stays = {n: (f"21{n}0-03-01 10:00:00", f"21{n}0-03-05 09:00:00") for n in range(1, 8)}
    offsets = staying_offsets(stays, 4, "2105-12-31 23:59:00", list(stays))
    assert len(offsets) == 4
    now = datetime(2105, 12, 31, 23, 59)
    for subject, minutes in offsets.items():
        first, last = (datetime.fromisoformat(text) + timedelta(minutes=minutes) for text in stays[subject])
        assert first <= now <= last
    assert offsets == staying_offsets(stays, 4, "2105-12-31 23:59:00", list(stays))
    with pytest.raises(RecordError, match="at most the 7 patients"):
        staying_offsets(stays, 8, "2105-12-31 23:59:00", list(stays))


def test_birth_dates_are_drawn_for_everybody_in_order() -> None:
    patients = {"subject_id": [3, 1, 2], "anchor_year": [2150, 2148, 2180], "anchor_age": [50, 48, 20]}
    births = draw_births(patients, "file")
    draws = random.Random(0)
    for subject, year, days in ((3, 2100, 365), (1, 2100, 365), (2, 2160, 366)):
        born = datetime(year, 1, 1) + timedelta(days=draws.randint(0, days))
        assert births[subject] == f"{born:%Y-%m-%d} 00:00:00"


def test_held_out_patients_are_rounded_up() -> None:
    assert len(held_out(21, 0.05)) == 2
    assert set(held_out(21, 0.05)) <= set(range(21))
    assert held_out(21, 0.05) == held_out(21, 0.05)


def charged(name: str, code: str, codes: list[object]) -> pa.Table:
    time = "starttime" if name == "prescriptions" else "charttime"
    count = len(codes)
    return pa.table(
        {
            "row_id": pa.array(range(count), pa.int64()),
            "subject_id": pa.array([7] * count, pa.int64()),
            "hadm_id": pa.array([8] * count, pa.int64()),
            code: pa.array(codes),
            time: pa.array(["2100-01-01 00:00:00"] * count, pa.string()),
        }
    )


def test_costs_are_drawn_code_by_code_in_sorted_order() -> None:
    tables = {
        "diagnoses_icd": charged("diagnoses_icd", "icd_code", ["v10", "4019", "v10"]),
        "labevents": charged("labevents", "itemid", [51222, 50912]),
        "procedures_icd": charged("procedures_icd", "icd_code", ["0bh1"]),
        "prescriptions": charged("prescriptions", "drug", ["zinc", "aspirin"]),
    }
    rng = np.random.default_rng(9)
    rng.random(5)  # the state that the cohort left
    costs = build_costs(tables, dict(rng.bit_generator.state))
    means = rng.poisson(lam=10, size=4)
    prices = [round(rng.normal(loc=mean, scale=1.0), 2) for mean in (*means[[0, 0, 1, 1, 2, 3, 3]],)]
    low, v10, item_low, item_high, procedure, aspirin, zinc = prices
    assert costs["cost"].to_pylist() == [v10, low, v10, item_high, item_low, procedure, zinc, aspirin]
    assert costs["row_id"].to_pylist() == list(range(8))
    assert costs["event_id"].to_pylist() == [0, 1, 2, 0, 1, 0, 0, 1]
