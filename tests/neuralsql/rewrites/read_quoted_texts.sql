-- A word in double quotes is a text when no column has its name.
select row_id from t where s = "abc" and "i" = 1
    sqlite: SELECT t.row_id AS row_id FROM t AS t WHERE t.s = 'abc' AND t."i" = 1
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE t.s = 'abc' AND t."i" = 1
