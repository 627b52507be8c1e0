"""Published queries: what is repaired, and that a query can only read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chartsight.errors import QueryError, RecordError
from chartsight.records import open_published, published_sql, run_published
from chartsight.records.published_sql import repair_sql

pytest_plugins = ["tests.fixtures_ehrsql"]


@pytest.mark.parametrize(
    ("published", "repaired"),
    [
        ("SELECT datetime(current_time,'start of year')", "SELECT DATETIME('2100-12-31 23:59:00', 'start of year')"),
        ("SELECT my_current_times", "SELECT my_current_times"),
        ("select strftime('%y-%m', t), strftime('%j',t)", "SELECT STRFTIME('%Y-%m', t), STRFTIME('%J', t)"),
        ("SELECT v BETWEEN heart_rate_lower AND heart_rate_upper", "SELECT v BETWEEN 60.0 AND 100.0"),
        ("select v between systolic_bp_lower and mean_bp_upper", "SELECT v BETWEEN 90.0 AND 110.0"),
        ("select v > sao2_lower or v < temperature_upper", "SELECT v > 95.0 OR v < 38.1"),
        ("SELECT respiration_upper, diastolic_bp_upper", "SELECT 18.0, 90.0"),
        ("SELECT weight_lower", "SELECT weight_lower"),
        ("SELECT a < = 1 and b > = 2 and c ! = 3", "SELECT a <= 1 AND b >= 2 AND c <> 3"),
        ("SELECT  1\n FROM\tt ", "SELECT 1 FROM t"),
    ],
)
def test_a_query_is_repaired(published: str, repaired: str) -> None:
    assert repair_sql(published) == repaired


def test_a_repaired_query_is_left_alone() -> None:
    once = repair_sql("SELECT strftime('%y', current_time) WHERE v < = heart_rate_upper")
    assert repair_sql(once) == once


def test_published_queries_run(ehrsql_database: Path) -> None:
    with open_published(ehrsql_database) as connection:
        ended = "SELECT hadm_id FROM admissions WHERE dischtime < current_time ORDER BY dischtime DESC LIMIT 1"
        assert run_published(connection, ended) == [(20000003,)]
        days = """SELECT 1 * (strftime('%j', current_time) - strftime('%j', admittime)) FROM admissions
                  WHERE hadm_id = 20000004"""
        assert run_published(connection, days)[0][0] == pytest.approx(9.5826, abs=1e-4)
        vital = """SELECT valuenum FROM chartevents WHERE itemid IN (SELECT itemid FROM d_items
                   WHERE label = 'heart rate' AND linksto = 'chartevents')
                   AND valuenum BETWEEN heart_rate_lower AND heart_rate_upper"""
        assert run_published(connection, vital) == [(88.0,), (91.0,)]
        assert run_published(connection, "SELECT sum(dose_val_rx) FROM prescriptions") == [(5345.0,)]
        assert run_published(connection, "SELECT date('2100-01-31', '+1 month')") == [("2100-03-03",)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM patients",
        "UPDATE patients SET gender = 'x'",
        "CREATE TABLE mine (a)",
        "ATTACH DATABASE 'elsewhere.sqlite' AS other",
        "PRAGMA user_version",
        "SELECT load_extension('x')",
        "SELECT nothing FROM patients",
        "SELECT FROM",
        "SELECT 1; SELECT 2",
        "SELECT 1 -- \0",
        "BEGIN",
    ],
)
def test_whatever_does_not_only_read_is_refused(ehrsql_database: Path, sql: str) -> None:
    before = ehrsql_database.read_bytes()
    with open_published(ehrsql_database) as connection, pytest.raises(QueryError) as caught:
        run_published(connection, sql)
    assert caught.value.code in ("bad-query", "not-a-select")
    assert ehrsql_database.read_bytes() == before


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "


def test_a_query_has_its_time_and_the_next_one_its_own(ehrsql_database: Path) -> None:
    with open_published(ehrsql_database) as connection:
        with pytest.raises(QueryError, match=r"takes more than 0\.2 s"):
            run_published(connection, ENDLESS + "SELECT count(*) FROM n", seconds=0.2)
        assert run_published(connection, "SELECT count(*) FROM patients") == [(3,)]


def test_rows_have_a_limit(ehrsql_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_sql, "MOST_ROWS", 2)
    with open_published(ehrsql_database) as connection, pytest.raises(QueryError, match="more than 2 rows"):
        run_published(connection, "SELECT subject_id FROM patients")


def test_only_a_database_of_ehrsql_is_opened(ehrsql_database: Path, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database, but long enough to be looked at by SQLite " * 9)
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE patients (a)")
    newer = tmp_path / "newer.sqlite"
    newer.write_bytes(ehrsql_database.read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    for name, code in [
        ("none.sqlite", "missing-file"),
        ("text.sqlite", "no-database"),
        ("other.sqlite", "no-database"),
        ("newer.sqlite", "newer-schema"),
    ]:
        with pytest.raises(RecordError) as caught, open_published(tmp_path / name):
            pass
        assert caught.value.code == code
