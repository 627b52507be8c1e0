"""The check: what it lets pass, and that its errors say where, what and what instead."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chartsight.errors import QueryError
from chartsight.neuralsql import Settings, parse, prepare
from chartsight.neuralsql.catalog import Catalog, column_type, readable
from chartsight.neuralsql.check import MOST_NODES, check
from chartsight.neuralsql.dialect import NeuralSql
from chartsight.records.ehrsql_schema import NOW, PUBLISHED_TABLES
from chartsight.schema import TABLES

CATALOG = readable({name: [(column.name, column.type) for column in table.columns] for name, table in TABLES.items()})
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("sql", "line", "column", "fragment", "found"),
    [
        ("SELECT pg_sleep(3)", 1, 8, "pg_sleep", "no function"),
        ("SELECT count(*)\nFROM patient", 2, 6, "patient", "did you mean patients?"),
        ("SELECT gendr FROM patients", 1, 8, "gendr", "did you mean gender?"),
        ("SELECT p.gendr FROM patients AS p", 1, 10, "gendr", "did you mean gender?"),
        ("SELECT q.gender FROM patients AS p", 1, 8, "q", "is no table of this FROM"),
        (
            "SELECT subject_id FROM patients\nWHERE subject_id IN (\n  SELECT subject FROM admissions)",
            3,
            10,
            "subject",
            "",
        ),
        ("SELECT lenght(gender) FROM patients", 1, 8, "lenght", "did you mean length?"),
        ("SELECT * FROM films", 1, 8, "", "more of films than a question may read"),
        ("SELECT films.path FROM films", 1, 14, "path", "no such column"),
        ("SELECT subject_id FROM main.patients", 1, 24, "main", "a schema is named"),
        ("SELECT value FROM record_info", 1, 19, "record_info", "no table of the record"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i) SELECT i FROM n", 1, None, "", "runs without bound"),
        ("SELECT subject_id FROM patients FOR UPDATE", None, None, "", "locks"),
        ("SELECT CAST(gender AS regclass) FROM patients", 1, 13, "", "casts to"),
        ("SELECT FUNC_VQA(gender, study_id) FROM tb_cxr, patients", 1, 8, "func_vqa", "has no question"),
        ("SELECT FUNC_VQA('is there edema?') FROM tb_cxr", 1, 8, "func_vqa", "names 0 studies"),
    ],
)
def test_an_error_says_where_what_and_what_instead(
    sql: str, line: int | None, column: int | None, fragment: str, found: str
) -> None:
    with pytest.raises(QueryError) as caught:
        check(parse(sql), CATALOG)
    error = caught.value
    assert (error.line, error.fragment) == (line, fragment), str(error)
    assert column is None or error.column == column, str(error)
    assert found in str(error) and (line is None or f"line {line}" in error.where) and "\n" not in str(error)
    assert error.as_dict()["line"] == line and error.suggestion == error.hint


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM patients WHERE 1 = 1 AND gender = 'hash'",
        "SELECT FUNC_VQA(\"is there edema?\", t.study_id) FROM tb_cxr AS t",
        "SELECT count(*) FROM tb_cxr AS a, tb_cxr AS b WHERE FUNC_VQA('new edema?', a.study_id, b.study_id)",
        "SELECT p.gender FROM patients AS p WHERE EXISTS (SELECT 1 FROM icustays AS a WHERE a.hadm_id = p.subject_id)",
        "WITH a AS (SELECT subject_id AS s FROM patients), b AS (SELECT s FROM a) SELECT b.s FROM b",
        "SELECT q.n FROM (SELECT count(*) AS n FROM labevents) AS q WHERE q.n > 1",
        "WITH c(x, y) AS (SELECT subject_id, gender FROM patients) SELECT c.x, y FROM c",
        "SELECT gender AS g, count(*) FROM patients GROUP BY g HAVING count(*) > 1 ORDER BY g",
        "SELECT subject_id FROM patients UNION SELECT subject_id FROM admissions ORDER BY subject_id LIMIT 3",
        "SELECT dense_rank() OVER (PARTITION BY gender ORDER BY anchor_age DESC) AS r FROM patients",
        "SELECT strftime('%Y', admittime), datetime(dischtime, '-1 month') FROM admissions",
        "SELECT p.* FROM patients AS p JOIN films AS f ON f.subject_id = p.subject_id",
        "SELECT count(*) FROM films",
        "SELECT PATIENTS.SUBJECT_ID FROM Patients",
        "SELECT originalamount FROM procedureevents",
        "SELECT a.subject_id FROM (patients AS a JOIN admissions AS b ON a.subject_id = b.subject_id)",
    ],
)  # fmt: skip
def test_what_a_question_may_ask(sql: str) -> None:
    check(parse(sql), CATALOG)


def test_a_name_is_known_where_it_can_be_seen_only() -> None:
    for sql in (
        "SELECT 1 FROM (WITH hidden AS (SELECT 1 AS a) SELECT a FROM hidden) AS q, hidden",
        "SELECT q.gender FROM (SELECT subject_id FROM patients) AS q",
        "SELECT subject_id FROM patients WHERE labevents.itemid = 1",
        "WITH a AS (SELECT s FROM b), b AS (SELECT 1 AS s) SELECT s FROM a",
        "SELECT insurance FROM patients",
    ):
        with pytest.raises(QueryError):
            check(parse(sql), CATALOG)


def test_a_very_long_query_is_refused_before_anything_else() -> None:
    long = " + ".join(["1"] * (MOST_NODES // 2 + 10))
    with pytest.raises(QueryError) as caught:
        check(parse(f"SELECT {long}"), CATALOG)
    assert caught.value.code in ("too-long", "bad-query")


@given(st.text(max_size=60))
@example("+")
@example("+subject_id")
def test_any_text_is_refused_or_asks_the_record_only(text: str) -> None:
    """No text ends in anything but a clear error, and none that passes names what is hidden."""
    for sql in (text, f"SELECT {text} FROM patients", f"SELECT count(*) FROM {text}"):
        try:
            tree = parse(sql)
            check(tree, CATALOG)
        except QueryError as error:
            assert "\n" not in str(error)
        else:
            assert not any(
                word in tree.sql(NeuralSql).lower() for word in ("record_info", "film_roots", "sqlite_", "pg_")
            )


def test_temporary_relations_stand_beside_the_record() -> None:
    import pyarrow as pa

    looks = CATALOG.with_tables({"Looks": pa.table({"study_id": [1], "Value": [True], "score": [0.5]})})
    check(parse("SELECT l.value FROM looks AS l JOIN tb_cxr AS t ON t.study_id = l.study_id"), looks)
    assert (looks.column("looks", "value"), looks.column("looks", "score")) == ("bool", "float")
    assert not CATALOG.has("looks") and isinstance(looks, Catalog)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("TIMESTAMP(0)", "time"), ("timestamp without time zone", "time"), ("INT", "int"), ("INTEGER", "int"),
        ("bigint", "bigint"), ("DOUBLE PRECISION", "float"), ("numeric(10,2)", "float"), ("VARCHAR(20)", "text"),
        ("character varying", "text"), ("DATE", "date"), ("boolean", "bool"), ("", "text"), ("interval", "text"),
    ],
)  # fmt: skip
def test_declared_types(declared: str, kind: str) -> None:
    assert column_type(declared) == kind


@pytest.mark.opendata
def test_every_published_query_passes() -> None:
    folder = Path(os.environ.get("CHARTSIGHT_OPEN_DATA", ROOT.parent / "shared" / "open-data"))
    files = sorted((folder / "ehrsql-2024").rglob("label.json"))
    if not files:
        pytest.skip(f"no EHRSQL-2024 in {folder} (set CHARTSIGHT_OPEN_DATA)")
    catalog = readable({each.name: [(name, "text") for name in each.header] for each in PUBLISHED_TABLES})
    settings = Settings(now=NOW)
    queries = [sql for file in files for sql in json.loads(file.read_text()).values() if sql != "null"]
    for sql in queries[::5]:
        check(prepare(sql, settings), catalog)
    assert len(queries) > 5000
