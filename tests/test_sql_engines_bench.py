"""Three engines on queries of EHRSQL's shapes, and on its gold queries where the open data is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from benchmarks import sql_engines
from benchmarks.ehrsql import QUESTIONS, build_database, find_open_data, read_entries
from benchmarks.sql_engines import Comparison, check_agreement, compare_split, gold_queries, is_among, open_three

from chartsight.errors import ChartsightError, GateError

pytest_plugins = ["tests.fixtures_ehrsql"]

# What stands in EHRSQL's queries: periods, the nth of a stay, differences, ranks, bare columns, sets, vital ranges.
SHAPES = {
    "period": """SELECT COUNT(*)>0 FROM labevents WHERE labevents.hadm_id IN ( SELECT admissions.hadm_id FROM admissions
        WHERE admissions.subject_id = 10000001 ) AND datetime(labevents.charttime,'start of month') =
        datetime(current_time,'start of month','-9 month')""",
    "day": """SELECT drug FROM prescriptions WHERE strftime('%m-%d',starttime) = '03-22' AND
        datetime(starttime,'start of year') = datetime(current_time,'start of year','-0 year')""",
    "elapsed": """SELECT 24 * ( strftime('%j',current_time) - strftime('%j', admissions.admittime) ) FROM admissions
        WHERE admissions.dischtime IS NULL ORDER BY admissions.admittime DESC LIMIT 1""",
    "stay": """SELECT strftime('%J',icustays.outtime) - strftime('%J',icustays.intime) FROM icustays
        ORDER BY icustays.intime ASC LIMIT 1""",
    "difference": """SELECT ( SELECT SUM(inputevents.totalamount) FROM inputevents ) -
        ( SELECT SUM(outputevents.value) FROM outputevents )""",
    "rank": """SELECT T1.drug FROM ( SELECT prescriptions.drug, DENSE_RANK() OVER ( ORDER BY COUNT(*) DESC ) AS C1
        FROM prescriptions GROUP BY prescriptions.drug ) AS T1 WHERE T1.C1 <= 3""",
    "percentile": """SELECT DISTINCT T1.C1 FROM ( SELECT labevents.valuenum, PERCENT_RANK() OVER ( ORDER BY
        labevents.valuenum ) AS C1 FROM labevents ) AS T1 WHERE T1.valuenum > 1""",
    "first of each": """SELECT admissions.subject_id, prescriptions.starttime FROM prescriptions JOIN admissions
        ON prescriptions.hadm_id = admissions.hadm_id GROUP BY admissions.subject_id
        HAVING MIN(prescriptions.starttime) = prescriptions.starttime""",
    "new drugs": """SELECT drug FROM prescriptions WHERE subject_id = 10000001 EXCEPT
        SELECT drug FROM prescriptions WHERE subject_id = 10000002""",
    "normal": """SELECT 1 - COUNT(*)>0 FROM chartevents WHERE chartevents.valuenum NOT BETWEEN heart_rate_lower AND
        heart_rate_upper AND chartevents.itemid IN ( SELECT d_items.itemid FROM d_items WHERE
        d_items.label = 'heart rate' )""",
    "doses": "SELECT SUM(prescriptions.dose_val_rx), dose_val_rx = 20 FROM prescriptions GROUP BY drug",
    "outlived": """SELECT AVG(C1) FROM ( SELECT ( CASE WHEN strftime('%J',patients.dod) -
        strftime('%J',admissions.admittime) < 1 * 365/2 THEN 0 ELSE 1 END ) AS C1 FROM patients JOIN admissions
        ON patients.subject_id = admissions.subject_id )""",
    "price": """SELECT SUM(cost.cost) FROM cost WHERE cost.event_type = 'labevents' AND cost.event_id IN
        ( SELECT labevents.row_id FROM labevents )""",
    "last two": """SELECT DISTINCT charttime FROM labevents WHERE charttime < = current_time
        ORDER BY charttime DESC LIMIT 2""",
}
TIED = "SELECT hadm_id FROM admissions WHERE insurance = 'medicare' ORDER BY insurance LIMIT 1"
MEDICARE = (20000003, 20000004)


@pytest.fixture(scope="module")
def connections(ehrsql_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with open_three(ehrsql_database, tmp_path_factory.mktemp("engines")) as opened:
        yield dict(opened)


def compare(queries: dict[str, str], connections: dict[str, Any], official: str = "[]") -> Comparison:
    return compare_split("train", queries, dict.fromkeys(queries, official), connections, quiet=True)


def test_engines_agree_on_published_shapes(connections: dict[str, Any]) -> None:
    comparison = compare(SHAPES, connections)
    assert (comparison.agreeing, comparison.refused) == (len(SHAPES), {})
    assert not comparison.tied and not comparison.unlike_published
    check_agreement([comparison])
    postgres = connections["postgres"]
    facts = postgres.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    )
    assert facts.fetchone() == ("UTF8", "C")


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_row_that_is_missing_elsewhere_is_found(connections: dict[str, Any], engine: str) -> None:
    connections[engine].execute("BEGIN")
    connections[engine].execute("DELETE FROM prescriptions WHERE drug = 'heparin'")
    comparison = compare(SHAPES, connections)
    connections[engine].execute("ROLLBACK")
    assert comparison.differing["doses"] == [engine] and "period" not in comparison.differing
    with pytest.raises(GateError, match="agree on"):
        check_agreement([comparison])


def test_an_engine_that_fails_differs(connections: dict[str, Any]) -> None:
    connections["duckdb"].execute("ALTER TABLE icustays RENAME TO elsewhere")
    differing = compare(SHAPES, connections).differing
    connections["duckdb"].execute("ALTER TABLE elsewhere RENAME TO icustays")
    assert differing == {"stay": ["duckdb"]}


def test_ties_are_listed(connections: dict[str, Any]) -> None:
    comparison = compare({"tie": TIED, **SHAPES}, connections)
    assert comparison.tied == ["tie"] and not comparison.unlike_published
    assert comparison.agreeing == comparison.queries


def test_a_published_answer_is_looked_for_among_the_tied(connections: dict[str, Any]) -> None:
    """Stored the other way round, SQLite itself takes the other of two tied rows."""
    turned = {**connections, "sqlite": _reversed_rows(connections["sqlite"])}
    assert turned["sqlite"].execute(TIED).fetchall() == [(MEDICARE[1],)]
    found = compare({"tie": TIED}, turned, f"[['{MEDICARE[1]}']]")
    assert (found.unlike_published, found.tied, found.differing) == ({"tie": True}, ["tie"], {})
    check_agreement([found])
    lost = compare({"tie": TIED}, turned, "[['20000001']]")
    assert lost.unlike_published == {"tie": False}
    with pytest.raises(GateError, match="no tied rows"):
        check_agreement([lost])


def _reversed_rows(stored: Any) -> Any:
    """The same rows, with the same row_id, stored backwards."""
    copy = sqlite3.connect(":memory:")
    (declared,) = stored.execute("SELECT sql FROM sqlite_master WHERE name = 'admissions'").fetchone()
    copy.execute(declared)
    rows = stored.execute("SELECT * FROM admissions ORDER BY row_id DESC").fetchall()
    copy.executemany(f"INSERT INTO admissions VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return copy


def test_among_rounds_as_the_published_files_do() -> None:
    assert is_among([["1.235", "a"]], [(1.23456, "a"), (2, "b")])
    assert is_among([], []) and not is_among([["2.0", "b"]], [(2, "b")])


def test_the_page_holds_what_was_measured() -> None:
    shown = sql_engines.render_page([Comparison("train", 3, {"a": ["duckdb"]}, {"b": True}, ["b"])], 20, "18.4")
    assert "--every 20" in shown and "| train | 3 | **2** | 1 | 1 | 1 |" in shown and "PostgreSQL 18.4" in shown


# --------------------------------------------------------------------------------------------------------- real queries


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The open data's folder and its database in three engines."""
    try:
        folder = find_open_data(None)
    except ChartsightError as error:
        pytest.skip(str(error))
    scratch = tmp_path_factory.mktemp("gold")
    build_database(folder, scratch / "ehrsql.sqlite")
    with ExitStack() as stack:
        yield folder / QUESTIONS, dict(stack.enter_context(open_three(scratch / "ehrsql.sqlite", scratch)))


def compare_gold(folder: Path, connections: dict[str, Any], every: int) -> None:
    for split, count in (("train", 4674), ("valid", 931)):
        queries = gold_queries(folder / split, every)
        assert len(queries) == -(-count // every)
        answers = read_entries(folder / split / "answer.json")
        comparison = compare_split(split, queries, answers, connections, quiet=True)
        assert (comparison.differing, comparison.refused) == ({}, {})
        check_agreement([comparison])


@pytest.mark.opendata
def test_engines_agree_on_a_sample_of_gold_queries(gold: tuple[Path, dict[str, Any]]) -> None:
    compare_gold(*gold, every=100)


@pytest.mark.opendata
@pytest.mark.slow
def test_engines_agree_on_every_gold_query(gold: tuple[Path, dict[str, Any]]) -> None:
    compare_gold(*gold, every=1)
