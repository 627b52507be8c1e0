"""The engines: values, limits, temporary relations, children that die. DuckDB, SQLite, PostgreSQL, each a real one."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartsight.errors import ChartsightError, QueryError, RecordError
from chartsight.neuralsql.engines import EngineName, Limits, OpenEngine, open_engine
from chartsight.neuralsql.engines.base import engine_name, shown
from chartsight.neuralsql.engines.values import array_of, as_sqlite_values
from chartsight.records import content_digest
from chartsight.schema import POSTGRES_READER, SCHEMA_VERSION

ENGINES = get_args(EngineName)
pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_postgres", "tests.fixtures_engines"]

SMALL = Limits(seconds=20, rows=1000, memory_mb=512)
SECRET = "Zebediah Quux"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, engines: dict[str, OpenEngine]) -> OpenEngine:
    return engines[request.param]


def column(table: pa.Table, name: str = "a") -> list[Any]:
    return list(table[name].to_pylist())


# ------------------------------------------------------------------------------------------------- values and catalogs


def test_the_three_catalogs_name_the_same_tables_and_columns(engines: dict[str, OpenEngine]) -> None:
    found = [{table: tuple(columns) for table, columns in engines[name].catalog.tables.items()} for name in ENGINES]
    assert found[0] == found[1] == found[2]
    assert "patients" in found[0] and not {"film_roots", "record_info", "subject_keys"} & found[0].keys()
    assert "image_id" in found[0]["films"] and not {"path", "root_id"} & set(found[0]["films"])
    assert all(engines[name].catalog.partial == {"films"} for name in ENGINES)
    assert engines["postgres"].catalog.column("LabEvents", "ChartTime") == "time"


def test_values_are_those_of_sqlite(engine: OpenEngine) -> None:
    rows = engine.run_sql("SELECT 1 AS a, 2.5 AS b, 'x' AS c, NULL AS d, count(*) AS e FROM patients", {}, SMALL)
    assert rows.to_pylist() == [{"a": 1, "b": 2.5, "c": "x", "d": None, "e": 4}]
    rows = engine.run_sql("SELECT sum(subject_id) AS a, avg(subject_id) AS b, sum(valuenum) AS c FROM labevents")
    assert [str(field.type) for field in rows.schema] == ["int64", "double", "double"]
    rows = engine.run_sql("SELECT charttime AS a FROM labevents WHERE NOT charttime IS NULL ORDER BY charttime LIMIT 1")
    assert datetime.fromisoformat(column(rows)[0]).isoformat(" ") == column(rows)[0]
    rows = engine.run_sql("SELECT is_frontal AS a FROM films ORDER BY image_id LIMIT 1")
    assert column(rows) == [1]


def test_an_empty_answer_has_its_columns(engine: OpenEngine) -> None:
    rows = engine.run_sql("SELECT subject_id AS a, gender AS b FROM patients WHERE 1 = 2", {}, SMALL)
    assert rows.num_rows == 0 and rows.column_names == ["a", "b"]


PLACEHOLDERS = {"duckdb": "${}", "sqlite": ":{}", "postgres": "%({})s"}


def test_parameters_are_values_and_never_sql(engine: OpenEngine) -> None:
    text, number = (PLACEHOLDERS[engine.name].format(name) for name in ("text", "number"))
    sql = f"SELECT count(*) AS a FROM patients WHERE subject_id > {number} AND gender <> {text}"
    assert column(engine.run_sql(sql, {"text": "x' OR '1'='1", "number": 0}, SMALL)) == [4]
    like = "SELECT count(*) AS a FROM patients WHERE gender LIKE '%' AND subject_id > " + number
    assert column(engine.run_sql(like, {"number": 0}, SMALL)) == [4]
    with pytest.raises(QueryError, match="parameter"):
        engine.run_sql(sql, {"text": "M"}, SMALL)
    with pytest.raises(QueryError, match="parameter number: bytes"):
        engine.run_sql(sql, {"text": "M", "number": b"0"}, SMALL)


def test_dates_as_parameters(engine: OpenEngine) -> None:
    start = PLACEHOLDERS[engine.name].format("start")
    sql = f"SELECT count(*) AS a FROM admissions WHERE admittime > {start}"
    total = column(engine.run_sql("SELECT count(*) AS a FROM admissions", {}, SMALL))
    assert column(engine.run_sql(sql, {"start": datetime(1900, 1, 1, 8)}, SMALL)) == total
    assert column(engine.run_sql(sql, {"start": date(2999, 1, 1)}, SMALL)) == [0]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.booleans())))
def test_any_values_become_one_column_of_sqlites_types(values: list[Any]) -> None:
    array = array_of(values)
    assert array.type in (pa.int64(), pa.float64(), pa.string(), pa.null()) and len(array) == len(values)
    nulls = [value is None or value != value for value in values]
    assert [each is None for each in array.to_pylist()] == nulls
    if all(isinstance(value, bool | int | None) for value in values):
        assert array.to_pylist() == values
    table = pa.table({"a": array})
    assert as_sqlite_values(table).equals(table)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
            st.one_of(st.none(), st.booleans()),
            st.one_of(st.none(), st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1))),
        ),
        max_size=8,
    )
)
def test_temporary_relations_come_back_as_they_were_given(
    engines: dict[str, OpenEngine], rows: list[tuple[Any, ...]]
) -> None:
    kinds = {"n": pa.int64(), "x": pa.float64(), "s": pa.string(), "b": pa.bool_(), "t": pa.timestamp("us")}
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    given_table = pa.table(
        [pa.array(each, kind) for each, kind in zip(columns, kinds.values(), strict=True)], list(kinds)
    )
    expected = sorted(as_sqlite_values(given_table).to_pylist(), key=repr)
    for name in ENGINES:
        found = engines[name].run_sql("SELECT n, x, s, b, t FROM looks", {}, SMALL, {"looks": given_table})
        assert sorted(found.to_pylist(), key=repr) == expected, name


def test_a_temporary_relation_is_gone_after_its_query_and_hides_a_table_meanwhile(engine: OpenEngine) -> None:
    looks = pa.table({"study_id": [1, 2], "value": [True, None]})
    assert column(engine.run_sql("SELECT count(*) AS a FROM looks WHERE value", {}, SMALL, {"looks": looks})) == [1]
    with pytest.raises(QueryError):
        engine.run_sql("SELECT count(*) AS a FROM looks", {}, SMALL)
    hidden = "SELECT count(*) AS a FROM patients"
    assert column(engine.run_sql(hidden, {}, SMALL, {"patients": looks})) == [2]
    assert column(engine.run_sql(hidden, {}, SMALL)) == [4]
    with pytest.raises(QueryError):
        engine.run_sql("SELECT nothing FROM looks", {}, SMALL, {"looks": looks})
    assert column(engine.run_sql(hidden, {}, SMALL, {"looks": looks})) == [4]  # also after one that failed


@pytest.mark.parametrize("name", ["a b", 'x"; DROP TABLE patients; --', "", "pg_catalog.pg_class"])
def test_a_temporary_relation_has_a_plain_name(engine: OpenEngine, name: str) -> None:
    with pytest.raises(QueryError, match="plain name"):
        engine.run_sql("SELECT 1 AS a", {}, SMALL, {name: pa.table({"a": [1]})})


# ------------------------------------------------------------------------------------------------------- the limits


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(seconds=1, rows=1000, memory_mb=512), "too-slow"),
        (Limits(seconds=20, rows=10, memory_mb=512), "too-many-rows"),
    ],
)
def test_a_limit_stops_a_query_in_time(engine: OpenEngine, limits: Limits, code: str) -> None:
    sql = "SELECT a.labevent_id FROM labevents AS a, labevents AS b, labevents AS c"
    if code == "too-slow":
        sql = sql.replace("a.labevent_id", "count(*)") + " WHERE a.valuenum + b.valuenum * c.valuenum = 0.1234"
    started = time.monotonic()
    with pytest.raises(QueryError) as caught:
        engine.run_sql(sql, {}, limits)
    assert caught.value.code == code
    assert time.monotonic() - started < limits.seconds + 15
    assert engine.run_sql("SELECT 1 AS a", {}, SMALL).to_pylist() == [{"a": 1}]


def test_as_many_rows_as_the_limit_are_no_mistake(engine: OpenEngine) -> None:
    assert engine.run_sql("SELECT subject_id FROM patients", {}, Limits(rows=4, memory_mb=512)).num_rows == 4
    with pytest.raises(QueryError, match="more than 3 rows"):
        engine.run_sql("SELECT subject_id FROM patients", {}, Limits(rows=3, memory_mb=512))


def test_memory_has_a_limit(engine: OpenEngine) -> None:
    wide = pa.table({"s": ["x" * 1_000_000] * 40})
    sql = "SELECT a.s || b.s AS s FROM looks AS a, looks AS b"
    with pytest.raises(QueryError) as caught:
        engine.run_sql(sql, {}, Limits(seconds=60, rows=10_000, memory_mb=200), {"looks": wide})
    assert caught.value.code in ("too-much-memory", "engine-died"), str(caught.value)
    assert column(engine.run_sql("SELECT count(*) AS a FROM patients", {}, SMALL)) == [4]


def test_duckdb_writes_numbers_in_the_formats_of_the_dialect_alone(engines: dict[str, OpenEngine]) -> None:
    duckdb = engines["duckdb"]
    assert duckdb.run_sql("SELECT PRINTF('%.9f', 1.5) AS x", {}, Limits()).to_pylist() == [{"x": "1.500000000"}]
    for wide in ("'%999999999d'", "'%.9' || 'f'"):
        with pytest.raises(QueryError, match="printf"):
            duckdb.run_sql(f"SELECT PRINTF({wide}, 1) AS x", {}, Limits())


@pytest.mark.parametrize("field", ["seconds", "rows", "memory_mb"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_limit_is_a_number_above_zero(engines: dict[str, OpenEngine], field: str, value: float) -> None:
    with pytest.raises(QueryError, match=f"limits.{field}"):
        engines["duckdb"].run_sql("SELECT 1", {}, Limits(**{field: value}))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ the children


@pytest.fixture
def own(request: pytest.FixtureRequest, engine_targets: dict[str, str]) -> Iterator[OpenEngine]:
    """An engine whose child a test may kill."""
    with open_engine(engine_targets[request.param]) as engine:
        yield engine


killable = pytest.mark.parametrize("own", ENGINES, indirect=True)


@killable
def test_one_child_serves_many_queries(own: OpenEngine) -> None:
    own.run_sql("SELECT 1 AS a")
    first = own.process_id
    for number in range(20):
        assert column(own.run_sql(f"SELECT {number} AS a")) == [number]
    assert own.process_id == first


@killable
def test_a_child_that_was_killed_is_replaced(own: OpenEngine, engine_targets: dict[str, str]) -> None:
    before = content_digest(engine_targets[own.name])
    own.run_sql("SELECT 1 AS a")
    first = own.process_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert column(own.run_sql("SELECT count(*) AS a FROM patients")) == [4]
    assert own.process_id != first
    assert content_digest(engine_targets[own.name]) == before


@killable
def test_a_child_killed_in_the_middle_of_a_query_is_one_clear_error(own: OpenEngine) -> None:
    own.run_sql("SELECT 1 AS a", {}, SMALL)
    assert own.process_id is not None
    timer = threading.Timer(1.0, os.kill, (own.process_id, signal.SIGKILL))
    timer.start()
    with pytest.raises(QueryError) as caught:
        own.run_sql(ENDLESS, {}, Limits(seconds=60, memory_mb=512))
    assert caught.value.code == "engine-died" and "\n" not in str(caught.value)
    assert column(own.run_sql("SELECT count(*) AS a FROM patients", {}, SMALL)) == [4]


ENDLESS = """SELECT count(*) AS a FROM labevents AS a, labevents AS b, labevents AS c, labevents AS d
             WHERE a.valuenum + b.valuenum * c.valuenum - d.valuenum = 0.1234"""


@killable
def test_a_child_that_does_not_stop_by_itself_is_killed(own: OpenEngine) -> None:
    own.run_sql("SELECT 1 AS a", {}, SMALL)
    first = own.process_id
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # as one that is stuck inside the database
    started = time.monotonic()
    with pytest.raises(QueryError) as caught:
        own.run_sql("SELECT 1 AS a", {}, Limits(seconds=1, memory_mb=512))
    assert caught.value.code == "too-slow" and time.monotonic() - started < 15
    assert own.run_sql("SELECT 1 AS a", {}, SMALL).num_rows == 1 and own.process_id != first


def test_an_interrupt_leaves_no_answer_for_a_later_query(engine_targets: dict[str, str]) -> None:
    with open_engine(engine_targets["sqlite"]) as engine:
        engine.run_sql("SELECT 1 AS a", {}, SMALL)
        ourselves = threading.main_thread().ident
        timer = threading.Timer(0.7, signal.pthread_kill, (ourselves, signal.SIGINT))
        # A shell that runs the tests in the background has them ignore interrupts.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                engine.run_sql(ENDLESS, {}, Limits(seconds=60, memory_mb=512))
        finally:
            signal.signal(signal.SIGINT, before)
        assert column(engine.run_sql("SELECT 7 AS a", {}, SMALL)) == [7]


PARENT = """
import os, sys, time
from chartsight.neuralsql.engines import open_engine
with open_engine(sys.argv[1]) as engine:
    engine.run_sql("SELECT 1")
    print(engine.process_id, flush=True)
    time.sleep(60)
