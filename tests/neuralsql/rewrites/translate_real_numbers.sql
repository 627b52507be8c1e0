-- Floating point, not decimal.
select i * 2.5 from t
    duckdb: SELECT CAST(t.i AS BIGINT) * CAST(2.5 AS DOUBLE) AS "i * 2.5" FROM t AS t
    postgres: SELECT CAST(t.i AS BIGINT) * CAST(2.5 AS DOUBLE PRECISION) AS "i * 2.5" FROM t AS t
