-- Nulls of max with two arguments.
select max(i, 5) from t
    duckdb: SELECT CASE WHEN NOT t.i IS NULL AND NOT 5 IS NULL THEN GREATEST(t.i, 5) END AS "MAX(i, 5)" FROM t AS t
    postgres: SELECT CASE WHEN NOT t.i IS NULL AND NOT 5 IS NULL THEN GREATEST(t.i, 5) END AS "MAX(i, 5)" FROM t AS t

-- Sums in 64 bits, averages of floating point.
select sum(i), avg(i), total(i), sum(s) from t
    duckdb: SELECT CAST(SUM(t.i) AS BIGINT) AS "SUM(i)", AVG(CAST(t.i AS DOUBLE)) AS "AVG(i)", COALESCE(SUM(CAST(t.i AS DOUBLE)), 0) AS "TOTAL(i)", SUM(CAST(COALESCE(TRY_CAST(REGEXP_EXTRACT(t.s, '^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?') AS DOUBLE), CASE WHEN NOT t.s IS NULL THEN 0 END) AS DOUBLE)) AS "SUM(s)" FROM t AS t
    postgres: SELECT CAST(SUM(t.i) AS BIGINT) AS "SUM(i)", AVG(CAST(t.i AS DOUBLE PRECISION)) AS "AVG(i)", COALESCE(SUM(CAST(t.i AS DOUBLE PRECISION)), 0) AS "TOTAL(i)", SUM(CAST(COALESCE(CAST(SUBSTRING(t.s FROM '^\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?') AS DOUBLE PRECISION), CASE WHEN NOT t.s IS NULL THEN 0 END) AS DOUBLE PRECISION)) AS "SUM(s)" FROM t AS t

-- Conditions, casts, texts.
select iif(i > 3, r, i), ifnull(s, '-'), cast(s as integer), upper(s), instr(s, 'b') from t
    duckdb: SELECT CASE WHEN (t.i > 3) THEN t.r ELSE CAST(t.i AS DOUBLE) END AS "IIF(i > 3, r, i)", COALESCE(t.s, '-') AS "IFNULL(s, '-')", COALESCE(TRY_CAST(REGEXP_EXTRACT(t.s, '^\s*[-+]?[0-9]+') AS BIGINT), CASE WHEN NOT t.s IS NULL THEN 0 END) AS "CAST(s AS INTEGER)", TRANSLATE(t.s, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') AS "UPPER(s)", STRPOS(t.s, 'b') AS "INSTR(s, 'b')" FROM t AS t
    postgres: SELECT CASE WHEN (t.i > 3) THEN t.r ELSE CAST(t.i AS DOUBLE PRECISION) END AS "IIF(i > 3, r, i)", COALESCE(t.s, '-') AS "IFNULL(s, '-')", COALESCE(CAST(SUBSTRING(t.s FROM '^\s*[-+]?[0-9]+') AS BIGINT), CASE WHEN NOT t.s IS NULL THEN 0 END) AS "CAST(s AS INTEGER)", TRANSLATE(t.s, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') AS "UPPER(s)", POSITION('b' IN t.s) AS "INSTR(s, 'b')" FROM t AS t
