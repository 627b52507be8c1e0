-- Whole numbers divide to whole numbers; by 0 is null.
select i / 2, r / i, i % 2, 365 / 2 from t
    duckdb: SELECT t.i // NULLIF(2, 0) AS "i / 2", CAST(t.r AS DOUBLE) / NULLIF(t.i, 0) AS "r / i", t.i % NULLIF(2, 0) AS "i % 2", 365 // NULLIF(2, 0) AS "365 / 2" FROM t AS t
    postgres: SELECT t.i / NULLIF(2, 0) AS "i / 2", CAST(t.r AS DOUBLE PRECISION) / NULLIF(t.i, 0) AS "r / i", t.i % NULLIF(2, 0) AS "i % 2", 365 / NULLIF(2, 0) AS "365 / 2" FROM t AS t

-- Texts and truth count as numbers.
select s + 1, b + 1, -s from t
    duckdb: SELECT COALESCE(TRY_CAST(REGEXP_EXTRACT(t.s, '^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?') AS DOUBLE), CASE WHEN NOT t.s IS NULL THEN 0 END) + 1 AS "s + 1", CAST(t.b AS INT) + 1 AS "b + 1", -COALESCE(TRY_CAST(REGEXP_EXTRACT(t.s, '^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?') AS DOUBLE), CASE WHEN NOT t.s IS NULL THEN 0 END) AS "-s" FROM t AS t
    postgres: SELECT COALESCE(CAST(SUBSTRING(t.s FROM '^\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?') AS DOUBLE PRECISION), CASE WHEN NOT t.s IS NULL THEN 0 END) + 1 AS "s + 1", CAST(t.b AS INT) + 1 AS "b + 1", -COALESCE(CAST(SUBSTRING(t.s FROM '^\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?') AS DOUBLE PRECISION), CASE WHEN NOT t.s IS NULL THEN 0 END) AS "-s" FROM t AS t

-- Numbers are written as texts.
select i || '-' || r from t
    duckdb: SELECT (CAST(t.i AS TEXT) || '-') || REGEXP_REPLACE(PRINTF('%.15g', CAST(t.r AS DOUBLE)), '^(-?[0-9]+)$', '\1.0') AS "i || '-' || r" FROM t AS t
    postgres: SELECT (CAST(t.i AS VARCHAR) || '-') || REGEXP_REPLACE(CAST(TRIM_SCALE(CAST(t.r AS DECIMAL)) AS TEXT), '^(-?[0-9]+)$', '\1.0') AS "i || '-' || r" FROM t AS t
