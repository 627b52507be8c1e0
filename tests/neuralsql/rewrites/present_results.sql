-- Times are text, truth is 1 or 0.
select tm, d, b, i > 3 from t
    duckdb: SELECT STRFTIME(t.tm, '%Y-%m-%d %H:%M:%S') AS tm, CAST(t.d AS TEXT) AS d, CAST(t.b AS BIGINT) AS b, CAST((t.i > 3) AS BIGINT) AS "i > 3" FROM t AS t
    postgres: SELECT TO_CHAR(t.tm, 'YYYY-MM-DD HH24:MI:SS') AS tm, CAST(t.d AS VARCHAR) AS d, CAST(t.b AS INT) AS b, CAST((t.i > 3) AS INT) AS "i > 3" FROM t AS t

-- Only what comes out.
select x.i from (select i, b, tm from t) as x where x.b order by x.tm
    duckdb: SELECT x.i AS i FROM (SELECT t.i AS i, t.b AS b, t.tm AS tm FROM t AS t) AS x WHERE x.b ORDER BY x.tm NULLS FIRST, x.i ASC NULLS FIRST, x.b ASC NULLS FIRST
    postgres: SELECT x.i AS i FROM (SELECT t.i AS i, t.b AS b, t.tm AS tm FROM t AS t) AS x WHERE x.b ORDER BY x.tm NULLS FIRST, x.i ASC NULLS FIRST, x.b ASC NULLS FIRST
