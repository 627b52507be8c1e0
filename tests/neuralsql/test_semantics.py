"""Three real engines give what SQLite gives, on queries that are chosen to be hard and on queries made up by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.sql_engines import ENGINES, comparable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartsight.errors import QueryError
from chartsight.neuralsql import prepare, write
from tests.neuralsql.odd_tables import PUBLISHED, STABLE, run

pytest_plugins = ["tests.fixtures_odd_tables"]

LINES = Path(__file__).with_name("semantics.sql").read_text("utf-8").splitlines()
QUERIES = [line.rstrip(";") for line in LINES if line and not line.startswith("--")]


@pytest.mark.parametrize("sql", QUERIES)
def test_every_engine_gives_what_sqlite_gives(odd_engines: dict[str, Any], sql: str) -> None:
    tree = prepare(sql, PUBLISHED)
    expected = comparable(run(odd_engines["sqlite"], write(tree, "sqlite", PUBLISHED)))
    for engine in ENGINES:
        assert comparable(run(odd_engines[engine], write(tree, engine, STABLE))) == expected, engine


def test_sqlite_is_the_norm_and_not_the_dialect(odd_engines: dict[str, Any]) -> None:
    """What is written for SQLite in published mode gives the rows of the text itself, in its order."""
    for sql in QUERIES:
        if not any(word in sql for word in ("current_time", "'now'", "%j")):  # those are settings, or repaired
            written = write(prepare(sql, PUBLISHED), "sqlite", PUBLISHED)
            assert run(odd_engines["sqlite"], written) == run(odd_engines["sqlite"], sql), sql


def test_untranslated_queries_would_differ(odd_engines: dict[str, Any]) -> None:
    """The corpus is hard: as it stands, most of it fails or differs elsewhere."""
    import duckdb
    import psycopg

    differing = dict.fromkeys(ENGINES[1:], 0)
    for sql in QUERIES:
        expected = comparable(run(odd_engines["sqlite"], sql))
        for engine in differing:
            try:
                differing[engine] += comparable(run(odd_engines[engine], sql)) != expected
            except (duckdb.Error, psycopg.Error):
                differing[engine] += 1
    assert min(differing.values()) > len(QUERIES) / 3


# ------------------------------------------------------------------------------------------------------------ by chance

NUMBERS = st.sampled_from(["i", "r", "0", "1", "2", "20", "-7", "2.5", "b", "length(s)", "strftime('%d', tm)"])
TEXTS = st.sampled_from(["s", "'20'", "'abc'", "''", "strftime('%Y', tm)", "date(tm)", "substr(s, 1, 2)", "s || 'x'"])
SHIFTS = st.sampled_from(
    ["+1 month", "-1 month", "-14 month", "+1 year", "-3 years", "start of month", "start of year", "start of day",
     "-1 day", "+36 hours", "-90 minutes", "+30 seconds", "weekday 3", "+2.5 days"]
)  # fmt: skip
TIMES = st.one_of(
    st.sampled_from(["tm", "current_time", "'2100-03-31 08:05:09'"]),
    st.builds(
        lambda time, shifts: f"datetime({', '.join([time, *(repr(each) for each in shifts)])})",
        st.sampled_from(["tm", "d", "current_time", "'2104-02-29'"]), st.lists(SHIFTS, max_size=3),
    ),
)  # fmt: skip


def _extend(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "%"])
    return st.one_of(
        st.builds(lambda a, o, b: f"({a} {o} {b})", values, operators, values),
        st.builds(lambda a: f"abs({a})", values),
        st.builds(lambda a, b: f"coalesce({a}, {b})", values, values),
        st.builds(lambda a, b, c: f"case when {a} then {b} else {c} end", values, values, values),
        st.builds(lambda a: f"-({a})", values),
    )


VALUES = st.recursive(NUMBERS, _extend, max_leaves=4)
COMPARISONS = st.one_of(
    st.builds(
        lambda a, o, b: f"{a} {o} {b}", st.one_of(VALUES, TEXTS, TIMES),
        st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "is", "is not"]), st.one_of(VALUES, TEXTS, TIMES),
    ),
    st.builds(lambda a, b, c: f"{a} between {b} and {c}", *[st.one_of(NUMBERS, TEXTS, TIMES)] * 3),
    st.builds(lambda a, bs: f"{a} in ({', '.join(bs)})", st.one_of(NUMBERS, TEXTS),
              st.lists(st.one_of(NUMBERS, TEXTS), min_size=1, max_size=3)),
    st.builds(lambda a, b: f"{a} like {b}", TEXTS, st.sampled_from(["'a%'", "'%B%'", "'2_'", "'%'", "s"])),
    st.builds(lambda a: f"{a} is null", st.one_of(NUMBERS, TEXTS, TIMES)),
    VALUES,
)  # fmt: skip


def _combine(conditions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda a, o, b: f"({a} {o} {b})", conditions, st.sampled_from(["and", "or"]), conditions),
        st.builds(lambda a: f"not ({a})", conditions),
    )


CONDITIONS = st.recursive(COMPARISONS, _combine, max_leaves=3)
AGGREGATES = st.builds(
    lambda name, value: f"{name}({value})", st.sampled_from(["sum", "avg", "min", "max", "count", "total"]), VALUES
)
MADE_UP = st.one_of(
    st.builds(lambda value, condition: f"select row_id, {value} from t where {condition}",
              st.one_of(VALUES, TEXTS, TIMES, CONDITIONS), CONDITIONS),
    st.builds(lambda key, value: f"select {key}, {value} from t group by {key}",
              st.sampled_from(["b", "i", "r > 1", "date(tm, 'start of year')"]), AGGREGATES),
    st.builds(lambda value, condition: f"select {value}, count(*) from t where {condition}", AGGREGATES, CONDITIONS),
    st.builds(lambda condition: f"select row_id, k from t left join u on t.i = u.k and {condition}", CONDITIONS),
)  # fmt: skip


def check_made_up(odd_engines: dict[str, Any], sql: str) -> bool:
    """Whether a query was written; then every engine gave what SQLite gave."""
    tree = prepare(sql, PUBLISHED)
    try:
        written = {engine: write(tree, engine, STABLE) for engine in ENGINES}
    except QueryError as error:
        assert error.code in ("mixed-kinds",), sql
        return False
    expected = comparable(run(odd_engines["sqlite"], write(tree, "sqlite", PUBLISHED)))
    for engine in ENGINES:
        assert comparable(run(odd_engines[engine], written[engine])) == expected, (engine, written[engine])
    return True


@given(sql=MADE_UP)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_made_up_queries_give_what_sqlite_gives(odd_engines: dict[str, Any], sql: str) -> None:
    check_made_up(odd_engines, sql)


@pytest.mark.slow
@given(sql=MADE_UP)
@settings(max_examples=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_made_up_queries_give_what_sqlite_gives(odd_engines: dict[str, Any], sql: str) -> None:
    check_made_up(odd_engines, sql)
