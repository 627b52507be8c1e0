"""Pairs of SQL for every rewrite; without the rewrite they would not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql import Settings, dialect, prepare, settle, write
from chartsight.neuralsql.dialect import EngineName
from chartsight.neuralsql.rewrites import PREPARING, STABLE, TRANSLATING
from tests.neuralsql.odd_tables import PUBLISHED
from tests.neuralsql.odd_tables import STABLE as SETTINGS

FOLDER = Path(__file__).parent / "rewrites"
MODES: dict[str, tuple[EngineName, Settings]] = {
    "published": ("sqlite", PUBLISHED),
    "sqlite": ("sqlite", SETTINGS),
    "duckdb": ("duckdb", SETTINGS),
    "postgres": ("postgres", SETTINGS),
    "all ties": ("sqlite", replace(SETTINGS, ties="all")),
}


def read_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """(query, mode, what is written) of a file of pairs.

    -- A remark.
    select a from t
        duckdb: SELECT …
    """
    query = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("    "):
            mode, _, written = line.strip().partition(": ")
            yield query, mode, written
        elif line and not line.startswith("--"):
            query = line


PAIRS = [(path.stem, *pair) for path in sorted(FOLDER.glob("*.sql")) for pair in read_pairs(path)]


def write_in(mode: str, query: str) -> str:
    engine, settings = MODES[mode]
    return write(prepare(query, settings), engine, settings)


@pytest.mark.parametrize(("rewrite", "query", "mode", "written"), PAIRS)
def test_what_is_written(rewrite: str, query: str, mode: str, written: str) -> None:
    assert write_in(mode, query) == written


REWRITES = [
    (group, rewrite.__name__)
    for group, rewrites in (("PREPARING", PREPARING), ("STABLE", STABLE), ("TRANSLATING", TRANSLATING))
    for rewrite in rewrites
    if rewrite.__name__ not in ("reannotate", "resolve_names")  # nothing that comes after works without them
]


@pytest.mark.parametrize(("group", "rewrite"), REWRITES)
def test_no_rewrite_could_be_left_out(group: str, rewrite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(each for each in getattr(dialect, group) if each.__name__ != rewrite)
    monkeypatch.setattr(dialect, group, kept)
    spoilt = 0
    for name, query, mode, written in PAIRS:
        if name == rewrite:
            try:
                spoilt += write_in(mode, query) != written
            except QueryError:
                spoilt += 1
    assert spoilt


def test_a_tree_is_not_changed_by_writing_it() -> None:
    tree = prepare("select distinct s, strftime('%Y', tm) from t order by tm limit 2", SETTINGS)
    before = repr(tree)
    for engine, settings in MODES.values():
        write(tree, engine, settings)
    assert repr(tree) == before


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("select a from nowhere", "unknown-table", "nowhere"),
        ("select nothing from t", "unknown-name", "nothing"),
        ("select k from u, u as w", "unknown-name", "k"),
        ("select frobnicate(i) from t", "unknown-function", "frobnicate"),
        ("select group_concat(s) from t", "no-order", "order of rows"),
        ("select datetime(tm, s) from t", "bad-time", "modifier"),
        ("select datetime(tm, 'localtime') from t", "bad-time", "modifier"),
        ("select strftime('%Q', tm) from t", "bad-time", "%Q"),
        ("select case when b then i else s end from t", "mixed-kinds", "text with numbers"),
        ("select i from t union select s from t", "mixed-kinds", "text with numbers"),
        ("select row_id from t where i in (select s from t)", "mixed-kinds", "IN"),
        ("select func_vqa('is there edema?', i) from t", "unplanned-look", "FUNC_VQA"),
        ("select distinct i, count(*) from t group by i order by max(r)", "bad-order", "distinct"),
    ],
)
def test_what_engines_would_not_answer_alike_is_refused(sql: str, code: str, words: str) -> None:
    with pytest.raises(QueryError) as found:
        for engine in ("sqlite", "duckdb", "postgres"):
            write(prepare(sql, SETTINGS), engine, SETTINGS)
    assert found.value.code == code and words in found.value.found


def test_a_settled_tree_is_settled() -> None:
    """Whoever plans a settled tree may write it later: nothing is added twice."""
    for query in sorted({query for _, query, mode, _ in PAIRS if mode in ("sqlite", "duckdb")}):
        once = settle(prepare(query, SETTINGS), SETTINGS)
        twice = settle(once, SETTINGS)
        for part in (exp.Ordered, exp.Window, exp.Limit, exp.Select, exp.Column):
            assert len(list(twice.find_all(part))) == len(list(once.find_all(part))), query
        assert [each.alias for each in twice.selects] == [each.alias for each in once.selects]
