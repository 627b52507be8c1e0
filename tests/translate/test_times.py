from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartsight.neuralsql.families import read_families
from chartsight.translate.periods import read_periods
from chartsight.translate.times import MONTHS, read_times


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on May 3rd, 2103", [("date", "2103-05-03")]),
        ("on 3 May 2103 or 05/04/2103", [("date", "2103-05-03"), ("date", "2103-05-04")]),
        (
            "between 2103-05-03 and 06/2104, or in 2105",
            [("date", "2103-05-03"), ("month", "2104-06"), ("year", "2105")],
        ),
        ("at 2103-05-03 08:15", [("time", "2103-05-03 08:15")]),
        ("two films, 3 looks, 9.5 mg", [("number", "2"), ("number", "3"), ("number", "9.5")]),
        ("on 2103-02-30", []),
    ],
)
def test_times_and_numbers(text: str, found: list[tuple[str, str]]) -> None:
    assert [(each.kind, each.value) for each in read_times(text)] == found


@given(st.dates(date(2100, 1, 1), date(2199, 12, 31)))
def test_a_day_is_read_however_it_is_written(day: date) -> None:
    name = MONTHS[day.month - 1].capitalize()
    for written in (
        day.isoformat(), f"{day.month:02d}/{day.day:02d}/{day.year}", f"{name} {day.day}, {day.year}",
        f"{day.day} {name[:3]} {day.year}", f"the {day.day}th of {name} {day.year}",
    ):  # fmt: skip
        assert [each.value for each in read_times(f"film of {written}?")] == [day.isoformat()], written
    assert day + timedelta(1) > day


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("given in May 2103", "in 05/2103"),
        ("given during 2103", "in 2103"),
        ("given after the 3rd of May 2103", "since 05/03/2103"),
        ("given before 2103", "until 2103"),
        ("given over the past two weeks", "since 14 days ago"),
        ("given until 3 months ago", "until 3 months ago"),
        ("given last year", "last year"),
        ("given in March of last year", "in March of last year"),
        ("given on the 5th of this month", "on day 05 of this month"),
        ("given on his latest admission", "during the last hospital stay"),
        ("given during the first ICU stay", "during the first ICU stay"),
        ("film within two weeks", "within 14 days"),
        ("film on the same day", "on the same day"),
        ("film during the same hospital visit", "during the same hospital stay"),
    ],
)
def test_when_is_said_in_words_that_the_families_know(text: str, words: str) -> None:
    longest = max(read_periods(text), key=lambda said: said.end - said.start)
    assert longest.words == words
    families = read_families()
    known = families.read_period(words) if longest.kind == "period" else families.render_window(words, "a.t", "b.t")
    assert known


def test_what_is_read_loosely_says_so() -> None:
    assert next(iter(read_periods("after 2103"))).is_exact is False
    assert next(iter(read_periods("since 2103"))).is_exact is True