"""


def test_a_child_ends_with_its_parent(engine_targets: dict[str, str]) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, engine_targets["sqlite"]], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")


def test_the_child_may_write_no_file_and_leaves_none(engine_targets: dict[str, str]) -> None:
    for name in ("duckdb", "sqlite"):
        folder = Path(engine_targets[name]).parent
        with open_engine(engine_targets[name]) as engine:
            before = sorted(path.name for path in folder.iterdir())
            engine.run_sql("SELECT count(*) FROM labevents AS a JOIN labevents AS b ON a.itemid = b.itemid", {}, SMALL)
            soft = Path(f"/proc/{engine.process_id}/limits").read_text()
            assert [line.split()[4:6] for line in soft.splitlines() if "Max file size" in line] == [["0", "0"]] or (
                "Max file size             0                    0" in soft
            )
            assert sorted(path.name for path in folder.iterdir()) == before


def test_several_threads_may_share_an_engine(engines: dict[str, OpenEngine]) -> None:
    found: dict[int, list[Any]] = {}

    def ask(number: int) -> None:
        found[number] = column(engines["duckdb"].run_sql(f"SELECT {number} AS a", {}, SMALL))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == {number: [number] for number in range(8)}


# ---------------------------------------------------------------------------------------------- errors tell no values


def test_an_error_never_repeats_a_patients_value(engine: OpenEngine) -> None:
    names = pa.table({"name": [SECRET]})
    for sql in (
        "SELECT CAST(name AS INTEGER) AS a FROM people",
        "SELECT CAST(name AS DATE) AS a FROM people",
        "SELECT CAST(name AS TIMESTAMP) AS a FROM people",
        "SELECT count(*) AS a FROM people WHERE name > 5",
        "SELECT substr(name, -1, -5) || CAST(name AS DOUBLE PRECISION) AS a FROM people",
    ):
        try:
            engine.run_sql(sql, {}, SMALL, {"people": names})
        except QueryError as error:
            assert "Zebediah" not in str(error) and "Quux" not in str(error), str(error)
            assert error.code in ("failed", "bad-query")


def test_an_error_names_what_is_not_there(engine: OpenEngine) -> None:
    with pytest.raises(QueryError, match="nothing_such"):
        engine.run_sql("SELECT nothing_such FROM patients", {}, SMALL)
    with pytest.raises(QueryError) as caught:
        engine.run_sql("SELECT subject_id FROM patients WHERE", {}, SMALL)
    assert caught.value.code == "bad-query" and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------- what can be opened


def test_a_target_is_known_by_what_it_is(tmp_path: Path, engine_targets: dict[str, str]) -> None:
    for name in ENGINES:
        assert engine_name(engine_targets[name]) == name
    (tmp_path / "text.duckdb").write_text("no record")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE a (b)").connection.close()
    newer = Path(shutil.copy(engine_targets["sqlite"], tmp_path / "newer.sqlite"))
    connection = sqlite3.connect(newer)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for target, code in [
        ("absent.duckdb", "missing-record"), ("text.duckdb", "no-record"), ("other.duckdb", "no-record"),
        ("other.sqlite", "no-record"), ("newer.sqlite", "newer-schema"),
    ]:  # fmt: skip
        with pytest.raises(RecordError) as caught, open_engine(tmp_path / target):
            pass
        assert caught.value.code == code, target


def test_a_url_with_a_password_is_refused_and_not_repeated(postgres_socket: str) -> None:
    for url in (
        f"postgresql://postgres:{SECRET.split()[1]}@localhost/records",
        f"postgresql://postgres@/records?host={postgres_socket}&password={SECRET.split()[1]}",
    ):
        with pytest.raises(RecordError) as caught, open_engine(url):
            pass
        assert caught.value.code == "password-in-url" and "Quux" not in str(caught.value)
        assert "Quux" not in shown(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody@/none?host=/nowhere", "postgresql://a@localhost:1/b", "postgresql://[bad", "postgres://x y"],
)
def test_a_server_that_does_not_answer_is_one_line(url: str) -> None:
    with pytest.raises(ChartsightError) as caught, open_engine(url):
        pass
    assert caught.value.code in ("no-connection", "bad-url") and "\n" not in str(caught.value)


def test_a_database_without_a_record_and_a_role_that_may_write(
    new_database: Callable[[], str], engine_targets: dict[str, str]
) -> None:
    with pytest.raises(RecordError) as caught, open_engine(new_database()):
        pass
    assert caught.value.code == "no-record"
    with psycopg.connect(engine_targets["postgres"], autocommit=True) as connection:
        connection.execute("CREATE ROLE writer LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA chartsight TO writer")
        connection.execute("GRANT SELECT, INSERT ON chartsight.patients TO writer")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute(f"GRANT {POSTGRES_READER} TO reader")
    writer, reader = (engine_targets["postgres"].replace("postgres@", f"{name}@") for name in ("writer", "reader"))
    with pytest.raises(RecordError) as caught, open_engine(writer):
        pass
    assert caught.value.code == "role-too-strong"
    with open_engine(reader) as engine:
        assert column(engine.run_sql("SELECT count(*) AS a FROM patients", {}, SMALL)) == [4]
    with psycopg.connect(engine_targets["postgres"], autocommit=True) as connection:
        connection.execute("DROP OWNED BY writer")
        connection.execute("DROP ROLE writer")
        connection.execute("DROP ROLE reader")


def test_a_lost_server_connection_is_told_and_made_again(engine_targets: dict[str, str]) -> None:
    with open_engine(engine_targets["postgres"]) as engine:
        engine.run_sql("SELECT 1 AS a", {}, SMALL)
        with psycopg.connect(engine_targets["postgres"], autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chartsight' "
                "ORDER BY backend_start DESC LIMIT 1"  # this engine's alone: the session's own goes on
            )
        with pytest.raises(QueryError, match="connection to the server was lost"):
            engine.run_sql("SELECT 1 AS a", {}, SMALL)
        assert column(engine.run_sql("SELECT 1 AS a", {}, SMALL)) == [1]
