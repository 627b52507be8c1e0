"""Rows that an order leaves equal: one choice on all engines, and the published choice is among the tied rows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from benchmarks.sql_engines import ENGINES, comparable

from chartsight.neuralsql import prepare, write
from tests.neuralsql.odd_tables import PUBLISHED, STABLE, run

pytest_plugins = ["tests.fixtures_odd_tables"]

TIED = [
    "select s from t where i = 1 order by i limit 1",
    "select s from t order by b limit 1",
    "select s, tm from t order by b desc limit 2 offset 1",
    "select s from t limit 3",
    "select row_id as s from t where i = 1 order by t.b limit 1",
    "select name, amount from u order by name limit 2 offset 1",
    "select i, count(*) from t group by i order by count(*) limit 2",
    "select distinct b from t order by r > 1 limit 1",
    "select s, count(*) from t group by b",
    "select b, s, max(i) from t where i < 3 group by b",
    "select b, tm from t group by b having min(i) = i",
    "select (select s from t where b order by b limit 1)",
    "select name from u where k = (select i from t where b)",
    "select row_id, (select amount from u where u.k = t.i) from t",
    "select row_id, row_number() over (order by b) from t",
    "select b from t union all select k > 0 from u order by b limit 2",
    "select count(*) from t where i in (select k from u order by name desc limit 2)",
    "select a.s, b.name from t as a, u as b where a.i = b.k order by a.i limit 2",
    "with x as (select b, s from t) select s from x order by b limit 1",
    "select x.s from (select s, b from t) as x order by x.b limit 2",
    "select avg(r) from (select r from t order by b desc limit 3)",
]
PLAIN = [  # with one meaning, tied or not
    "select s from t order by tm desc, row_id limit 3",
    "select i from t where i = 1 order by i limit 1",
    "select max(r) from t",
    "select s, max(r) from t",
    "select count(*) from t where i = (select max(i) from t)",
]


@pytest.mark.parametrize("sql", [*TIED, *PLAIN])
def test_all_engines_choose_the_same_rows(odd_engines: dict[str, Any], sql: str) -> None:
    tree = prepare(sql, STABLE)
    for settings in (STABLE, replace(STABLE, ties="last")):
        rows = [comparable(run(odd_engines[engine], write(tree, engine, settings))) for engine in ENGINES]
        assert rows[0] == rows[1] == rows[2]


@pytest.mark.parametrize(("sql", "tied"), [*((sql, True) for sql in TIED[:4]), *((sql, False) for sql in PLAIN)])
def test_a_tie_is_found_by_taking_the_last(odd_engines: dict[str, Any], sql: str, tied: bool) -> None:
    tree = prepare(sql, STABLE)
    first, last = (
        comparable(run(odd_engines["sqlite"], write(tree, "sqlite", replace(STABLE, ties=ties))))
        for ties in ("first", "last")
    )
    assert (first != last) == tied


# One value of a group, or of a subquery that is reckoned with, has no such list.
LIMITED = [
    sql for sql in [*TIED, *PLAIN] if re.fullmatch(r"(?!select (distinct|avg|count|\()).* limit \d+( offset \d+)?", sql)
]


@pytest.mark.parametrize("sql", LIMITED)
def test_published_rows_are_among_the_tied(odd_engines: dict[str, Any], sql: str) -> None:
    tree = prepare(sql, STABLE)
    stored = odd_engines["sqlite"]
    candidates = comparable(run(stored, write(tree, "sqlite", replace(STABLE, ties="all"))))
    for settings in (PUBLISHED, STABLE, replace(STABLE, ties="last")):
        assert not comparable(run(stored, write(tree, "sqlite", settings))) - candidates


def test_the_first_row_is_that_of_the_lowest_row_id(odd_engines: dict[str, Any]) -> None:
    sql = "select row_id from t where i = 1 order by tm limit 1"
    for ties, row_id in (("first", 0), ("last", 9)):
        settings = replace(STABLE, ties=ties)
        assert run(odd_engines["duckdb"], write(prepare(sql, STABLE), "duckdb", settings)) == [(row_id,)]
