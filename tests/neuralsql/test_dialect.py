"""Published text becomes a tree that means one thing; what is no query is refused with its place."""

from __future__ import annotations

import pytest

from chartsight.errors import QueryError
from chartsight.neuralsql import Settings, parse, prepare, write

PUBLISHED = Settings(now="2105-12-31 23:59:00", mode="published")


@pytest.mark.parametrize(
    ("published", "read"),
    [
        ("select strftime('%y', current_time)", "SELECT STRFTIME('%Y', '2105-12-31 23:59:00')"),
        ("select 1 where 60 < = heart_rate_lower", "SELECT 1 WHERE 60 <= 60.0"),
        ("select a from t where b = ''alzheimer's disease''", "SELECT a FROM t WHERE b = 'alzheimer''s disease'"),
        ("select a from t where b = '' and c = 'it''s < = x'", "SELECT a FROM t WHERE b = '' AND c = 'it''s < = x'"),
        (
            "select func_vqa(“is there edema?”, t.study_id) = true from tb_cxr as t",
            "SELECT FUNC_VQA('is there edema?', t.study_id) = TRUE FROM tb_cxr AS t",
        ),
        (
            'select FUNC_VQA("which are new?", a.study_id, b.study_id) from a, b',
            "SELECT FUNC_VQA('which are new?', a.study_id, b.study_id) FROM a, b",
        ),
        # A comma and CROSS JOIN give SQLite's rows in different orders.
        ("select 1 from a, b join c on a.x = c.x, d", "SELECT 1 FROM a, b JOIN c ON a.x = c.x, d"),
        ("select 1 from a cross join b", "SELECT 1 FROM a CROSS JOIN b"),
        ("select 1 - count(*)>0 from a", "SELECT 1 - COUNT(*) > 0 FROM a"),
    ],
)
def test_published_text_is_read_as_it_is(published: str, read: str) -> None:
    assert write(prepare(published, PUBLISHED), "sqlite", PUBLISHED) == read
    assert write(prepare(read, PUBLISHED), "sqlite", PUBLISHED) == read


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("select a,\n  from where", "query, line 2, column 8", "near `where`"),
        ("select a from t where (((b", "query, line 1", ""),
        ("select 'a", "query", "never closed"),
        ("select 1; select 2", "query", "2 statements"),
        ("", "query", "0 statements"),
        ("drop table patients", "query, line 1, column 1", "is DROP"),
        ("pragma user_version", "query, line 1, column 1", "is PRAGMA"),
        ("values (1)", "query, line 1, column 1", "is VALUES"),
        ("select " + "(" * 5000 + "1" + ")" * 5000, "query", "nested"),
    ],
)
def test_what_is_no_query_is_refused_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(QueryError) as found:
        parse(text)
    assert found.value.where.startswith(place) and words in found.value.found


def test_published_answers_come_from_sqlite_alone() -> None:
    with pytest.raises(QueryError, match="SQLite, which gave them"):
        write(prepare("select 1", PUBLISHED), "duckdb", PUBLISHED)
