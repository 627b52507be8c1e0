"""The corpus of what a question may not do: refused by the check, and by every engine when the check is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from chartsight.errors import QueryError
from chartsight.neuralsql.catalog import Catalog
from chartsight.neuralsql.check import check
from chartsight.neuralsql.dialect import parse
from chartsight.neuralsql.engines import EngineName, Limits, OpenEngine
from chartsight.records import content_digest

ENGINES = get_args(EngineName)
pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_postgres", "tests.fixtures_engines"]

CORPUS = Path(__file__).parent / "corpus"
CANARY = "canary-7f3a"
LIMITS = Limits(seconds=5, rows=1000, memory_mb=512)

AROUND_TABLES = (
    "SELECT * FROM {}",
    "SELECT count(*) FROM {}",
    "SELECT q.* FROM patients AS p CROSS JOIN {} AS q",
    "SELECT (SELECT count(*) FROM {}) AS n FROM patients",
    "SELECT subject_id FROM patients WHERE EXISTS (SELECT 1 FROM {})",
    "WITH patients AS (SELECT * FROM {}) SELECT * FROM patients",
    "WITH a AS (WITH b AS (SELECT * FROM {}) SELECT * FROM b) SELECT count(*) FROM a",
    "SELECT count(*) AS n FROM patients UNION ALL SELECT count(*) FROM {}",
    "SELECT CASE WHEN (SELECT count(*) FROM {}) > 0 THEN 1 ELSE 0 END AS hash FROM patients",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM {}) AS a) AS patients",
)
AROUND_VALUES = (
    "SELECT {}",
    "SELECT {} AS subject_id FROM patients",
    "SELECT subject_id FROM patients WHERE {} IS NULL",
    "SELECT max(CASE WHEN subject_id > 0 THEN {} END) FROM patients",
    "SELECT q.a FROM (SELECT {} AS a FROM patients) AS q",
    "WITH patients AS (SELECT {} AS a) SELECT a FROM patients",
    "SELECT a FROM (SELECT NULL AS a UNION ALL SELECT {}) AS q",
    "SELECT count(*) FROM patients GROUP BY {}",
    "SELECT coalesce(NULL, {}) FROM patients ORDER BY 1",
)


def lines(name: str) -> list[str]:
    return [line for line in (CORPUS / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


def forbidden(engine: str = "", *, everywhere: bool = False) -> Iterator[str]:
    """Every entry, with its marks: in every place, or in the plain one and three others that take turns."""
    yield from lines("statements.sql")
    values = [*lines("values.sql"), *(lines("casts.sql") if engine != "sqlite" else ())]
    for entries, around in ((lines("tables.sql"), AROUND_TABLES), (values, AROUND_VALUES)):
        for number, entry in enumerate(entries):
            turns = {0, *(1 + (number + turn) % (len(around) - 1) for turn in (0, 3, 6))}
            for place in range(len(around)) if everywhere else sorted(turns):
                yield around[place].format(entry)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, engine_targets: dict[str, str]) -> dict[str, str]:
    """What the marks of the corpus stand for."""
    folder = tmp_path_factory.mktemp("bypass")
    folder.chmod(0o777)
    (folder / "secret.csv").write_text(f"word\n{CANARY}\n")
    return {
        "@SECRET@": str(folder / "secret.csv"),
        "@OUT@": str(folder / "out"),
        "@DATABASE@": engine_targets["duckdb"],
    }


def put(query: str, places: dict[str, str]) -> str:
    for mark, place in places.items():
        query = query.replace(mark, place)
    return query


@pytest.fixture(scope="session")
def catalog(engines: dict[str, OpenEngine]) -> Catalog:
    return engines["duckdb"].catalog


def test_the_check_refuses_every_entry_in_every_place(catalog: Catalog, places: dict[str, str]) -> None:
    passed = []
    queries = [*forbidden(everywhere=True), *lines("comments.sql")]
    for query in queries:
        try:
            check(parse(put(query, places)), catalog)
        except QueryError as error:
            assert CANARY not in str(error) and "\n" not in str(error)
        else:
            passed.append(query)
    assert passed == []
    assert len(queries) > 2000


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "everywhere"])
def test_every_engine_refuses_every_entry_without_the_check(
    engines: dict[str, OpenEngine], engine_targets: dict[str, str], places: dict[str, str], name: str, everywhere: bool
) -> None:
    engine = engines[name]
    before, passed = content_digest(engine_targets[name]), []
    engine.run_sql("SELECT 1", {}, LIMITS)
    first = engine.process_id
    for query in forbidden(name, everywhere=everywhere):
        try:
            engine.run_sql(put(query, places), {}, LIMITS)
        except QueryError as error:
            assert error.code in ("refused", "bad-query", "bad-parameter"), (query, error.code, str(error))
            assert CANARY not in str(error) and "\n" not in str(error)
        else:
            passed.append(query)
    assert passed == []
    assert engine.process_id == first  # no entry ended the child
    assert not Path(places["@OUT@"]).exists()
    assert content_digest(engine_targets[name]) == before


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_harmless_runs(engines: dict[str, OpenEngine], catalog: Catalog, name: str) -> None:
    for query in lines("allowed.sql"):
        check(parse(query), catalog)
        assert engines[name].run_sql(query, {}, LIMITS).num_rows > 0, query


@pytest.mark.parametrize("name", ENGINES)
def test_the_engines_agree_on_what_is_harmless(engines: dict[str, OpenEngine], name: str) -> None:
    for query in lines("allowed.sql"):
        if " LIMIT " not in query or " ORDER " in query:
            rows, expected = (
                sorted(map(repr, engines[each].run_sql(query, {}, LIMITS).to_pylist())) for each in (name, "sqlite")
            )
            assert [row.split(": ", 1)[1] for row in rows] == [row.split(": ", 1)[1] for row in expected], query


@pytest.mark.parametrize("name", ENGINES)
def test_what_never_ends_is_stopped_with_a_clear_error(engines: dict[str, OpenEngine], name: str) -> None:
    engine = engines[name]
    before = engine.run_sql("SELECT count(*) AS n FROM labevents", {}, LIMITS)
    for query in lines("endless.sql"):
        with pytest.raises(QueryError) as caught:
            engine.run_sql(query, {}, Limits(seconds=1, rows=1000, memory_mb=512))
        assert caught.value.code in ("too-slow", "too-many-rows", "too-much-memory"), (query, str(caught.value))
        assert engine.run_sql("SELECT count(*) AS n FROM labevents", {}, LIMITS) == before
