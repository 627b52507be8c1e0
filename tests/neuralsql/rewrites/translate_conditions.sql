-- A number where a condition is asked for.
select row_id from t where i and not r or s
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE t.i <> 0 AND NOT t.r <> 0 OR COALESCE(TRY_CAST(REGEXP_EXTRACT(t.s, '^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?') AS DOUBLE), CASE WHEN NOT t.s IS NULL THEN 0 END) <> 0
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE t.i <> 0 AND NOT t.r <> 0 OR COALESCE(CAST(SUBSTRING(t.s FROM '^\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?') AS DOUBLE PRECISION), CASE WHEN NOT t.s IS NULL THEN 0 END) <> 0

-- In CASE and ON.
select case when k then 1 else 0 end from u left join t on i
    duckdb: SELECT CASE WHEN u.k <> 0 THEN 1 ELSE 0 END AS "CASE WHEN k THEN 1 ELSE 0 END" FROM u AS u LEFT JOIN t AS t ON t.i <> 0
    postgres: SELECT CASE WHEN u.k <> 0 THEN 1 ELSE 0 END AS "CASE WHEN k THEN 1 ELSE 0 END" FROM u AS u LEFT JOIN t AS t ON t.i <> 0
